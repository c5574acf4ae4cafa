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
