//! A request for access, what it needs, and the votes on it.

use super::{GrantId, Operator, RequestId, Scope, SessionId, Subject, Tenant, Tier, Timestamp};
use std::time::Duration;

/// How sensitive the customer's account is.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum SubjectClass {
    #[default]
    Ordinary,
    Vip,
    Admin,
    Regulated,
}

impl SubjectClass {
    pub const ALL: [Self; 4] = [Self::Ordinary, Self::Vip, Self::Admin, Self::Regulated];

    /// The class of this name, in any case.
    pub fn named(word: &str) -> Option<Self> {
        let word = word.trim();
        Self::ALL
            .into_iter()
            .find(|class| class.as_str().eq_ignore_ascii_case(word))
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Vip => "vip",
            Self::Admin => "admin",
            Self::Regulated => "regulated",
        }
    }
}

/// Where a request is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    /// The ticket system could not be asked: waits for it, then for votes.
    Queued,
    /// Waits for votes (or for the customer's consent).
    Pending,
    /// Everybody agreed; waits to be activated.
    Approved,
    Denied,
    Cancelled,
    /// Nobody finished it in time.
    Expired,
    /// A grant came of it.
    Activated,
}

impl RequestState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Activated => "activated",
        }
    }

    /// Whether votes, cancelling or activation may still change it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Pending | Self::Approved)
    }
}

/// The criteria of an emergency, as declared.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Emergency {
    /// The incident's id.
    pub incident: String,
}

/// What policy demands before the request becomes a grant.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Needs {
    /// Different people who must agree.
    pub approvals: u8,
    /// The tenant's own auditor or admin must consent by the signed link.
    pub consent: bool,
    /// The longest that the grant may last.
    #[serde(with = "millis")]
    pub max_time: Duration,
    /// The policies that said so.
    pub rules: Vec<String>,
}

mod millis {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

/// Somebody asks to stand in for a customer's user.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AccessRequest {
    pub id: RequestId,
    pub app: String,
    pub tenant: Tenant,
    pub subject: Subject,
    pub class: SubjectClass,
    /// Sorted, without duplicates.
    pub scopes: Vec<Scope>,
    /// The worst that the scopes allow.
    pub tier: Tier,
    /// Of the grant.
    #[serde(with = "millis")]
    pub duration: Duration,
    pub ticket: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_title: Option<String>,
    /// One of the configured words (`customer-request`, …).
    pub reason_code: String,
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Emergency>,
    /// The refused exchange that this asks elevation for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elevates: Option<String>,
    /// The person who asked, and who alone may act: [`super::Caller::person`] is `operator.id`.
    pub operator: Operator,
    /// The account that asked.
    pub account: String,
    pub created_at: Timestamp,
    /// Unfinished by then: expired.
    pub expires_at: Timestamp,
    pub needs: Needs,
    pub state: RequestState,
    /// When the customer consented, where that is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consented: Option<Timestamp>,
    /// Who did, where they were signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consented_by: Option<String>,
    /// Who closed it, and the reason given, where it was denied or cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_why: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Grows with each change; the `ETag` of the API.
    pub version: i64,
}

impl AccessRequest {
    /// SHA-256 (hex) of all that people agree to. A vote names it; any change makes another.
    pub fn digest(&self) -> String {
        let bound = serde_json::json!({
            "id": self.id, "app": self.app, "tenant": self.tenant.id, "subject": self.subject.id,
            "class": self.class, "scopes": self.scopes, "tier": self.tier,
            "duration": u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
            "ticket": self.ticket, "reason_code": self.reason_code, "reason": self.reason,
            "emergency": self.emergency, "operator": self.operator.id, "account": self.account,
            "approvals": self.needs.approvals, "consent": self.needs.consent,
            "expires_at": self.expires_at,
        });
        let hash =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bound.to_string().as_bytes());
        hash.as_ref()
            .iter()
            .fold(String::with_capacity(64), |mut hex, byte| {
                use std::fmt::Write as _;
                let _ = write!(hex, "{byte:02x}");
                hex
            })
    }
}

