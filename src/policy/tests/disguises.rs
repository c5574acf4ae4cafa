//! Spellings that an app may read as what a row denies, and a row's text does not.

use super::*;

#[test]
fn an_encoded_delimiter_does_not_get_past_a_deny_row() {
    let rows = row("any", "POST /orders/{order}", "")
        + &row(
            "no",
            "POST /orders/17:cancel",
            "effect = \"deny\"\naction = \"o.cancel\"",
        );
    let policy = policy(&rows);
    for path in [
        "/orders/17:cancel",
        "/orders/17%3Acancel",
        "/orders/17%3acancel",
    ] {
        assert_eq!(says(&policy, &ask(&format!("POST {path}"))), "deny no");
    }
    assert_eq!(says(&policy, &ask("POST /orders/17")), "permit any");
}

#[test]
fn an_encoded_delimiter_does_not_get_past_the_pack() {
    let policy = policy(&row("any", "POST /{*rest}", ""));
    let plain = says(&policy, &ask("POST /account:mfa:reset"));
    assert!(plain.starts_with("deny pack."), "{plain}");
    assert_eq!(says(&policy, &ask("POST /account%3Amfa%3Areset")), plain);
}

#[test]
fn a_switch_of_user_is_seen_however_it_is_spelt() {
    let policy = policy(&row("any", "GET /{*rest}", ""));
    for query in [
        "_switch_user=kim",
        "_switch%5Fuser=kim",
        "_switch%5fuser=kim",
        "_SWITCH_USER=kim",
        "_switch.user=kim",
        "_switch+user=kim",
    ] {
        let said = says(&policy, &ask(&format!("GET /orders?{query}")));
        assert!(said.starts_with("deny pack."), "{query}: {said}");
    }
}

#[test]
fn a_header_that_reads_as_another_is_not_guessed() {
    let rows = row("any", "POST /page", "")
        + &row(
            "no",
            "POST /page",
            "effect = \"deny\"\naction = \"p.act\"\nheaders = { next-action = \"*\" }",
        );
    let policy = policy(&rows);
    let with = |name: &str| {
        let mut query = ask("POST /page");
        query.headers.push((name.to_owned(), "a1".to_owned()));
        query
    };
    assert_eq!(says(&policy, &with("next-action")), "deny no");
    for alias in ["next_action", "next.action"] {
        assert_eq!(says(&policy, &with(alias)), "deny ambiguous");
    }
    assert_eq!(says(&policy, &with("x-other")), "permit any");
}

#[test]
fn json_that_asks_for_another_method_is_found() {
    let policy = policy(&row("any", "POST /f", ""));
    for (kind, body) in [
        ("application/json", r#"{"_method":"DELETE"}"#),
        ("text/plain", r#"{"\u005fmethod":"PUT"}"#),
        ("application/x-www-form-urlencoded", ".method=DELETE"),
    ] {
        let query = with_body("POST /f", kind, body);
        let example = example::Example::new(&query).unwrap_or_else(|why| panic!("{why}"));
        let facts = example.facts();
        let scan = policy.route(&facts).override_scan();
        assert!(
            scan.is_some_and(|mut scan| scan.feed(body.as_bytes())),
            "{kind}: {body}"
        );
    }
}
