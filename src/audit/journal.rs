//! The journal as the rest of the product sees it.

use super::commit;
use super::core::{Core, Gate, settled, with_line};
use super::counters::{Counters, SinkCounters};
use super::encode::Encoder;
use super::encode_own::Own;
use super::error::{Refused, StartError};
use super::event::Event;
use super::medium::{Disk, Files, NO_LINKS};
use super::part::{self, SessionPart};
use super::receipt::Receipt;
use super::record::{Closing, Opening, Outcome, Refusal};
use super::recover::{self, Found};
use super::room::{Room, RoomSettings};
use super::settings::{Durability, Settings};
use super::sink::{self, Running};
use super::spare;
use super::told::Whose;
use super::tree::{self, LogCounters};
use super::upkeep::Upkeep;
use super::writer::{Change, Resume, Writer};
use crate::model::{Clock, Grant, Session};
use parking_lot::{Condvar, Mutex};
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The journal. Cheap to clone; the last clone that is dropped without [`Journal::stop`] ends it as a crash would.
#[derive(Clone)]
pub struct Journal(Arc<Handle>);

struct Handle {
    core: Arc<Core>,
    committer: Mutex<Option<JoinHandle<()>>>,
    sinks: Mutex<Running>,
    sink_counters: Vec<(String, Arc<SinkCounters>)>,
    notary: Mutex<tree::Running>,
    upkeep: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
    log_counters: Arc<LogCounters>,
    drain: Duration,
    /// Whether a stop seals the last segment.
    seals: bool,
}

impl Journal {
    /// Opens the journal in `settings.dir`, recovers what a crash left, and records the start.
    ///
    /// # Errors
    /// Where another process writes here, the chain is broken before its tail, or the directory cannot be written.
    pub fn start(settings: Settings, clock: Clock) -> Result<Self, StartError> {
        Self::start_on(settings, clock, Arc::new(Disk))
    }

    pub(super) fn start_on(
        settings: Settings,
        clock: Clock,
        files: Arc<dyn Files>,
    ) -> Result<Self, StartError> {
        check(&settings)?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&settings.dir)
            .map_err(StartError::io(&settings.dir, "make"))?;
        is_kept_from_others(&settings.dir)?;
        let lock = lock(&settings.dir, settings.lock_wait)?;
        let found = recover::scan(&settings.dir)?;
        tree::check(&settings.dir, found.head.next - 1)?;
        recover::cut(&settings.dir, &found)?;
        spare::forget(&settings.dir);
        let encoder = Arc::new(Encoder::new(&settings.redact_query, settings.max_field));
        let counters = Arc::new(Counters::default());
        let resume = Resume {
            segment: found.segment,
            head: found.head,
        };
        let mut writer = Writer::new(
            &settings,
            files,
            Arc::clone(&encoder),
            Arc::clone(&counters),
            clock.clone(),
            &resume,
        )
        .and_then(|mut writer| {
            first_records(&mut writer, &found, settings.durability)?;
            Ok(writer)
        })
        .map_err(StartError::io(&settings.dir, "write to the journal in"))?;
        writer
            .sync_now()
            .map_err(StartError::io(&settings.dir, "sync the journal in"))?;

