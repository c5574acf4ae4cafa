//! One sink's life: read a batch, deliver it until it is taken, move the cursor. At least once, in order.

use super::cursor::Cursor;
use super::settings::SinkSettings;
use super::transform::Transform;
use super::{DeliveryError, Position, Reader, Record, Sink, Stop};
use crate::audit::core::Core;
use crate::audit::counters::{SinkCounters, add, set};
use crate::audit::encode_own::Own;
use crate::audit::error::StartError;
use crate::audit::event::Event;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub(super) struct Runner {
    core: Arc<Core>,
    /// The journal's.
    dir: PathBuf,
    settings: SinkSettings,
    counters: Arc<SinkCounters>,
    stop: Arc<Stop>,
    cursor: Cursor,
    reader: Reader,
    transform: Option<Transform>,
    is_down: bool,
}

/// The journal is stopping and the deadline has passed.
struct Stopped;

impl Runner {
    pub(super) fn new(
        core: Arc<Core>,
        dir: &Path,
        settings: SinkSettings,
        counters: Arc<SinkCounters>,
        stop: Arc<Stop>,
    ) -> Result<Self, StartError> {
        let cursor = Cursor::new(dir, &settings.name);
        let position = cursor
            .load()
            .map_err(StartError::io(cursor.path(), "read the sink's cursor"))?;
        let transform = Transform::new(&settings.name, &settings.transform)?;
        taken(&counters, position);
        Ok(Self {
            transform,
            reader: Reader::new(dir, position),
            core,
            dir: dir.into(),
            settings,
            counters,
            stop,
            cursor,
            is_down: false,
        })
    }

    pub(super) async fn run(mut self, mut sink: Box<dyn Sink>) {
        while let Ok(()) = self.step(&mut *sink).await {}
    }

    async fn step(&mut self, sink: &mut dyn Sink) -> Result<(), Stopped> {
        let batch = match self.batch() {
            Ok(batch) => batch,
            Err(error) => {
                self.down(&error.to_string());
                return self.pause(self.settings.retry_max).await;
            }
        };
        if batch.records.is_empty() {
            return self.pause(self.settings.batch_time).await;
        }
        self.deliver_batch(sink, &batch.records).await?;
        self.advance();
        if batch.is_full {
            return Ok(());
        }
        // More may come meanwhile, and go together.
        self.pause(self.settings.batch_time).await
    }

    /// The records as the sink is to get them.
    async fn deliver_batch(
        &mut self,
        sink: &mut dyn Sink,
        batch: &[Record],
    ) -> Result<(), Stopped> {
        let Some(transform) = &self.transform else {
            return self.deliver_all(sink, batch).await;
        };
        let changed: Result<Vec<_>, _> = batch.iter().map(|one| transform.apply(one)).collect();
        match changed {
            Ok(changed) => self.deliver_all(sink, &changed).await,
            // No line of ours is like that; whatever it is, it does not go out as it is.
            Err(error) => {
                for record in batch {
                    self.set_aside(record, &error.to_string()).await?;
                }
                Ok(())
            }
        }
    }

    fn advance(&mut self) {
        if let Err(error) = self.cursor.save(self.reader.position()) {
            // The sink has the batch; only a restart now would send it again.
            tracing::warn!(sink = self.settings.name, %error, "cannot save the sink's cursor");
        }
        taken(&self.counters, self.reader.position());
    }

    /// The next records that are kept, within the bounds of a batch.
    fn batch(&mut self) -> io::Result<Batch> {
        let kept = self.core.counters.sequence.load(Ordering::Relaxed);
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut is_full = false;
        while !is_full {
            let before = self.reader.position();
            if before.next > kept {
                break;
            }
            let Some(record) = self.reader.next()? else {
                break;
            };
            bytes += record.line.len();
            if bytes > self.settings.batch_bytes && !batch.is_empty() {
                self.reader = Reader::new(&self.dir, before);
                is_full = true;
                break;
            }
            batch.push(record);
            is_full = batch.len() >= self.settings.batch_records;
        }
        let oldest = batch.first().and_then(time).unwrap_or(0);
        self.counters.oldest.store(oldest, Ordering::Relaxed);
        Ok(Batch {
            records: batch,
            is_full,
        })
    }

