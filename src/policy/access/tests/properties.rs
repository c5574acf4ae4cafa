//! What holds for any rules and any request: nothing that is added loosens.

use super::*;
use proptest::prelude::*;

/// A condition that a rule may have, and one request that it may meet.
fn any_condition() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("true"),
        Just("context.hour < 12"),
        Just("context.tier == Tier::\"sensitive\""),
        Just("resource.class == Class::\"vip\""),
        Just("principal in Group::\"support\""),
        Just("context.change_window"),
        Just("context.minutes > 20"),
        Just("context.minutes * 307445734561825860 > 5"),
    ]
}

fn any_rule(forbids: bool) -> impl Strategy<Value = String> {
    (
        any_condition(),
        0..4u8,
        prop::option::of(1..90u32),
        any::<bool>(),
        prop::bool::weighted(if forbids { 0.3 } else { 0.0 }),
    )
        .prop_map(|(condition, approvals, minutes, consent, forbid)| {
            if forbid {
                return format!("forbid (principal, action, resource) when {{ {condition} }};\n");
            }
            let time = minutes.map_or_else(String::new, |it| format!("@max_time(\"{it}m\") "));
            format!(
                "@approvals(\"{approvals}\") {time}@consent(\"{consent}\") permit (principal, action, resource) when {{ {condition} }};\n"
            )
        })
}

fn file(rules: &[String], name: &str) -> String {
    let named = rules.iter().enumerate();
    let named: Vec<String> = named
        .map(|(nth, rule)| format!("@id(\"{name}{nth}\") {rule}"))
        .collect();
    named.concat()
}

#[derive(Clone, Debug)]
struct Asked {
    hour: u8,
    tier: Tier,
    class: SubjectClass,
    support: bool,
    window: bool,
    minutes: u64,
}

fn any_asked() -> impl Strategy<Value = Asked> {
    let tier = prop_oneof![Just(Tier::Ordinary), Just(Tier::Sensitive)];
    let class = prop_oneof![Just(SubjectClass::Ordinary), Just(SubjectClass::Vip)];
    (0..24u8, tier, class, any::<bool>(), any::<bool>(), 1..60u64).prop_map(
        |(hour, tier, class, support, window, minutes)| Asked {
            hour,
            tier,
            class,
            support,
            window,
            minutes,
        },
    )
}

fn answer(policy: &AccessPolicy, asked: &Asked) -> Answer {
    let groups = ["support".to_owned()];
    policy.decide(&Facts {
        groups: if asked.support { &groups } else { &[] },
        hour: asked.hour,
        tier: asked.tier,
        class: asked.class,
        change_window: asked.window,
        duration: Duration::from_secs(asked.minutes * 60),
        ..facts()
    })
}

/// Whether `after` lets through no more than `before`.
fn is_no_looser(before: &Answer, after: &Answer) -> bool {
    let (Answer::Allow(before), Answer::Allow(after)) = (before, after) else {
        // What was denied may not become permitted; what is denied now is no looser.
        return matches!(after, Answer::Deny { .. });
    };
    // No time at all means no limit.
    let limit = |needs: &Needs| match needs.max_time {
        Duration::ZERO => Duration::MAX,
        limit => limit,
    };
    after.approvals >= before.approvals
        && (after.consent || !before.consent)
        && limit(after) <= limit(before)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_tenants_file_never_loosens(base in prop::collection::vec(any_rule(true), 1..4), own in prop::collection::vec(any_rule(true), 1..4), asked in prop::collection::vec(any_asked(), 6)) {
        let base = file(&base, "b");
        // A tenant's permit that demands nothing is refused: give each something.
        let own = file(&own, "t");
        let before = policy(&[("access.cedar", &base)]);
        let after = policy(&[("access.cedar", &base), ("tenants/acme.cedar", &own)]);
        for asked in &asked {
            prop_assert!(is_no_looser(&answer(&before, asked), &answer(&after, asked)), "{asked:?}\n{base}\n{own}");
        }
    }

    #[test]
    fn a_further_permit_never_loosens_what_was_permitted(base in prop::collection::vec(any_rule(true), 1..4), more in any_rule(false), asked in prop::collection::vec(any_asked(), 6)) {
        let (base, more) = (file(&base, "b"), file(&[more], "m"));
        let before = policy(&[("access.cedar", &base)]);
        let after = policy(&[("access.cedar", &base), ("access-more.cedar", &more)]);
        for asked in &asked {
            let was = answer(&before, asked);
            if matches!(was, Answer::Allow(_)) {
                prop_assert!(is_no_looser(&was, &answer(&after, asked)), "{asked:?}\n{base}\n{more}");
            }
        }
    }

    #[test]
    fn a_further_forbid_never_permits(base in prop::collection::vec(any_rule(true), 1..4), condition in any_condition(), asked in any_asked()) {
        let base = file(&base, "b");
        let forbid = format!("@id(\"no\") forbid (principal, action, resource) when {{ {condition} }};");
        let before = policy(&[("access.cedar", &base)]);
        let after = policy(&[("access.cedar", &base), ("access-no.cedar", &forbid)]);
        prop_assert!(is_no_looser(&answer(&before, &asked), &answer(&after, &asked)));
    }

    #[test]
    fn no_text_panics(text in "[@()\"a-z0-9;/ {}=.\\\\\n]{0,160}") {
        let _ = load(&[("access.cedar", &text), ("tenants/acme.cedar", &text)]);
        let _ = super::super::place::policies(&text);
    }
}
