//! Why somebody is not believed to be who they say: whose fault it is, what the caller may know, and what to do.

use super::outbound::OutboundError;
use crate::control::refusal::{Kind, Refusal};
use crate::store::external::{BearerRefused, Fault};
use std::error::Error;
use std::fmt;

/// Why a proof of identity was not taken. `Display` is safe to show: it never echoes a token or a code.
#[derive(Debug)]
pub(super) enum Refused {
    /// No way for people to sign in is configured.
    NotConfigured,
    /// No sign-in of this `state` is under way: it was finished, took too long, or was never begun here.
    Flow,
    /// The sign-in was begun in another browser.
    Browser,
    /// The provider's own word: `access_denied`, …
    Denied(String),
    /// What came back names another issuer (RFC 9207).
    MixUp,
    /// The token does not prove what it must.
    Token(String),
    /// A claim is missing or wrong.
    Claim {
        claim: String,
        problem: String,
    },
    /// The token speaks for somebody who is stood in for: `act`, `may_act`.
    Nested,
    /// The token does not prove that they authenticated just now.
    Stale,
    /// It does not prove a factor that was asked for.
    Weak,
    /// Somebody else than who is signed in proved themselves.
    OtherAccount,
    /// More groups than are read.
    Groups {
        max: usize,
    },
    /// The same token before.
    Replayed,
    /// No way of this name to sign in here.
    Persona,
    /// The provider does not offer this.
    Unsupported(&'static str),
    /// The provider said something that cannot be used. Its words, not ours.
    Provider(String),
    Unreachable(OutboundError),
    Bearer(BearerRefused),
    Svid(super::svid::SvidProblem),
    /// No, said elsewhere in the control plane.
    Other(Refusal),
}

impl Refused {
    pub(super) fn claim(claim: &str, problem: impl Into<String>) -> Self {
        Self::Claim {
            claim: claim.to_owned(),
            problem: problem.into(),
        }
    }

    /// The machine's word, in records and answers.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::NotConfigured => "login.not-configured",
            Self::Flow => "login.flow",
            Self::Browser => "login.browser",
            Self::Denied(_) => "login.denied",
            Self::MixUp => "login.issuer",
            Self::Token(_) => "login.token",
            Self::Claim { .. } => "login.claim",
            Self::Nested => "login.nested",
            Self::Stale => "step-up.stale",
            Self::Weak => "step-up.weak",
            Self::OtherAccount => "step-up.other-account",
            Self::Groups { .. } => "login.groups",
            Self::Replayed => "login.replayed",
            Self::Persona => "login.persona",
            Self::Unsupported(_) => "login.unsupported",
            Self::Provider(_) => "login.provider",
            Self::Unreachable(_) => "login.unreachable",
            Self::Bearer(why) => why.name(),
            Self::Svid(why) => why.reason(),
            Self::Other(why) => why.reason,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotConfigured | Self::Provider(_) | Self::Unreachable(_) => Kind::Unavailable,
            Self::Stale | Self::Weak => Kind::StepUp,
            Self::Denied(_) | Self::Nested | Self::OtherAccount => Kind::Forbidden,
            Self::Unsupported(_) => Kind::Conflict,
            Self::Bearer(why) if why.fault() == Fault::Ours => Kind::Unavailable,
            Self::Other(why) => why.kind,
            _ => Kind::Unauthenticated,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConfigured => {
                f.write_str("No way to sign in is configured. Set [identity.oidc] or [identity.assertion].")
            }
            Self::Flow => f.write_str(
                "This sign-in is over: it was finished before, or took too long. Begin again.",
            ),
            Self::Browser => {
                f.write_str("This sign-in was begun in another browser. Begin again in this one.")
            }
            Self::Denied(word) => write!(f, "The identity provider did not sign you in: {word}."),
            Self::MixUp => f.write_str("The answer came from another identity provider."),
            Self::Token(problem) => {
                write!(f, "The identity provider's token cannot be taken: {problem}.")
            }
            Self::Claim { claim, problem } => {
                write!(f, "The proof of identity cannot be taken: `{claim}` {problem}.")
            }
            Self::Nested => f.write_str(
                "The token speaks for somebody who is stood in for. Sign in as yourself.",
            ),
            Self::Stale => f.write_str(
                "The identity provider did not prove that you signed in just now. Sign in again.",
            ),
            Self::Weak => f.write_str(
                "The identity provider did not prove the factor that this step needs. Sign in with it.",
            ),
            Self::OtherAccount => {
                f.write_str("You proved to be somebody else than who is signed in here. Sign out first.")
            }
            Self::Groups { max } => {
                write!(f, "The proof of identity has more than {max} groups (identity.max_groups).")
            }
            Self::Replayed => f.write_str("This token was shown before."),
            Self::Persona => f.write_str("There is nobody of this name to be."),
            Self::Unsupported(what) => write!(f, "The identity provider does not offer {what}."),
            Self::Provider(_) => {
                f.write_str("The identity provider's answer cannot be used. Try again in a moment.")
            }
            Self::Unreachable(_) => {
                f.write_str("The identity provider cannot be reached. Try again in a moment.")
            }
            Self::Bearer(why) => write!(f, "Refused: {why}."),
            Self::Svid(why) => write!(f, "The client certificate proves no workload: {why}."),
            Self::Other(why) => f.write_str(&why.detail),
        }
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreachable(why) => Some(why),
            Self::Bearer(why) => Some(why),
            Self::Svid(why) => Some(why),
            Self::Other(why) => Some(why),
            _ => None,
        }
    }
}

impl From<Refused> for Refusal {
    fn from(why: Refused) -> Self {
        match why {
            Refused::Other(refusal) => refusal,
            why => Self::new(why.kind(), why.reason(), why.to_string()),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(why: Refusal) -> Self {
        Self::Other(why)
    }
}

impl From<OutboundError> for Refused {
    fn from(why: OutboundError) -> Self {
        Self::Unreachable(why)
    }
}

impl From<BearerRefused> for Refused {
    fn from(why: BearerRefused) -> Self {
        Self::Bearer(why)
    }
}
