//! Scopes in people's words, the worst that each allows, and what an emergency may not.

use super::*;
use crate::model::Tier;

fn scope(name: &str) -> Scope {
    name.parse().unwrap_or_else(|why| panic!("{why}"))
}

fn of(scopes: &str, rows: &str) -> Policy {
    load(&[("p.toml", &format!("{scopes}\n{rows}"))]).unwrap_or_else(|why| panic!("{why}"))
}

#[test]
fn scopes_are_told_in_words_with_the_worst_that_they_allow() {
    let scopes = "[scopes]\nplain = [\"a.read\", \"a.list\"]\n[scopes.change]\nsentence = \"Change things\"\nactions = [\"a.*\"]\n[scopes.other]\nactions = [\"b.*\"]\n[scopes.glass]\nbreak_glass = true\nactions = [\"*\"]\n";
    let rows = row("r", "GET /r", "")
        + &row("w", "POST /w", "action = \"a.write\"\ntier = \"sensitive\"")
        + &row(
            "d",
            "POST /d",
            "action = \"a.list\"\neffect = \"deny\"\ntier = \"privileged\"",
        )
        + &row(
            "b",
            "POST /b",
            "action = \"b.write\"\napp = \"desk\"\ntier = \"privileged\"",
        )
        + &row(
            "g",
            "POST /g",
            "action = \"a.break\"\nbreak_glass = true\ntier = \"privileged\"",
        );
    let policy = of(scopes, &rows);
    let told: Vec<(String, String, Tier, bool)> = policy
        .scopes_of("shop")
        .into_iter()
        .map(|it| (it.name.to_string(), it.sentence, it.tier, it.break_glass))
        .collect();
    let expected = [
        ("plain", "a.read, a.list", Tier::Ordinary, false),
        ("change", "Change things", Tier::Sensitive, false),
        ("glass", "*", Tier::Privileged, true),
    ];
    let expected =
        expected.map(|(name, text, tier, glass)| (name.to_owned(), text.to_owned(), tier, glass));
    assert_eq!(told, expected);
    assert_eq!(policy.scopes_of("desk").len(), 4);
    for (app, scopes, tier) in [
        ("shop", vec!["plain"], Tier::Ordinary),
        ("shop", vec!["plain", "change"], Tier::Sensitive),
        ("shop", vec!["other"], Tier::Ordinary),
        ("desk", vec!["plain", "other"], Tier::Privileged),
        ("shop", vec!["nothing"], Tier::Ordinary),
        ("shop", vec![], Tier::Ordinary),
    ] {
        let named: Vec<Scope> = scopes.iter().map(|name| scope(name)).collect();
        assert_eq!(policy.tier_of(app, &named), tier, "{app} {scopes:?}");
    }
}

#[test]
fn what_touches_security_settings_export_or_factors_is_privileged_whatever_a_row_says() {
    for (target, more, tier) in [
        ("GET /orders", "", Tier::Ordinary),
        (
            "GET /account/export",
            "overrides = [\"pack.export\"]",
            Tier::Privileged,
        ),
        (
            "GET /anything",
            "overrides = [\"pack.export\"]",
            Tier::Privileged,
        ),
        ("POST /x", "action = \"mfa.reset\"", Tier::Privileged),
        (
            "POST /account/password",
            "break_glass = true",
            Tier::Privileged,
        ),
        (
            "POST /account/{id}/tokens",
            "overrides = [\"pack.api-token\"]",
            Tier::Privileged,
        ),
        (
            "GET /account/mfa",
            "overrides = [\"pack.mfa-view\"]",
            Tier::Sensitive,
        ),
        (
            "POST /graphql",
            "graphql = { type = \"mutation\", fields = [\"resetMfa\"] }",
            Tier::Privileged,
        ),
        (
            "POST /graphql",
            "graphql = { type = \"query\", fields = [\"orders\"] }",
            Tier::Ordinary,
        ),
    ] {
        let action = if more.starts_with("action") {
            ""
        } else {
            "action = \"a.read\"\n"
        };
        let policy = of(
            "[scopes.all]\nbreak_glass = true\nactions = [\"*\"]\n",
            &row("r", target, &format!("{action}{more}")),
        );
        assert_eq!(
            policy.tier_of("shop", &[scope("all")]),
            tier,
            "{target} {more}"
        );
    }
}

#[test]
fn a_scope_for_emergencies_is_worth_nothing_outside_of_one() {
    let scopes = "[scopes.glass]\nbreak_glass = true\nactions = [\"*\"]\n";
    let policy = of(scopes, &row("r", "GET /r", ""));
    let mut query = ask("GET /r");
    query.scopes = vec![scope("glass")];
    assert_eq!(decide(&policy, &query).why, Why::OutOfScope);
    query.break_glass = true;
    assert_eq!(says(&policy, &query), "permit r");
}

#[test]
fn a_row_that_is_never_for_emergencies_is_for_requests_only() {
    let scopes = "[scopes]\nall = [\"*\"]\n[scopes.glass]\nbreak_glass = true\nactions = [\"*\"]\n";
    let rows = row("pay", "POST /pay", "never = true\ntier = \"privileged\"")
        + &row("wide", "POST /{*rest}", "action = \"b.write\"");
    let policy = of(scopes, &rows);
    let mut query = ask("POST /pay");
    assert_eq!(says(&policy, &query), "permit pay");
    query.break_glass = true;
    for scopes in [["all"], ["glass"]] {
        query.scopes = scopes.map(scope).to_vec();
        let verdict = decide(&policy, &query);
        assert_eq!(verdict.why, Why::NeverInBreakGlass);
        assert_eq!(&*verdict.decision.rule, "pay");
    }
    assert_eq!(policy.tier_of("shop", &[scope("glass")]), Tier::Ordinary);
    let both = problems(&row("x", "GET /x", "never = true\nbreak_glass = true"));
    assert!(both.iter().any(|it| it.contains("rows.never")), "{both:?}");
}

#[test]
fn mistakes_in_scopes_are_named() {
    for (scopes, part) in [
        (
            "[scopes.view]\nsentence = \"See\"",
            "scopes.actions: is missing",
        ),
        ("[scopes.view]\nactions = [1]", "no string"),
        ("[scopes.view]\nactions = []\nsentense = \"x\"", "sentence"),
        (
            "[scopes.view]\nactions = []\nsentence = \" \"",
            "scopes.sentence: has 1",
        ),
        ("[scopes.View]\nactions = []", "is no scope"),
        ("[scopes]\nview = 3", "is no list of strings"),
    ] {
        let found = problems(scopes);
        assert!(
            found.iter().any(|it| it.contains(part)),
            "{scopes}: {found:?}"
        );
    }
    let long = problems(&format!(
        "[scopes.view]\nactions = []\nsentence = \"{}\"",
        "x".repeat(161)
    ));
    assert!(
        long.iter().any(|it| it.contains("161 characters")),
        "{long:?}"
    );
    let two = load(&[
        (
            "a.toml",
            "[scopes.view]\nactions = []\nsentence = \"One\"\n",
        ),
        (
            "b.toml",
            "[scopes.view]\nactions = []\nsentence = \"Two\"\n",
        ),
    ]);
    let two = two.err().map(|why| why.to_string());
    assert!(two.is_some_and(|why| why.contains("b.toml:3") && why.contains("another sentence")));
}
