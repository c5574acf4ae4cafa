//! The words of a ticket system's message: what it brings, what it says, why it is not believed.

use crate::model::Timestamp;
use std::fmt;
use std::time::Duration;

/// A message as it came in.
#[derive(Clone, Copy)]
pub struct Hook<'a> {
    /// The system that it is said to be from; `None`: the only one that sends messages.
    pub system: Option<&'a str>,
    pub headers: &'a http::HeaderMap,
    pub body: &'a [u8],
    pub now: Timestamp,
}

/// How large a message may be, and how long it may take to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookBounds {
    pub bytes: usize,
    pub time: Duration,
}

/// What a believed message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookSays {
    /// The system's name.
    pub system: String,
    /// The ticket that is closed; `None`: nothing that concerns Locum, or said before.
    pub closed: Option<String>,
    /// Give it back with [`super::desk::TicketDesk`]'s `done` once it was acted on, so that it is not acted on again.
    pub seen: [u8; 32],
    /// Until when the message would be believed.
    pub until: Timestamp,
}

/// Why a message is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookRefused {
    /// There is no such system, or it sends no messages.
    NoSystem,
    /// It carries no signature that could be read: the field that is missing or wrong.
    Unsigned(&'static str),
    /// The signature is not of any secret.
    Forged,
    /// Its time is too far from now.
    Stale,
    /// It is signed, but does not say what it must: the member that is missing.
    Unreadable(String),
    /// It is about a ticket that cannot be this system's.
    Foreign,
}

impl fmt::Display for HookRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSystem => f.write_str("no ticket system of this name sends messages here"),
            Self::Unsigned(field) => write!(f, "the field {field} is missing or malformed"),
            Self::Forged => f.write_str("the signature is not of the configured secret"),
            Self::Stale => f.write_str("the message is not from now"),
            Self::Unreadable(what) => write!(f, "the message has no {what}"),
            Self::Foreign => f.write_str("this is no ticket of this system"),
        }
    }
}

impl std::error::Error for HookRefused {}
