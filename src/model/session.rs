//! A session: the live use of one grant from one browser or client.

use super::{GrantId, SecretHash, SessionId, Timestamp};
use std::net::IpAddr;

/// What a session is tied to besides its cookie, by configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Binding {
    /// SHA-256 of the client certificate (DER), hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Network address and prefix length that the client must come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<(IpAddr, u8)>,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndCause {
    /// The operator pressed End.
    Operator,
    /// The grant's time ran out.
    Expired,
    /// The grant was revoked.
    Revoked,
    /// The client's certificate or address no longer matched.
    BindingBroken,
    /// Nothing was asked for longer than the configured idle time.
    Idle,
    /// A lock was put on what it is for.
    Locked,
    /// Its ticket was closed.
    TicketClosed,
    /// The operator signed out, or the identity provider ended their session.
    SignedOut,
    /// A security event about the operator or the subject arrived (RFC 8417).
    Signalled,
    /// The customer ended it.
    Customer,
    /// A workload spent its budget of requests.
    Budget,
}

impl EndCause {
    /// The word in records and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::BindingBroken => "binding-broken",
            Self::Idle => "idle",
            Self::Locked => "locked",
            Self::TicketClosed => "ticket-closed",
            Self::SignedOut => "signed-out",
            Self::Signalled => "signalled",
            Self::Customer => "customer",
            Self::Budget => "budget",
        }
    }

    /// How it is told to people: "This session …".
    pub const fn told(self) -> &'static str {
        match self {
            Self::Operator => "was ended by the operator",
            Self::Expired => "has run out of time",
            Self::Revoked => "was revoked",
            Self::BindingBroken => "was ended: it was used from another place than it started at",
            Self::Idle => "was ended: nobody used it for a while",
            Self::Locked => "was ended: access was locked",
            Self::TicketClosed => "was ended: its ticket was closed",
            Self::SignedOut => "was ended: its operator signed out",
            Self::Signalled => "was ended: the identity provider reported a change",
            Self::Customer => "was ended by the customer",
            Self::Budget => "was ended: its budget of requests is spent",
        }
    }
}

/// Who or what ended a session, and when.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ended {
    pub cause: EndCause,
    pub at: Timestamp,
    /// `operator:<id>`, `cli:<user>`, `locum`.
    pub by: String,
}

impl Ended {
    /// Who did it, for people: `None` where the cause says it already (the operator, time, Locum itself).
    pub fn who(&self) -> Option<String> {
        let by_someone = matches!(self.cause, EndCause::Revoked);
        let (kind, name) = self.by.split_once(':')?;
        match (kind, name) {
            _ if !by_someone => None,
            ("cli", "unknown" | "") => Some("an administrator".to_owned()),
            ("cli", name) => Some(format!("{name}, an administrator")),
            (_, name) => Some(name.to_owned()),
        }
    }
}

/// What a session was used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Used {
    pub requests: u64,
    /// Forwarded, with a safe method (RFC 9110 §9.2.1).
    pub reads: u64,
    /// Forwarded, with any other method, or as a WebSocket.
    pub changes: u64,
    pub refusals: u64,
    /// Bytes of bodies and messages from the client.
    pub request_bytes: u64,
    /// Bytes of bodies and messages towards the client.
    pub response_bytes: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
}

/// A session as it is stored. Its secrets are only hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub grant: GrantId,
    /// The cookie's secret; `None` until the start code was redeemed.
    pub cookie: Option<SecretHash>,
    pub binding: Binding,
    pub started_at: Option<Timestamp>,
    pub ended: Option<Ended>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ended_it_is_said_once_and_in_words() {
        let who = |cause, by: &str| {
            let (at, by) = (Timestamp::from_millis(0), by.to_owned());
            Ended { cause, at, by }.who()
        };
        assert_eq!(
            who(EndCause::Operator, "operator:ada@support.example"),
            None
        );
        assert_eq!(who(EndCause::Expired, "locum"), None);
        assert_eq!(
            who(EndCause::Revoked, "cli:dana").as_deref(),
            Some("dana, an administrator")
        );
        assert_eq!(
            who(EndCause::Revoked, "cli:unknown").as_deref(),
            Some("an administrator")
        );
        assert_eq!(
            who(EndCause::Revoked, "operator:ada@support.example").as_deref(),
            Some("ada@support.example")
        );
    }
}