        let core = Arc::new(Core {
            writer: Mutex::new(writer),
            wake: Condvar::new(),
            stopping: AtomicBool::new(false),
            gate: Gate::default(),
            log_gate: Gate::default(),
            room_gate: Gate::default(),
            counters,
            encoder,
            clock,
            durability: settings.durability,
            lock: Mutex::new(Some(lock)),
        });
        Self::spawn(core, settings)
    }

    fn spawn(core: Arc<Core>, settings: Settings) -> Result<Self, StartError> {
        let committer = match settings.durability {
            Durability::Process => None,
            Durability::Disk => {
                let core = Arc::clone(&core);
                let run = move || commit::run(&core);
                let thread = thread::Builder::new()
                    .name("locum-commit".into())
                    .spawn(run);
                Some(thread.map_err(StartError::io(&settings.dir, "start a thread for"))?)
            }
        };
        // From here on a failure drops the handle, which ends the committer.
        let handle = Handle {
            core,
            committer: Mutex::new(committer),
            sinks: Mutex::default(),
            sink_counters: Vec::new(),
            notary: Mutex::default(),
            upkeep: Mutex::default(),
            log_counters: Arc::default(),
            drain: settings.sink_drain,
            seals: !settings.segment_age.is_zero(),
        };
        if let Some(log) = settings.log.clone() {
            let (core, counters) = (&handle.core, &handle.log_counters);
            *handle.notary.lock() = tree::start(core, &settings.dir, log, counters)?;
        }
        let (dir, room, age) = (settings.dir.clone(), settings.room, settings.segment_age);
        let (running, sink_counters) = sink::start(&handle.core, settings)?;
        *handle.sinks.lock() = running;
        *handle.upkeep.lock() = Some(upkeep(&handle.core, &dir, room, age)?);
        let mut journal = Arc::new(handle);
        if let Some(handle) = Arc::get_mut(&mut journal) {
            handle.sink_counters = sink_counters;
        }
        Ok(Self(journal))
    }

    /// Records that a request is about to be forwarded. It is kept, as `durability` says, when this returns.
    ///
    /// With durability `process` this completes at once, without yielding; with `disk` it waits for a group commit.
    ///
    /// # Errors
    /// The record could not be kept, or does not leave here in time: answer 503 and forward nothing.
    pub async fn open(&self, opening: &Opening<'_>) -> Result<Receipt, Refused> {
        let core = &self.0.core;
        core.gate.check()?;
        core.log_gate.check()?;
        core.has_room()?;
        let (context, wait) = with_line(|line| {
            let context = core.encoder.opening(line, opening, core.clock.now());
            core.write(
                line,
                Change::Opens(opening.exchange),
                part::whose(opening.session),
            )
            .map(|wait| (context, wait))
        })?;
        let receipt = Receipt::new(Arc::clone(core), context);
        let Err(refused) = settled(wait).await else {
            return Ok(receipt);
        };
        receipt.close(&Closing {
            outcome: Outcome::Refused,
            status: Some(503),
            cause: "journal",
            ..Closing::default()
        });
        Err(refused)
    }

    /// Records how an exchange ended. See [`Receipt::close`].
    pub fn close(&self, receipt: Receipt, closing: &Closing<'_>) {
        receipt.close(closing);
    }

    /// Records a request that Locum answered itself, opening and close in one.
    ///
    /// # Errors
    /// The record could not be kept: answer 503 instead.
    pub async fn refuse(&self, refusal: &Refusal<'_>) -> Result<(), Refused> {
        let core = &self.0.core;
        core.has_room()?;
        let wait = with_line(|line| {
            core.encoder.refusal(line, refusal, core.clock.now());
            core.write(line, Change::None, part::whose(refusal.opening.session))
        })?;
        settled(wait).await
    }

    /// Records an event that must be on record before its effect.
    ///
    /// # Errors
    /// The record could not be kept: the effect must not happen.
    pub async fn event(&self, event: &Event<'_>) -> Result<(), Refused> {
        let core = &self.0.core;
        let wait = with_line(|line| {
            core.encoder.event(line, event, core.clock.now());
            core.write(line, Change::None, Whose::AsWritten)
        })?;
        settled(wait).await
    }

    /// Records an event that has happened, from any thread. While the disk refuses it is queued like a close.
    pub fn note(&self, event: &Event<'_>) {
        self.0.core.note(event);
    }

    /// Whether the journal can record at present; during an outage this tries to end it, so a readiness check that
    /// calls it lets traffic come back by itself.
    pub fn check(&self) -> Result<(), Refused> {
        self.0.core.check()
    }

    /// When a record counts as kept here.
    pub fn durability(&self) -> Durability {
        self.0.core.durability
    }

    /// Encodes what the records of `session` share. Make it once, when the session becomes live.
    pub fn session_part(&self, grant: &Grant, session: &Session) -> SessionPart {
        SessionPart::new(grant, session, self.0.core.encoder.max_field)
    }

    /// The same for a grant's own events, without a session.
    pub fn grant_part(&self, grant: &Grant) -> SessionPart {
        SessionPart::of_grant(grant, self.0.core.encoder.max_field)
    }

    pub fn counters(&self) -> &Arc<Counters> {
        &self.0.core.counters
    }

    /// Each sink's name and counts.
    pub fn sinks(&self) -> &[(String, Arc<SinkCounters>)] {
        &self.0.sink_counters
    }

    /// What the log of the journal counts.
    pub fn log(&self) -> &Arc<LogCounters> {
        &self.0.log_counters
    }

    /// Records the stop, lets sinks catch up within `sink_drain`, and lets go of the directory. Blocks; what is
    /// recorded afterwards is refused.
    pub fn stop(&self, cause: &str) {
        let core = &self.0.core;
        core.note(&Event::ProcessStopped { cause });
        if self.0.seals {
            core.writer.lock().seal_last();
        }
        self.0.end(self.0.drain);
    }
}

