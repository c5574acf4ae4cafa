//! The recorder: one thread that takes from the queue, writes tapes, and then the closing records that name them.

use super::about::About;
use super::counters::Counters;
use super::deck::Deck;
use super::error::RecordingError;
use super::frame::Effort;
use super::head::Begin;
use super::part::Mark;
use super::queue::Queue;
use super::redact;
use super::settings::Settings;
use super::shelf::Shelf;
use super::tap::{Overrun, Tap};
use super::work::{Beginning, Work};
use crate::audit::room::Room;
use crate::audit::{Event, Journal, Stand};
use crate::model::{Clock, ExchangeId, OnOverrun, Record, RecordRule, SessionId, Timestamp};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How often the recorder looks around where nothing comes.
const TICK: Duration = Duration::from_millis(250);

/// How often bytes are looked at that wait to become a whole chunk.
const SETTLE: Duration = Duration::from_millis(100);

/// How long an exchange that must be recorded waits for its tape.
const READY: Duration = Duration::from_secs(5);

/// How long after a failure writing is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The recorder. Cheap to clone.
#[derive(Clone)]
pub struct Recorder(Arc<Handle>);

struct Handle {
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
    redact_query: Vec<String>,
}

/// What is known of an exchange when it begins.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    pub exchange: ExchangeId,
    /// `scheme://authority`, as the operator's browser asked.
    pub origin: &'a str,
    pub method: &'a str,
    pub target: &'a str,
    pub protocol: &'a str,
    /// Empty where policy was not asked.
    pub rule: &'a str,
    pub action: &'a str,
}

impl Recorder {
    /// Starts the thread. `redact_query`: parameters whose values are not recorded in targets.
    ///
    /// # Errors
    /// Where the settings cannot be used, or no thread can be had. The directory is made when it is first needed.
    pub fn start(
        settings: Settings,
        redact_query: &[String],
        journal: Journal,
        clock: Clock,
    ) -> Result<Self, RecordingError> {
        let counters = Arc::<Counters>::default();
        let queue = Arc::new(Queue::new(settings.queue_bytes, Arc::clone(&counters)));
        redact::check(&settings.redaction)?;
        let redaction = settings.redaction.clone();
        let dir = settings.dir.clone();
        let room = Room::new(&dir, settings.room);
        let shelf = Shelf::new(settings, clock, Arc::clone(&counters))?;
        let run = Run {
            deck: Deck::new(shelf, redaction, counters),
            queue: Arc::clone(&queue),
            journal,
            down_since: None,
            settled: Instant::now(),
            is_told: false,
            room,
        };
        let thread = thread::Builder::new()
            .name("locum-record".into())
            .spawn(move || run.run())
            .map_err(RecordingError::io(&dir, "start a thread for"))?;
        Ok(Self(Arc::new(Handle {
            queue,
            thread: Mutex::new(Some(thread)),
            redact_query: redact_query.to_vec(),
        })))
    }

    /// Begins the recording of an exchange. Where `rule` says that it must be recorded, this waits until its tape is open.
    pub async fn begin(
        &self,
        rule: RecordRule,
        about: About,
        start: &Start<'_>,
    ) -> Result<Tap, Overrun> {
        if rule.on_overrun == OnOverrun::Gap {
            return Ok(self.begin_anyhow(rule.record, about, start));
        }
        let queue = &self.0.queue;
        let refused = || {
            super::counters::add(&queue.counters.refused, 1);
            Overrun
        };
        let (told, ready) = oneshot::channel();
        let (beginning, broken) = self.beginning(rule.record, about, start, Some(told));
        let cost = 2 * start.target.len();
        let is_down = queue.is_down.load(Ordering::Relaxed);
        if is_down || !queue.offer(Work::Begin(beginning), cost) {
            return Err(refused());
        }
        let tap = Tap::new(Arc::clone(queue), start.exchange, rule, broken, true);
        let ready = tokio::time::timeout(READY, ready).await;
        if !matches!(ready, Ok(Ok(true))) {
            tap.end("refused", false);
            return Err(refused());
        }
        Ok(tap)
    }

