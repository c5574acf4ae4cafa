//! Two policies compared, and recorded requests decided again by both.

use super::*;
use crate::model::{Operator, OperatorKind, Subject, Tenant, Timestamp};
use crate::policy::diff::diff;
use crate::policy::replay::{Recorded, Replay, Replayed, Ruling};

fn recorded(request: &str, ruling: &str, policy: &Policy) -> Recorded {
    let (method, target) = request.split_once(' ').expect("a method and a target");
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let (effect, rule) = ruling.split_once(' ').expect("an effect and a rule");
    Recorded {
        exchange: format!("x-{target}"),
        app: String::new(),
        method: method.to_owned(),
        path: path.to_owned(),
        query,
        is_websocket: false,
        scopes: vec!["all".parse().expect("a scope")],
        operator: Operator {
            id: "ada".to_owned(),
            name: None,
            kind: OperatorKind::Human,
        },
        subject: Subject {
            id: "kim".to_owned(),
            name: None,
        },
        tenant: Tenant {
            id: "acme".to_owned(),
            name: None,
        },
        ticket: "SUP-1".to_owned(),
        approvals: Vec::new(),
        break_glass: false,
        client: None,
        at: Timestamp::from_millis(0),
        policy: policy.digest().to_owned(),
        effect: if effect == "permit" {
            Effect::Permit
        } else {
            Effect::Deny
        },
        rule: rule.to_owned(),
    }
}

fn replay(old: &Policy, new: &Policy, all: &[(&str, &str)]) -> Replayed {
    let mut replay = Replay::new(old, new);
    for (request, ruling) in all {
        replay.add(&recorded(request, ruling, old));
    }
    replay.done()
}

/// `permit a → deny b ×2`.
fn told(replayed: &Replayed) -> Vec<String> {
    let ruling = |it: &Ruling| format!("{} {}", it.effect, it.rule);
    let groups = replayed.otherwise.iter();
    groups
        .map(|it| format!("{} → {} ×{}", ruling(&it.old), ruling(&it.new), it.count))
        .collect()
}

#[test]
fn rows_and_what_is_beside_them_are_compared() {
    let old = policy(&(row("a", "GET /a", "") + &row("b", "GET /b", "")));
    let changed = row(
        "a",
        "GET /a",
        "tier = \"sensitive\"\nwhen = 'context.ticket != \"\"'",
    );
    let text = format!(
        "[scopes]\nall = [\"*\"]\nview = [\"a.read\"]\n[pack]\noff = [\"pack.export\"]\n{changed}{}",
        row("c", "GET /c", "")
    );
    let new = load(&[
        ("p.toml", &text),
        (
            "f.cedar",
            "@id(\"no-night\") forbid (principal, action, resource) when { context.hour < 6 };",
        ),
    ]);
    let new = new.unwrap_or_else(|why| panic!("{why}"));
    let found = diff(&old, &new);
    assert_eq!(
        found
            .added
            .iter()
            .map(|it| it.rule.as_str())
            .collect::<Vec<_>>(),
        ["c"]
    );
    assert_eq!(
        found
            .removed
            .iter()
            .map(|it| it.rule.as_str())
            .collect::<Vec<_>>(),
        ["b"]
    );
    let changed: Vec<String> = found
        .changed
        .iter()
        .map(|it| {
            format!(
                "{} {}: {}",
                it.kind,
                it.name,
                it.fields
                    .iter()
                    .map(|f| f.field.as_str())
                    .collect::<Vec<_>>()
                    .join(" ")
            )
        })
        .collect();
    assert_eq!(
        changed,
        [
            "row a: tier when",
            "forbid cedar:no-night: ",
            "pack row pack.export: ",
            "scope view: "
        ]
    );
    assert!(diff(&old, &old).is_empty());
    let text = found.to_string();
    assert!(text.contains("1 added, 1 removed, 4 changed"), "{text}");
    assert!(text.contains("tier: ordinary → sensitive"), "{text}");
}