#[cfg(test)]
impl Journal {
    pub(super) fn core(&self) -> &Arc<Core> {
        &self.0.core
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("counters", &self.0.core.counters)
            .finish_non_exhaustive()
    }
}

impl Handle {
    fn end(&self, drain: Duration) {
        if let Some((stop, thread)) = self.upkeep.lock().take() {
            drop(stop);
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
        self.core.stopping.store(true, Ordering::Release);
        self.core.wake.notify_all();
        if let Some(thread) = self.committer.lock().take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
        self.core.writer.lock().close();
        self.sinks.lock().stop(drain);
        self.notary.lock().stop(drain);
        self.core.lock.lock().take();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// Looks for the first time, before anything is let through, and starts the thread that goes on with it.
fn upkeep(
    core: &Arc<Core>,
    dir: &Path,
    room: RoomSettings,
    segment_age: Duration,
) -> Result<(Sender<()>, JoinHandle<()>), StartError> {
    let mut upkeep = Upkeep::new(Arc::clone(core), Room::new(dir, room), segment_age);
    upkeep.look();
    let (stop, stopped) = mpsc::channel();
    let thread = thread::Builder::new()
        .name("locum-upkeep".into())
        .spawn(move || upkeep.run(&stopped));
    let thread = thread.map_err(StartError::io(dir, "start a thread for"))?;
    Ok((stop, thread))
}

/// What a start records: itself, what was cut, and what a crash left open.
fn first_records(writer: &mut Writer, found: &Found, durability: Durability) -> io::Result<()> {
    writer.own(&Own::Started {
        durability: durability.as_str(),
        clean: found.is_clean,
    })?;
    if let Some(torn) = &found.torn {
        writer.own(&Own::Recovered {
            segment: &torn.segment,
            bytes: torn.bytes,
            sha256: &torn.sha256,
        })?;
    }
    for exchange in &found.open {
        writer.own(&Own::Aborted {
            exchange: *exchange,
        })?;
    }
    Ok(())
}

fn check(settings: &Settings) -> Result<(), StartError> {
    let refuse = |what: &str| Err(StartError::Setting { what: what.into() });
    if settings.segment_bytes < 4096 {
        return refuse("audit.segment_bytes must be at least 4096");
    }
    if !(64..=16_384).contains(&settings.max_field) {
        return refuse("audit.max_field must be 64 to 16384 bytes");
    }
    Ok(())
}

/// Whoever may write the directory may take records away, or put a file where the next segment will be.
fn is_kept_from_others(dir: &Path) -> Result<(), StartError> {
    let mode = fs::metadata(dir).map_err(StartError::io(dir, "look at"))?;
    let mode = mode.permissions().mode();
    if mode & 0o002 != 0 {
        return Err(StartError::Setting {
            what: format!(
                "every user of this machine may write to the journal's directory {} (mode {:o}): take that away with `chmod o-w`",
                dir.display(),
                mode & 0o7777
            ),
        });
    }
    if mode & 0o020 != 0 {
        tracing::warn!(dir = %dir.display(), "a group may write to the journal's directory");
    }
    Ok(())
}

/// Takes the directory for this process. A verifier holds the lock for an instant, so a start waits a little.
fn lock(dir: &Path, wait: Duration) -> Result<File, StartError> {
    let path = dir.join("lock");
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(NO_LINKS)
        .open(&path)
        .map_err(StartError::io(&path, "open"))?;
    let deadline = Instant::now() + wait;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(StartError::Locked { dir: dir.into() });
            }
            Err(TryLockError::Error(error)) => {
                return Err(StartError::io(&path, "lock")(error));
            }
        }
    }
}
