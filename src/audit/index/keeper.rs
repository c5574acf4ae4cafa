//! The thread of a serving process that keeps the index up to date. Nothing waits for it: a slow or broken index is told
//! of and tried again, and requests go on.

use super::Settings;
use super::counters::IndexCounters;
use super::error::IndexError;
use super::feed::{ABSENT, Feed};
use super::file::discard;
use crate::audit::yielding::{Pace, yield_to_requests};
use crate::audit::{Event, Journal};
use parking_lot::{Condvar, Mutex};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What is searched may lag while requests take all there is: `locum_index_lag` says how far.
const LAST: i32 = 19;

/// The running thread. Dropped, it ends after the batch at hand.
#[derive(Debug)]
pub struct Keeper {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
    counters: Arc<IndexCounters>,
}

#[derive(Debug, Default)]
struct Stop {
    asked: Mutex<bool>,
    told: Condvar,
}

impl Stop {
    fn is_asked(&self) -> bool {
        *self.asked.lock()
    }

    /// Sleeps, but not once a stop was asked for.
    fn sleep(&self, span: Duration) {
        let mut asked = self.asked.lock();
        if !*asked {
            self.told.wait_for(&mut asked, span);
        }
    }
}

impl Keeper {
    /// Starts the thread for this process's journal.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(journal: Journal, settings: Settings) -> io::Result<Self> {
        let (stop, counters) = (
            Arc::new(Stop::default()),
            Arc::new(IndexCounters::default()),
        );
        let work = Work {
            journal,
            settings,
            counters: Arc::clone(&counters),
            stop: Arc::clone(&stop),
        };
        let thread = thread::Builder::new()
            .name("locum-index".into())
            .spawn(move || work.run())?;
        Ok(Self {
            stop,
            thread: Some(thread),
            counters,
        })
    }

    pub fn counters(&self) -> &Arc<IndexCounters> {
        &self.counters
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        *self.stop.asked.lock() = true;
        self.stop.told.notify_all();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

struct Work {
    journal: Journal,
    settings: Settings,
    counters: Arc<IndexCounters>,
    stop: Arc<Stop>,
}

impl Work {
    fn run(&self) {
        yield_to_requests(LAST);
        while !self.stop.is_asked() {
            match self.keep() {
                Ok(()) => {}
                Err(error) => {
                    self.failed(&error);
                    self.stop.sleep(self.settings.retry);
                }
            }
        }
    }

    /// Keeps one index up to date until it is taken away, or the process stops.
    fn keep(&self) -> Result<(), IndexError> {
        let mut feed = Feed::open(self.settings.clone())?;
        feed.pace = Pace::beside(Arc::clone(self.journal.counters()));
        if let Some(why) = feed.made_anew() {
            self.tell_anew(why);
        }
        while !self.stop.is_asked() && feed.is_in_place() {
            let kept = self.journal.counters().sequence.load(Ordering::Relaxed);
            let taken = feed.take(kept, |progress| {
                self.measure(progress.sequence);
                !self.stop.is_asked() && is_wanted(&self.settings)
            });
            match taken {
                Ok(_) => self.recovered(),
                // A damaged file is made anew by the next round.
                Err(IndexError::Broken { path, why }) => {
                    tracing::warn!(path = %path.display(), why, "the index of the journal is damaged");
                    let _ = discard(&path);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
            self.measure(feed.sequence());
            if feed.sequence() >= kept {
                self.stop.sleep(self.settings.poll);
            }
        }
        Ok(())
    }

    fn measure(&self, sequence: u64) {
        let kept = self.journal.counters().sequence.load(Ordering::Relaxed);
        set(&self.counters.sequence, sequence);
        set(&self.counters.lag, kept.saturating_sub(sequence));
    }

    fn tell_anew(&self, why: &str) {
        self.counters.rebuilds.fetch_add(1, Ordering::Relaxed);
        let records = self.journal.counters().sequence.load(Ordering::Relaxed);
        tracing::info!(why, records, "the index of the journal is made anew");
        // The first index of a new journal is no news.
        if why != ABSENT || records > self.settings.batch_records as u64 {
            self.journal.note(&Event::IndexRebuilt { why, records });
        }
    }

    fn failed(&self, error: &IndexError) {
        self.counters.failures.fetch_add(1, Ordering::Relaxed);
        if !self.counters.down.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, remedy = error.remedy(), "new records cannot be searched; requests go on");
        }
    }

    fn recovered(&self) {
        if self.counters.down.swap(false, Ordering::Relaxed) {
            tracing::info!("new records can be searched again");
        }
    }
}

/// Whether the file is still there: a rebuild that nobody will find is given up.
fn is_wanted(settings: &Settings) -> bool {
    settings.path.exists()
}

fn set(gauge: &AtomicU64, value: u64) {
    gauge.store(value, Ordering::Relaxed);
}
