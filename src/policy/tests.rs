//! Tests of the policy as a whole, through its public interface.

use super::*;
use crate::model::{Effect, Findings, Reason, Scope};
use proptest::prelude::*;
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

#[test]
fn parameters_fields_and_headers_decide() {
    let policy = policy(
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
    );
    for (query, expected) in [
        (ask("GET /l?x=1"), "permit list"),
        (ask("GET /l?a%6cl=TRUE"), "deny no-all"),
        (ask("GET /l?all=2"), "permit list"),
        (ask("GET /l?all=2&all=1"), "deny ambiguous"),
        (ask("GET /l?ALL=1"), "deny ambiguous"),
        (ask("GET /l?all[]=1"), "deny ambiguous"),
        (ask("GET /l?all=%zz"), "deny ambiguous"),
        (
            with_body("POST /f", "application/x-www-form-urlencoded", "do=note"),
            "permit form",
        ),
        (
            with_body("POST /f", "application/x-www-form-urlencoded", "do=other"),
            "deny default-deny",
        ),
        (
            with_body(
                "POST /f",
                "application/x-www-form-urlencoded",
                "do=note&do=x",
            ),
            "deny ambiguous",
        ),
        (
            with_body(
                "POST /f",
                "application/json; charset=UTF-8",
                r#"{"a":{"b":5}}"#,
            ),
            "permit json",
        ),
        (
            with_body("POST /f", "application/json", r#"{"a":{"b":5,"b":6}}"#),
            "deny ambiguous",
        ),
        (
            with_body(
                "POST /f",
                "application/json; charset=utf-16",
                r#"{"a":{"b":5}}"#,
            ),
            "deny body-unreadable",
        ),
        (
            with_body("POST /f", "application/json", "{"),
            "deny body-unreadable",
        ),
        (
            with_body("POST /f", "text/plain", "do=note"),
            "deny default-deny",
        ),
        (ask("POST /f"), "deny default-deny"),
        (ask("POST /s"), "deny default-deny"),
    ] {
        assert_eq!(
            says(&policy, &query),
            expected,
            "{} {:?}",
            query.request,
            query.body.map(|b| String::from_utf8_lossy(&b).into_owned())
        );
    }
    let mut action = ask("POST /s");
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
    let scan = example.with_routed(&policy, |routed| routed.override_scan());
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
        example.with_routed(&policy, |routed| routed.relaxed())
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
fn the_pack_gives_way_only_to_a_row_that_says_so() {
    let own = row("mine", "* /{*rest}", "")
        + &row(
            "exp",
            "GET /export",
            "action = \"e.read\"\noverrides = [\"pack.export\"]",
        );
    let policy = policy(&own);
    assert_eq!(says(&policy, &ask("GET /export")), "permit exp");
    assert_eq!(says(&policy, &ask("GET /export/all")), "deny pack.export");
    assert_eq!(
        says(&policy, &ask("POST /account/mfa/reset")),
        "deny pack.mfa-reset"
    );
    let off = load(&[(
        "p.toml",
        &format!(
            "[scopes]\nall = [\"*\"]\n[pack]\noff = [\"pack.export\"]\n{}",
            row("w", "GET /{*rest}", "")
        ),
    )]);
    let off = off.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(says(&off, &ask("GET /export/all")), "permit w");
    assert_ne!(off.digest(), policy.digest());
}

#[test]
fn the_pack_reads_graphql_even_where_no_row_does() {
    let policy = policy(&row("any", "POST /api/graphql", ""));
    let gql = |text: &str| {
        says(
            &policy,
            &with_body("POST /api/graphql", "application/json", text),
        )
    };
    assert_eq!(gql(r#"{"query":"{ orders { id } }"}"#), "permit any");
    assert_eq!(
        gql(r#"{"query":"mutation { changePassword }"}"#),
        "deny pack.password"
    );
    assert_eq!(gql("nonsense"), "deny body-unreadable");
}

#[test]
fn break_glass_lifts_only_what_says_so() {
    let rows = row(
        "mfa",
        "POST /mfa/reset",
        "action = \"m.read\"\nbreak_glass = true",
    ) + &row(
        "imp",
        "POST /impersonate",
        "action = \"i.read\"\nbreak_glass = true",
    ) + &row("d", "POST /d", "effect = \"deny\"\nnever = true")
        + &row("all", "POST /{*rest}", "break_glass = true");
    let policy = policy(&rows);
    let glass = |request: &str| ExplainQuery {
        break_glass: true,
        ..ask(request)
    };
    assert_eq!(
        says(&policy, &ask("POST /mfa/reset")),
        "deny pack.mfa-reset"
    );
    assert_eq!(says(&policy, &glass("POST /mfa/reset")), "permit mfa");
    assert_eq!(
        says(&policy, &glass("POST /impersonate")),
        "deny pack.impersonation"
    );
    assert_eq!(says(&policy, &glass("POST /d")), "deny d");
    assert_eq!(decide(&policy, &ask("POST /x")).why, Why::BreakGlassOnly);
}

#[test]
fn conditions_hold_or_deny() {
    let rows = row(
        "c",
        "GET /c/{x}",
        "resource = \"c:{x}\"\nwhen = '''context.ticket like \"SUP-*\" && resource.tenant == \"acme\" && context.hour < 12 // comment'''",
    ) + &row(
        "err",
        "GET /e",
        "action = \"e.read\"\nwhen = \"context.time * 9223372036854775807 > 0\"",
    ) + &row(
        "d",
        "GET /c/9",
        "effect = \"deny\"\naction = \"d.read\"\nwhen = \"context.approval_count < 2\"",
    );
    let text = format!("[scopes]\nall = [\"*\"]\n{rows}");
    let cedar =
        "@id(\"night\") forbid(principal, action, resource) when { principal.id == \"mallory\" };";
    let policy =
        load(&[("p.toml", &text), ("x.cedar", cedar)]).unwrap_or_else(|why| panic!("{why}"));
    let query = |request: &str, tenant: &str| ExplainQuery {
        ticket: "SUP-1".to_owned(),
        tenant: tenant.to_owned(),
        now: Some(crate::model::Timestamp::from_millis(
            1_700_000_000_000 - 14 * 3_600_000,
        )),
        client: Some(std::net::IpAddr::from([192, 0, 2, 1])),
        ..ask(request)
    };
    assert_eq!(says(&policy, &query("GET /c/1", "acme")), "permit c");
    assert_eq!(
        decide(&policy, &query("GET /c/1", "other")).why,
        Why::Condition
    );
    assert_eq!(
        decide(&policy, &query("GET /e", "acme")).why,
        Why::ConditionFailed
    );
    assert_eq!(says(&policy, &query("GET /c/9", "acme")), "deny d");
    let agreed = ExplainQuery {
        approvals: vec!["a".into(), "b".into()],
        ..query("GET /c/9", "acme")
    };
    assert_eq!(says(&policy, &agreed), "permit c");
    let mallory = ExplainQuery {
        operator: "mallory".into(),
        ..query("GET /c/1", "acme")
    };
    assert_eq!(says(&policy, &mallory), "deny cedar:night");
}

#[test]
fn cedar_mistakes_are_problems() {
    let when = |text: &str| problems(&row("c", "GET /c", &format!("when = '''{text}'''")));
    for bad in [
        "context.tikcet == \"x\"",
        "true }; permit(principal, action, resource) when { true",
        "1",
        "context.time == \"x\"",
        "context.client.isLoopback()",
    ] {
        assert!(
            when(bad)
                .iter()
                .any(|p| p.contains("p.toml:6") && p.contains("rows.when")),
            "{bad}: {:?}",
            when(bad)
        );
    }
    let text = row("c", "GET /c", "");
    let permit = load(&[
        ("p.toml", &text),
        ("x.cedar", "permit(principal, action, resource);"),
    ]);
    assert!(
        permit
            .err()
            .is_some_and(|p| p.to_string().contains("can only forbid"))
    );
}

#[test]
fn all_mistakes_at_once_with_line_key_and_remedy() {
    let text = "[[rows]]\nid = \"a b\"\nmatch = \"GET orders\"\naction = \"x.read\"\neffect = \"alow\"\nmesage = \"?\"\nrelax = [\"chunk\", \"nope\"]\n\n[[rows]]\nid = \"b\"\nmatch = \"GET /b/{c}\"\naction = \"x.read\"\neffect = \"allow\"\nresource = \"r:{d}\"\noverrides = [\"pack.nothing\"]\n[other]\n";
    let found = problems(text);
    for (line, key) in [
        (2, "rows.id"),
        (3, "rows.match"),
        (5, "rows.effect"),
        (6, "rows.mesage"),
        (7, "rows.relax"),
        (14, "rows.resource"),
        (15, "rows.overrides"),
        (16, "other"),
    ] {
        let place = format!("p.toml:{line}: {key}: ");
        assert!(
            found.iter().any(|problem| problem.contains(&place)),
            "{place} in {found:#?}"
        );
    }
    assert!(
        found
            .iter()
            .any(|problem| problem.contains("Did you mean \"message\"?"))
    );
}

#[test]
fn conflicts_shadows_and_duplicates_are_errors() {
    let deny = "effect = \"deny\"";
    let other = "action = \"b.read\"";
    for (rows, word) in [
        (
            row("a", "GET /x/{y}", "") + &row("b", "GET|POST /x/{z}", other),
            "conflict",
        ),
        (
            row("a", "GET|POST /x", "") + &row("b", "GET /x", ""),
            "shadowed",
        ),
        (
            row("a", "GET /x", "") + &row("c", "POST /x", "") + &row("b", "GET|POST /x", ""),
            "shadowed",
        ),
        (
            row("a", "* /x/{*r}", deny) + &row("b", "GET /X/y", ""),
            "shadowed",
        ),
        (
            row("a", "GET /x", deny) + &row("b", "GET /x", deny),
            "shadowed",
        ),
        (
            row("a", "GET /x", "") + &row("a", "GET /y", ""),
            "also the id",
        ),
    ] {
        let found = problems(&rows);
        assert!(
            found.iter().any(|problem| problem.contains(word)),
            "{word}: {found:?}\n{rows}"
        );
    }
    for rows in [
        row("a", "GET /x/{y}", "") + &row("b", "GET /x/y", other),
        row("a", "GET /x", "query = {a = \"1\"}")
            + &row("b", "GET /x", &format!("{other}\nquery = {{a = \"2\"}}")),
        row("a", "POST /x", "graphql = {type = \"query\"}")
            + &row(
                "b",
                "POST /x",
                &format!("{other}\ngraphql = {{type = \"mutation\"}}"),
            ),
        row("a", "GET /x", "app = \"one\"")
            + &row("b", "GET /x", &format!("{other}\napp = \"two\"")),
        row("a", "GET /x", &format!("{deny}\nquery = {{a = \"1\"}}")) + &row("b", "GET /x", ""),
    ] {
        assert_eq!(problems(&rows), Vec::<String>::new(), "{rows}");
    }
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
fn the_shipped_policy_is_sound_and_its_cases_cover_it() {
    let paths = vec![PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/config/policy"
    ))];
    let report = check(&paths, &LoadOptions::default()).unwrap_or_else(|why| panic!("{why}"));
    assert!(report.warnings.is_empty(), "{report}");
    let report = test(&paths, &LoadOptions::default()).unwrap_or_else(|why| panic!("{why}"));
    assert!(report.passed() && report.uncovered.is_empty(), "{report}");
}

#[test]
fn a_deleted_row_fails_a_case() {
    let file = |name: &str| {
        std::fs::read_to_string(format!(
            "{}/config/policy/{name}",
            env!("CARGO_MANIFEST_DIR")
        ))
        .unwrap_or_default()
    };
    let (rows, cases) = (file("storefront.toml"), file("storefront.cases.toml"));
    let pieces: Vec<&str> = rows.split("[[rows]]").collect();
    for gone in 1..pieces.len() {
        let left: Vec<&str> = pieces
            .iter()
            .enumerate()
            .filter(|(nth, _)| *nth != gone)
            .map(|(_, piece)| *piece)
            .collect();
        let left = left.join("[[rows]]");
        let (_folder, paths) = folder(&[("s.toml", &left), ("s.cases.toml", &cases)]);
        let report = test(&paths, &LoadOptions::default()).unwrap_or_else(|why| panic!("{why}"));
        assert!(!report.passed(), "without {}", pieces[gone]);
    }
}

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

#[test]
fn candidates_may_be_held_across_an_await() {
    fn is_send<T: Send>() {}
    is_send::<Routed<'_>>();
    is_send::<Policy>();
}
