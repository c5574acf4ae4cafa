//! Witnesses: a small real one, which checks what it cosigns, and others that lie, hang and refuse.

use super::fixture::{key, keys, logged, run, start, verified};
use crate::audit::tests::fixture::Support;
use crate::audit::tree::proofs::Consistency;
use crate::audit::tree::{LogKey, OnLag, Signed, VerifierKey, VerifierKeys, WitnessSettings};
use crate::audit::{Settings, verify};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tlog_tiles::{Hash, check_tree};

#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Honest,
    Lies,
    Hangs,
    Refuses,
}

/// What it saw last of each log, and how often it was asked, refused and cosigned.
#[derive(Default)]
struct Seen {
    heads: HashMap<String, (u64, Hash)>,
    asked: usize,
    conflicts: usize,
    cosigned: usize,
}

struct Witness {
    name: String,
    pair: Ed25519KeyPair,
    log: VerifierKeys,
    manner: Manner,
    seen: Mutex<Seen>,
}

impl Witness {
    fn serve(name: &str, log: &LogKey, manner: Manner) -> (Arc<Self>, WitnessSettings) {
        let witness = Arc::new(Self {
            name: name.into(),
            pair: Ed25519KeyPair::from_seed_unchecked(
                &[u8::try_from(name.len()).expect("a short name"); 32],
            )
            .expect("pair"),
            log: keys(&[log]),
            manner,
            seen: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let address = listener.local_addr().expect("address");
        let serving = Arc::clone(&witness);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || serving.answer(stream));
            }
        });
        let settings = WitnessSettings {
            url: format!("http://{address}/w"),
            key: VerifierKey::parse(&witness.key()).expect("key"),
            ca: None,
            timeout: Duration::from_millis(500),
        };
        (witness, settings)
    }

    fn public(&self) -> Vec<u8> {
        [&[4], self.pair.public_key().as_ref()].concat()
    }

    fn key(&self) -> String {
        let id = signed_note::key_id(&self.name, &self.public());
        format!("{}+{id:08x}+{}", self.name, STANDARD.encode(self.public()))
    }

    fn answer(&self, mut stream: TcpStream) {
        let Some(body) = body(&mut stream) else {
            return;
        };
        if self.manner == Manner::Hangs {
            std::thread::sleep(Duration::from_secs(3));
            return;
        }
        let (status, kind, text) = self.decide(&body);
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        );
        let _ = stream.write_all(answer.as_bytes());
    }

    /// As <https://c2sp.org/tlog-witness> says.
    fn decide(&self, body: &[u8]) -> (u16, &'static str, String) {
        let mut seen = self.seen.lock().expect("seen");
        seen.asked += 1;
        let no = |status| (status, "text/plain", String::new());
        let Ok(asked) = Consistency::parse(body) else {
            return no(400);
        };
        let (old, new) = (asked.from, asked.checkpoint);
        let theirs = self.log.of_tenant("acme");
        let is_known = self.log.check(&new).or_else(|_| theirs.check(&new)).is_ok();
        if !is_known || self.manner == Manner::Refuses {
            return no(403);
        }
        if old > new.size {
            return no(400);
        }
        let before = seen.heads.get(&new.origin).copied();
        let size = before.map_or(0, |(size, _)| size);
        if old != size {
            seen.conflicts += 1;
            return (409, "text/x.tlog.size", format!("{size}\n"));
        }
        let is_good = match before {
            None => asked.hashes.is_empty(),
            Some((_, root)) => check_tree(&asked.hashes, new.size, new.root, old, root).is_ok(),
        };
        if !is_good {
            return no(422);
        }
        seen.heads.insert(new.origin.clone(), (new.size, new.root));
        seen.cosigned += 1;
        (200, "text/plain", self.cosign(&new))
    }

    fn cosign(&self, new: &Signed) -> String {
        let time = 1_700_000_000_u64;
        let mut text = format!(
            "cosignature/v1\ntime {time}\n{}\n{}\n{}\n",
            new.origin, new.size, new.root
        );
        if self.manner == Manner::Lies {
            text = text.replace("time", "tide");
        }
        let signature = self.pair.sign(text.as_bytes());
        let id = signed_note::key_id(&self.name, &self.public()).to_be_bytes();
        let all = [&id, &time.to_be_bytes() as &[u8], signature.as_ref()].concat();
        format!("— {} {}\n", self.name, STANDARD.encode(all))
    }
}

