//! The conformance suite against programs that are not ours, and what they do to us: stopped, killed, away for long, behind a
//! wrong certificate. `tests/receivers/run.sh` installs them and runs these.

mod bucket;
#[cfg(feature = "kafka")]
mod kafka;
mod nats;
mod python;
mod rsyslog;

use super::conformance::{Place, Run, arrived, conforms, is_complete_and_in_order};
use super::settings::{SinkKind, SinkSettings};
use super::{DeliveryError, Record, Sink};
use crate::audit::tests::fixture::{block_on, lines};
use bucket::Bucket;
use nats::Nats;
use parking_lot::Mutex;
use python::Python;
use rsyslog::Rsyslog;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// Records in the journal while a receiver is away.
const BACKLOG: usize = 20_000;

/// A program that takes records. Ended with the test.
struct Server {
    child: Mutex<Option<Child>>,
    command: Box<dyn Fn() -> Command + Send + Sync>,
    /// The sequence numbers it told of, over all its lives.
    told: Arc<Mutex<Vec<u64>>>,
}

impl Server {
    fn start(command: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        let server = Self {
            child: Mutex::default(),
            command: Box::new(command),
            told: Arc::default(),
        };
        server.again();
        server
    }

    /// Starts it (again). What it prints are sequence numbers, one a line.
    fn again(&self) {
        let mut child = (self.command)()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        let told = Arc::clone(&self.told);
        thread::spawn(move || {
            let numbers = out.lines().map_while(Result::ok);
            for seq in numbers.filter_map(|line| line.parse().ok()) {
                told.lock().push(seq);
            }
        });
        *self.child.lock() = Some(child);
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.lock().as_ref().expect("it runs").id();
        let sent = Command::new("kill")
            .args([signal, &pid.to_string()])
            .status();
        assert!(sent.expect("kill").success());
    }