#[test]
fn requests_that_are_decided_otherwise_are_grouped_by_rule() {
    let old =
        policy(&(row("a", "GET /a/{x}", "") + &row("b", "GET /b", "") + &row("z", "GET /z", "")));
    let new = policy(
        &(row("a", "GET /a/{x}", "effect = \"deny\"")
            + &row("b2", "GET /b", "")
            + &row("c", "GET /c", "")
            + &row("z", "GET /z", "")),
    );
    let replayed = replay(
        &old,
        &new,
        &[
            ("GET /a/1", "permit a"),
            ("GET /a/2", "permit a"),
            ("GET /b", "permit b"),
            ("GET /c", "deny default-deny"),
            ("GET /z", "permit z"),
        ],
    );
    assert_eq!(
        told(&replayed),
        [
            "permit a → deny a ×2",
            "deny default-deny → permit c ×1",
            "permit b → permit b2 ×1"
        ]
    );
    assert_eq!((replayed.requests, replayed.same), (5, 1));
    assert_eq!(replayed.otherwise[0].examples, ["x-/a/1", "x-/a/2"]);
}

#[test]
fn what_hangs_on_what_was_not_recorded_is_said_and_not_guessed() {
    let form = |effect: &str| {
        row(
            "form",
            "POST /f",
            &format!("form = {{ kind = \"x\" }}\neffect = \"{effect}\""),
        ) + &row("rest", "POST /f", "")
            + &row("head", "GET /h", "headers = { \"x-kind\" = \"y\" }")
            + &row("q", "GET /q", "query = { kind = \"x\" }")
            + &row("q2", "GET /q", "")
    };
    let old = policy(&form("allow"));
    // The same rows: decided alike, whatever the body was.
    let alike = policy(&(form("allow") + &row("other", "GET /other", "")));
    let all = [
        ("POST /f", "permit form"),
        ("GET /h", "permit head"),
        ("GET /q?kind=[redacted]", "permit q"),
    ];
    let same = replay(&old, &alike, &all);
    assert_eq!((same.same, same.differing(), same.untold.len()), (3, 0, 0));
    // Others: what the rows read is not in the record.
    let new = policy(
        &(row("form", "POST /f", "form = { kind = \"z\" }")
            + &row("rest", "POST /f", "")
            + &row("head", "GET /h", "headers = { \"x-kind\" = \"z\" }")
            + &row("q", "GET /q", "query = { kind = \"z\" }")
            + &row("q2", "GET /q", "")),
    );
    let other = replay(&old, &new, &all);
    assert_eq!((other.same, other.differing()), (0, 0));
    let why: Vec<&str> = other.untold.iter().map(|it| it.why).collect();
    assert_eq!(why.len(), 3);
    assert!(why.iter().any(|it| it.contains("body")) && why.iter().any(|it| it.contains("header")));
    assert!(why.iter().any(|it| it.contains("parameter")));
    // A plain parameter is known.
    let plain = replay(&old, &new, &[("GET /q?kind=x", "permit q")]);
    assert_eq!(told(&plain), ["permit q → permit q2 ×1"]);
}

#[test]
fn a_record_that_the_old_policy_does_not_repeat_is_not_trusted() {
    let old = policy(&row("a", "GET /a", ""));
    let new = policy(&row("b", "GET /a", ""));
    // The record says that the old policy refused it: something counted that is not recorded.
    let odd = replay(
        &old,
        &new,
        &[("GET /a", "deny a"), ("GET /a", "deny method-override")],
    );
    assert_eq!((odd.differing(), odd.untold.len()), (0, 2));
    // Another policy decided then: said, and compared all the same.
    let mut replay = Replay::new(&old, &new);
    let mut foreign = recorded("GET /a", "deny gone", &old);
    foreign.policy = "another".to_owned();
    replay.add(&foreign);
    let found = replay.done();
    assert_eq!((found.not_as_recorded, found.differing()), (1, 1));
}

#[test]
fn scopes_and_conditions_count() {
    let rows = row("a", "GET /a", "");
    let old = policy(&rows);
    let narrow = load(&[(
        "p.toml",
        &format!(
            "[scopes]\nall = [\"x.read\"]\n{rows}{}",
            row("x", "GET /x", "action = \"x.read\"")
        ),
    )]);
    let narrow = narrow.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(
        told(&replay(&old, &narrow, &[("GET /a", "permit a")])),
        ["permit a → deny a ×1"]
    );
    let when = |text: &str| policy(&row("a", "GET /a", &format!("when = '{text}'")));
    let strict = when("context.ticket == \"SUP-2\"");
    assert_eq!(
        told(&replay(&old, &strict, &[("GET /a", "permit a")])),
        ["permit a → deny a ×1"]
    );
    let kind = when("context.ticket == \"SUP-1\"");
    assert_eq!(replay(&old, &kind, &[("GET /a", "permit a")]).same, 1);
}
