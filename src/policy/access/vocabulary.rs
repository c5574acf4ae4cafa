//! What access rules may speak of: the Cedar schema that they are validated against, and one request in its words.

use super::facts::Facts;
use crate::model::{OperatorKind, Scope};
use cedar_policy::ffi::DetailedError;
use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression, Schema, ValidationMode, ValidationWarning, Validator,
};
use std::collections::{HashMap, HashSet};
use std::str::FromStr as _;

/// docs/access.md shows it to the reader. Classes and tiers are enumerated, so that a misspelt one is an error.
pub(super) const SCHEMA: &str = r#"
entity Group;
entity Human in [Group] = { id: String };
entity Workload in [Group] = { id: String };
entity Class enum ["ordinary", "vip", "admin", "regulated"];
entity Tier enum ["ordinary", "sensitive", "privileged"];
entity Account = { app: String, tenant: String, subject: String, class: Class };
type Asked = {
  scopes: Set<String>, tier: Tier, minutes: Long, has_ticket: Bool, reason_code: String,
  hour: Long, weekday: Long, change_window: Bool
};
action "request" appliesTo { principal: [Human, Workload], resource: [Account], context: Asked };
action "break-glass" appliesTo { principal: [Human], resource: [Account], context: Asked };
"#;

/// The compiled schema.
pub(super) struct Vocabulary {
    validator: Validator,
}

/// A mistake in a Cedar text, with the offset where it is.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) at: usize,
    pub(super) what: String,
}

impl Vocabulary {
    pub(super) fn new() -> Result<Self, String> {
        let (schema, _) =
            Schema::from_cedarschema_str(SCHEMA).map_err(|error| error.to_string())?;
        Ok(Self {
            validator: Validator::new(schema),
        })
    }

    /// The policies of a text, strictly validated; or every mistake.
    pub(super) fn parse(&self, text: &str) -> Result<PolicySet, Vec<Mistake>> {
        let parsed = PolicySet::from_str(text).map_err(|errors| {
            let mut mistakes = Vec::new();
            flatten(&DetailedError::from(&errors), &mut mistakes);
            mistakes
        })?;
        let result = self.validator.validate(&parsed, ValidationMode::Strict);
        let mut mistakes = Vec::new();
        for error in result.validation_errors() {
            flatten(&DetailedError::from(error), &mut mistakes);
        }
        for warning in result.validation_warnings().filter(|it| is_grave(it)) {
            flatten(&DetailedError::from(warning), &mut mistakes);
        }
        if mistakes.is_empty() {
            Ok(parsed)
        } else {
            Err(mistakes)
        }
    }
}

/// A rule that can never hold, or that reads otherwise than it works, is a mistake here.
fn is_grave(warning: &ValidationWarning) -> bool {
    matches!(
        warning,
        ValidationWarning::ImpossiblePolicy(_)
            | ValidationWarning::InvalidActionApplication(_)
            | ValidationWarning::BidiCharsInString(_)
            | ValidationWarning::BidiCharsInIdentifier(_)
    )
}

fn flatten(error: &DetailedError, into: &mut Vec<Mistake>) {
    let label = error.source_locations.first();
    let mut what = error.message.clone();
    if let Some(more) = label.and_then(|label| label.label.as_ref()) {
        what = format!("{what} ({more})");
    }
    if let Some(help) = &error.help {
        what = format!("{what}; {help}");
    }
    into.push(Mistake {
        at: label.map_or(0, |label| label.loc.start),
        what,
    });
    for related in &error.related {
        flatten(related, into);
    }
}

/// One request in the words of the schema.
pub(super) struct Question {
    pub(super) request: Request,
    pub(super) entities: Entities,
}

impl Question {
    /// `None`: it cannot be put, which denies.
    pub(super) fn new(facts: &Facts<'_>) -> Option<Self> {
        let kind = match facts.kind {
            OperatorKind::Human => "Human",
            OperatorKind::Workload => "Workload",
        };
        let principal = uid(kind, facts.person)?;
        let action = if facts.emergency {
            "break-glass"
        } else {
            "request"
        };
        let resource = uid("Account", facts.subject)?;
        let request = Request::new(
            principal.clone(),
            uid("Action", action)?,
            resource.clone(),
            context(facts)?,
            None,
        );
        let groups: HashSet<EntityUid> = facts
            .groups
            .iter()
            .map(|group| uid("Group", group))
            .collect::<Option<_>>()?;
        let id = HashMap::from([("id".to_owned(), text(facts.person))]);
        let mut entities = vec![Entity::new(principal, id, groups.clone()).ok()?];
        entities.extend(groups.into_iter().map(Entity::with_uid));
        entities.push(account(resource, facts)?);
        Some(Self {
            request: request.ok()?,
            entities: Entities::from_entities(entities, None).ok()?,
        })
    }
}

fn account(uid: EntityUid, facts: &Facts<'_>) -> Option<Entity> {
    let attributes = HashMap::from([
        ("app".to_owned(), text(facts.app)),
        ("tenant".to_owned(), text(facts.tenant)),
        // In lower case: nobody evades a rule about an account by another spelling of it.
        ("subject".to_owned(), text(&facts.subject.to_lowercase())),
        ("class".to_owned(), word("Class", facts.class.as_str())?),
    ]);
    Entity::new(uid, attributes, HashSet::new()).ok()
}

fn context(facts: &Facts<'_>) -> Option<Context> {
    let minutes = facts.duration.as_secs().div_ceil(60);
    let long = |number: i64| RestrictedExpression::new_long(number);
    let scopes = facts.scopes.iter().map(Scope::as_str).map(text);
    let pairs = [
        ("scopes", RestrictedExpression::new_set(scopes)),
        ("tier", word("Tier", facts.tier.as_str())?),
        ("minutes", long(i64::try_from(minutes).ok()?)),
        (
            "has_ticket",
            RestrictedExpression::new_bool(facts.has_ticket),
        ),
        ("reason_code", text(facts.reason_code)),
        ("hour", long(facts.hour.into())),
        ("weekday", long(facts.weekday.into())),
        (
            "change_window",
            RestrictedExpression::new_bool(facts.change_window),
        ),
    ];
    let pairs = pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value));
    Context::from_pairs(pairs).ok()
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn word(kind: &str, word: &str) -> Option<RestrictedExpression> {
    uid(kind, word).map(RestrictedExpression::new_entity_uid)
}

fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    let kind = EntityTypeName::from_str(kind).ok()?;
    Some(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}