    /// Begins the recording of an exchange that goes on whether it can be recorded or not.
    pub fn begin_anyhow(&self, record: Record, about: About, start: &Start<'_>) -> Tap {
        let rule = RecordRule {
            record,
            on_overrun: OnOverrun::Gap,
        };
        let queue = &self.0.queue;
        let (beginning, broken) = self.beginning(record, about, start, None);
        let is_begun = queue.offer(Work::Begin(beginning), 2 * start.target.len());
        if !is_begun {
            broken.store(true, Ordering::Relaxed);
        }
        Tap::new(Arc::clone(queue), start.exchange, rule, broken, is_begun)
    }

    fn beginning(
        &self,
        record: Record,
        about: About,
        start: &Start<'_>,
        ready: Option<oneshot::Sender<bool>>,
    ) -> (Box<Beginning>, Arc<AtomicBool>) {
        let broken = Arc::new(AtomicBool::new(false));
        let begin = Begin {
            x: start.exchange,
            at: Timestamp::now(),
            app: about.app.clone(),
            origin: start.origin.to_owned(),
            method: start.method.to_owned(),
            target: crate::audit::redact::target(&self.0.redact_query, start.target),
            protocol: start.protocol.to_owned(),
            rule: start.rule.to_owned(),
            action: start.action.to_owned(),
            mode: record.as_str().to_owned(),
            again: false,
        };
        let beginning = Box::new(Beginning {
            about,
            begin,
            record,
            broken: Arc::clone(&broken),
            ready,
        });
        (beginning, broken)
    }

    /// A session is over: its tape is closed and marked once its last exchange is.
    pub fn session_ended(&self, session: SessionId) {
        self.0.queue.put(Work::SessionEnded(session));
    }

    /// Until everything that was given before is in the files.
    pub async fn settled(&self) {
        let (told, done) = oneshot::channel();
        if self.0.queue.put(Work::Settle(told)) {
            // A recorder that is gone has nothing left to write.
            let _ = done.await;
        }
    }

    pub fn counters(&self) -> &Arc<Counters> {
        let counters = &self.0.queue.counters;
        let held = self.0.queue.held() as u64;
        counters.queued.store(held, Ordering::Relaxed);
        counters
    }

    /// Writes what was given, marks every tape, and ends the thread. Blocks.
    pub fn stop(&self) {
        self.0.queue.put(Work::Stop);
        if let Some(thread) = self.0.thread.lock().take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recorder({:?})", self.0.queue)
    }
}

/// A recorder that ends, however, takes nothing more: what it is given is given back at once.
impl Drop for Run {
    fn drop(&mut self) {
        drop(self.queue.close());
    }
}

/// The thread's own.
struct Run {
    deck: Deck,
    queue: Arc<Queue>,
    journal: Journal,
    /// When bytes that wait for more were last looked at.
    settled: Instant,
    /// Since when nothing can be written, and whether the journal knows.
    down_since: Option<Instant>,
    is_told: bool,
    room: Room,
}

impl Run {
    fn run(mut self) {
        self.look_at_room();
        let mut tended = Instant::now();
        loop {
            let work = self.queue.take(TICK);
            let is_idle = work.is_empty();
            let is_over = self.batch(work);
            if is_over || is_idle || tended.elapsed() > TICK {
                tended = Instant::now();
                self.tend();
            }
            if is_over {
                return self.finish();
            }
        }
    }

    /// True where the recorder is to stop.
    fn batch(&mut self, work: std::collections::VecDeque<(Work, usize)>) -> bool {
        let mut waiting = Vec::new();
        let mut is_over = false;
        for (work, cost) in work {
            let effort = if self.queue.is_behind() {
                super::counters::add(&self.queue.counters.hurried, 1);
                Effort::Hurry
            } else {
                Effort::Compress
            };
            match work {
                Work::Settle(told) => waiting.push(told),
                Work::Stop => is_over = true,
                work => self.deck.take(work, effort, self.down_since.is_some()),
            }
            self.queue.done(cost);
        }
        if self.settled.elapsed() >= SETTLE {
            self.settled = Instant::now();
            self.deck.settle(Timestamp::now(), Effort::Compress);
        }
        self.deck.flush();
        self.look();
        for told in waiting {
            // Whoever asked may have gone.
            let _ = told.send(());
        }
        is_over
    }

