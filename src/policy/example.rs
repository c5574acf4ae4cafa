//! One request and grant as a person writes them, for `explain` and for cases.

use super::facts::{Facts, GrantFacts};
use super::load::Policy;
use super::route::Routed;
use super::verdict::Verdict;
use crate::model::{Operator, OperatorKind, Scope, Subject, Tenant, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::net::IpAddr;

/// A request and a grant to explain. What is left empty is made up.
#[derive(Clone, Debug, Default)]
pub struct ExplainQuery {
    /// Empty: the rows for all apps only.
    pub app: String,
    /// `POST /account/mfa/reset?x=1`.
    pub request: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    pub websocket: bool,
    pub scopes: Vec<Scope>,
    pub operator: String,
    pub subject: String,
    pub tenant: String,
    pub ticket: String,
    pub approvals: Vec<String>,
    pub break_glass: bool,
    pub client: Option<IpAddr>,
    /// `None`: now.
    pub now: Option<Timestamp>,
}

/// A query made ready: what [`Facts`] and [`GrantFacts`] borrow from.
pub(super) struct Example<'q> {
    query: &'q ExplainQuery,
    method: &'q str,
    path: &'q str,
    parameters: Option<&'q str>,
    headers: HeaderMap,
    operator: Operator,
    subject: Subject,
    tenant: Tenant,
    now: Timestamp,
}

impl<'q> Example<'q> {
    pub(super) fn new(query: &'q ExplainQuery) -> Result<Self, String> {
        let Some((method, target)) = query.request.trim().split_once(' ') else {
            return Err(format!(
                "{:?} is not a method, one blank and a path",
                query.request
            ));
        };
        let target = target.trim();
        if !target.starts_with('/') {
            return Err(format!("the path {target:?} does not begin with a slash"));
        }
        let (path, parameters) = match target.split_once('?') {
            Some((path, parameters)) => (path, Some(parameters)),
            None => (target, None),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &query.headers {
            let known = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes());
            let name = known.map_err(|_| format!("{name:?} is no header name"))?;
            let value =
                HeaderValue::from_str(value).map_err(|_| format!("{name} has no valid value"))?;
            headers.append(name, value);
        }
        let or = |text: &str, other: &str| if text.is_empty() { other } else { text }.to_owned();
        Ok(Self {
            query,
            method,
            path,
            parameters,
            headers,
            operator: Operator {
                id: or(&query.operator, "operator"),
                name: None,
                kind: OperatorKind::Human,
            },
            subject: Subject {
                id: or(&query.subject, "subject"),
                name: None,
            },
            tenant: Tenant {
                id: or(&query.tenant, "tenant"),
                name: None,
            },
            now: query.now.unwrap_or_else(Timestamp::now),
        })
    }

    pub(super) fn facts(&self) -> Facts<'_> {
        Facts {
            app: &self.query.app,
            method: self.method,
            path: self.path,
            query: self.parameters,
            headers: &self.headers,
            is_websocket: self.query.websocket,
        }
    }

    pub(super) fn grant(&self) -> GrantFacts<'_> {
        GrantFacts {
            scopes: &self.query.scopes,
            operator: &self.operator,
            subject: &self.subject,
            tenant: &self.tenant,
            ticket: &self.query.ticket,
            approvals: &self.query.approvals,
            break_glass: self.query.break_glass,
            client: self.query.client,
            now: self.now,
        }
    }

    pub(super) fn body(&self) -> &[u8] {
        self.query.body.as_deref().unwrap_or_default()
    }

    pub(super) fn decide(&self, policy: &Policy) -> Verdict {
        policy
            .route(&self.facts())
            .decide(&self.grant(), Some(self.body()))
    }

    /// Hands the candidates to `then`, with the facts that they borrow.
    pub(super) fn with_routed<T>(&self, policy: &Policy, then: impl FnOnce(&Routed<'_>) -> T) -> T {
        let facts = self.facts();
        then(&policy.route(&facts))
    }
}
