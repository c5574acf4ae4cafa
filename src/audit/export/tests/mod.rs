//! A small session with everything in it, given out in each form.

mod forms;
mod tamper;

use super::bundle;
use super::package::{Dossier, Package};
use super::proofs::{Proof, Proven};
use super::{Facts, Made, Wanted, records};
use crate::audit::chain::{Head, hash_body, seal};
use crate::audit::recording::testing::{Sample, Sheet};
use crate::audit::recording::{From, Kind, Library, Settings, Tape, Viewing, Which};
use crate::audit::tail::Entry;
use crate::audit::tree::{LogKey, VerifierKeys};
use crate::model::{ExchangeId, SessionId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::path::PathBuf;
use tlog_tiles::{Error, Hash, HashReader, prove_record, record_hash, stored_hashes, tree_hash};

const ORIGIN: &str = "portal.example/log";
const HOME: &[u8] = b"<!doctype html><title>Shop</title><h1>Hello Kim</h1>";
const ORDERS: &[u8] = br#"{"orders":[{"id":1,"total":"12.00"}]}"#;
const NOTE: &[u8] = b"text=Sent+again&csrf=x";

/// The journal, the recording, and a log over the journal.
pub(super) struct Fixture {
    pub(super) dir: tempfile::TempDir,
    pub(super) tape: Tape,
    pub(super) entries: Vec<Entry>,
    pub(super) facts: Facts,
    pub(super) key: LogKey,
    pub(super) proven: Proven,
    pub(super) home: ExchangeId,
    pub(super) noted: ExchangeId,
}

/// Lines of a journal, sealed one after another.
struct Lines {
    text: Vec<u8>,
    head: Head,
    session: SessionId,
}

impl Lines {
    fn put(&mut self, event: &str, exchange: Option<ExchangeId>, mut more: Value) {
        let mut locum = json!({
            "session": self.session.to_string(), "grant": "g1",
            "subject": { "uid": "kim@acme.example" }, "tenant": { "uid": "acme" },
        });
        merge(&mut locum, more["locum"].take());
        let mut body = json!({
            "time": 1_700_000_000_000_i64, "metadata": { "event_code": event },
            "actor": { "user": { "uid": "ada@support.example" } }, "locum": locum,
        });
        if let Some(exchange) = exchange {
            body["metadata"]["correlation_uid"] = exchange.to_string().into();
        }
        merge(&mut body, more);
        let mut line = body.to_string().into_bytes();
        line.pop();
        let context = hash_body(&line);
        self.head = seal(&mut line, context, &self.head);
        self.text.extend_from_slice(&line);
    }

    fn exchange(&mut self, id: ExchangeId, method: &str, path: &str, bodies: [&[u8]; 2]) {
        self.put("exchange.opened", Some(id), json!({
            "http_request": { "http_method": method, "url": { "hostname": "s1.shop.example", "path": path } },
            "api": { "service": { "name": "shop" } },
            "locum": { "decision": "permit", "rule": "orders", "action": "orders.read", "resource": "order:1",
                "ticket": "SUP-1042", "reason": "Charged twice" },
        }));
        let sha256 = |body: &[u8]| super::digest::sha256(body);
        let mut locum = json!({ "outcome": "done", "response_sha256": sha256(bodies[1]) });
        if !bodies[0].is_empty() {
            locum["request_sha256"] = sha256(bodies[0]).into();
        }
        self.put(
            "exchange.closed",
            Some(id),
            json!({
                "http_response": { "code": 200, "body_length": bodies[1].len() }, "locum": locum,
            }),
        );
    }
}

fn merge(to: &mut Value, from: Value) {
    if let (Value::Object(to), Value::Object(from)) = (to, from) {
        to.extend(from.into_iter().filter(|(_, value)| !value.is_null()));
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).expect("in memory");
    out.finish().expect("in memory")
}

fn record(settings: &Settings) -> (SessionId, [ExchangeId; 5]) {
    let mut tape = Sample::begin(settings);
    let session = tape.session;
    let origin = format!("https://{session}.shop.example");
    let html = [
        ("content-type", "text/html; charset=utf-8"),
        ("content-encoding", "gzip"),
    ];
    let home = tape.exchange("GET", &format!("{origin}/?page=1"));
    tape.side(
        home,
        Which::Request,
        None,
        &[("sec-fetch-dest", "document"), ("cookie", "a=b; c=d")],
        None,
    );
    tape.side(home, Which::Received, Some(200), &html, Some(&gzip(HOME)));
    let banner = [HOME, b"<p>SUPPORT SESSION"].concat();
    tape.side(home, Which::Shown, Some(200), &html[..1], Some(&banner));
    tape.end(home, "done");
    let orders = tape.exchange("GET", &format!("{origin}/api/orders"));
    tape.side(
        orders,
        Which::Request,
        None,
        &[("accept", "application/json")],
        None,
    );
    let json = [("content-type", "application/json")];
    tape.side(orders, Which::Received, Some(200), &json, Some(ORDERS));
    tape.shown_as_received(orders, 200, &json, ORDERS);
    tape.end(orders, "done");
    let noted = tape.exchange("POST", &format!("{origin}/orders/1/notes"));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    tape.side(noted, Which::Request, None, &form, Some(NOTE));
    let moved = [("location", "/orders/1"), ("set-cookie", "seen=1; Path=/")];
    tape.side(noted, Which::Received, Some(303), &moved, Some(b""));
    tape.shown_as_received(noted, 303, &moved, b"");
    tape.end(noted, "done");
    let image = tape.exchange("GET", &format!("{origin}/logo.png"));
    let png = [("content-type", "image/png")];
    tape.side(
        image,
        Which::Received,
        Some(200),
        &png,
        Some(&[0x89, b'P', 0, 255]),
    );
    tape.shown_as_received(image, 200, &png, &[0x89, b'P', 0, 255]);
    tape.end(image, "done");
    let chat = tape.exchange("GET", &format!("{origin}/ws"));
    tape.side(
        chat,
        Which::Shown,
        Some(101),
        &[("upgrade", "websocket")],
        None,
    );
    tape.message(chat, From::App, Kind::Text, b"Hello Kim");
    tape.message(chat, From::Operator, Kind::Binary, &[1, 2, 255]);
    tape.end(chat, "done");
    (tape.finish(), [home, orders, noted, image, chat])
}

fn journal(session: SessionId, exchanges: [ExchangeId; 5]) -> Vec<u8> {
    let [home, orders, noted, image, chat] = exchanges;
    let mut lines = Lines {
        text: Vec::new(),
        head: Head::START,
        session,
    };
    lines.put(
        "request.created",
        None,
        json!({ "locum": { "session": null, "grant": null, "request": "q1" } }),
    );
    let other = SessionId::fresh();
    let mine = std::mem::replace(&mut lines.session, other);
    lines.put(
        "session.started",
        None,
        json!({ "locum": { "grant": "g2" } }),
    );
    lines.session = mine;
    lines.put(
        "session.activated",
        None,
        json!({ "locum": { "request": "q1" } }),
    );
    lines.exchange(home, "GET", "/", [b"", &gzip(HOME)]);
    lines.exchange(orders, "GET", "/api/orders", [b"", ORDERS]);
    lines.exchange(noted, "POST", "/orders/1/notes", [NOTE, b""]);
    lines.exchange(image, "GET", "/logo.png", [b"", &[0x89, b'P', 0, 255]]);
    lines.exchange(chat, "GET", "/ws", [b"", b""]);
    lines.put("exchange.refused", Some(ExchangeId::fresh()), json!({
        "http_request": { "http_method": "GET", "url": { "hostname": "s1.shop.example", "path": "/export" } },
        "http_response": { "code": 403 },
        "locum": { "decision": "deny", "rule": "pack.export", "outcome": "refused" },
    }));
    lines.put("session.ended", None, json!({}));
    lines.text
}

/// The journal of a session without a recording, for tests of what reads it.
pub(crate) fn write_journal(dir: &std::path::Path, session: SessionId) {
    let exchanges = std::array::from_fn(|_| ExchangeId::fresh());
    let file = dir.join("segment-0000000000000001.jsonl");
    std::fs::write(file, journal(session, exchanges)).expect("a journal");
}

/// All hashes of a tree, by their stored index.
#[derive(Default)]
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let at = |index: &u64| {
            let at = usize::try_from(*index).ok().and_then(|at| self.0.get(at));
            at.copied().ok_or(Error::IndexesNotInTree)
        };
        indexes.iter().map(at).collect()
    }
}

