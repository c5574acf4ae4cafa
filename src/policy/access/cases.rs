//! The cases of the access policy: `[[access_case]]` in the `*.cases.toml` files.

use super::answer::{Answer, DEFAULT_DENY, WORKLOAD_EMERGENCY};
use super::facts::Facts;
use super::options::Options;
use super::policy::AccessPolicy;
use super::source;
use crate::model::{Needs, OperatorKind, Scope, SubjectClass, Tier};
use crate::policy::cases::{CaseOutcome, TestReport};
use crate::policy::files::{self, Kind};
use crate::policy::options::Settings;
use crate::policy::problem::Problems;
use crate::policy::reader::{Keys, Sheet, Text};
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

/// The worst that scopes allow in an app, by route policy.
pub type TierOf<'a> = &'a dyn Fn(&str, &[Scope]) -> Tier;

/// Loads the access policy of `paths` and runs the `[[access_case]]`s of the files and folders of `beside`.
pub fn test(
    beside: &[PathBuf],
    paths: &[PathBuf],
    options: &Options,
    tier: TierOf<'_>,
) -> Result<TestReport, Problems> {
    let mut problems = Vec::new();
    let sources = source::gather(paths, options, &mut problems);
    let limits = Settings {
        max_file: options.max_file,
        ..Settings::default()
    };
    let mut cases = Vec::new();
    for file in files::read_all(beside, &limits, &mut problems) {
        if file.kind != Kind::Cases {
            continue;
        }
        let sheet = Sheet::new(&file.path, &file.text);
        let table = sheet.parse();
        // What else stands in the file is `policy::test`'s to judge.
        for (case, at) in Keys::new(&sheet, &table, 0..0, "").tables("access_case") {
            cases.extend(Case::read(&Keys::new(&sheet, case, at, "access_case")));
        }
        problems.extend(sheet.into_problems());
    }
    let policy = AccessPolicy::compile(&sources, options, problems)?;
    Ok(policy.run(&cases, tier))
}

/// One case as it was read.
struct Case {
    file: String,
    line: usize,
    name: String,
    person: String,
    groups: Vec<String>,
    kind: OperatorKind,
    app: String,
    tenant: String,
    subject: String,
    class: SubjectClass,
    scopes: Vec<Scope>,
    tier: Option<Tier>,
    minutes: u64,
    has_ticket: bool,
    reason_code: String,
    emergency: bool,
    hour: u8,
    weekday: u8,
    change_window: bool,
    expect: Expect,
}

/// What must come of a case.
struct Expect {
    permit: bool,
    /// Must be among the rules that decided.
    rule: String,
    approvals: Option<u64>,
    max_minutes: Option<u64>,
    consent: bool,
}

fn word<T: Copy>(keys: &Keys<'_, '_>, key: &'static str, words: &[(&str, T)]) -> Option<T> {
    let text = keys.text(key)?;
    pick(keys, key, &text, words)
}

fn pick<T: Copy>(
    keys: &Keys<'_, '_>,
    key: &str,
    text: &Text<'_>,
    words: &[(&str, T)],
) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text.text);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let what = format!("{:?} is not one of the words here", text.text);
        let remedy = format!("Use one of {}", known.join(", "));
        keys.fault(text.at.clone(), key, what, remedy);
    }
    found.map(|(_, value)| *value)
}

fn count(keys: &Keys<'_, '_>, key: &'static str, least: i64) -> Option<u64> {
    keys.count(key, least)
        .and_then(|number| u64::try_from(number).ok())
}

fn owned(keys: &Keys<'_, '_>, key: &'static str, default: &str) -> String {
    keys.text(key)
        .map_or_else(|| default.to_owned(), |text| text.text.to_owned())
}

