//! Cedar conditions: `when` on a row, and `forbid` policies in `*.cedar` files. Built only where used.

use super::facts::{Facts, GrantFacts};
use crate::model::{OperatorKind, Tier};
use cedar_policy::{
    Authorizer, Context, Effect, Entities, Entity, EntityId, EntityTypeName, EntityUid, Expression,
    Policy, PolicyId, PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::str::FromStr as _;
use std::sync::Arc;

/// What conditions may speak of. docs/policy.md shows it to the reader.
const SCHEMA: &str = r"
entity Operator = { id: String, name?: String, kind: String };
entity Route = { app: String, path: String, rule: String, name: String, tier: String, subject: String, tenant: String };
type About = {
  ticket: String, time: Long, hour: Long, approvals: Set<String>, approval_count: Long,
  break_glass: Bool, client?: ipaddr, scopes: Set<String>, method: String
};
";

/// An evaluation that failed; it denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

/// The schema with the policy's own actions.
pub(super) struct Vocabulary {
    validator: Validator,
}

/// A row's compiled `when`.
pub(super) struct Condition {
    policies: PolicySet,
}

/// All `.cedar` files together: they can only forbid.
pub(super) struct Forbids {
    policies: PolicySet,
    /// The id that records show: the `@id` annotation or the file's name and number.
    names: HashMap<PolicyId, Arc<str>>,
}

/// What is asked about.
pub(super) struct Ask<'a> {
    pub(super) facts: &'a Facts<'a>,
    pub(super) grant: &'a GrantFacts<'a>,
    pub(super) action: &'a str,
    pub(super) rule: &'a str,
    pub(super) resource: &'a str,
    pub(super) tier: Tier,
}

impl Vocabulary {
    /// `actions` have passed the check of names, so that they need no escape.
    pub(super) fn new(actions: &[Arc<str>]) -> Result<Self, String> {
        let mut text = SCHEMA.to_owned();
        for action in actions {
            let _ = writeln!(
                text,
                "action \"{action}\" appliesTo {{ principal: [Operator], resource: [Route], context: About }};"
            );
        }
        let (schema, _) = Schema::from_cedarschema_str(&text).map_err(|error| error.to_string())?;
        Ok(Self {
            validator: Validator::new(schema),
        })
    }

    /// Compiles one row's condition, which applies to the row's own action only.
    pub(super) fn condition(&self, text: &str, action: &str) -> Result<Condition, String> {
        // An expression by itself first: `true }; permit(…` is none.
        Expression::from_str(text).map_err(|error| chain(&error))?;
        let whole = format!(
            "permit(principal, action == Action::\"{action}\", resource) when {{\n{text}\n}};"
        );
        let policy =
            Policy::parse(Some(PolicyId::new("when")), whole).map_err(|error| chain(&error))?;
        let mut policies = PolicySet::new();
        policies.add(policy).map_err(|error| chain(&error))?;
        self.validate(&policies)?;
        Ok(Condition { policies })
    }

    fn validate(&self, policies: &PolicySet) -> Result<(), String> {
        let result = self.validator.validate(policies, ValidationMode::Strict);
        let errors: Vec<String> = result
            .validation_errors()
            .map(ToString::to_string)
            .collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors.join("; "))
        }
    }

    /// Adds one file's policies. An error is what is wrong and the line, from 1.
    pub(super) fn forbid(
        &self,
        forbids: &mut Forbids,
        file: &str,
        text: &str,
    ) -> Result<(), String> {
        let parsed = PolicySet::from_str(text).map_err(|error| chain(&error))?;
        if parsed.templates().next().is_some() {
            return Err(
                "has a template; write policies without ?principal and ?resource".to_owned(),
            );
        }
        self.validate(&parsed)?;
        for (nth, policy) in parsed.policies().enumerate() {
            if policy.effect() == Effect::Permit {
                return Err(
                    "has a permit; only rows permit, a .cedar file can only forbid".to_owned(),
                );
            }
            let name = policy
                .annotation("id")
                .filter(|id| !id.is_empty())
                .map_or_else(
                    || format!("cedar:{}#{}", file.trim_end_matches(".cedar"), nth + 1),
                    |id| format!("cedar:{id}"),
                );
            let id = PolicyId::new(format!("p{}", forbids.names.len()));
            forbids.names.insert(id.clone(), name.into());
            forbids
                .policies
                .add(policy.new_id(id))
                .map_err(|error| chain(&error))?;
        }
        Ok(())
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _ = write!(text, ": {inner}");
        cause = inner.source();
    }
    text
}

