//! Steps towards a recording's erasing: on record first, then done. One process at a time takes one.

use super::about::{About, Asked, Erased};
use super::erase;
use super::error::RecordingError;
use super::holds::Hold;
use super::viewing::Undone;
use crate::model::{Happened, Ledger};
use std::path::Path;

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Ask(Asked),
    /// What was asked for is not done.
    Refuse {
        by: String,
        why: String,
    },
    Erase(Erased),
}

impl Step {
    fn happened(&self, about: &About) -> Happened {
        match self {
            Self::Ask(asked) => about
                .happened("recording.erasure-asked", &asked.by)
                .severe(3)
                .with("why", &asked.why)
                .with("until", asked.until),
            Self::Refuse { by, why } => {
                let asked = about.asked.as_ref().map_or("", |asked| &asked.by);
                about
                    .happened("recording.erasure-refused", by)
                    .severe(2)
                    .with("why", why)
                    .with("asked_by", asked)
            }
            Self::Erase(erased) => {
                let happened = about
                    .happened("recording.erased", &erased.by)
                    .severe(3)
                    .with("why", &erased.why);
                match &erased.agreed {
                    Some(agreed) => happened.with("agreed_by", agreed),
                    None => happened,
                }
            }
        }
    }
}

/// Takes it. The lock is the caller's.
pub(super) fn take<L: Ledger>(
    dir: &Path,
    (about, holds): (&About, &[Hold]),
    step: Step,
    ledger: L,
) -> Result<(), Undone<L::Error>> {
    let session = about.session;
    if let Some(erased) = &about.erased {
        let why = erased.why.clone();
        return Err(RecordingError::Erased { session, why }.into());
    }
    if let Some(hold) = holds.first()
        && !matches!(step, Step::Refuse { .. })
    {
        let hold = format!("{} on {}: {}", hold.id, hold.on, hold.reason);
        return Err(RecordingError::Held { session, hold }.into());
    }
    let put = ledger.put(step.happened(about));
    put.map_err(Undone::Unrecorded)?;
    let mut about = about.clone();
    about.asked = None;
    match step {
        Step::Ask(asked) => about.asked = Some(asked),
        Step::Refuse { .. } => {}
        Step::Erase(erased) => {
            // The intent first: a crash between here and the end is finished by the next sweep.
            about.erased = Some(erased);
            about.write(dir)?;
            return Ok(erase::finish(dir, session)?);
        }
    }
    Ok(about.write(dir)?)
}
