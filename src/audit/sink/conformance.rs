//! What every sink must do, run by each: all records, in order, at least once, across failures and restarts.

use super::file::FileSink;
use super::runner::Runner;
use super::stdout::StdoutSink;
use super::webhook::WebhookSink;
use super::webhook::tests::Receiver;
use super::{Delivery, DeliveryError, Record, Sink, Stop};
use crate::audit::core::Core;
use crate::audit::counters::SinkCounters;
use crate::audit::journal::Journal;
use crate::audit::settings::{
    FileSettings, Settings, SinkKind, SinkSettings, WebhookFormat, WebhookSettings,
};
use crate::audit::tests::fixture::{Support, lines};
use crate::model::Clock;
use parking_lot::Mutex;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A kind of sink with the place that it fills.
trait Place {
    /// As at a start of the process.
    fn sink(&self) -> Box<dyn Sink>;
    /// The sequence numbers that arrived, in order.
    fn received(&self) -> Vec<u64>;
}

fn sequence(line: &str) -> u64 {
    let record: serde_json::Value = serde_json::from_str(line).expect("a whole record");
    record["seq"].as_u64().expect("seq")
}

struct InFile(tempfile::TempDir);

impl Place for InFile {
    fn sink(&self) -> Box<dyn Sink> {
        let settings = FileSettings {
            max_bytes: 16 << 10,
            keep: 100,
            ..FileSettings::new(self.0.path().join("out"))
        };
        Box::new(FileSink::open(&settings).expect("open"))
    }

    fn received(&self) -> Vec<u64> {
        let read = |name: String| std::fs::read_to_string(self.0.path().join(name)).ok();
        let rotated = (1..100).rev().filter_map(|n| read(format!("out.{n}")));
        let text: String = rotated.chain(read("out".into())).collect();
        text.lines().map(sequence).collect()
    }
}

#[derive(Clone, Default)]
struct Stream(Arc<Mutex<Vec<u8>>>);

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // As a pipe does: not always all of it.
        let n = bytes.len().min(700);
        self.0.lock().extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Place for Stream {
    fn sink(&self) -> Box<dyn Sink> {
        Box::new(StdoutSink::new(self.clone()))
    }

    fn received(&self) -> Vec<u64> {
        let text = String::from_utf8(self.0.lock().clone()).expect("UTF-8");
        text.lines().map(sequence).collect()
    }
}

struct Hook(Receiver, WebhookFormat);

impl Place for Hook {
    fn sink(&self) -> Box<dyn Sink> {
        let settings = WebhookSettings {
            format: self.1,
            ..WebhookSettings::new(self.0.url())
        };
        Box::new(WebhookSink::new("hook", &settings).expect("settings"))
    }

    fn received(&self) -> Vec<u64> {
        self.0.records()
    }
}

/// Takes a batch and then says that it did not: the worst that a network does.
struct Flaky {
    inner: Box<dyn Sink>,
    fails: Arc<AtomicBool>,
}

impl Sink for Flaky {
    fn deliver<'a>(&'a mut self, batch: &'a [Record]) -> Delivery<'a> {
        Box::pin(async {
            self.inner.deliver(batch).await?;
            if self.fails.load(Ordering::SeqCst) {
                return Err(DeliveryError::later("lost the answer"));
            }
            Ok(())
        })
    }
}

/// One run of a sink beside a journal.
struct Run {
    journal: Journal,
    counters: Arc<SinkCounters>,
    fails: Arc<AtomicBool>,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl Run {
    fn begin(dir: &Path, place: &dyn Place) -> Self {
        let settings = Settings {
            dir: dir.into(),
            segment_bytes: 8192,
            ..Settings::default()
        };
        let journal = Journal::start(settings, Clock::System).expect("start");
        let counters = Arc::new(SinkCounters::default());
        let (stop, fails) = (Arc::new(Stop::default()), Arc::new(AtomicBool::new(false)));
        let sink = Box::new(Flaky {
            inner: place.sink(),
            fails: Arc::clone(&fails),
        });
        std::fs::create_dir_all(dir.join("sinks")).expect("dir");
        let runner = Runner::new(
            core(&journal),
            dir,
            quick(),
            Arc::clone(&counters),
            Arc::clone(&stop),
        );
        let runner = runner.expect("cursor");
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("runtime").block_on(runner.run(sink));
        });
        Self {
            journal,
            counters,
            fails,
            stop,
            thread: Some(thread),
        }
    }

    fn exchanges(&self, n: usize) {
        let support = Support::new();
        (0..n).for_each(|_| support.exchange(&self.journal));
    }

    fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_so(self) {
            assert!(Instant::now() < deadline, "{what}: {:?}", self.counters);
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn has_all(&self) -> bool {
        let kept = self.journal.counters().sequence.load(Ordering::SeqCst);
        self.counters.sequence.load(Ordering::SeqCst) == kept
    }

    /// Ends with time to catch up, or as a kill would.
    fn end(mut self, drain: Duration) {
        *self.stop.deadline.lock() = Some(Instant::now() + drain);
        self.stop.told.notify_waiters();
        self.thread
            .take()
            .expect("thread")
            .join()
            .expect("no panic");
        self.journal.stop("test");
    }
}

