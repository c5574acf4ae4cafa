//! The rules of the provider, or of one tenant: read from Cedar with their annotations, and weighed on one request.

use super::annotations::{self, Owner};
use super::demands::Demands;
use super::place::{line_of, policies};
use super::source::Source;
use super::vocabulary::{Question, Vocabulary};
use crate::policy::problem::Problem;
use cedar_policy::{AuthorizationError, Authorizer, Decision, Effect, Policy, PolicyId, PolicySet};
use std::collections::HashMap;

/// One rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// `view-office-hours`; `acme:no-exports` of a tenant.
    pub(super) name: String,
    pub(super) effect: Effect,
    pub(super) demands: Demands,
    pub(super) message: Option<String>,
    pub(super) file: String,
    pub(super) line: usize,
    /// As it was written, annotations included.
    pub(super) text: String,
}

/// Rules that are weighed together.
#[derive(Debug, Default)]
pub(super) struct Rules {
    policies: PolicySet,
    by_id: HashMap<PolicyId, Rule>,
}

/// What rules say of one request. Names are in order.
pub(super) enum Weighed<'r> {
    /// Rules that could not be evaluated.
    Failed(Vec<&'r Rule>),
    Forbidden(Vec<&'r Rule>),
    Permitted(Vec<&'r Rule>),
    /// No rule applies.
    Silent,
}

impl Rules {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.by_id.values()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Adds the rules of one file, or says everything that is wrong with it.
    pub(super) fn add(
        &mut self,
        vocabulary: &Vocabulary,
        source: &Source,
        problems: &mut Vec<Problem>,
    ) {
        let fault = |line: usize, key: &str, what: String, remedy: String| Problem {
            file: source.path.clone(),
            line,
            key: key.to_owned(),
            what,
            remedy,
        };
        let schema = "Write it over the schema of docs/access.md";
        let parsed = match vocabulary.parse(&source.text) {
            Ok(parsed) => parsed,
            Err(mistakes) => {
                problems.extend(mistakes.into_iter().map(|mistake| {
                    let line = line_of(&source.text, mistake.at);
                    fault(line, "", mistake.what, schema.to_owned())
                }));
                return;
            }
        };
        if parsed.templates().next().is_some() {
            let what = "has a template".to_owned();
            let remedy = "Write rules without ?principal and ?resource".to_owned();
            problems.push(fault(0, "", what, remedy));
            return;
        }
        let places = policies(&source.text);
        for policy in parsed.policies() {
            let place = nth(policy).and_then(|nth| places.get(nth));
            let line = place.map_or(0, |place| line_of(&source.text, place.start));
            let text = place.and_then(|place| source.text.get(place.clone()));
            let owner = match &source.tenant {
                None => Owner::Base,
                Some(tenant) => Owner::Tenant(tenant),
            };
            match annotations::read(policy, owner) {
                Ok(read) => {
                    let name = match owner {
                        Owner::Base => read.id,
                        Owner::Tenant(tenant) => format!("{tenant}:{}", read.id),
                    };
                    let rule = Rule {
                        name,
                        effect: policy.effect(),
                        demands: read.demands,
                        message: read.message,
                        file: source.path.clone(),
                        line,
                        text: text.unwrap_or_default().to_owned(),
                    };
                    problems.extend(self.put(policy, rule));
                }
                Err(faults) => problems.extend(
                    faults
                        .into_iter()
                        .map(|(key, what, remedy)| fault(line, key, what, remedy)),
                ),
            }
        }
    }

    fn put(&mut self, policy: &Policy, rule: Rule) -> Option<Problem> {
        let mistake = |what: String, remedy: &str| {
            Some(Problem {
                file: rule.file.clone(),
                line: rule.line,
                key: "id".to_owned(),
                what,
                remedy: remedy.to_owned(),
            })
        };
        if let Some(other) = self.by_id.values().find(|other| other.name == rule.name) {
            let what = format!(
                "{:?} is also the name of {}:{}",
                rule.name, other.file, other.line
            );
            return mistake(what, "Give each rule its own @id");
        }
        let id = PolicyId::new(format!("rule{}", self.by_id.len()));
        match self.policies.add(policy.new_id(id.clone())) {
            Ok(()) => {
                self.by_id.insert(id, rule);
                None
            }
            Err(error) => mistake(error.to_string(), "Write it as one plain rule"),
        }
    }

    /// Weighs all rules. One that cannot be evaluated may be the one that forbids: it is never passed over.
    pub(super) fn weigh(&self, question: &Question) -> Weighed<'_> {
        let response =
            Authorizer::new().is_authorized(&question.request, &self.policies, &question.entities);
        let diagnostics = response.diagnostics();
        if diagnostics.errors().next().is_some() {
            let failed = diagnostics.errors().map(|error| match error {
                AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
            });
            return Weighed::Failed(self.named(failed));
        }
        let rules = self.named(diagnostics.reason());
        match (response.decision(), rules.is_empty()) {
            (Decision::Allow, false) => Weighed::Permitted(rules),
            (Decision::Deny, false) => Weighed::Forbidden(rules),
            (_, true) => Weighed::Silent,
        }
    }

    fn named<'i>(&self, ids: impl Iterator<Item = &'i PolicyId>) -> Vec<&Rule> {
        let mut rules: Vec<&Rule> = ids.filter_map(|id| self.by_id.get(id)).collect();
        rules.sort_by(|one, two| one.name.cmp(&two.name));
        rules
    }
}

/// The parser calls the policies of a text `policy0`, `policy1`, … in its order.
fn nth(policy: &Policy) -> Option<usize> {
    let id: &str = policy.id().as_ref();
    id.strip_prefix("policy")?.parse().ok()
}