fn body(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut block = [0; 4096];
    loop {
        let n = stream.read(&mut block).ok()?;
        all.extend_from_slice(&block[..n]);
        let Some(end) = memchr::memmem::find(&all, b"\r\n\r\n") else {
            if n == 0 {
                return None;
            }
            continue;
        };
        let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
        let length = head.lines().find_map(|line| {
            line.strip_prefix("content-length: ")?
                .trim()
                .parse::<usize>()
                .ok()
        })?;
        if all.len() >= end + 4 + length {
            assert!(head.starts_with("post /w/add-checkpoint "), "{head}");
            return Some(all.split_off(end + 4));
        }
    }
}

fn with(mut settings: Settings, witnesses: &[WitnessSettings], required: usize) -> Settings {
    if let Some(log) = &mut settings.log {
        log.witnesses = witnesses.to_vec();
        log.required = required;
        log.interval = Duration::from_millis(50);
    }
    settings
}

fn cosigned(dir: &Path, keys: &VerifierKeys) -> Option<usize> {
    let note = std::fs::read(dir.join("tlog/checkpoint")).ok()?;
    keys.check(&Signed::parse(&note).expect("note")).ok()
}

#[test]
fn a_checkpoint_counts_once_enough_cosigned_whatever_the_others_do() {
    let dir = tempfile::tempdir().expect("dir");
    let key = key();
    let (one, first) = Witness::serve("w1.example", &key, Manner::Honest);
    let (two, second) = Witness::serve("second.example", &key, Manner::Honest);
    let (_, liar) = Witness::serve("liar.example/w", &key, Manner::Lies);
    let (_, slow) = Witness::serve("hangs.example/www", &key, Manner::Hangs);
    let (_, no) = Witness::serve("refuses.example/wwww", &key, Manner::Refuses);
    let all = [first, liar, slow, no, second];
    let all_keys = VerifierKeys::new(
        [VerifierKey::parse(&key.verifier_key()).expect("key")]
            .into_iter()
            .chain(all.iter().map(|it| it.key.clone())),
    );
    // Twice: at the second start the witnesses know a size that the log's process has forgotten.
    for _ in 0..2 {
        run(with(logged(dir.path(), &key), &all, 2), 20);
        let journal = start(with(logged(dir.path(), &key), &all, 2));
        let deadline = Instant::now() + Duration::from_secs(20);
        let failed = || journal.log().witness_failures.load(Ordering::Relaxed);
        while cosigned(dir.path(), &all_keys) != Some(2) || failed() < 3 {
            assert!(Instant::now() < deadline, "{:?}", journal.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        journal.stop("test");
    }
    assert!(verified(dir.path(), &key).is_intact());
    for witness in [one, two] {
        let seen = witness.seen.lock().expect("seen");
        assert!(
            seen.cosigned >= 2 && seen.conflicts >= 1,
            "{} {}",
            seen.cosigned,
            seen.conflicts
        );
    }
    let options = verify::Options {
        keys: all_keys,
        ..Default::default()
    };
    let report = verify::verify(dir.path(), &options).expect("report");
    assert!(report.is_intact() && report.tree.expect("tree").cosigned == 2);
}

#[test]
fn without_enough_cosignatures_nothing_is_published_and_the_lag_is_told() {
    let dir = tempfile::tempdir().expect("dir");
    let key = key();
    let (_, liar) = Witness::serve("liar.example", &key, Manner::Lies);
    let (_, no) = Witness::serve("refuses.example", &key, Manner::Refuses);
    let mut settings = with(logged(dir.path(), &key), &[liar, no], 1);
    if let Some(log) = &mut settings.log {
        log.max_lag = Duration::from_millis(100);
        log.on_lag = OnLag::Refuse;
    }
    let journal = start(settings);
    let support = Support::new();
    support.exchange(&journal);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !journal.log().late.load(Ordering::Relaxed)
        || journal.log().failures.load(Ordering::Relaxed) < 2
    {
        assert!(Instant::now() < deadline, "{:?}", journal.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(journal.log().lag.load(Ordering::Relaxed) > 0);
    // Refused once the notary has looked, and the refusal itself can be recorded.
    while support.open(&journal).is_ok() {
        assert!(Instant::now() < deadline, "nothing is refused");
    }
    let why = support.open(&journal).expect_err("refused");
    assert!(why.to_string().contains("audit.log.on_lag"), "{why}");
    journal.stop("test");
    assert!(!dir.path().join("tlog/checkpoint").exists());
    let (_, honest) = Witness::serve("honest.example", &key, Manner::Honest);
    run(with(logged(dir.path(), &key), &[honest], 1), 3);
    assert!(verified(dir.path(), &key).is_intact());
    assert!(dir.path().join("tlog/checkpoint").exists());
}

#[test]
fn more_required_than_named_is_refused() {
    let dir = tempfile::tempdir().expect("dir");
    let settings = with(logged(dir.path(), &key()), &[], 1);
    let refused = crate::audit::Journal::start(settings, crate::model::Clock::System);
    assert!(
        refused
            .expect_err("refused")
            .to_string()
            .contains("witnesses")
    );
}

#[test]
fn a_tenant_s_checkpoint_is_cosigned_too_unless_it_is_said_otherwise() {
    for (asks, expected) in [(true, 1), (false, 0)] {
        let dir = tempfile::tempdir().expect("dir");
        let key = key();
        let (witness, settings) = Witness::serve("w1.example", &key, Manner::Honest);
        let theirs = VerifierKeys::new([
            VerifierKey::parse(&key.verifier_key()).expect("key"),
            settings.key.clone(),
        ])
        .of_tenant("acme");
        for _ in 0..2 {
            let mut all = with(logged(dir.path(), &key), std::slice::from_ref(&settings), 1);
            if let Some(log) = &mut all.log {
                log.witness_tenants = asks;
            }
            run(all, 20);
        }
        let note = std::fs::read(dir.path().join("tlog/tenants/acme/checkpoint"));
        let signed = Signed::parse(&note.expect("a checkpoint")).expect("note");
        assert_eq!(theirs.check(&signed), Ok(expected));
        let seen = witness.seen.lock().expect("seen");
        assert_eq!(seen.heads.contains_key(&signed.origin), asks);
        if asks {
            assert_eq!(
                seen.heads.get(&signed.origin),
                Some(&(signed.size, signed.root))
            );
        }
        assert!(verified(dir.path(), &key).is_intact());
    }
}

#[test]
fn a_tenant_whom_the_witness_does_not_know_is_not_published_nor_is_the_whole() {
    let dir = tempfile::tempdir().expect("dir");
    let key = key();
    let (_, settings) = Witness::serve("w1.example", &key, Manner::Refuses);
    run(with(logged(dir.path(), &key), &[settings], 1), 3);
    assert!(!dir.path().join("tlog/tenants/acme/checkpoint").exists());
    assert!(!dir.path().join("tlog/checkpoint").exists());
    let (_, honest) = Witness::serve("honest.example", &key, Manner::Honest);
    run(with(logged(dir.path(), &key), &[honest], 1), 1);
    assert!(dir.path().join("tlog/tenants/acme/checkpoint").exists());
    assert!(verified(dir.path(), &key).is_intact());
}
