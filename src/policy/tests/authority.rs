//! The pack, break-glass and conditions.

use super::*;

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
