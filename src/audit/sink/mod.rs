//! Where records stream to. Each sink reads the journal's own files behind a persisted cursor, on a thread of its own:
//! a slow one costs no memory, loses nothing, and holds up nobody.

pub mod settings;

mod cef;
mod cursor;
mod elastic;
mod file;
mod http;
#[cfg(feature = "kafka")]
mod kafka;
mod lag;
mod nats;
mod otlp;
mod reader;
mod runner;
mod s3;
mod splunk;
mod stdout;
mod syslog;
mod tls;
mod transform;
mod view;
mod webhook;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod real;

use super::core::Core;
use super::counters::SinkCounters;
use super::error::StartError;
use super::settings::Settings;
use parking_lot::Mutex;
use runner::Runner;
use settings::{SinkKind, SinkSettings};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

pub(super) use reader::{Position, Reader};

/// One record on its way: the line as it stands in the journal, without its newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) seq: u64,
    pub(super) line: Vec<u8>,
}

/// Why a delivery did not happen.
#[derive(Debug)]
pub(super) enum DeliveryError {
    /// It may work later: the sink is down, or is set up wrongly.
    Later {
        source: Box<dyn std::error::Error + Send + Sync>,
        /// The sink's own wish.
        after: Option<Duration>,
    },
    /// These records will never be taken; one of them alone is set aside.
    Never { detail: String },
}

impl DeliveryError {
    fn later(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Later {
            source: source.into(),
            after: None,
        }
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Later { source, .. } => write!(f, "{source}"),
            Self::Never { detail } => f.write_str(detail),
        }
    }
}

type Delivery<'a> = Pin<Box<dyn Future<Output = Result<(), DeliveryError>> + Send + 'a>>;

/// A place that takes records in order. A batch that fails may have been taken in part: it comes again.
pub(super) trait Sink: Send {
    fn deliver<'a>(&'a mut self, batch: &'a [Record]) -> Delivery<'a>;
}

/// Within the runtime that the sink will live in.
fn build(settings: &SinkSettings) -> Result<Box<dyn Sink>, StartError> {
    let name = &settings.name;
    Ok(match &settings.kind {
        SinkKind::File(file) => Box::new(file::FileSink::open(file)?),
        SinkKind::Stdout => Box::new(stdout::StdoutSink::new(std::io::stdout())),
        SinkKind::Webhook(webhook) => Box::new(webhook::WebhookSink::new(name, webhook)?),
        SinkKind::Splunk(splunk) => Box::new(splunk::SplunkSink::new(name, splunk)?),
        SinkKind::Elastic(elastic) => Box::new(elastic::ElasticSink::new(name, elastic)?),
        SinkKind::Syslog(syslog) => Box::new(syslog::SyslogSink::new(name, syslog)?),
        SinkKind::Otlp(otlp) => Box::new(otlp::OtlpSink::new(name, otlp)?),
        SinkKind::Nats(nats) => Box::new(nats::NatsSink::new(name, nats)?),
        SinkKind::S3(s3) => Box::new(s3::S3Sink::new(name, s3)?),
        #[cfg(feature = "kafka")]
        SinkKind::Kafka(kafka) => Box::new(kafka::KafkaSink::new(name, kafka)?),
        #[cfg(not(feature = "kafka"))]
        SinkKind::Kafka(_) => {
            return Err(StartError::Setting {
                what: format!(
                    "sink {name}: this locum was built without Kafka; build it with `--features kafka`"
                ),
            });
        }
    })
}

/// The threads of the sinks.
#[derive(Debug, Default)]
pub(super) struct Running {
    threads: Vec<JoinHandle<()>>,
    stop: Arc<Stop>,
}

/// Tells sinks to end once they caught up, or at the deadline.
#[derive(Debug, Default)]
struct Stop {
    deadline: Mutex<Option<Instant>>,
    told: Notify,
}

impl Stop {
    fn deadline(&self) -> Option<Instant> {
        *self.deadline.lock()
    }

    /// Sleeps, but not once a stop was asked for.
    async fn sleep(&self, span: Duration) {
        let told = self.told.notified();
        if self.deadline().is_none() {
            let _ = tokio::time::timeout(span, told).await;
        }
    }
}

type Started = (Running, Vec<(String, Arc<SinkCounters>)>);

/// Starts every sink of `settings`.
pub(super) fn start(core: &Arc<Core>, settings: Settings) -> Result<Started, StartError> {
    let mut running = Running::default();
    let mut counters = Vec::new();
    let mut watched = Vec::new();
    let dir = settings.dir.join("sinks");
    for sink in settings.sinks {
        check(&sink, &counters)?;
        std::fs::create_dir_all(&dir).map_err(StartError::io(&dir, "make"))?;
        let counts = Arc::new(SinkCounters::default());
        counters.push((sink.name.clone(), Arc::clone(&counts)));
        watched.push(lag::Watched::new(&sink, Arc::clone(&counts)));
        let name = format!("locum-sink-{}", sink.name);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::io(&dir, "start a sink's runtime for"))?;
        let made = {
            let _within = runtime.enter();
            build(&sink)?
        };
        let runner = Runner::new(
            Arc::clone(core),
            &settings.dir,
            sink,
            counts,
            Arc::clone(&running.stop),
        )?;
        let thread = thread::Builder::new()
            .name(name)
            .spawn(move || runtime.block_on(runner.run(made)))
            .map_err(StartError::io(&dir, "start a sink's thread for"))?;
        running.threads.push(thread);
    }
    if !watched.is_empty() {
        let watch = lag::Watch::new(Arc::clone(core), &settings.dir, watched);
        let stop = Arc::clone(&running.stop);
        let thread = thread::Builder::new()
            .name("locum-sink-lag".into())
            .spawn(move || watch.run(&stop))
            .map_err(StartError::io(&dir, "start a thread for"))?;
        running.threads.push(thread);
    }
    Ok((running, counters))
}

fn check(sink: &SinkSettings, others: &[(String, Arc<SinkCounters>)]) -> Result<(), StartError> {
    let good = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    let name = &sink.name;
    if !(1..=64).contains(&name.len()) || !name.bytes().all(good) {
        return Err(StartError::Setting {
            what: format!("{name:?} is no sink's name: use 1 to 64 of a-z 0-9 - _"),
        });
    }
    if others.iter().any(|(other, _)| other == name) {
        return Err(StartError::Setting {
            what: format!("two sinks are named {name}: rename one"),
        });
    }
    if sink.batch_records == 0 {
        return Err(StartError::Setting {
            what: format!("sink {name}: batch_records must be at least 1"),
        });
    }
    Ok(())
}

impl Running {
    /// Lets each sink catch up within `drain`. A thread that is stuck in a write is left behind.
    pub(super) fn stop(&mut self, drain: Duration) {
        let deadline = Instant::now() + drain;
        *self.stop.deadline.lock() = Some(deadline);
        self.stop.told.notify_waiters();
        let patience = deadline + Duration::from_millis(500);
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && Instant::now() < patience {
                thread::sleep(Duration::from_millis(5));
            }
            if thread.is_finished() {
                // A thread that panicked has said so itself.
                let _ = thread.join();
            }
        }
    }
}
