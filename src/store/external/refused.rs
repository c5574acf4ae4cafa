//! Why a token is not taken: what the client may be told, and whose fault it is.

use crate::model::{LockKey, Timestamp};
use crate::store::StoreError;
use crate::store::live::{Staleness, Tombstone};
use std::fmt;
use std::sync::Arc;

/// Why a token got no session. `Display` is safe to show: it never echoes the token.
#[derive(Debug)]
pub enum BearerRefused {
    /// Longer than so many bytes.
    TooLong {
        max: usize,
    },
    /// Not three parts of base64url with JSON objects in the first two.
    Malformed(&'static str),
    /// A header parameter that would let the token choose how it is verified, or that is critical.
    Header(&'static str),
    /// `typ` is missing or not accepted.
    Type,
    /// `alg` is missing, unknown, or not allowed for this issuer.
    Algorithm,
    UnknownIssuer,
    /// No key of that id fits the algorithm.
    UnknownKey,
    /// The issuer's keys cannot be had: not the client's fault.
    KeysUnavailable {
        issuer: String,
    },
    Signature,
    /// A claim is missing or wrong.
    Claim {
        claim: &'static str,
        problem: String,
    },
    Expired {
        at: Timestamp,
    },
    NotYet {
        at: Timestamp,
    },
    /// Lives longer than its issuer's tokens may.
    Lifetime,
    /// For another app.
    App,
    /// Not a tenant that the issuer may speak for.
    Tenant,
    /// `act.act`: an operator who is stood in for himself.
    Nested,
    BreakGlass,
    Revoked {
        at: Timestamp,
        by: String,
    },
    /// Exchanged before, or presented where its id is bound to another grant.
    Used {
        at: Timestamp,
    },
    Ended(Arc<Tombstone>),
    /// Somebody locked what the grant is for.
    Locked {
        key: LockKey,
    },
    Stale(Staleness),
    Full,
    Store(StoreError),
}

/// Whose fault a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 401 (RFC 6750 `invalid_token`).
    Client,
    /// 503.
    Ours,
}

impl BearerRefused {
    pub fn fault(&self) -> Fault {
        match self {
            Self::KeysUnavailable { .. } | Self::Stale(_) | Self::Full | Self::Store(_) => {
                Fault::Ours
            }
            _ => Fault::Client,
        }
    }

    /// A stable name for records and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "token-too-long",
            Self::Malformed(_) => "token-malformed",
            Self::Header(_) => "token-header",
            Self::Type => "token-type",
            Self::Algorithm => "token-algorithm",
            Self::UnknownIssuer => "token-issuer",
            Self::UnknownKey => "token-key",
            Self::KeysUnavailable { .. } => "issuer-keys",
            Self::Signature => "token-signature",
            Self::Claim { .. } => "token-claim",
            Self::Expired { .. } => "token-expired",
            Self::NotYet { .. } => "token-not-yet",
            Self::Lifetime => "token-lifetime",
            Self::App => "token-app",
            Self::Tenant => "token-tenant",
            Self::Nested => "token-nested",
            Self::BreakGlass => "token-break-glass",
            Self::Revoked { .. } => "token-revoked",
            Self::Used { .. } => "token-used",
            Self::Ended(_) => "session-ended",
            Self::Locked { .. } => "locked",
            Self::Stale(_) => "stale",
            Self::Full => "sessions-full",
            Self::Store(_) => "store",
        }
    }
}

impl fmt::Display for BearerRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { max } => write!(f, "the token is longer than {max} bytes"),
            Self::Malformed(what) => write!(f, "the token is malformed: {what}"),
            Self::Header(name) => write!(f, "the token's header has `{name}`, which is refused"),
            Self::Type => f.write_str("the token's `typ` is not accepted"),
            Self::Algorithm => f.write_str("the token's `alg` is not accepted"),
            Self::UnknownIssuer => f.write_str("the token's issuer is not trusted here"),
            Self::UnknownKey => f.write_str("the token's key is not one of its issuer's"),
            Self::KeysUnavailable { issuer } => {
                write!(f, "the keys of {issuer} cannot be had at the moment")
            }
            Self::Signature => f.write_str("the token's signature does not hold"),
            Self::Claim { claim, problem } => write!(f, "the token's `{claim}` {problem}"),
            Self::Expired { at } => write!(f, "the token expired at {at}"),
            Self::NotYet { at } => write!(f, "the token is not good before {at}"),
            Self::Lifetime => f.write_str("the token lives longer than its issuer's tokens may"),
            Self::App => f.write_str("the token is for another app"),
            Self::Tenant => f.write_str("the token's issuer may not speak for its tenant"),
            Self::Nested => f.write_str("the token's operator is stood in for: `act` is nested"),
            Self::BreakGlass => f.write_str("the token's issuer may not grant break-glass"),
            Self::Revoked { at, by } => write!(f, "the token was revoked by {by} at {at}"),
            Self::Used { at } => write!(f, "the token's `jti` was already used at {at}"),
            Self::Locked { key } => {
                write!(
                    f,
                    "access is locked ({}): ask the security team",
                    key.kind()
                )
            }
            Self::Ended(stone) => write!(
                f,
                "its session was ended by {} at {}",
                stone.ended.by, stone.ended.at
            ),
            Self::Stale(why) => why.fmt(f),
            Self::Full => f.write_str("as many sessions as allowed are open"),
            Self::Store(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for BearerRefused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(why) => Some(why),
            _ => None,
        }
    }
}