fn core(journal: &Journal) -> Arc<Core> {
    Arc::clone(journal.core())
}

fn quick() -> SinkSettings {
    SinkSettings {
        batch_records: 7,
        batch_bytes: 6000,
        poll: Duration::from_millis(5),
        retry_min: Duration::from_millis(2),
        retry_max: Duration::from_millis(20),
        ..SinkSettings::new("test", SinkKind::Stdout)
    }
}

/// Every record up to `last`; repeats may be, but none is first seen after a later one.
fn is_complete_and_in_order(received: &[u64], last: u64) {
    let mut next = 1;
    for seq in received {
        assert!(*seq <= next, "{seq} came before {next}");
        next += u64::from(*seq == next);
    }
    assert!(next > last, "{next} of {last}: {received:?}");
}

fn conforms(place: &dyn Place) {
    let dir = tempfile::tempdir().expect("dir");
    let run = Run::begin(dir.path(), place);
    run.exchanges(30);
    run.wait("all arrive", Run::has_all);
    let kept = lines(dir.path()).len();
    is_complete_and_in_order(&place.received(), kept as u64);
    assert_eq!(
        place.received().len(),
        kept,
        "nothing is repeated without need"
    );

    run.fails.store(true, Ordering::SeqCst);
    run.exchanges(10);
    run.wait("it counts as down", |r| {
        r.counters.down.load(Ordering::SeqCst) && r.counters.lag.load(Ordering::SeqCst) > 0
    });
    run.fails.store(false, Ordering::SeqCst);
    run.wait("it catches up", |r| {
        r.has_all() && !r.counters.down.load(Ordering::SeqCst)
    });
    let states = lines(dir.path())
        .into_iter()
        .filter(|(event, _)| event == "sink.state");
    let ups: Vec<_> = states
        .map(|(_, r)| r["locum"]["up"].as_bool().expect("up"))
        .collect();
    assert_eq!(ups, [false, true], "an outage is two records, however long");

    // The sink goes down, the process ends, and the next one goes on where the sink was.
    run.fails.store(true, Ordering::SeqCst);
    run.exchanges(10);
    run.end(Duration::ZERO);
    let run = Run::begin(dir.path(), place);
    run.exchanges(5);
    run.wait("the rest arrives after the restart", Run::has_all);
    let last = lines(dir.path()).len() as u64;
    run.end(Duration::from_secs(5));
    is_complete_and_in_order(&place.received(), last);
}

#[test]
fn file() {
    conforms(&InFile(tempfile::tempdir().expect("dir")));
}

#[test]
fn stdout() {
    conforms(&Stream::default());
}

#[test]
fn webhook_ndjson() {
    conforms(&Hook(Receiver::start(), WebhookFormat::Ndjson));
}

#[test]
fn webhook_array() {
    conforms(&Hook(Receiver::start(), WebhookFormat::Array));
}

/// Takes all but one record.
struct Picky(Stream, u64);

impl Sink for Picky {
    fn deliver<'a>(&'a mut self, batch: &'a [Record]) -> Delivery<'a> {
        Box::pin(async {
            if batch.iter().any(|record| record.seq == self.1) {
                return Err(DeliveryError::Never {
                    detail: "no such field".into(),
                });
            }
            StdoutSink::new(self.0.clone()).deliver(batch).await
        })
    }
}

struct WithPicky(Stream);

impl Place for WithPicky {
    fn sink(&self) -> Box<dyn Sink> {
        Box::new(Picky(self.0.clone(), 11))
    }

    fn received(&self) -> Vec<u64> {
        self.0.received()
    }
}

#[test]
fn a_poisonous_record_is_set_aside_alone_and_said() {
    let dir = tempfile::tempdir().expect("dir");
    let place = WithPicky(Stream::default());
    let run = Run::begin(dir.path(), &place);
    run.exchanges(10);
    run.wait("all but one arrive", |r| {
        r.has_all() && r.counters.poisoned.load(Ordering::SeqCst) == 1
    });
    let received = place.received();
    let expected: Vec<_> = (1..).filter(|n| *n != 11).take(received.len()).collect();
    assert_eq!(received, expected);
    let aside = std::fs::read_to_string(dir.path().join("sinks/test.poison.jsonl")).expect("file");
    assert_eq!(aside.lines().map(sequence).collect::<Vec<_>>(), [11]);
    let said = lines(dir.path())
        .into_iter()
        .filter(|(event, _)| event == "sink.poisoned");
    assert_eq!(
        said.map(|(_, r)| r["locum"]["record"].clone())
            .collect::<Vec<_>>(),
        [11]
    );
    run.end(Duration::from_secs(1));
}
