//! A step in the control plane, for the journal: each becomes one record, written with the change that it tells of.

use super::{Caller, Timestamp};

/// What happened, by whom, to what. All texts; secrets never.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Happened {
    /// The machine's word: `request.created`, `vote.approve`, `session.activated`, `control.refused`, …
    pub code: String,
    /// 1 informational … 4 high, 5 critical (OCSF `severity_id`).
    pub severity: u8,
    /// The person, `cli:<user>`, `locum`, `tenant:<id>`.
    pub actor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// More members, in order.
    #[serde(default)]
    pub details: Vec<(String, String)>,
    pub at: Option<Timestamp>,
}

impl Happened {
    pub fn new(code: &str, actor: &str) -> Self {
        Self {
            code: code.to_owned(),
            severity: 1,
            actor: actor.to_owned(),
            ..Self::default()
        }
    }

    pub fn by(code: &str, caller: &Caller) -> Self {
        Self {
            account: Some(caller.account.clone()),
            ..Self::new(code, &caller.person)
        }
    }

    /// About a request for access and all that it names.
    pub fn about(mut self, request: &super::AccessRequest) -> Self {
        self.app = Some(request.app.clone());
        self.tenant = Some(request.tenant.id.clone());
        self.operator = Some(request.operator.id.clone());
        self.subject = Some(request.subject.id.clone());
        self.ticket = Some(request.ticket.clone());
        self.request = Some(request.id.to_string());
        self.grant = request.grant.map(|id| id.to_string());
        self.session = request.session.map(|id| id.to_string());
        self
    }

    /// About a grant and all that it names.
    pub fn about_grant(mut self, grant: &super::Grant) -> Self {
        self.app = Some(grant.app.clone());
        self.tenant = Some(grant.tenant.id.clone());
        self.operator = Some(grant.operator.id.clone());
        self.subject = Some(grant.subject.id.clone());
        self.ticket = Some(grant.ticket.clone());
        self.grant = Some(grant.id.to_string());
        self
    }

    pub fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.details.push((name.to_owned(), value.to_string()));
        self
    }

    pub fn severe(mut self, severity: u8) -> Self {
        self.severity = severity;
        self
    }
}
