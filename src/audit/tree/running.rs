//! The log beside its journal: what a start checks, and the notary's thread.

use super::counters::LogCounters;
use super::error::LogError;
use super::kept::Kept;
use super::layout;
use super::notary::{Notary, Stop};
use super::settings::LogSettings;
use crate::audit::core::Core;
use crate::audit::error::StartError;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The notary's thread.
#[derive(Debug, Default)]
pub(in crate::audit) struct Running {
    thread: Option<JoinHandle<()>>,
    stop: Arc<Stop>,
}

/// Refuses a journal that ends before what was signed: its last records were lost or cut off, and new ones in their
/// places would make two histories.
pub(in crate::audit) fn check(journal: &Path, last: u64) -> Result<(), StartError> {
    let dir = layout::whole(journal);
    let signed = Kept::new(&dir).last_signed().map_err(setting)?;
    match signed {
        Some(signed) if signed.size > last => Err(StartError::Broken {
            segment: dir.join("checkpoint"),
            line: 2,
            what: format!(
                "it was signed for {} records, and the journal ends with record {last}: the last ones were lost or cut off",
                signed.size
            ),
        }),
        _ => Ok(()),
    }
}

/// The origin that the log in `journal` has signed under, if it has.
pub fn origin_of(journal: &Path) -> Option<String> {
    let signed = Kept::new(&layout::whole(journal)).last_signed().ok()??;
    Some(signed.origin)
}

/// Starts the notary.
pub(in crate::audit) fn start(
    core: &Arc<Core>,
    journal: &Path,
    settings: LogSettings,
    counters: &Arc<LogCounters>,
) -> Result<Running, StartError> {
    let mut running = Running::default();
    let (core, counters, stop) = (
        Arc::clone(core),
        Arc::clone(counters),
        Arc::clone(&running.stop),
    );
    let queue = settings.queue;
    let notary = Notary::new(Arc::clone(&core), journal, settings, counters, stop);
    let notary = notary.map_err(setting)?;
    core.writer.lock().told.listen(queue);
    let thread = thread::Builder::new()
        .name("locum-notary".into())
        .spawn(move || notary.run());
    running.thread = Some(thread.map_err(StartError::io(journal, "start the notary of"))?);
    Ok(running)
}

#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn setting(error: LogError) -> StartError {
    StartError::Setting {
        what: error.to_string(),
    }
}

impl Running {
    /// Lets the notary sign what is there within `drain`. One that is stuck is left behind.
    pub(in crate::audit) fn stop(&mut self, drain: Duration) {
        let deadline = Instant::now() + drain;
        self.stop.tell(deadline);
        let Some(thread) = self.thread.take() else {
            return;
        };
        let patience = deadline + Duration::from_secs(1);
        while !thread.is_finished() && Instant::now() < patience {
            thread::sleep(Duration::from_millis(2));
        }
        if thread.is_finished() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}
