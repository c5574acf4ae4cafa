//! The policies that decide on requests for access: loaded whole or not at all, and asked.

use super::answer::{Answer, DEFAULT_DENY, WORKLOAD_EMERGENCY};
use super::demands::Demands;
use super::facts::Facts;
use super::options::Options;
use super::rules::{Rule, Rules, Weighed};
use super::source::{self, Source};
use super::vocabulary::{Question, Vocabulary};
use super::window::ChangeWindow;
use crate::model::{Needs, OperatorKind, Timestamp};
use crate::policy::digest;
use crate::policy::problem::{Problem, Problems};
use cedar_policy::Effect;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Said where a rule denies without words of its own.
const FORBIDDEN: &str = "A rule forbids this.";

/// The policies that decide on requests for access. Immutable; a reload makes another.
#[derive(Default)]
pub struct AccessPolicy {
    base: Rules,
    /// By the tenant's id in lower case: another spelling of a tenant does not escape its rules.
    tenants: BTreeMap<String, Rules>,
    windows: Vec<ChangeWindow>,
    digest: String,
}

/// One rule as people read it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RuleText {
    pub name: String,
    /// Whose rule it is; `None`: the provider's own.
    pub tenant: Option<String>,
    pub forbids: bool,
    /// `file:line`.
    pub place: String,
    /// As it was written, annotations included.
    pub text: String,
}

/// What an access policy without errors looks like. `Display` prints it for a person.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CheckReport {
    pub digest: String,
    /// The provider's own rules.
    pub rules: usize,
    /// Rules of tenants, by tenant.
    pub tenants: BTreeMap<String, usize>,
}

/// Loads and examines the files. `Err` has every error.
pub fn check(paths: &[PathBuf], options: &Options) -> Result<CheckReport, Problems> {
    AccessPolicy::load(paths, options).map(|policy| policy.report())
}

impl fmt::Debug for AccessPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "AccessPolicy({} rules, {})",
            self.base.len(),
            self.digest
        )
    }
}

impl AccessPolicy {
    /// Reads files, and of folders `access.cedar`, `access-*.cedar` and `tenants/*.cedar`. Never half: one mistake
    /// anywhere and there is no policy. What is not there is left out: without any file everything is denied.
    pub fn load(paths: &[PathBuf], options: &Options) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let sources = source::gather(paths, options, &mut problems);
        Self::compile(&sources, options, problems)
    }

    pub(super) fn compile(
        sources: &[Source],
        options: &Options,
        mut problems: Vec<Problem>,
    ) -> Result<Self, Problems> {
        let vocabulary = match Vocabulary::new() {
            Ok(vocabulary) => vocabulary,
            Err(what) => {
                problems.push(whole("the schema of access rules", what));
                return Err(Problems::new(problems));
            }
        };
        let mut policy = Self {
            windows: options.windows.clone(),
            digest: digest_of(sources),
            ..Self::default()
        };
        for source in sources {
            let rules = match &source.tenant {
                None => &mut policy.base,
                Some(tenant) => {
                    problems.extend(unknown(source, tenant, options));
                    policy.tenants.entry(key(tenant)).or_default()
                }
            };
            rules.add(&vocabulary, source, &mut problems);
        }
        if problems.is_empty() {
            Ok(policy)
        } else {
            Err(Problems::new(problems))
        }
    }

    /// SHA-256 (hex) over all sources; empty where there are none.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether there are no rules: everything is denied.
    pub fn is_empty(&self) -> bool {
        self.base.len() == 0
    }

    /// Whether work on this app for this tenant was announced for this moment.
    pub fn in_change_window(&self, app: &str, tenant: &str, now: Timestamp) -> bool {
        self.windows.iter().any(|it| it.covers(app, tenant, now))
    }

    /// All rules, the provider's first, each group by file and line.
    pub fn rules(&self) -> Vec<RuleText> {
        let mut all = texts(&self.base, None);
        for (tenant, rules) in &self.tenants {
            all.extend(texts(rules, Some(tenant)));
        }
        all
    }

    pub(super) fn report(&self) -> CheckReport {
        let tenants = self.tenants.iter();
        CheckReport {
            digest: self.digest.clone(),
            rules: self.base.len(),
            tenants: tenants
                .map(|(tenant, rules)| (tenant.clone(), rules.len()))
                .collect(),
        }
    }

    /// Decides. Any forbid denies; without a permit: deny; of all permits that apply, the strictest demands hold.
    /// The tenant's own rules are weighed after the provider's have permitted, and can only forbid or demand more.
    pub fn decide(&self, facts: &Facts<'_>) -> Answer {
        if facts.emergency && facts.kind == OperatorKind::Workload {
            return deny_by(
                WORKLOAD_EMERGENCY,
                "Workloads never break the glass: a person must.",
            );
        }
        let Some(question) = Question::new(facts) else {
            return deny_by(DEFAULT_DENY, "This request cannot be put to the rules.");
        };
        let base = match self.base.weigh(&question) {
            Weighed::Permitted(rules) => rules,
            Weighed::Forbidden(rules) => return forbidden(&rules),
            Weighed::Failed(rules) => return failed(&rules),
            Weighed::Silent => return deny_by(DEFAULT_DENY, "No rule allows this."),
        };
        let own = self.tenants.get(&key(facts.tenant));
        let own = match own.map_or(Weighed::Silent, |rules| rules.weigh(&question)) {
            Weighed::Permitted(rules) => rules,
            Weighed::Forbidden(rules) => return forbidden(&rules),
            Weighed::Failed(rules) => return failed(&rules),
            Weighed::Silent => Vec::new(),
        };
        let all = base.iter().chain(&own);
        let demands = all
            .clone()
            .fold(Demands::default(), |sum, rule| sum.and(rule.demands));
        Answer::Allow(Needs {
            approvals: demands.approvals.unwrap_or_default(),
            consent: demands.consent,
            max_time: demands.max_time.unwrap_or_default(),
            rules: all.map(|rule| rule.name.clone()).collect(),
        })
    }
}