    /// SIGKILL.
    fn kill(&self) {
        if let Some(mut child) = self.child.lock().take() {
            child.kill().expect("it is ours to kill");
            child.wait().expect("it ends");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn venv(program: &str) -> PathBuf {
    let python = std::env::var("LOCUM_RECEIVERS").expect("tests/receivers/run.sh runs these");
    Path::new(&python).with_file_name(program)
}

/// One of the programs in `tests/receivers`.
fn python(program: &'static str, arguments: Vec<String>) -> impl Fn() -> Command {
    move || {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(venv("python"));
        command
            .arg(root.join("tests/receivers").join(program))
            .args(&arguments);
        command
    }
}

fn free() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn listens(port: u16) {
    until("it listens", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
}

/// A certificate for localhost and the authority it comes from.
fn certificates(dir: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    for (name, authority) in [("own", "ca.pem"), ("foreign", "foreign.pem")] {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
        let ca = ca.expect("an authority");
        std::fs::write(dir.join(authority), ca.pem()).expect("write");
        if name == "own" {
            let key = KeyPair::generate().expect("a key");
            let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            let leaf = CertificateParams::new(names).expect("parameters");
            let leaf = leaf.signed_by(&key, &ca).expect("a certificate");
            std::fs::write(dir.join("leaf.pem"), leaf.pem()).expect("write");
            std::fs::write(dir.join("leaf.key"), key.serialize_pem()).expect("write");
        }
    }
}

/// A receiver of any kind: its program, and how to send to it.
trait Receiver: Place {
    fn name(&self) -> &'static str;
    fn server(&self) -> &Server;
    /// Until it takes connections.
    fn ready(&self);
}

fn settings() -> SinkSettings {
    SinkSettings {
        batch_time: Duration::from_millis(20),
        retry_min: Duration::from_millis(50),
        retry_max: Duration::from_millis(500),
        ..SinkSettings::new("test", SinkKind::Stdout)
    }
}

/// Once each, in order of the first arrival, and how many came in all.
fn count(place: &dyn Receiver, journal: &Path, what: &str) {
    let last = place.last(journal);
    let received = arrived(place, last);
    is_complete_and_in_order(&received, last);
    let each: HashSet<_> = received.iter().collect();
    let (all, each) = (received.len(), each.len());
    println!(
        "{:<15} {what:<28} {last:>6} records, {each:>6} arrived by id, {:>5} repeated, 0 lost, order kept",
        place.name(),
        all - each
    );
    assert_eq!(each as u64, last);
}

/// Stopped for a while, then killed under way and away while much is recorded, then back.
fn endures(place: &dyn Receiver) {
    let dir = tempfile::tempdir().expect("dir");
    let run = Run::with(dir.path(), place, settings(), 256 << 10);
    run.exchanges(200);
    run.wait("all arrive", Run::has_all);
    place.server().signal("-STOP");
    let begin = Instant::now();
    run.exchanges(500);
    println!(
        "{:<15} 500 exchanges recorded in {:?} while it is stopped",
        place.name(),
        begin.elapsed()
    );
    run.wait("it is seen as away", |run| {
        run.counters.down.load(Ordering::SeqCst)
    });
    place.server().signal("-CONT");
    run.wait("all arrive after it went on", Run::has_all);
    count(place, dir.path(), "stopped and continued");

    let before = run.counters.delivered.load(Ordering::SeqCst);
    run.exchanges(BACKLOG / 8);
    until("some more arrive", || {
        run.counters.delivered.load(Ordering::SeqCst) > before
    });
    place.server().kill();
    run.exchanges(BACKLOG / 2);
    run.wait("it is seen as away", |run| {
        run.counters.down.load(Ordering::SeqCst)
    });
    place.server().again();
    place.ready();
    run.wait("all arrive after it came back", Run::has_all);
    count(place, dir.path(), "killed, away, back");
    run.end(Duration::from_secs(5));
}

/// A certificate of somebody else's: nothing is sent.
fn refused(mut sink: Box<dyn Sink>, place: &dyn Receiver) {
    let record = Record {
        seq: 1,
        line: br#"{"time":1,"metadata":{"uid":"a","event_code":"b"},"seq":1}"#.to_vec(),
    };
    let said = block_on(async { sink.deliver(&[record]).await });
    let Err(DeliveryError::Later { source, .. }) = said else {
        panic!(
            "{}: a foreign certificate was taken: {said:?}",
            place.name()
        );
    };
    let mut words = source.to_string();
    let mut inner = source.source();
    while let Some(error) = inner {
        let _ = write!(words, ": {error}");
        inner = error.source();
    }
    println!(
        "{:<15} a foreign authority's certificate: {words}",
        place.name()
    );
    assert!(place.received().is_empty());
}

#[test]
#[ignore = "needs what tests/receivers/run.sh installs"]
fn rsyslog_tcp() {
    conforms(&Rsyslog::new(false));
    endures(&Rsyslog::new(false));
}

#[test]
#[ignore = "needs what tests/receivers/run.sh installs"]
fn rsyslog_tls() {
    let place = Rsyslog::new(true);
    let settings = place.settings("foreign.pem");
    let sink = super::syslog::SyslogSink::new("syslog", &settings).expect("settings");
    refused(Box::new(sink), &place);
    conforms(&place);
    endures(&Rsyslog::new(true));
}

#[test]
#[ignore = "needs what tests/receivers/run.sh installs"]
fn nats_jetstream() {
    let place = Nats::new();
    let settings = place.settings("foreign.pem");
    let sink = super::nats::NatsSink::new("nats", &settings).expect("settings");
    refused(Box::new(sink), &place);
    conforms(&place);
    endures(&Nats::new());
}

#[test]
#[ignore = "needs what tests/receivers/run.sh installs"]
fn services_over_http_and_grpc() {
    for kind in ["otlp-http", "otlp-grpc", "splunk", "elastic"] {
        let place = Python::new(kind);
        refused(place.made("foreign.pem"), &place);
        conforms(&place);
        endures(&Python::new(kind));
    }
}

#[test]
#[ignore = "needs what tests/receivers/run.sh installs"]
fn s3_archive() {
    conforms(&Bucket::new());
    let place = Bucket::new();
    let dir = tempfile::tempdir().expect("dir");
    let run = Run::with(dir.path(), &place, settings(), 256 << 10);
    run.exchanges(500);
    place.server().signal("-STOP");
    run.exchanges(2000);
    run.wait("it is seen as away", |run| {
        run.counters.down.load(Ordering::SeqCst)
    });
    place.server().signal("-CONT");
    run.wait("all arrive after it went on", Run::has_all);
    count(&place, dir.path(), "stopped and continued");
    assert!(lines(dir.path()).len() as u64 > place.last(dir.path()));
    run.end(Duration::from_secs(5));
}