    /// Delivers all of `batch`. What the sink refuses for good is halved until the one bad record is alone.
    async fn deliver_all(&mut self, sink: &mut dyn Sink, batch: &[Record]) -> Result<(), Stopped> {
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            match (self.deliver(sink, part).await?, part) {
                (Taken::Yes, _) | (_, []) => {}
                (Taken::Never(detail), [record]) => self.set_aside(record, &detail).await?,
                (Taken::Never(_), _) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            }
        }
        Ok(())
    }

    /// Tries until the sink takes the records or refuses them for good.
    async fn deliver(&mut self, sink: &mut dyn Sink, part: &[Record]) -> Result<Taken, Stopped> {
        let mut pause = self.settings.retry_min.min(self.settings.retry_max);
        loop {
            let (error, after) = match self.attempt(sink, part).await? {
                Ok(()) => {
                    self.up(part);
                    return Ok(Taken::Yes);
                }
                Err(DeliveryError::Never { detail }) => return Ok(Taken::Never(detail)),
                Err(DeliveryError::Later { source, after }) => (source, after),
            };
            add(&self.counters.failures, 1);
            self.down(&error.to_string());
            let wish = after.unwrap_or(Duration::ZERO).min(self.settings.retry_max);
            self.pause(jittered(pause).max(wish)).await?;
            pause = (pause * 2).min(self.settings.retry_max);
        }
    }

    async fn attempt(
        &self,
        sink: &mut dyn Sink,
        part: &[Record],
    ) -> Result<Result<(), DeliveryError>, Stopped> {
        let delivery = sink.deliver(part);
        tokio::pin!(delivery);
        loop {
            if let Some(deadline) = self.stop.deadline() {
                let done = tokio::time::timeout_at(deadline.into(), delivery).await;
                return done.map_err(|_| Stopped);
            }
            tokio::select! {
                done = &mut delivery => return Ok(done),
                () = self.stop.told.notified() => {}
                // A stop told just before this began to listen is seen soon all the same.
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
            }
        }
    }

    /// Waits, unless the journal stops: then the time until the deadline is for catching up, not for waiting.
    async fn pause(&self, span: Duration) -> Result<(), Stopped> {
        let begin = Instant::now();
        while begin.elapsed() < span {
            if let Some(deadline) = self.stop.deadline() {
                let has_all = self.counters.sequence.load(Ordering::Relaxed)
                    >= self.core.counters.sequence.load(Ordering::Relaxed);
                if has_all || Instant::now() >= deadline {
                    return Err(Stopped);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
                return Ok(());
            }
            let rest = span.saturating_sub(begin.elapsed());
            self.stop.sleep(rest.min(Duration::from_millis(200))).await;
        }
        Ok(())
    }

    async fn set_aside(&mut self, record: &Record, detail: &str) -> Result<(), Stopped> {
        tracing::error!(
            sink = self.settings.name,
            record = record.seq,
            detail,
            "the sink will never take a record: it is set aside"
        );
        while let Err(error) = self.cursor.set_aside(&record.line, detail) {
            self.down(&format!("cannot set a record aside: {error}"));
            self.pause(self.settings.retry_max).await?;
        }
        add(&self.counters.poisoned, 1);
        self.core.note_own(&Own::Poisoned {
            sink: &self.settings.name,
            sequence: record.seq,
            detail,
        });
        Ok(())
    }

    fn up(&mut self, part: &[Record]) {
        add(&self.counters.delivered, part.len() as u64);
        self.counters
            .last_success
            .store(self.core.now().millis(), Ordering::Relaxed);
        if std::mem::take(&mut self.is_down) {
            self.counters.down.store(false, Ordering::Relaxed);
            tracing::info!(sink = self.settings.name, "the sink takes records again");
            self.state(true, "");
        }
    }

    fn down(&mut self, detail: &str) {
        if !std::mem::replace(&mut self.is_down, true) {
            self.counters.down.store(true, Ordering::Relaxed);
            tracing::warn!(
                sink = self.settings.name,
                detail,
                "the sink takes no records; they wait in the journal"
            );
            self.state(false, detail);
        }
    }

    fn state(&self, up: bool, detail: &str) {
        self.core.note(&Event::SinkState {
            sink: &self.settings.name,
            up,
            sequence: self.counters.sequence.load(Ordering::Relaxed),
            detail,
        });
    }
}

struct Batch {
    records: Vec<Record>,
    /// By number or by bytes: there may be more at once.
    is_full: bool,
}

fn taken(counters: &SinkCounters, position: Position) {
    set(&counters.sequence, position.next.saturating_sub(1));
    set(&counters.segment, position.segment);
    set(&counters.offset, position.offset);
}

/// When the record was made: every line begins with it.
fn time(record: &Record) -> Option<i64> {
    let digits = record.line.strip_prefix(b"{\"time\":")?;
    let end = digits.iter().position(|b| !b.is_ascii_digit())?;
    std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
}

enum Taken {
    Yes,
    Never(String),
}

/// Between half of `span` and all of it, so that many Locums do not come back to a sink at the same moment.
fn jittered(span: Duration) -> Duration {
    let mut byte = [0u8; 1];
    // Without randomness there is only no jitter.
    let _ = aws_lc_rs::rand::fill(&mut byte);
    span / 2 + span * u32::from(byte[0]) / 512
}
