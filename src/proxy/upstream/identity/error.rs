//! Why the subject's identity could not be put on a request.

use super::exchange::ExchangeError;
use super::keys::KeyError;
use super::mint::MintError;
use crate::proxy::upstream::{Cause, Fault};
use http::{HeaderName, StatusCode};
use std::fmt;

/// What failed, with whose fault and what to do. No variant carries a secret.
#[derive(Debug)]
pub enum IdentityError {
    /// The configuration does not fit together.
    Settings {
        upstream: String,
        what: String,
    },
    /// A static credential cannot be read.
    Secret {
        upstream: String,
        from: String,
        cause: Cause,
    },
    Keys(KeyError),
    /// A value of the grant cannot stand in a header: control characters, or too long.
    Value {
        upstream: String,
        header: HeaderName,
        placeholder: &'static str,
    },
    /// The grant's time is over.
    Expired,
    /// The system's random generator or the signature failed.
    Sign,
    /// The app gave no session for the subject.
    Mint {
        upstream: String,
        error: MintError,
    },
    /// The authorization server gave no token for the subject.
    Exchange {
        upstream: String,
        error: ExchangeError,
    },
}

impl IdentityError {
    /// The status for the client.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Mint { error, .. } => error.status(),
            Self::Exchange { .. } => StatusCode::BAD_GATEWAY,
            Self::Expired => StatusCode::UNAUTHORIZED,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub fn fault(&self) -> Fault {
        match self {
            Self::Mint { .. } | Self::Exchange { .. } => Fault::Upstream,
            Self::Expired => Fault::Client,
            _ => Fault::Ours,
        }
    }

    /// The name in metrics and records.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Settings { .. } => "identity-settings",
            Self::Secret { .. } => "identity-secret",
            Self::Keys(_) => "identity-keys",
            Self::Value { .. } => "identity-value",
            Self::Expired => "identity-expired",
            Self::Sign => "identity-sign",
            Self::Mint { .. } => "identity-mint",
            Self::Exchange { .. } => "identity-exchange",
        }
    }

    /// What the people who run Locum can do.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Settings { .. } => "Correct the upstream's identity section.",
            Self::Secret { .. } => {
                "Make the file readable, or set the variable, and let it hold one line."
            }
            Self::Keys(_) => "Look at the signing keys' directory; `locum certs dev` makes a key.",
            Self::Value { .. } => {
                "Issue the grant with a shorter value, without control characters."
            }
            Self::Expired => "Ask for a new grant.",
            Self::Sign => "Restart; if it stays, the system has no randomness.",
            Self::Mint { .. } => {
                "Look in the app's log why its mint endpoint refused the assertion."
            }
            Self::Exchange { .. } => {
                "Look in the authorization server's log why it refused the exchange."
            }
        }
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings { upstream, what } => write!(f, "upstream {upstream}, identity: {what}"),
            Self::Secret { upstream, from, .. } => {
                write!(
                    f,
                    "upstream {upstream}: no credential can be read from {from}"
                )
            }
            Self::Keys(_) => f.write_str("the signing keys cannot be used"),
            Self::Value {
                upstream,
                header,
                placeholder,
            } => write!(
                f,
                "upstream {upstream}: {{{placeholder}}} cannot stand in the header {header}"
            ),
            Self::Expired => f.write_str("the grant is over: nothing is asserted for it"),
            Self::Sign => f.write_str("an assertion cannot be signed"),
            Self::Mint { upstream, .. } => {
                write!(f, "upstream {upstream} gave no session for the subject")
            }
            Self::Exchange { upstream, .. } => {
                write!(
                    f,
                    "upstream {upstream}: there is no exchanged token for the subject"
                )
            }
        }
    }
}

impl std::error::Error for IdentityError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Secret { cause, .. } => Some(&**cause),
            Self::Keys(cause) => Some(cause),
            Self::Mint { error, .. } => Some(error),
            Self::Exchange { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<KeyError> for IdentityError {
    fn from(cause: KeyError) -> Self {
        Self::Keys(cause)
    }
}