impl Condition {
    /// Whether the condition holds.
    pub(super) fn holds(&self, ask: &Ask<'_>) -> Result<bool, Failed> {
        let (request, entities) = ask.build()?;
        let response = Authorizer::new().is_authorized(&request, &self.policies, &entities);
        if response.diagnostics().errors().next().is_some() {
            return Err(Failed);
        }
        Ok(response.decision() == cedar_policy::Decision::Allow)
    }
}

impl Forbids {
    pub(super) fn new() -> Self {
        Self {
            policies: PolicySet::new(),
            names: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Each policy's name and text.
    pub(super) fn told(&self) -> Vec<(String, String)> {
        let all = self.policies.policies();
        let named =
            all.filter_map(|it| Some((self.names.get(it.id())?.to_string(), it.to_string())));
        named.collect()
    }

    /// The name of a policy that forbids, if one does; the first by name.
    pub(super) fn forbidding(&self, ask: &Ask<'_>) -> Result<Option<Arc<str>>, Failed> {
        let (request, entities) = ask.build()?;
        let response = Authorizer::new().is_authorized(&request, &self.policies, &entities);
        let diagnostics = response.diagnostics();
        let names = diagnostics.reason().filter_map(|id| self.names.get(id));
        match names.min() {
            Some(name) => Ok(Some(Arc::clone(name))),
            None if diagnostics.errors().next().is_some() => Err(Failed),
            None => Ok(None),
        }
    }
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn texts<'t>(values: impl IntoIterator<Item = &'t str>) -> RestrictedExpression {
    RestrictedExpression::new_set(values.into_iter().map(text))
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, Failed> {
    let kind = EntityTypeName::from_str(kind).map_err(|_| Failed)?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

impl Ask<'_> {
    fn build(&self) -> Result<(Request, Entities), Failed> {
        let principal = uid("Operator", &self.grant.operator.id)?;
        let resource = uid("Route", self.resource)?;
        let request = Request::new(
            principal.clone(),
            uid("Action", self.action)?,
            resource.clone(),
            self.context()?,
            None,
        );
        let entities = [self.operator(principal)?, self.route(resource)?];
        let entities = Entities::from_entities(entities, None).map_err(|_| Failed)?;
        Ok((request.map_err(|_| Failed)?, entities))
    }

    fn context(&self) -> Result<Context, Failed> {
        let grant = self.grant;
        let seconds = grant.now.seconds();
        let count = i64::try_from(grant.approvals.len()).map_err(|_| Failed)?;
        let mut pairs = vec![
            ("ticket", text(grant.ticket)),
            ("time", RestrictedExpression::new_long(seconds)),
            (
                "hour",
                RestrictedExpression::new_long(seconds.rem_euclid(86_400) / 3600),
            ),
            (
                "approvals",
                texts(grant.approvals.iter().map(String::as_str)),
            ),
            ("approval_count", RestrictedExpression::new_long(count)),
            (
                "break_glass",
                RestrictedExpression::new_bool(grant.break_glass),
            ),
            (
                "scopes",
                texts(grant.scopes.iter().map(crate::model::Scope::as_str)),
            ),
            ("method", text(self.facts.method)),
        ];
        if let Some(client) = grant.client {
            pairs.push(("client", RestrictedExpression::new_ip(client.to_string())));
        }
        let pairs = pairs
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value));
        Context::from_pairs(pairs).map_err(|_| Failed)
    }

    fn operator(&self, uid: EntityUid) -> Result<Entity, Failed> {
        let operator = self.grant.operator;
        let kind = match operator.kind {
            OperatorKind::Human => "human",
            OperatorKind::Workload => "workload",
        };
        let mut attributes = HashMap::from([
            ("id".to_owned(), text(&operator.id)),
            ("kind".to_owned(), text(kind)),
        ]);
        if let Some(name) = &operator.name {
            attributes.insert("name".to_owned(), text(name));
        }
        Entity::new(uid, attributes, HashSet::new()).map_err(|_| Failed)
    }

    fn route(&self, uid: EntityUid) -> Result<Entity, Failed> {
        let attributes = [
            ("app", self.facts.app),
            ("path", self.facts.path),
            ("rule", self.rule),
            ("name", self.resource),
            ("tier", self.tier.as_str()),
            ("subject", &self.grant.subject.id),
            ("tenant", &self.grant.tenant.id),
        ];
        let attributes = attributes.map(|(key, value)| (key.to_owned(), text(value)));
        Entity::new(uid, HashMap::from(attributes), HashSet::new()).map_err(|_| Failed)
    }
}