/// A signed tree over these records' hashes, and the proofs of some of them.
fn prove(key: &LogKey, all: &[Entry], some: &[Entry]) -> Proven {
    let mut stored = Stored::default();
    for (n, entry) in (0..).zip(all) {
        let hash = entry.text(&["hash"]).expect("a hash");
        let bytes: [u8; 32] = std::array::from_fn(|at| {
            u8::from_str_radix(&hash[at * 2..at * 2 + 2], 16).expect("hexadecimal")
        });
        let more = stored_hashes(n, &bytes, &stored).expect("hashes");
        assert_eq!(more[0], record_hash(&bytes));
        stored.0.extend(more);
    }
    let size = all.len() as u64;
    let root = tree_hash(size, &stored).expect("a root");
    let text = format!("{ORIGIN}\n{size}\n{}\n", STANDARD.encode(root.0));
    let proof = |entry: &Entry| Proof {
        seq: entry.sequence,
        index: entry.sequence - 1,
        path: prove_record(size, entry.sequence - 1, &stored)
            .expect("a proof")
            .iter()
            .map(|hash| STANDARD.encode(hash.0))
            .collect(),
    };
    Proven {
        checkpoint: LogKey::sign_text(std::slice::from_ref(key), &text).expect("a note"),
        records: some.iter().map(proof).collect(),
    }
}

