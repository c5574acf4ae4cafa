//! Tests of the policy as a whole, through its public interface: what it decides.

mod authority;
mod choices;
mod diff;
mod disguises;
mod files;
mod properties;
mod speed;

use super::*;
use crate::model::{Effect, Findings, Reason, Scope};
use std::path::PathBuf;

pub(super) fn load(files: &[(&str, &str)]) -> Result<Policy, Problems> {
    load_with(files, &LoadOptions::default())
}

fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap_or_else(|why| panic!("{why}"));
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap_or_else(|why| panic!("{why}"));
    }
    let paths = vec![folder.path().to_owned()];
    (folder, paths)
}

fn load_with(files: &[(&str, &str)], options: &LoadOptions) -> Result<Policy, Problems> {
    let (_folder, paths) = folder(files);
    Policy::load(&paths, options)
}

fn policy(rows: &str) -> Policy {
    let text = format!("[scopes]\nall = [\"*\"]\nview = [\"*.read\"]\n{rows}");
    load(&[("p.toml", &text)]).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(rows: &str) -> Vec<String> {
    match load(&[("p.toml", rows)]) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn row(id: &str, target: &str, more: &str) -> String {
    let effect = if more.lines().any(|line| line.starts_with("effect")) {
        ""
    } else {
        "effect = \"allow\"\n"
    };
    let action = if more.lines().any(|line| line.starts_with("action")) {
        ""
    } else {
        "action = \"a.read\"\n"
    };
    format!("[[rows]]\nid = \"{id}\"\nmatch = \"{target}\"\n{action}{effect}{more}\n")
}

fn ask(request: &str) -> ExplainQuery {
    ExplainQuery {
        request: request.to_owned(),
        scopes: vec!["all".parse::<Scope>().unwrap_or_else(|why| panic!("{why}"))],
        ..ExplainQuery::default()
    }
}

fn with_body(request: &str, kind: &str, body: &str) -> ExplainQuery {
    ExplainQuery {
        headers: vec![("content-type".to_owned(), kind.to_owned())],
        body: Some(body.as_bytes().to_vec()),
        ..ask(request)
    }
}

fn decide(policy: &Policy, query: &ExplainQuery) -> Verdict {
    let example = super::example::Example::new(query).unwrap_or_else(|why| panic!("{why}"));
    let verdict = example.decide(policy);
    // Explain must tell the same story.
    let story = explain(policy, query).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(
        (story.effect, &*story.rule),
        (verdict.decision.effect, &*verdict.decision.rule)
    );
    verdict
}

/// `permit home` or `deny default-deny`.
fn says(policy: &Policy, query: &ExplainQuery) -> String {
    let verdict = decide(policy, query);
    let effect = if verdict.is_permit() {
        "permit"
    } else {
        "deny"
    };
    format!("{effect} {}", verdict.decision.rule)
}

#[test]
fn what_is_not_listed_is_denied() {
    let policy = policy(&row("one", "GET /a/{x}", "resource = \"thing:{x}\""));
    assert_eq!(says(&policy, &ask("GET /a/1")), "permit one");
    assert_eq!(
        &*decide(&policy, &ask("GET /a/1")).decision.resource,
        "thing:1"
    );
    for request in [
        "GET /",
        "GET /a",
        "GET /a/",
        "GET /a/1/",
        "POST /a/1",
        "get /a/1",
        "GET /A/1",
    ] {
        let verdict = decide(&policy, &ask(request));
        assert_eq!(&*verdict.decision.rule, "default-deny", "{request}");
        assert_eq!(&*verdict.decision.action, "unlisted");
        assert_eq!(verdict.why, Why::Unlisted);
    }
    let mut none = ask("GET /a/1");
    none.scopes.clear();
    assert_eq!(decide(&policy, &none).why, Why::OutOfScope);
}

#[test]
fn deny_wins_in_any_case_and_with_a_slash() {
    let rows = row("all", "* /{*rest}", "")
        + &row(
            "no",
            "POST /a/Secret",
            "effect = \"deny\"\nmessage = \"No\"",
        );
    let policy = policy(&rows);
    for request in [
        "POST /a/Secret",
        "POST /a/secret",
        "POST /A/SECRET/",
        "post /a/secret",
    ] {
        assert_eq!(says(&policy, &ask(request)), "deny no", "{request}");
    }
    assert_eq!(says(&policy, &ask("GET /a/secret")), "permit all");
    assert_eq!(says(&policy, &ask("PURGE /x")), "permit all");
}

#[test]
fn the_most_specific_row_speaks_even_where_a_scope_carries_only_the_other() {
    let rows = row("wide", "GET /{*rest}", "")
        + &row("narrow", "GET /orders/{o}", "action = \"orders.write\"");
    let policy = policy(&rows);
    let mut query = ask("GET /orders/1");
    query.scopes = vec!["view".parse().unwrap_or_else(|why| panic!("{why}"))];
    assert_eq!(says(&policy, &query), "deny narrow");
    query.request = "GET /orders".to_owned();
    assert_eq!(says(&policy, &query), "permit wide");
}

#[test]
fn head_follows_get_unless_it_has_rows() {
    let get = policy(&row("get", "GET /a", ""));
    assert_eq!(says(&get, &ask("HEAD /a")), "permit get");
    let both = policy(&(row("get", "GET /a", "") + &row("head", "HEAD /a", "action = \"b.read\"")));
    assert_eq!(says(&both, &ask("HEAD /a")), "permit head");
    let denied =
        policy(&(row("no", "GET /a/b", "effect = \"deny\"") + &row("head", "* /a/{x}", "")));
    assert_eq!(says(&denied, &ask("HEAD /a/b")), "deny no");
}

#[test]
fn read_only_lets_reading_through() {
    let policy = policy(
        &(row("ro", "* /r/{*rest}", "effect = \"read-only\"")
            + &row("write", "POST /r/x", "")
            + &row("gql", "POST /api", "effect = \"read-only\"\ngraphql = {}")),
    );
    assert_eq!(says(&policy, &ask("GET /r/x")), "permit ro");
    assert_eq!(says(&policy, &ask("OPTIONS /r/x")), "permit ro");
    assert_eq!(says(&policy, &ask("POST /r/x")), "deny ro");
    let gql = |text: &str| says(&policy, &with_body("POST /api", "application/json", text));
    assert_eq!(gql(r#"{"query":"{ a }"}"#), "permit gql");
    assert_eq!(gql(r#"{"query":"mutation { a }"}"#), "deny gql");
    assert_eq!(
        gql(r#"[{"query":"{ a }"},{"query":"subscription { a }"}]"#),
        "deny gql"
    );
}

/// Rows that match on a parameter, a form field, a JSON member and a header.
fn matching_policy() -> Policy {
    policy(
        &(row("list", "GET /l", "")
            + &row(
                "no-all",
                "GET /l",
                "effect = \"deny\"\nquery = { all = [\"1\", \"true\"] }",
            )
            + &row("form", "POST /f", "form = { do = \"note\" }")
            + &row(
                "json",
                "POST /f",
                "json = { \"a.b\" = 5 }\naction = \"b.read\"",
            )
            + &row("act", "POST /s", "headers = { next-action = \"abc*\" }")),
    )
}

#[test]
fn parameters_decide() {
    let policy = matching_policy();
    for (target, expected) in [
        ("/l?x=1", "permit list"),
        ("/l?a%6cl=TRUE", "deny no-all"),
        ("/l?all=2", "permit list"),
        ("/l?all=2&all=1", "deny ambiguous"),
        ("/l?ALL=1", "deny ambiguous"),
        ("/l?all[]=1", "deny ambiguous"),
        ("/l?all=%zz", "deny ambiguous"),
    ] {
        assert_eq!(
            says(&policy, &ask(&format!("GET {target}"))),
            expected,
            "{target}"
        );
    }
}

#[test]
fn form_fields_and_json_members_decide() {
    let policy = matching_policy();
    let form = "application/x-www-form-urlencoded";
    let json = "application/json";
    for (kind, body, expected) in [
        (form, "do=note", "permit form"),
        (form, "do=other", "deny default-deny"),
        (form, "do=note&do=x", "deny ambiguous"),
        (
            "application/json; charset=UTF-8",
            r#"{"a":{"b":5}}"#,
            "permit json",
        ),
        (json, r#"{"a":{"b":5.0}}"#, "permit json"),
        (json, r#"{"a":{"b":6}}"#, "deny default-deny"),
        (json, r#"{"a":{"b":5,"b":6}}"#, "deny ambiguous"),
        (
            "application/json; charset=utf-16",
            r#"{"a":{"b":5}}"#,
            "deny body-unreadable",
        ),
        (json, "{", "deny body-unreadable"),
        ("text/plain", "do=note", "deny default-deny"),
        (form, "", "deny default-deny"),
    ] {
        let query = with_body("POST /f", kind, body);
        assert_eq!(says(&policy, &query), expected, "{kind} {body}");
    }
}

#[test]
fn headers_decide() {
    let policy = matching_policy();
    let mut action = ask("POST /s");
    assert_eq!(says(&policy, &action), "deny default-deny");
    action.headers = vec![("Next-Action".to_owned(), "abcdef".to_owned())];
    assert_eq!(says(&policy, &action), "permit act");
    action
        .headers
        .push(("next-action".to_owned(), "other".to_owned()));
    assert_eq!(says(&policy, &action), "deny ambiguous");
}

#[test]
fn a_deny_row_that_cannot_read_the_body_denies() {
    let rows = row("post", "POST /f", "")
        + &row(
            "no",
            "POST /f",
            "effect = \"deny\"\nform = { do = \"pay\" }",
        );
    let policy = policy(&rows);
    let form = "application/x-www-form-urlencoded";
    assert_eq!(
        says(&policy, &with_body("POST /f", form, "do=x")),
        "permit post"
    );
    assert_eq!(
        says(&policy, &with_body("POST /f", form, "do=PAY")),
        "deny no"
    );
    for kind in [
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=b",
        "application/x-www-form-urlencoded, text/plain",
    ] {
        assert_eq!(
            says(&policy, &with_body("POST /f", kind, "{}")),
            "deny body-unreadable",
            "{kind}"
        );
    }
    let mut packed = with_body("POST /f", form, "do=x");
    packed
        .headers
        .push(("content-encoding".to_owned(), "gzip".to_owned()));
    assert_eq!(says(&policy, &packed), "deny body-unreadable");
    assert_eq!(
        says(&policy, &with_body("POST /f", form, &"a".repeat(70_000))),
        "deny body-too-large-to-judge"
    );
}

#[test]
fn a_method_override_is_a_finding() {
    let rows = row("post", "POST /f", "")
        + &row("ok", "POST /g", "relax = [\"method-override\"]")
        + &row("b", "POST /h", "form = { a = \"1\" }");
    let policy = policy(&rows);
    let verdict = decide(&policy, &ask("POST /f?%5Fmethod=DELETE"));
    assert_eq!(verdict.findings.first(), Some(Reason::MethodOverride));
    assert_eq!(says(&policy, &ask("POST /g?_method=DELETE")), "permit ok");
    let form = with_body(
        "POST /h",
        "application/x-www-form-urlencoded",
        "a=1&_method=PUT",
    );
    assert_eq!(
        decide(&policy, &form).findings.first(),
        Some(Reason::MethodOverride)
    );
    let facts_of = with_body("POST /f", "application/x-www-form-urlencoded", "x");
    let example = super::example::Example::new(&facts_of).unwrap_or_else(|why| panic!("{why}"));
    let facts = example.facts();
    let scan = policy.route(&facts).override_scan();
    assert!(scan.is_some_and(|mut scan| scan.feed(b"a=1&_method=PUT")));
}

#[test]
fn relaxations_are_those_of_the_route() {
    let rows = row("wide", "GET /{*rest}", "")
        + &row(
            "files",
            "GET /files/{*rest}",
            "relax = [\"encoded-slash\", \"empty-segment\"]\naction = \"f.read\"",
        );
    let policy = policy(&rows);
    let relaxed = |request: &str| {
        let query = ask(request);
        let example = super::example::Example::new(&query).unwrap_or_else(|why| panic!("{why}"));
        let facts = example.facts();
        policy.route(&facts).relaxed()
    };
    assert!(relaxed("GET /files/a").contains(Reason::EncodedSlash));
    assert_eq!(relaxed("GET /other"), Findings::NONE);
    assert_eq!(relaxed("POST /files/a"), Findings::NONE);
}

#[test]
fn websockets_need_their_own_row() {
    let rows = row("page", "GET /w", "")
        + &row("ws", "GET /x", "websocket = { mode = \"receive-only\" }")
        + &row("no", "GET /y", "websocket = { mode = \"deny\" }")
        + &row("y", "GET /y", "action = \"y.read\"");
    let policy = policy(&rows);
    let socket = |request: &str| ExplainQuery {
        websocket: true,
        ..ask(request)
    };
    assert_eq!(says(&policy, &socket("GET /w")), "deny default-deny");
    assert_eq!(says(&policy, &socket("CONNECT /x")), "permit ws");
    assert_eq!(says(&policy, &ask("GET /x")), "deny default-deny");
    assert_eq!(says(&policy, &socket("GET /y")), "deny no");
    assert_eq!(says(&policy, &ask("GET /y")), "permit y");
    let rules = decide(&policy, &socket("GET /x")).websocket;
    assert_eq!(
        rules.map(|rules| rules.judge(b"x", true)),
        Some(Err(MessageDenied::ReceiveOnly))
    );
}

#[test]
fn rows_of_an_app_are_its_own() {
    let policy = policy(
        &(row("one", "GET /x", "app = \"one\"") + &row("any", "GET /{*r}", "action = \"b.read\"")),
    );
    let app = |app: &str| ExplainQuery {
        app: app.to_owned(),
        ..ask("GET /x")
    };
    assert_eq!(says(&policy, &app("one")), "permit one");
    assert_eq!(says(&policy, &app("two")), "permit any");
    let options = LoadOptions {
        apps: Some(vec!["two".into()]),
        ..LoadOptions::default()
    };
    let unknown = load_with(
        &[("p.toml", &row("one", "GET /x", "app = \"one\""))],
        &options,
    );
    assert!(
        unknown
            .err()
            .is_some_and(|p| p.to_string().contains("no configured app"))
    );
}

#[test]
fn the_shadow_tells_where_it_differs() {
    let (live, next) = (
        policy(&row("a", "GET /x", "")),
        policy(&row("b", "GET /y", "")),
    );
    let differ = shadow::Differ::new(live.digest(), next.digest());
    let both = |request: &str| {
        differ.compare(&decide(&live, &ask(request)), &decide(&next, &ask(request)))
    };
    assert!(both("GET /z").is_none());
    let difference = both("GET /x").unwrap_or_else(|| panic!("no difference"));
    assert_eq!(
        (difference.live.effect, difference.candidate.effect),
        (Effect::Permit, Effect::Deny)
    );
    assert_eq!(&*difference.candidate.rule, "default-deny");
}

#[test]
fn candidates_may_be_held_across_an_await() {
    fn is_send<T: Send>() {}
    is_send::<Routed<'_>>();
    is_send::<Policy>();
}
