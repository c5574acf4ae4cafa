//! One Locum with a sink of every kind, killed under way: each receiver has every record, in order.

use crate::faults::rig::{Rig, ask, wait};
use crate::support::plan::free_port;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use std::collections::HashSet;
use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Who does not sign may not read; moto looks no further.
const SIGNED: &str = "Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n";

/// Programs, their directory, and the keys of the sinks that send to them. Ended with the test.
struct Receivers {
    dir: tempfile::TempDir,
    running: Vec<Child>,
    keys: Vec<String>,
    /// Where the bucket is.
    bucket: u16,
}

impl Receivers {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
        let ca = ca.expect("a CA");
        let key = KeyPair::generate().expect("a key");
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        let leaf = leaf.signed_by(&key, &ca).expect("a certificate");
        let made = Self {
            dir,
            running: Vec::new(),
            keys: Vec::new(),
            bucket: 0,
        };
        made.file("ca.pem", &ca.pem());
        made.file("leaf.pem", &leaf.pem());
        made.file("leaf.key", &key.serialize_pem());
        made.file("secret", "hunter2\n");
        made.file("pseudonyms", "0123456789abcdef\n");
        made
    }

    fn at(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).expect("a file");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    fn start(&mut self, command: &mut Command, out: &str, port: u16) {
        let out = File::create(self.dir.path().join(out)).expect("a file");
        let child = command.stdin(Stdio::null()).stdout(out);
        let child = child.stderr(Stdio::null()).spawn();
        self.running.push(child.expect("it starts"));
        assert!(wait(|| TcpStream::connect(("127.0.0.1", port)).is_ok()));
    }

    fn sink(&mut self, name: &str, keys: &str) {
        self.keys.push(format!(
            "[[audit.sinks]]\nname = '{name}'\nbatch_time = '20ms'\nretry_max = '500ms'\n{keys}\n"
        ));
    }

    /// One of the kinds of `sinks.py`.
    fn python(&mut self, name: &'static str, keys: &str, path: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/receivers/sinks.py");
        let port = free_port();
        let mut command = Command::new(venv("python"));
        command.arg(root).args([name, &port.to_string()]);
        command.args([self.at("leaf.pem"), self.at("leaf.key"), self.at("ids")]);
        self.start(&mut command, name, port);
        let (ca, secret) = (self.at("ca.pem"), self.at("secret"));
        let keys = format!(
            "url = 'https://localhost:{port}{path}'\nca = '{ca}'\nsecret_file = '{secret}'\n{keys}"
        );
        self.sink(name, &keys);
    }

    fn rsyslog(&mut self) {
        let (port, at) = (free_port(), self.dir.path().display().to_string());
        let config = format!(
            "global(workDirectory=\"{at}\" maxMessageSize=\"64k\" defaultNetstreamDriverCAFile=\"{at}/ca.pem\"\n\
             defaultNetstreamDriverCertFile=\"{at}/leaf.pem\" defaultNetstreamDriverKeyFile=\"{at}/leaf.key\")\n\
             main_queue(queue.type=\"Direct\")\n\
             module(load=\"imtcp\" StreamDriver.Name=\"ossl\" StreamDriver.Mode=\"1\" StreamDriver.AuthMode=\"anon\")\n\
             template(name=\"ours\" type=\"string\" string=\"%msg%\\n\")\n\
             input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\" ruleset=\"in\")\n\
             ruleset(name=\"in\") {{ action(type=\"omfile\" file=\"{at}/syslog\" template=\"ours\" flushOnTXEnd=\"on\") }}\n"
        );
        self.file("rsyslog.conf", &config);
        let mut command = Command::new("rsyslogd");
        command.args(["-n", "-f", &self.at("rsyslog.conf"), "-i", &self.at("pid")]);
        self.start(&mut command, "rsyslog.log", port);
        let keys = format!(
            "kind = 'syslog'\nservers = ['localhost:{port}']\nca = '{at}/ca.pem'\nmessage = 'cef'"
        );
        self.sink("syslog", &keys);
    }

    async fn nats(&mut self) {
        let (port, at) = (free_port(), self.dir.path().display().to_string());
        let config = format!(
            "listen: 127.0.0.1:{port}\njetstream {{ store_dir: \"{at}/js\" }}\nauthorization {{ token: hunter2 }}\n\
             tls {{ cert_file: \"{at}/leaf.pem\", key_file: \"{at}/leaf.key\" }}\n"
        );
        self.file("nats.conf", &config);
        let mut command = Command::new(venv("nats-server"));
        command.args(["-c", &self.at("nats.conf"), "-l", &self.at("nats.log")]);
        self.start(&mut command, "nats.out", port);
        let options = async_nats::ConnectOptions::with_token("hunter2".into())
            .require_tls(true)
            .add_root_certificates(PathBuf::from(self.at("ca.pem")));
        let client = options.connect(format!("tls://localhost:{port}")).await;
        let context = async_nats::jetstream::new(client.expect("a connection"));
        let config = async_nats::jetstream::stream::Config {
            name: "AUDIT".into(),
            subjects: vec!["locum.audit".into()],
            ..Default::default()
        };
        context.create_stream(config).await.expect("a stream");
        let keys = format!(
            "kind = 'nats'\nservers = ['localhost:{port}']\nca = '{at}/ca.pem'\nsecret_file = '{at}/secret'"
        );
        self.sink("nats", &keys);
    }

    fn ask_bucket(&self, method: &str, target: &str) -> String {
        use std::io::{Read as _, Write as _};
        let port = self.bucket;
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        let head = format!(
            "{method} {target} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\n{SIGNED}\r\n"
        );
        stream.write_all(head.as_bytes()).expect("write");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("read");
        let body = answer.split_once("\r\n\r\n").expect("an answer").1;
        body.to_owned()
    }

    /// What the bucket has, in the journal's order.
    fn names(&self) -> Vec<String> {
        let listing = self.ask_bucket("GET", "/archive?list-type=2");
        let names = listing.split("<Key>").skip(1);
        let names = names.filter_map(|it| it.split('<').next());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        names
    }

    /// The same as one.
    fn archived(&self) -> String {
        let read = |name: &String| self.ask_bucket("GET", &format!("/archive/{name}"));
        self.names().iter().map(read).collect()
    }

    fn bucket(&mut self) {
        let port = free_port();
        let mut command = Command::new(venv("moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        self.start(&mut command, "moto.log", port);
        self.bucket = port;
        self.ask_bucket("PUT", "/archive");
        let secret = self.at("secret");
        let keys = format!(
            "kind = 's3'\nurl = 'http://127.0.0.1:{port}'\nbucket = 'archive'\nuser = 'AKIA'\nsecret_file = '{secret}'"
        );
        self.sink("s3", &keys);
    }

    fn copy(&mut self) {
        let keys = format!(
            "kind = 'file'\npath = '{}'\npseudonyms = ['actor.user.uid', 'locum.subject.uid']\n\
             pseudonym_key_file = '{}'\nexclude = ['prev', 'hash']",
            self.at("copy"),
            self.at("pseudonyms")
        );
        self.sink("file", &keys);
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn venv(program: &str) -> PathBuf {
    let python = std::env::var("LOCUM_RECEIVERS").expect("tests/receivers/run.sh runs these");
    Path::new(&python).with_file_name(program)
}

fn gauge(rig: &Rig, name: &str, sink: &str) -> u64 {
    let metrics = ask(rig.ops, "/metrics", "").map(|answer| answer.text);
    let wanted = format!("locum_sink_{name}{{sink=\"{sink}\"}} ");
    let found = metrics.as_ref().and_then(|text| text.split(&wanted).nth(1));
    let number = found.and_then(|rest| rest.lines().next()?.parse().ok());
    number.unwrap_or(u64::MAX)
}

/// Every number up to `last`, none first seen before one that it follows.
fn whole(name: &str, seen: &[u64], last: u64) {
    let mut next = 1;
    for &seq in seen {
        assert!(seq <= next, "{name}: {next} is missing before {seq}");
        next = next.max(seq + 1);
    }
    assert!(next > last, "{name}: {next} of {last}");
    let each: HashSet<_> = seen.iter().collect();
    let (each, repeated) = (each.len(), seen.len() - each.len());
    println!("{name:<10} {each:>5} by id, {repeated:>3} repeated, order kept");
}

/// A Locum that sends to all of them, killed in the middle; each has caught up.
fn two_lives(receivers: &Receivers) -> Rig {
    let mut rig = Rig::new(&format!(
        "audit.segment_bytes = '64KiB'\n{}",
        receivers.keys.concat()
    ));
    rig.start();
    rig.enter();
    for n in 0..150 {
        assert_eq!(rig.get(&format!("/n/{n}")).expect("an answer").status, 200);
    }
    rig.kill();
    rig.start();
    for n in 0..150 {
        assert_eq!(rig.get(&format!("/m/{n}")).expect("an answer").status, 200);
    }
    for name in [
        "otlp-http",
        "otlp-grpc",
        "splunk",
        "elastic",
        "syslog",
        "nats",
        "s3",
        "file",
    ] {
        let caught_up = wait(|| gauge(&rig, "lag", name) == 0);
        assert!(caught_up, "{name} is behind: {}", rig.log());
        assert_eq!(gauge(&rig, "poisoned", name), 0, "{name}");
    }
    rig
}

#[tokio::test]
#[ignore = "needs what tests/receivers/run.sh installs"]
async fn every_kind_at_once_over_a_kill() {
    let mut receivers = Receivers::new();
    receivers.python("otlp-http", "kind = 'otlp'", "/v1/logs");
    receivers.python("otlp-grpc", "kind = 'otlp'\nprotocol = 'grpc'", "");
    receivers.python("splunk", "kind = 'splunk'\nacknowledge = true", "");
    receivers.python("elastic", "kind = 'elastic'", "/locum-audit");
    receivers.rsyslog();
    receivers.nats().await;
    receivers.bucket();
    receivers.copy();
    let mut rig = two_lives(&receivers);
    let last = rig.verified()["report"]["last_sequence"].as_u64();
    let last = last.expect("a number");
    println!("{last} records, and Locum was killed in the middle");
    for name in ["otlp-http", "otlp-grpc", "splunk", "elastic"] {
        let seen: Vec<u64> = receivers.read(name).lines().flat_map(str::parse).collect();
        whole(name, &seen, last);
    }
    let syslog = receivers.read("syslog");
    let seen = syslog.lines().map(|line| {
        assert!(
            line.trim_start().starts_with("CEF:0|Locum|Locum|"),
            "{line}"
        );
        let seq = line.rsplit_once("cn1=").expect("a number").1;
        seq.trim().parse().expect("a number")
    });
    whole("syslog CEF", &seen.collect::<Vec<_>>(), last);
    let copy = receivers.read("copy");
    let seen = copy.lines().map(|line| {
        let record: Value = serde_json::from_str(line).expect("JSON");
        let subject = &record["locum"]["subject"]["uid"];
        assert!(subject.is_null() || subject.as_str().is_some_and(|it| it.starts_with("p-")));
        assert!(record.get("hash").is_none(), "{record}");
        record["seq"].as_u64().expect("a number")
    });
    whole("file", &seen.collect::<Vec<_>>(), last);
    for name in ["nats", "s3"] {
        println!(
            "{name:<10} {:>5} taken since the kill",
            gauge(&rig, "delivered", name)
        );
    }
    rig.stop();
    is_archived(&receivers, &rig);
}

/// After a stop in order: all of the journal, byte for byte.
fn is_archived(receivers: &Receivers, rig: &Rig) {
    let segments = rig.segments();
    let read = |path: &PathBuf| std::fs::read_to_string(path).expect("a segment");
    let journal: String = segments.iter().map(read).collect();
    assert!(journal.contains("\"process.stopped\"") && journal.contains("\"segment.sealed\""));
    assert!(
        receivers.archived() == journal,
        "the archive is not the journal"
    );
    println!(
        "s3         {} segments are all of the journal",
        segments.len()
    );
}

#[test]
#[ignore = "needs what tests/receivers/run.sh installs"]
fn an_archive_is_complete_within_the_age_of_a_segment_and_at_a_stop() {
    let mut receivers = Receivers::new();
    receivers.bucket();
    for durability in ["process", "disk"] {
        let mut rig = Rig::running(&format!(
            "audit.durability = '{durability}'\naudit.segment_age = '1s'\n{}",
            receivers.keys.concat()
        ));
        for n in 0..5 {
            assert_eq!(rig.get(&format!("/n/{n}")).expect("an answer").status, 200);
        }
        // Sealed by its age alone: it is far from its size, and nothing more is recorded.
        let there = wait(|| receivers.archived().contains("/n/4"));
        assert!(there, "{}", rig.log());
        assert_eq!(rig.get("/more").expect("an answer").status, 200);
        rig.stop();
        is_archived(&receivers, &rig);
        for key in receivers.names() {
            receivers.ask_bucket("DELETE", &format!("/archive/{key}"));
        }
    }
}