    /// Says that nothing can be written, or that it can again.
    fn look(&mut self) {
        let failures = std::mem::take(&mut self.deck.failures);
        // What is wrong with one session alone is no reason to refuse others.
        let is_ours = |why: &&RecordingError| {
            matches!(why, RecordingError::Io { .. } | RecordingError::Key { .. })
        };
        if let Some(why) = failures.iter().find(is_ours) {
            super::counters::add(&self.queue.counters.failures, failures.len() as u64);
            self.down();
            if !std::mem::replace(&mut self.is_told, true) {
                tracing::error!(error = %why, "recordings cannot be written; exchanges that must be recorded are refused");
                let detail = why.to_string();
                let (up, detail) = (false, detail.as_str());
                self.journal.note(&Event::RecordingState { up, detail });
            }
        }
    }

    fn tend(&mut self) {
        self.look_at_room();
        if let Some(since) = self.down_since
            && !self.room.is_out()
            && since.elapsed() >= RETRY
        {
            match self.deck.shelf.probe() {
                Ok(()) => self.up(),
                Err(_) => self.down_since = Some(Instant::now()),
            }
        }
        let marks = self.deck.shelf.tend();
        self.deck.marks.extend(marks);
        self.tell_marks();
    }

    fn down(&mut self) {
        self.down_since = Some(Instant::now());
        self.queue.is_down.store(true, Ordering::Relaxed);
        self.queue.counters.down.store(true, Ordering::Relaxed);
    }

    /// Below the second mark it is as if nothing could be written, before that is so.
    fn look_at_room(&mut self) {
        let Some(changed) = self.room.look(&self.queue.counters.room) else {
            return;
        };
        let (stand, free) = (changed.to, changed.free);
        let dir = self.room.dir().display().to_string();
        if stand == Stand::Out {
            self.down();
            self.is_told = true;
            tracing::error!(
                dir,
                free,
                "there is too little room left for recordings; exchanges that must be recorded are refused"
            );
        } else if stand == Stand::Low {
            tracing::warn!(dir, free, "there is little room left for recordings");
        }
        self.journal.note(&Event::Room {
            place: "recordings",
            stand: stand.as_str(),
            free,
            alarm: self.room.settings().alarm,
            refuse: self.room.settings().refuse,
            refused: 0,
        });
        if stand != Stand::Enough {
            let detail = format!("{free} bytes are left in {dir}");
            self.journal.note(&Event::Alert {
                kind: "room",
                session: None,
                exchange: None,
                client: None,
                detail: &detail,
            });
        }
    }

    fn up(&mut self) {
        self.down_since = None;
        self.queue.is_down.store(false, Ordering::Relaxed);
        self.queue.counters.down.store(false, Ordering::Relaxed);
        if std::mem::take(&mut self.is_told) {
            tracing::info!("recordings can be written again");
            let (up, detail) = (true, "");
            self.journal.note(&Event::RecordingState { up, detail });
        }
    }

    fn tell_marks(&mut self) {
        for marked in self.deck.marks.drain(..) {
            let Mark {
                part,
                frames,
                bytes,
                sha256,
            } = marked.mark;
            self.journal.note(&Event::RecordingMarked {
                session: marked.session,
                part,
                frames,
                bytes,
                sha256: &super::digest::encode(&sha256),
            });
        }
    }

    fn finish(mut self) {
        let left = self.queue.close();
        self.batch(left);
        for session in self.deck.shelf.sessions() {
            let marked = self.deck.shelf.close(session);
            self.deck.marks.extend(marked);
        }
        self.tell_marks();
    }
}
