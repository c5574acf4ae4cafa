//! What is said where no live session stands behind a request.

use super::refusal::Refusal;
use super::session::Former;
use super::setup::Setup;
use crate::store::live::Tombstone;

/// Why no live session stands behind a request, and which one it named, where that is known.
#[derive(Debug)]
pub struct Unauthenticated {
    pub refusal: Refusal,
    pub former: Option<Box<Former>>,
}

impl From<Refusal> for Unauthenticated {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            former: None,
        }
    }
}

pub(super) fn no_session() -> Refusal {
    Refusal::unauthenticated(
        "no-session",
        "Open your start link, or ask for a grant first.",
    )
}

/// 401 that says who ended the session and when; put down to that session.
pub fn ended(grave: &Tombstone, setup: &Setup) -> Unauthenticated {
    let how = grave.ended.cause.told();
    let at = grave.ended.at.to_minute();
    let who = grave.ended.who();
    let by = who.map_or_else(String::new, |who| format!(" by {who}"));
    let mut refusal = Refusal::unauthenticated(
        "session-ended",
        format!("It {how}{by} at {at}. To go on, ask for a new grant."),
    );
    refusal.title = "This support session is over".into();
    Unauthenticated {
        refusal,
        former: Some(Box::new(Former::of_ended(grave, setup))),
    }
}