impl Case {
    fn read(keys: &Keys<'_, '_>) -> Option<Self> {
        let expect = read_expect(keys);
        let kinds = [
            ("human", OperatorKind::Human),
            ("workload", OperatorKind::Workload),
        ];
        let classes = SubjectClass::ALL;
        let tiers = [Tier::Ordinary, Tier::Sensitive, Tier::Privileged];
        let mut scopes = Vec::new();
        for text in keys.texts("scopes") {
            if let Ok(scope) = text.text.parse() {
                scopes.push(scope);
            } else {
                let what = format!("{:?} is no scope", text.text);
                keys.fault(text.at, "scopes", what, "Use a-z 0-9 - _ . :");
            }
        }
        let small = |key: &'static str, default: u8| {
            count(keys, key, 0).map_or(default, |it| u8::try_from(it).unwrap_or(u8::MAX))
        };
        let case = Self {
            file: keys.sheet.file.to_owned(),
            line: keys.sheet.line(&keys.at),
            name: owned(keys, "name", ""),
            person: owned(keys, "person", "operator@example.com"),
            groups: keys
                .texts("groups")
                .into_iter()
                .map(|text| text.text.to_owned())
                .collect(),
            kind: word(keys, "kind", &kinds).unwrap_or(OperatorKind::Human),
            app: owned(keys, "app", ""),
            tenant: owned(keys, "tenant", "example"),
            subject: owned(keys, "subject", "subject@example.com"),
            class: word(keys, "class", &classes.map(|it| (it.as_str(), it))).unwrap_or_default(),
            scopes,
            tier: word(keys, "tier", &tiers.map(|it| (it.as_str(), it))),
            minutes: count(keys, "minutes", 1).unwrap_or(30),
            has_ticket: keys.value("has_ticket").is_none() || keys.flag("has_ticket"),
            reason_code: owned(keys, "reason_code", "customer-request"),
            emergency: keys.flag("emergency"),
            hour: small("hour", 10),
            weekday: small("weekday", 2),
            change_window: keys.flag("change_window"),
            expect: expect?,
        };
        keys.done();
        Some(case)
    }

    fn title(&self) -> String {
        if self.name.is_empty() {
            let scopes: Vec<&str> = self.scopes.iter().map(Scope::as_str).collect();
            format!("{} for {} minutes", scopes.join(" "), self.minutes)
        } else {
            self.name.clone()
        }
    }

    fn facts(&self, tier: TierOf<'_>) -> Facts<'_> {
        Facts {
            person: &self.person,
            groups: &self.groups,
            kind: self.kind,
            app: &self.app,
            tenant: &self.tenant,
            subject: &self.subject,
            class: self.class,
            scopes: &self.scopes,
            tier: self.tier.unwrap_or_else(|| tier(&self.app, &self.scopes)),
            duration: Duration::from_secs(self.minutes.saturating_mul(60)),
            has_ticket: self.has_ticket,
            reason_code: &self.reason_code,
            emergency: self.emergency,
            hour: self.hour,
            weekday: self.weekday,
            change_window: self.change_window,
        }
    }
}

fn read_expect(keys: &Keys<'_, '_>) -> Option<Expect> {
    let permit = keys.required("expect", "Write \"permit\" or \"deny\"");
    let rule = keys.required("rule", "Name a rule that must decide, or \"default-deny\"");
    let (approvals, max_minutes) = (count(keys, "approvals", 0), count(keys, "max_minutes", 1));
    let consent = keys.flag("consent");
    let words = [("permit", true), ("deny", false)];
    Some(Expect {
        permit: pick(keys, "expect", &permit?, &words)?,
        rule: rule?.text.to_owned(),
        approvals,
        max_minutes,
        consent,
    })
}

impl AccessPolicy {
    fn run(&self, cases: &[Case], tier: TierOf<'_>) -> TestReport {
        let mut deciding: HashSet<String> = HashSet::new();
        let mut outcomes = Vec::new();
        for case in cases {
            let answer = self.decide(&case.facts(tier));
            let (Answer::Deny { rules, .. } | Answer::Allow(Needs { rules, .. })) = &answer;
            deciding.extend(rules.iter().cloned());
            outcomes.push(CaseOutcome {
                file: case.file.clone(),
                line: case.line,
                name: case.title(),
                failure: self.failure(&case.expect, &answer),
            });
        }
        let rules = self.rules().into_iter().map(|rule| rule.name);
        TestReport {
            digest: self.digest().to_owned(),
            cases: outcomes,
            uncovered: rules.filter(|rule| !deciding.contains(rule)).collect(),
        }
    }

    fn failure(&self, expect: &Expect, answer: &Answer) -> Option<String> {
        let word = |permit| if permit { "permit" } else { "deny" };
        let (permit, rules) = match answer {
            Answer::Deny { rules, .. } => (false, rules),
            Answer::Allow(needs) => (true, &needs.rules),
        };
        if permit != expect.permit || !rules.contains(&expect.rule) {
            let known = [DEFAULT_DENY, WORKLOAD_EMERGENCY].contains(&expect.rule.as_str())
                || self.rules().iter().any(|rule| rule.name == expect.rule);
            let gone = if known { "" } else { "; there is no such rule" };
            return Some(format!(
                "expected {} by {}, got {} by {}{gone}",
                word(expect.permit),
                expect.rule,
                word(permit),
                rules.join(", ")
            ));
        }
        let Answer::Allow(needs) = answer else {
            return None;
        };
        let approvals = u64::from(needs.approvals);
        if let Some(wanted) = expect.approvals.filter(|it| *it != approvals) {
            return Some(format!("expected {wanted} approvals, got {approvals}"));
        }
        let minutes = needs.max_time.as_secs() / 60;
        if let Some(wanted) = expect.max_minutes.filter(|it| *it != minutes) {
            return Some(format!("expected at most {wanted} minutes, got {minutes}"));
        }
        (expect.consent != needs.consent).then(|| {
            format!(
                "expected consent to be {}, it is {}",
                expect.consent, needs.consent
            )
        })
    }
}
