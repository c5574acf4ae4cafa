//! A refusal on its way from the stage that said no to the record and the client.

use super::authenticate::Authenticated;
use super::close::Closer;
use super::refusal::Refusal;
use super::session::Former;
use super::unauthenticated::Unauthenticated;
use crate::audit::{self, Outcome};
use crate::model::Decision;

/// A refusal and what was known when it was made, for the record.
pub struct Refused {
    pub refusal: Refusal,
    pub authenticated: Option<Authenticated>,
    /// The session that it named, where none is live: the record is put down to that one.
    pub former: Option<Box<Former>>,
    pub decision: Option<Decision>,
    pub canonical: Option<String>,
    /// For the record only, never for the client.
    pub detail: String,
    /// The exchange was opened and its closing record says how it ended: no second record.
    pub is_recorded: bool,
    /// Where the exchange is recorded: its closing waits for the page that the operator gets instead.
    pub closing: Option<Box<(Closer, Outcome)>>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            authenticated: None,
            former: None,
            decision: None,
            canonical: None,
            detail: String::new(),
            is_recorded: false,
            closing: None,
        }
    }
}

impl From<Unauthenticated> for Refused {
    fn from(why: Unauthenticated) -> Self {
        Self {
            former: why.former,
            ..why.refusal.into()
        }
    }
}

/// 503: what cannot be recorded does not happen, nor what could be and would fill the disk.
pub fn unrecordable(why: &audit::Refused) -> Refusal {
    if why.is_for_room() {
        return Refusal::unavailable(
            "journal-room",
            "There is too little room left for records, so no request is let through until there is more.",
        );
    }
    Refusal::unavailable(
        "journal",
        "Requests cannot be recorded now, so none is let through.",
    )
}

/// 503: what does not get to where it must be kept in time does not happen.
pub fn lagging() -> Refusal {
    Refusal::unavailable(
        "sink-lag",
        "Records do not reach the place where they must be kept, so no request is let through until they do.",
    )
}

/// Writes the closing record of an exchange that was opened but has no answer of the app's.
pub fn closed_with(
    mut closer: Closer,
    authenticated: Authenticated,
    refusal: Refusal,
    outcome: Outcome,
) -> Box<Refused> {
    closer.status = refusal.status.as_u16();
    let closing = if closer.tap.is_some() {
        Some(Box::new((closer, outcome)))
    } else {
        closer.close(outcome, refusal.reason, 0, None);
        None
    };
    Box::new(Refused {
        closing,
        authenticated: Some(authenticated),
        is_recorded: true,
        ..refusal.into()
    })
}