impl Fixture {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let settings = Settings::new(dir.path().join("recordings"));
        std::fs::create_dir(&settings.dir).expect("a directory");
        let (session, exchanges) = record(&settings);
        let journal_dir = dir.path().join("journal");
        std::fs::create_dir(&journal_dir).expect("a directory");
        let file = journal_dir.join("segment-0000000000000001.jsonl");
        std::fs::write(file, journal(session, exchanges)).expect("a journal");
        let all = Wanted {
            session: session.to_string(),
            grant: Some("g1".into()),
            request: Some("q1".into()),
            since: None,
        };
        let entries = records(&journal_dir, &all, 1000).expect("records");
        let everything = crate::audit::tail::Tail::new(
            &journal_dir,
            crate::audit::tail::From::Start,
            false,
            crate::audit::tail::Filter::default(),
        );
        let everything: Vec<Entry> = everything.map(|it| it.expect("a record")).collect();
        let key = LogKey::generate(ORIGIN).expect("a key");
        let library = Library::open(&settings).expect("a library");
        Self {
            facts: Facts::of(&session.to_string(), &entries),
            tape: library
                .view(session, &looking(), &Sheet::default())
                .expect("a tape"),
            proven: prove(&key, &everything, &entries),
            entries,
            key,
            home: exchanges[0],
            noted: exchanges[2],
            dir,
        }
    }

    /// A package of it all, as a file.
    pub(super) fn package(&self) -> PathBuf {
        let dossier = Dossier {
            request: Some(json!({ "id": "q1", "reason": "<script>alert(1)</script>" })),
            votes: vec![json!({ "person": "bo@support.example", "verdict": "approve" })],
            grant: Some(json!({ "id": "g1" })),
            history: Vec::new(),
        };
        let made = Made {
            at: Timestamp::from_millis(1_700_000_100_000),
            by: "una@corp.example".into(),
            reason: "Review".into(),
        };
        let keys = [self.key.clone()];
        let package = Package {
            facts: &self.facts,
            dossier: &dossier,
            entries: &self.entries,
            tape: Ok(&self.tape),
            whole: Some(&self.proven),
            tenant: None,
            made: &made,
            keys: &keys,
            max_body: 1 << 20,
        };
        let path = self.dir.path().join("package.zip");
        let file = std::fs::File::create(&path).expect("a file");
        bundle::write(&package, file).expect("a package");
        path
    }

    pub(super) fn keys(&self) -> VerifierKeys {
        VerifierKeys::parse(&[self.key.verifier_key()]).expect("keys")
    }
}

fn looking() -> Viewing {
    Viewing {
        by: "ada".into(),
        account: None,
        reason: "a test".into(),
        over: "cli",
        doing: "export".into(),
    }
}
