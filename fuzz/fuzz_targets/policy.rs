//! The readers of request bodies: JSON, forms, GraphQL and queries. What a plain reader takes for what a row denies is
//! never permitted. Input: a byte that chooses the kind, then the body (or query).
#![no_main]

use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use locum::model::{Operator, OperatorKind, Scope, Subject, Tenant, Timestamp};
use locum::policy::{Facts, GrantFacts, LoadOptions, Policy};
use std::sync::LazyLock;

const ROWS: &str = r#"
[scopes]
view = ["*"]

[[rows]]
id = "json"
match = "POST /json"
action = "json"
effect = "allow"

[[rows]]
id = "json-refund"
match = "POST /json"
json = { status = "refunded" }
action = "refund"
effect = "deny"

[[rows]]
id = "form"
match = "POST /form"
action = "form"
effect = "allow"

[[rows]]
id = "form-refund"
match = "POST /form"
form = { do = "refund" }
action = "refund"
effect = "deny"

[[rows]]
id = "query"
match = "GET /query"
action = "query"
effect = "allow"

[[rows]]
id = "query-refund"
match = "GET /query"
query = { do = "refund" }
action = "refund"
effect = "deny"

[[rows]]
id = "orders"
match = "POST /graphql"
graphql = { type = "query", fields = ["orders"] }
action = "orders"
effect = "allow"
"#;

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("rows.toml"), ROWS).expect("a file");
    Policy::load(&[dir.path().into()], &LoadOptions::default())
        .unwrap_or_else(|why| panic!("{why}"))
});

struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    kind: &'static str,
    body: &'a [u8],
}

fn permits(asked: &Asked<'_>) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asked.kind));
    let facts = Facts {
        app: "shop",
        method: asked.method,
        path: asked.path,
        query: asked.query,
        headers: &headers,
        is_websocket: false,
    };
    let scopes: [Scope; 1] = ["view".parse().expect("a scope")];
    let grant = GrantFacts {
        scopes: &scopes,
        operator: &Operator {
            id: "ada".into(),
            name: None,
            kind: OperatorKind::Human,
        },
        subject: &Subject {
            id: "kim".into(),
            name: None,
        },
        tenant: &Tenant {
            id: "acme".into(),
            name: None,
        },
        ticket: "SUP-1",
        approvals: &[],
        break_glass: false,
        client: None,
        now: Timestamp::from_millis(0),
    };
    let routed = POLICY.route(&facts);
    let body = routed.body_need().map(|_| asked.body);
    routed
        .decide(&grant, Some(body.unwrap_or_default()))
        .is_permit()
}

fn refunds(pairs: &[u8]) -> bool {
    url::form_urlencoded::parse(pairs).any(|(name, value)| name == "do" && value == "refund")
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else {
        return;
    };
    let post = |path, kind| Asked {
        method: "POST",
        path,
        query: None,
        kind,
        body: rest,
    };
    match kind % 4 {
        0 if permits(&post("/json", "application/json")) => {
            let read = serde_json::from_slice::<serde_json::Value>(rest);
            assert!(!read.is_ok_and(|value| value["status"] == "refunded"));
        }
        1 if permits(&post("/form", "application/x-www-form-urlencoded")) => {
            assert!(!refunds(rest))
        }
        2 if permits(&post("/graphql", "application/json")) => {
            let read =
                serde_json::from_slice::<serde_json::Value>(rest).expect("JSON was permitted");
            assert!(read.to_string().contains("orders"), "{read}");
        }
        3 => {
            let Ok(query) = std::str::from_utf8(rest) else {
                return;
            };
            let asked = Asked {
                method: "GET",
                path: "/query",
                query: Some(query),
                kind: "text/plain",
                body: b"",
            };
            if permits(&asked) {
                assert!(!refunds(rest));
            }
        }
        _ => {}
    }
});