fn key(tenant: &str) -> String {
    tenant.trim().to_lowercase()
}

fn digest_of(sources: &[Source]) -> String {
    if sources.is_empty() {
        return String::new();
    }
    let all = sources.iter();
    digest::of_all(all.map(|source| (source.name.as_str(), source.text.as_str())))
}

fn unknown(source: &Source, tenant: &str, options: &Options) -> Option<Problem> {
    let known = options.tenants.as_ref()?;
    if known.iter().any(|it| key(it) == key(tenant)) {
        return None;
    }
    Some(Problem {
        remedy: format!("Name it after one of {}", known.join(", ")),
        ..whole(&source.path, format!("{tenant:?} is no configured tenant"))
    })
}

fn whole(file: &str, what: String) -> Problem {
    Problem {
        file: file.to_owned(),
        line: 0,
        key: String::new(),
        what,
        remedy: "Use an unmodified build".to_owned(),
    }
}

fn texts(rules: &Rules, tenant: Option<&String>) -> Vec<RuleText> {
    let mut sorted: Vec<&Rule> = rules.iter().collect();
    sorted.sort_by(|one, two| (&one.file, one.line).cmp(&(&two.file, two.line)));
    let text = |rule: &Rule| RuleText {
        name: rule.name.clone(),
        tenant: tenant.cloned(),
        forbids: rule.effect == Effect::Forbid,
        place: format!("{}:{}", rule.file, rule.line),
        text: rule.text.clone(),
    };
    sorted.into_iter().map(text).collect()
}

fn deny_by(rule: &str, message: &str) -> Answer {
    Answer::Deny {
        rules: vec![rule.to_owned()],
        message: message.to_owned(),
    }
}

fn names(rules: &[&Rule]) -> Vec<String> {
    rules.iter().map(|rule| rule.name.clone()).collect()
}

fn forbidden(rules: &[&Rule]) -> Answer {
    let mut said: Vec<&str> = Vec::new();
    for message in rules.iter().filter_map(|rule| rule.message.as_deref()) {
        if !said.contains(&message) {
            said.push(message);
        }
    }
    let message = if said.is_empty() {
        FORBIDDEN.to_owned()
    } else {
        said.join(" ")
    };
    Answer::Deny {
        rules: names(rules),
        message,
    }
}

fn failed(rules: &[&Rule]) -> Answer {
    Answer::Deny {
        rules: names(rules),
        message: "A rule could not be evaluated, which denies. Tell whoever keeps the rules."
            .to_owned(),
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rules == 0 {
            writeln!(
                f,
                "warning: there is no access.cedar, so every request for access is denied"
            )?;
        }
        let tenants: Vec<String> = self
            .tenants
            .iter()
            .map(|(tenant, rules)| format!("{tenant} {rules}"))
            .collect();
        let tenants = if tenants.is_empty() {
            "none of tenants".to_owned()
        } else {
            format!("and of tenants: {}", tenants.join(", "))
        };
        write!(
            f,
            "access {}: {} rules, {tenants}",
            if self.digest.is_empty() {
                "-"
            } else {
                &self.digest
            },
            self.rules
        )
    }
}
