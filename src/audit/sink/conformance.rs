//! What every sink must do, run by each: all records, in order, at least once, across failures and restarts.

use super::elastic::ElasticSink;
use super::file::FileSink;
use super::lag::{Watch, Watched};
use super::runner::Runner;
use super::splunk::SplunkSink;
use super::stdout::StdoutSink;
use super::webhook::WebhookSink;
use super::webhook::tests::Receiver;
use super::{Delivery, DeliveryError, Record, Sink, Stop};
use crate::audit::core::Core;
use crate::audit::counters::SinkCounters;
use crate::audit::journal::Journal;
use crate::audit::settings::Settings;
use crate::audit::sink::settings::{
    FileSettings, HttpSettings, LagSettings, OnLag, Secret, SinkKind, SinkSettings, SplunkSettings,
    WebhookFormat, WebhookSettings,
};
use crate::audit::tests::fixture::{Support, lines};
use crate::model::Clock;
use parking_lot::Mutex;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A kind of sink with the place that it fills.
pub(super) trait Place {
    /// As at a start of the process. `journal` is the journal's directory.
    fn sink(&self, journal: &Path) -> Box<dyn Sink>;
    /// The sequence numbers that arrived, in order.
    fn received(&self) -> Vec<u64>;
    /// The last record that is to arrive of what is in the journal now.
    fn last(&self, journal: &Path) -> u64 {
        lines(journal).len() as u64
    }
}

pub(super) fn sequence(line: &str) -> u64 {
    let record: serde_json::Value = serde_json::from_str(line).expect("a whole record");
    record["seq"].as_u64().expect("seq")
}

struct InFile(tempfile::TempDir);

