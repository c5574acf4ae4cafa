//! What the access policy promises: mistakes are found by line, denial is the default, and nothing that is added loosens.

mod properties;

use super::*;
use crate::model::{Needs, OperatorKind, Scope, SubjectClass, Tier, Timestamp};
use crate::policy::Problems;
use std::path::PathBuf;
use std::time::Duration;

fn load(files: &[(&str, &str)]) -> Result<AccessPolicy, Problems> {
    load_with(files, &Options::default())
}

fn load_with(files: &[(&str, &str)], options: &Options) -> Result<AccessPolicy, Problems> {
    let folder = tempfile::tempdir().unwrap_or_else(|why| panic!("{why}"));
    for (name, text) in files {
        let path = folder.path().join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).unwrap_or_else(|why| panic!("{why}"));
        }
        std::fs::write(path, text).unwrap_or_else(|why| panic!("{why}"));
    }
    AccessPolicy::load(&[folder.path().to_owned()], options)
}

fn policy(files: &[(&str, &str)]) -> AccessPolicy {
    load(files).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(text: &str) -> Vec<String> {
    match load(&[("access.cedar", text)]) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn facts<'a>() -> Facts<'a> {
    Facts {
        person: "ada@support.example",
        groups: &[],
        kind: OperatorKind::Human,
        app: "shop",
        tenant: "acme",
        subject: "kim@acme.example",
        class: SubjectClass::Ordinary,
        scopes: &[],
        tier: Tier::Ordinary,
        duration: Duration::from_secs(1800),
        has_ticket: true,
        reason_code: "customer-request",
        emergency: false,
        hour: 10,
        weekday: 2,
        change_window: false,
    }
}

fn needs(answer: &Answer) -> &Needs {
    match answer {
        Answer::Allow(needs) => needs,
        Answer::Deny { .. } => panic!("{answer:?}"),
    }
}

#[track_caller]
fn is_denied_by(answer: &Answer, rule: &str) -> String {
    match answer {
        Answer::Deny { rules, message } if rules.iter().any(|it| it == rule) => message.clone(),
        other => panic!("{rule} did not deny: {other:?}"),
    }
}

const ANY: &str =
    "@id(\"any\") @approvals(\"1\") @max_time(\"1h\") permit (principal, action, resource);\n";

#[test]
fn without_a_rule_everything_is_denied() {
    is_denied_by(&AccessPolicy::default().decide(&facts()), "default-deny");
    let none = policy(&[("storefront.toml", "")]);
    assert!(none.is_empty() && none.digest().is_empty());
    is_denied_by(&none.decide(&facts()), "default-deny");
    let other = "@id(\"a\") @approvals(\"0\") permit (principal, action, resource) when { resource.tenant == \"globex\" };";
    is_denied_by(
        &policy(&[("access.cedar", other)]).decide(&facts()),
        "default-deny",
    );
}

#[test]
fn any_forbid_denies_with_its_words() {
    let forbid = "@id(\"no\") @message(\"Not today.\") forbid (principal, action, resource) when { context.weekday == 2 };";
    let policy = policy(&[("access.cedar", ANY), ("access-more.cedar", forbid)]);
    assert_eq!(is_denied_by(&policy.decide(&facts()), "no"), "Not today.");
    let mut wednesday = facts();
    wednesday.weekday = 3;
    assert_eq!(needs(&policy.decide(&wednesday)).rules, ["any"]);
}

#[test]
fn of_all_permits_the_strictest_demands_hold() {
    let two = "@id(\"two\") @approvals(\"2\") permit (principal, action, resource) when { resource.class == Class::\"vip\" };
        @id(\"short\") @approvals(\"0\") @max_time(\"15m\") @consent(\"true\") permit (principal, action, resource) when { context.minutes > 30 };";
    let policy = policy(&[("access.cedar", ANY), ("access-two.cedar", two)]);
    let ordinary = policy.decide(&facts());
    assert_eq!(
        (needs(&ordinary).approvals, needs(&ordinary).consent),
        (1, false)
    );
    assert_eq!(needs(&ordinary).max_time, Duration::from_secs(3600));
    let mut vip = facts();
    (vip.class, vip.duration) = (SubjectClass::Vip, Duration::from_secs(1801));
    let vip = policy.decide(&vip);
    let expected = Needs {
        approvals: 2,
        consent: true,
        max_time: Duration::from_secs(900),
        rules: vec!["any".into(), "short".into(), "two".into()],
    };
    assert_eq!(needs(&vip), &expected);
}

#[test]
fn rules_see_every_fact() {
    let groups = ["support".to_owned()];
    let scopes: Vec<Scope> = "orders".parse().into_iter().collect();
    let asked = Facts {
        groups: &groups,
        scopes: &scopes,
        subject: "Kim@Acme.example",
        tier: Tier::Sensitive,
        class: SubjectClass::Admin,
        change_window: true,
        ..facts()
    };
    for holds in [
        "principal == Human::\"ada@support.example\"",
        "principal.id == \"ada@support.example\"",
        "principal in Group::\"support\"",
        "resource.app == \"shop\"",
        "resource.tenant == \"acme\"",
        "resource.subject == \"kim@acme.example\"",
        "resource.class == Class::\"admin\"",
        "context.scopes.contains(\"orders\")",
        "context.tier == Tier::\"sensitive\"",
        "context.minutes == 30",
        "context.has_ticket",
        "context.reason_code == \"customer-request\"",
        "context.hour == 10",
        "context.weekday == 2",
        "context.change_window",
    ] {
        let rule = |condition: &str| {
            format!(
                "@id(\"a\") @approvals(\"0\") permit (principal, action == Action::\"request\", resource) when {{ {condition} }};"
            )
        };
        let yes = policy(&[("access.cedar", &rule(holds))]);
        assert!(
            matches!(yes.decide(&asked), Answer::Allow(_)),
            "{holds} must hold"
        );
        let no = policy(&[("access.cedar", &rule(&format!("!({holds})")))]);
        assert!(
            matches!(no.decide(&asked), Answer::Deny { .. }),
            "{holds} must hold"
        );
    }
}

#[test]
fn an_emergency_is_another_action_and_never_a_workloads() {
    let rule = "@id(\"glass\") @approvals(\"0\") permit (principal is Human, action == Action::\"break-glass\", resource);";
    let policy = policy(&[("access.cedar", rule)]);
    is_denied_by(&policy.decide(&facts()), "default-deny");
    let mut emergency = facts();
    emergency.emergency = true;
    assert_eq!(needs(&policy.decide(&emergency)).rules, ["glass"]);
    emergency.kind = OperatorKind::Workload;
    is_denied_by(&policy.decide(&emergency), "workload-break-glass");
}

#[test]
fn what_cannot_be_evaluated_denies() {
    let overflow = "@id(\"sum\") forbid (principal, action, resource) when { context.minutes * 9223372036854775807 > 0 && context.hour == 3 };";
    let policy = policy(&[("access.cedar", ANY), ("access-b.cedar", overflow)]);
    is_denied_by(&policy.decide(&facts()), "sum");
}

#[test]
fn a_tenants_rules_are_its_own_in_any_spelling() {
    let acme = "@id(\"two\") @approvals(\"2\") permit (principal, action, resource);
        @id(\"no-vip\") @message(\"Ask us.\") forbid (principal, action, resource) when { resource.class == Class::\"vip\" };";
    let policy = policy(&[("access.cedar", ANY), ("tenants/Acme.cedar", acme)]);
    for (tenant, approvals) in [("acme", 2), (" ACME ", 2), ("globex", 1)] {
        let answer = policy.decide(&Facts { tenant, ..facts() });
        assert_eq!(needs(&answer).approvals, approvals, "{tenant}");
    }
    let vip = Facts {
        class: SubjectClass::Vip,
        ..facts()
    };
    assert_eq!(is_denied_by(&policy.decide(&vip), "Acme:no-vip"), "Ask us.");
    let names: Vec<_> = policy
        .rules()
        .into_iter()
        .map(|rule| (rule.name, rule.tenant))
        .collect();
    assert_eq!(names.first(), Some(&("any".to_owned(), None)));
    assert_eq!(names.len(), 3);
}

#[test]
fn a_tenant_permits_nothing_that_the_base_does_not() {
    let own = "@id(\"all\") @approvals(\"0\") permit (principal, action, resource);";
    let policy = policy(&[("tenants/acme.cedar", own)]);
    is_denied_by(&policy.decide(&facts()), "default-deny");
}

#[test]
fn rules_for_an_unknown_tenant_are_an_error() {
    let options = Options {
        tenants: Some(vec!["acme".to_owned()]),
        ..Options::default()
    };
    let own = "@id(\"all\") @approvals(\"2\") permit (principal, action, resource);";
    assert!(load_with(&[("tenants/ACME.cedar", own)], &options).is_ok());
    let found = load_with(&[("tenants/acmee.cedar", own)], &options)
        .err()
        .map(|problems| problems.to_string());
    assert!(
        found.is_some_and(|text| text.contains("acmee.cedar: \"acmee\" is no configured tenant"))
    );
}

#[test]
fn every_mistake_is_found_with_file_and_line() {
    let text = "// Fine.\n@id(\"a\") @approvals(\"0\")\npermit (principal, action, resource);\n\n@id(\"b\")\npermit (principal, action, resource);\n@aprovals(\"2\") @id(\"c\") @approvals(\"many\") @max_time(\"1 h\")\npermit (principal, action, resource);\n@id(\"d\") @approvals(\"1\")\nforbid (principal, action, resource);\nforbid (principal, action, resource);\n@id(\"a\")\nforbid (principal, action, resource);\n";
    let found = problems(text);
    for (line, part) in [
        (5, "approvals: does not say how many people must agree"),
        (7, "@aprovals is no annotation"),
        (7, "approvals: \"many\" is no number"),
        (7, "max_time: \"1 h\" is no span"),
        (9, "forbid: demands something"),
        (11, "id: has no name"),
        (12, "id: \"a\" is also the name of"),
    ] {
        assert!(
            found
                .iter()
                .any(|it| it.contains(&format!("access.cedar:{line}: ")) && it.contains(part)),
            "{line} {part} in {found:#?}"
        );
    }
}

#[test]
fn rules_are_validated_against_the_schema() {
    for (line, condition) in [
        (3, "context.tikcet"),
        (3, "resource.class == Class::\"vpi\""),
        (3, "context.tier == \"privileged\""),
        (3, "resource.class == \"vip\""),
        (3, "context.hour == \"10\""),
        (3, "principal.name == \"x\""),
        (3, "principal is Robot"),
        (3, "action == Action::\"approve\""),
        (3, "context.hour > "),
        (1, "false"),
    ] {
        let text = format!(
            "@id(\"a\") @approvals(\"0\")\npermit (principal, action, resource)\nwhen {{ {condition} }};\n"
        );
        let found = problems(&text);
        assert!(
            found
                .iter()
                .any(|it| it.contains(&format!("access.cedar:{line}: "))
                    || it.contains("access.cedar:2: ")
                    || it.contains("access.cedar:4: ")),
            "{condition}: {found:?}"
        );
    }
    let template = problems(
        "@id(\"t\") @approvals(\"0\") permit (principal == ?principal, action, resource);",
    );
    assert!(
        template.iter().any(|it| it.contains("template")),
        "{template:?}"
    );
}

#[test]
fn a_tenants_rule_that_demands_nothing_is_an_error() {
    let found = load(&[
        ("access.cedar", ANY),
        (
            "tenants/acme.cedar",
            "@id(\"a\") permit (principal, action, resource);",
        ),
    ]);
    let text = found.err().map(|problems| problems.to_string());
    assert!(
        text.is_some_and(|text| text.contains("tenants/acme.cedar:1: permit: demands nothing"))
    );
}

#[test]
fn the_digest_covers_all_that_decides() {
    let digest = |files: &[(&str, &str)]| policy(files).digest().to_owned();
    let base = digest(&[("access.cedar", ANY)]);
    let own = "@id(\"a\") @approvals(\"2\") permit (principal, action, resource);";
    let more = digest(&[("access.cedar", ANY), ("tenants/acme.cedar", own)]);
    let other = digest(&[("access.cedar", ANY), ("tenants/globex.cedar", own)]);
    assert_eq!(base.len(), 64);
    assert!(base != more && more != other);
    assert_eq!(base, digest(&[("access.cedar", ANY), ("rows.toml", "x")]));
}

#[test]
fn route_policy_and_access_policy_do_not_see_each_other() {
    let rows = "[scopes]\nview = [\"a.read\"]\n[[rows]]\nid = \"a\"\nmatch = \"GET /\"\naction = \"a.read\"\neffect = \"allow\"\n";
    let condition =
        "@id(\"night\") forbid (principal, action, resource) when { context.hour < 6 };";
    let files = [
        ("rows.toml", rows),
        ("conditions.cedar", condition),
        ("access.cedar", ANY),
        (
            "access-x.cedar",
            "@id(\"x\") forbid (principal, action, resource) when { context.weekday > 6 };",
        ),
        (
            "tenants/acme.cedar",
            "@id(\"t\") @approvals(\"1\") permit (principal, action, resource);",
        ),
    ];
    let folder = tempfile::tempdir().unwrap_or_else(|why| panic!("{why}"));
    std::fs::create_dir(folder.path().join("tenants")).unwrap_or_else(|why| panic!("{why}"));
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap_or_else(|why| panic!("{why}"));
    }
    let paths = [folder.path().to_owned()];
    let routes = crate::policy::check(&paths, &crate::policy::LoadOptions::default())
        .unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((routes.rows, routes.cedar_policies), (1, 1));
    let access = check(&paths, &Options::default()).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((access.rules, access.tenants.get("acme")), (2, Some(&1)));
    // Named one by one, each finds its own.
    let single = |name: &str| vec![folder.path().join(name)];
    assert!(
        crate::policy::check(
            &[
                single("rows.toml"),
                single("access.cedar"),
                single("tenants")
            ]
            .concat(),
            &crate::policy::LoadOptions::default()
        )
        .is_ok()
    );
    let own = check(
        &[
            single("access.cedar"),
            single("tenants"),
            single("rows.toml"),
        ]
        .concat(),
        &Options::default(),
    );
    assert!(own.is_ok_and(|own| own.rules == 1 && own.tenants.len() == 1));
}

#[test]
fn windows_are_those_of_the_options() {
    let options = Options {
        windows: vec![ChangeWindow {
            app: Some("shop".into()),
            tenant: None,
            from: Timestamp::from_millis(1_000),
            to: Timestamp::from_millis(2_000),
        }],
        ..Options::default()
    };
    let policy =
        load_with(&[("access.cedar", ANY)], &options).unwrap_or_else(|why| panic!("{why}"));
    assert!(policy.in_change_window("shop", "acme", Timestamp::from_millis(1_500)));
    assert!(!policy.in_change_window("shop", "acme", Timestamp::from_millis(2_500)));
}

fn shipped() -> Vec<PathBuf> {
    vec![PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/config/policy"
    ))]
}

#[test]
fn the_shipped_rules_are_sound_and_their_cases_cover_them() {
    let routes = crate::policy::Policy::load(&shipped(), &crate::policy::LoadOptions::default())
        .unwrap_or_else(|why| panic!("{why}"));
    let tier = |app: &str, scopes: &[Scope]| routes.tier_of(app, scopes);
    let report = test(&shipped(), &shipped(), &Options::default(), &tier)
        .unwrap_or_else(|why| panic!("{why}"));
    assert!(report.passed() && report.uncovered.is_empty(), "{report}");
}
