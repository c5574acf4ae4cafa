//! What holds for any policy and any request.

use super::*;
use proptest::prelude::*;

fn any_path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a"),
        Just("B"),
        Just("mfa"),
        Just("x.csv"),
        Just(""),
        Just("é")
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| format!("/{}", pieces.join("/")))
}

fn any_row() -> impl Strategy<Value = (String, String)> {
    let path = prop_oneof![
        Just("/a"),
        Just("/{x}"),
        Just("/a/{x}"),
        Just("/{*r}"),
        Just("/a/b"),
        Just("/{x}.csv"),
        Just("/a/{*r}")
    ];
    let method = prop_oneof![Just("GET"), Just("POST"), Just("*"), Just("GET|DELETE")];
    let more = prop_oneof![
        Just(""),
        Just("query = {q = \"1\"}"),
        Just("form = {f = \"*\"}"),
        Just("json = {j = \"a*\"}"),
        Just("headers = {h = \"*\"}"),
        Just("graphql = {fields = [\"a\"]}"),
        Just("websocket = {}"),
    ];
    (method, path, more)
        .prop_map(|(method, path, more)| (format!("{method} {path}"), more.to_owned()))
}

fn any_query() -> impl Strategy<Value = ExplainQuery> {
    let method = prop_oneof![
        Just("GET"),
        Just("HEAD"),
        Just("POST"),
        Just("DELETE"),
        Just("get"),
        Just("X")
    ];
    let parameters = prop_oneof![
        Just(""),
        Just("?q=1"),
        Just("?q=1&q=2"),
        Just("?_method=GET"),
        Just("?query={a}")
    ];
    let body = prop_oneof![
        Just(("application/x-www-form-urlencoded", "f=1")),
        Just(("application/json", r#"{"j":"ab","query":"{a}"}"#)),
        Just(("application/json", "[")),
        Just(("text/plain", "f=1")),
        Just(("application/json", "")),
    ];
    (
        method,
        any_path(),
        parameters,
        body,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(method, path, parameters, (kind, body), header, websocket)| {
                let mut query = with_body(&format!("{method} {path}{parameters}"), kind, body);
                query.websocket = websocket;
                if header {
                    query.headers.push(("h".to_owned(), "v".to_owned()));
                }
                query
            },
        )
}

proptest! {
    #[test]
    fn without_an_allow_row_nothing_is_permitted(rows in prop::collection::vec(any_row(), 0..4), query in any_query()) {
        let text: String = rows.iter().enumerate().map(|(n, (target, more))| row(&format!("r{n}"), target, &format!("effect = \"deny\"\n{more}"))).collect();
        if let Ok(policy) = load(&[("p.toml", &format!("[scopes]\nall=[\"*\"]\n{text}"))]) {
            prop_assert!(!decide(&policy, &query).is_permit());
        }
    }

    #[test]
    fn a_deny_row_never_permits_more(rows in prop::collection::vec(any_row(), 1..4), denied in any_row(), queries in prop::collection::vec(any_query(), 8)) {
        let head = "[scopes]\nall=[\"*\"]\n";
        let allow: String = rows.iter().enumerate().map(|(n, (target, more))| row(&format!("r{n}"), target, more)).collect();
        let deny = row("no", &denied.0, &format!("effect = \"deny\"\n{}", denied.1));
        let before = load(&[("p.toml", &format!("{head}{allow}"))]);
        let after = load(&[("p.toml", &format!("{head}{allow}{deny}"))]);
        if let (Ok(before), Ok(after)) = (before, after) {
            for query in &queries {
                // `decide` also checks that explain agrees.
                if decide(&after, query).is_permit() {
                    prop_assert!(decide(&before, query).is_permit(), "{:?}", query);
                }
            }
        }
    }

    #[test]
    fn no_file_panics(text in "[\\[\\]a-z=\"{}*/ \\n.]{0,200}") {
        let _ = load(&[("p.toml", &text), ("p.cases.toml", &text)]);
    }

    #[test]
    fn no_row_panics(target in ".{0,30}", value in ".{0,20}", key in "[a-z]{1,9}") {
        let quote = |text: &str| serde_json::Value::from(text).to_string();
        let _ = problems(&format!("[[rows]]\nid=\"a\"\nmatch={}\naction=\"a\"\neffect=\"allow\"\n{key}={}\nresource={}", quote(&target), quote(&value), quote(&value)));
    }

    #[test]
    fn no_request_panics(path in "/.{0,60}", query in ".{0,40}", method in ".{0,8}", body in prop::collection::vec(any::<u8>(), 0..80), kind in "[a-z/;=+ -]{0,40}") {
        let rows = row("a", "* /{*r}", "") + &row("b", "* /{a}/{b}.c", "json = {x = \"1\"}\nresource=\"{a}{b}\"") + &row("c", "* /{a}", "effect = \"deny\"\nform = {x = \"1\"}") + &row("d", "* /é/{*x}", "graphql = {}\nresource=\"{x}\"");
        let policy = policy(&rows);
        let mut headers = http::HeaderMap::new();
        if let Ok(value) = http::HeaderValue::from_str(&kind) {
            headers.insert("content-type", value);
        }
        let facts = Facts { app: "x", method: &method, path: &path, query: Some(&query), headers: &headers, is_websocket: false };
        let example_query = ask("GET /");
        let example = super::example::Example::new(&example_query).unwrap_or_else(|why| panic!("{why}"));
        let routed = policy.route(&facts);
        let _ = (routed.relaxed(), routed.body_need(), routed.decide(&example.grant(), Some(&body)));
    }
}