impl Place for InFile {
    fn sink(&self, _: &Path) -> Box<dyn Sink> {
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
    fn sink(&self, _: &Path) -> Box<dyn Sink> {
        Box::new(StdoutSink::new(self.clone()))
    }

    fn received(&self) -> Vec<u64> {
        let text = String::from_utf8(self.0.lock().clone()).expect("UTF-8");
        text.lines().map(sequence).collect()
    }
}

struct Hook(Receiver, WebhookFormat);

impl Place for Hook {
    fn sink(&self, _: &Path) -> Box<dyn Sink> {
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

/// Splunk's collector, with or without acknowledgement.
struct Collector(Receiver, bool);

impl Place for Collector {
    fn sink(&self, _: &Path) -> Box<dyn Sink> {
        let mut http = HttpSettings::new(self.0.root());
        http.headers
            .push(("authorization".into(), Secret::new("Splunk t0ken")));
        let settings = SplunkSettings {
            http,
            index: Some("audit".into()),
            sourcetype: "locum:ocsf".into(),
            acknowledge: self.1,
        };
        Box::new(SplunkSink::new("splunk", &settings).expect("settings"))
    }

    fn received(&self) -> Vec<u64> {
        self.0.records()
    }
}

struct Bulk(Receiver);

impl Place for Bulk {
    fn sink(&self, _: &Path) -> Box<dyn Sink> {
        let settings = HttpSettings::new(format!("{}/locum-audit", self.0.root()));
        Box::new(ElasticSink::new("elastic", &settings).expect("settings"))
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
pub(super) struct Run {
    dir: PathBuf,
    pub(super) journal: Journal,
    pub(super) counters: Arc<SinkCounters>,
    fails: Arc<AtomicBool>,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl Run {
    fn begin(dir: &Path, place: &dyn Place) -> Self {
        Self::with(dir, place, quick(), 8192)
    }

    pub(super) fn with(
        dir: &Path,
        place: &dyn Place,
        sink_settings: SinkSettings,
        segment_bytes: u64,
    ) -> Self {
        let settings = Settings {
            dir: dir.into(),
            segment_bytes,
            ..Settings::default()
        };
        let journal = Journal::start(settings, Clock::System).expect("start");
        let counters = Arc::new(SinkCounters::default());
        let (stop, fails) = (Arc::new(Stop::default()), Arc::new(AtomicBool::new(false)));
        let sink = Box::new(Flaky {
            inner: place.sink(dir),
            fails: Arc::clone(&fails),
        });
        std::fs::create_dir_all(dir.join("sinks")).expect("dir");
        let watched = vec![Watched::new(&sink_settings, Arc::clone(&counters))];
        let (watch, told) = (Watch::new(core(&journal), dir, watched), Arc::clone(&stop));
        thread::spawn(move || watch.run(&told));
        let runner = Runner::new(
            core(&journal),
            dir,
            sink_settings,
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
            dir: dir.into(),
            journal,
            counters,
            fails,
            stop,
            thread: Some(thread),
        }
    }

    pub(super) fn exchanges(&self, n: usize) {
        let support = Support::new();
        (0..n).for_each(|_| support.exchange(&self.journal));
    }

    pub(super) fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(300);
        while !is_so(self) {
            assert!(
                Instant::now() < deadline,
                "{what}: {:?} {}",
                self.counters,
                self.why()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the sink last said of its trouble.
    fn why(&self) -> String {
        let mut all = lines(&self.dir).into_iter().rev();
        let state = all.find(|(event, _)| event == "sink.state");
        state.map_or_else(String::new, |(_, it)| it["locum"]["detail"].to_string())
    }

    pub(super) fn has_all(&self) -> bool {
        let kept = self.journal.counters().sequence.load(Ordering::SeqCst);
        self.counters.sequence.load(Ordering::SeqCst) == kept
    }

    /// Ends with time to catch up, or as a kill would.
    pub(super) fn end(mut self, drain: Duration) {
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
        batch_time: Duration::from_millis(5),
        retry_min: Duration::from_millis(2),
        retry_max: Duration::from_millis(20),
        ..SinkSettings::new("test", SinkKind::Stdout)
    }
}

/// Every record up to `last`; repeats may be, but none is first seen after a later one.
pub(super) fn is_complete_and_in_order(received: &[u64], last: u64) {
    let mut next = 1;
    for seq in received {
        assert!(*seq <= next, "{seq} came before {next}");
        next += u64::from(*seq == next);
    }
    assert!(next > last, "{next} of {last}: {received:?}");
}

/// Waits until the place has `last`; others tell a little later than they take.
pub(super) fn arrived(place: &dyn Place, last: u64) -> Vec<u64> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let received = place.received();
        if received.contains(&last) || Instant::now() > deadline {
            return received;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

pub(super) fn conforms(place: &dyn Place) {
    let dir = tempfile::tempdir().expect("dir");
    let run = Run::begin(dir.path(), place);
    run.exchanges(30);
    run.wait("all arrive", Run::has_all);
    let last = place.last(dir.path());
    let received = arrived(place, last);
    is_complete_and_in_order(&received, last);
    let kept = received.len() as u64;
    assert_eq!(kept, last, "nothing is repeated without need");

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
    let last = place.last(dir.path());
    run.end(Duration::from_secs(5));
    is_complete_and_in_order(&arrived(place, last), last);
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

#[test]
fn splunk() {
    conforms(&Collector(Receiver::start(), false));
}

#[test]
fn splunk_with_acknowledgement() {
    conforms(&Collector(Receiver::start(), true));
}

#[test]
fn elastic() {
    conforms(&Bulk(Receiver::start()));
}

#[test]
fn a_sink_that_lags_is_told_of_and_keeps_requests_out_where_it_is_to() {
    for on_lag in [OnLag::Alarm, OnLag::Refuse] {
        let dir = tempfile::tempdir().expect("dir");
        let place = Stream::default();
        let bounds = LagSettings {
            on_lag,
            // Exceeded by the last of the closings below, so that no opening comes too late.
            records: 29,
            ..LagSettings::default()
        };
        let settings = SinkSettings {
            lag: bounds,
            ..quick()
        };
        let run = Run::with(dir.path(), &place, settings, 8192);
        run.fails.store(true, Ordering::SeqCst);
        run.exchanges(15);
        run.wait("it lags", |r| r.counters.lagging.load(Ordering::SeqCst));
        assert!(run.counters.lag_bytes.load(Ordering::SeqCst) > 15_000);
        let support = Support::new();
        let said = support.open(&run.journal).err().map(|why| why.to_string());
        let ready = run.journal.check().is_ok();
        assert_eq!(
            (said.is_none(), ready),
            (on_lag == OnLag::Alarm, on_lag == OnLag::Alarm)
        );
        assert!(said.is_none_or(|said| said.contains("sink test is further behind")));
        run.fails.store(false, Ordering::SeqCst);
        run.wait("it catches up", |r| {
            !r.counters.lagging.load(Ordering::SeqCst)
        });
        drop(support.open(&run.journal).expect("requests go again"));
        let told = |event: &'static str| {
            lines(dir.path())
                .into_iter()
                .filter(move |(it, _)| it == event)
        };
        let states: Vec<_> = told("sink.lag")
            .map(|(_, r)| r["locum"]["lagging"].clone())
            .collect();
        assert_eq!(states, [true, false]);
        assert_eq!(told("alert").count(), 1);
        run.end(Duration::from_secs(5));
    }
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
    fn sink(&self, _: &Path) -> Box<dyn Sink> {
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
    let aside: serde_json::Value = serde_json::from_str(aside.trim()).expect("one line");
    assert_eq!(
        (&aside["record"]["seq"], &aside["why"]),
        (&11.into(), &"no such field".into())
    );
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