/// Agreed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Approve,
    Deny,
}

impl Verdict {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}

/// One person's answer to one request as it stood.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Vote {
    pub request: RequestId,
    /// [`AccessRequest::digest`] of what they saw.
    pub digest: String,
    pub person: String,
    pub account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub verdict: Verdict,
    /// Needed for a denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub at: Timestamp,
    /// After this it no longer counts.
    pub expires_at: Timestamp,
}

impl Vote {
    /// Whether it speaks for the request as it stands at `now`.
    pub fn counts(&self, digest: &str, now: Timestamp) -> bool {
        self.digest == digest && now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OperatorKind;

    fn request() -> AccessRequest {
        AccessRequest {
            id: RequestId::from_bits(7),
            app: "shop".into(),
            tenant: Tenant {
                id: "acme".into(),
                name: Some("Acme".into()),
            },
            subject: Subject {
                id: "kim@acme.example".into(),
                name: None,
            },
            class: SubjectClass::Ordinary,
            scopes: "view".parse().into_iter().collect(),
            tier: Tier::Ordinary,
            duration: Duration::from_secs(1800),
            ticket: "SUP-1042".into(),
            ticket_title: None,
            reason_code: "customer-request".into(),
            reason: "Cannot see an invoice".into(),
            emergency: None,
            elevates: None,
            operator: Operator {
                id: "ada@support.example".into(),
                name: None,
                kind: OperatorKind::Human,
            },
            account: "https://id.example|ada".into(),
            created_at: Timestamp::from_millis(1),
            expires_at: Timestamp::from_millis(2),
            needs: Needs::default(),
            state: RequestState::Pending,
            consented: None,
            consented_by: None,
            closed_by: None,
            closed_why: None,
            grant: None,
            session: None,
            version: 1,
        }
    }

    #[test]
    fn whatever_people_agree_to_is_in_the_digest() {
        type Change = fn(&mut AccessRequest);
        let changes: [(&str, Change); 12] = [
            ("app", |it| it.app = "other".into()),
            ("tenant", |it| it.tenant.id = "globex".into()),
            ("subject", |it| it.subject.id = "lee@acme.example".into()),
            ("class", |it| it.class = SubjectClass::Vip),
            ("scopes", |it| it.scopes.clear()),
            ("duration", |it| it.duration = Duration::from_secs(1801)),
            ("ticket", |it| it.ticket = "SUP-1043".into()),
            ("reason code", |it| it.reason_code = "fraud".into()),
            ("reason", |it| it.reason.push('!')),
            ("operator", |it| {
                it.operator.id = "bob@support.example".into();
            }),
            ("emergency", |it| {
                it.emergency = Some(Emergency {
                    incident: "INC-1".into(),
                });
            }),
            ("approvals", |it| it.needs.approvals = 2),
        ];
        let before = request().digest();
        for (what, change) in changes {
            let mut changed = request();
            change(&mut changed);
            assert_ne!(changed.digest(), before, "{what}");
        }
        let mut later = request();
        later.version = 9;
        later.state = RequestState::Approved;
        assert_eq!(later.digest(), before, "progress voids no vote");
    }

    #[test]
    fn a_vote_counts_for_what_was_seen_and_for_a_time() {
        let vote = Vote {
            request: request().id,
            digest: request().digest(),
            person: "bo".into(),
            account: "bo".into(),
            name: None,
            verdict: Verdict::Approve,
            reason: None,
            at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(10),
        };
        assert!(vote.counts(&request().digest(), Timestamp::from_millis(9)));
        assert!(!vote.counts(&request().digest(), Timestamp::from_millis(10)));
        assert!(!vote.counts("another", Timestamp::from_millis(9)));
    }
}
