//! A journal in a temporary directory, a grant, and files that fail on demand.

use crate::audit::journal::Journal;
use crate::audit::medium::{Disk, Files, Medium};
use crate::audit::record::{Closing, Opening, Outcome, Protocol};
use crate::audit::verify::{self, Options};
use crate::audit::{
    Durability, PolicyPart, Receipt, Refused, Report, SessionPart, Settings, StartError,
};
use crate::model::{
    Binding, Clock, Decision, Effect, ExchangeId, Grant, GrantId, Operator, OperatorKind, Session,
    SessionId, Subject, Tenant, Tier, Timestamp,
};
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

pub(in crate::audit) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime")
        .block_on(future)
}

pub(in crate::audit) fn settings(dir: &Path) -> Settings {
    Settings {
        dir: dir.into(),
        ..Settings::default()
    }
}

/// Segments that a few exchanges fill.
pub(in crate::audit) fn small_segments(dir: &Path) -> Settings {
    Settings {
        segment_bytes: 8192,
        ..settings(dir)
    }
}

pub(in crate::audit) fn start(dir: &Path) -> Journal {
    Journal::start(settings(dir), Clock::System).expect("start")
}

pub(in crate::audit) fn verified(dir: &Path) -> Report {
    verify::verify(dir, &Options::default()).expect("readable")
}

pub(in crate::audit) fn grant() -> Grant {
    Grant {
        id: GrantId::fresh(),
        app: "shop".into(),
        operator: Operator {
            id: "ada@support.example".into(),
            name: Some("Ada \"A\" Byron".into()),
            kind: OperatorKind::Human,
        },
        subject: Subject {
            id: "kim@acme.example".into(),
            name: None,
        },
        tenant: Tenant {
            id: "acme".into(),
            name: Some("Acme".into()),
        },
        scopes: vec!["view".parse().expect("scope")],
        ticket: "SUP-1042".into(),
        reason: "order\nstuck".into(),
        approvals: vec!["lee@support.example".into()],
        break_glass: false,
        not_before: Timestamp::from_millis(0),
        expires_at: Timestamp::from_millis(i64::MAX),
        issued_at: Timestamp::from_millis(0),
        issued_by: "cli:root".into(),
        external_id: None,
        budget: None,
    }
}

pub(in crate::audit) struct Support {
    pub(in crate::audit) session: SessionPart,
    pub(in crate::audit) policy: PolicyPart,
    pub(in crate::audit) decision: Decision,
}

impl Support {
    pub(in crate::audit) fn new() -> Self {
        let grant = grant();
        let session = Session {
            id: SessionId::fresh(),
            grant: grant.id,
            cookie: None,
            binding: Binding::default(),
            started_at: None,
            ended: None,
        };
        Self {
            session: SessionPart::new(&grant, &session, 2048),
            policy: PolicyPart::new(&"ab".repeat(32)),
            decision: Decision {
                effect: Effect::Permit,
                rule: "orders-read".into(),
                action: "orders.read".into(),
                resource: "order:17".into(),
                tier: Tier::Ordinary,
                message: None,
            },
        }
    }

    pub(in crate::audit) fn opening(&self) -> Opening<'_> {
        Opening {
            exchange: ExchangeId::fresh(),
            session: Some(&self.session),
            policy: Some(&self.policy),
            decision: Some(&self.decision),
            app: "shop",
            method: "GET",
            host: b"s0.shop.localhost",
            target: b"/orders/17?tab=items&token=hunter2",
            canonical: Some("/orders/17?tab=items&token=hunter2"),
            user_agent: Some(b"Mozilla/5.0"),
            client: "192.0.2.7:50123".parse().expect("address"),
            upstream: Some("shop-1"),
            protocol: Protocol::Http1,
            record: crate::model::Record::None,
        }
    }

    pub(in crate::audit) fn open(&self, journal: &Journal) -> Result<Receipt, Refused> {
        block_on(journal.open(&self.opening()))
    }

    /// One whole exchange.
    pub(in crate::audit) fn exchange(&self, journal: &Journal) {
        self.open(journal).expect("recorded").close(&done());
    }
}

pub(in crate::audit) fn done() -> Closing<'static> {
    Closing {
        outcome: Outcome::Done,
        status: Some(200),
        response_bytes: 512,
        response_sha256: Some([7; 32]),
        ..Closing::default()
    }
}

/// The records on disk, by event name, with the whole line.
pub(in crate::audit) fn lines(dir: &Path) -> Vec<(String, serde_json::Value)> {
    let mut all = Vec::new();
    for first in crate::audit::segment::list(dir).expect("dir") {
        let text =
            std::fs::read_to_string(crate::audit::segment::path(dir, first)).expect("segment");
        for line in text.lines() {
            let json: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let event = json["metadata"]["event_code"].as_str().expect("event");
            all.push((event.to_owned(), json.clone()));
        }
    }
    all
}

pub(in crate::audit) fn events(dir: &Path) -> Vec<String> {
    lines(dir).into_iter().map(|(event, _)| event).collect()
}

/// Files that fail as told.
#[derive(Debug)]
pub(in crate::audit) struct Faulty {
    /// Bytes that writes may still take; a write beyond is short, then fails.
    pub(in crate::audit) room: AtomicI64,
    pub(in crate::audit) sync_fails: AtomicBool,
    pub(in crate::audit) cut_fails: AtomicBool,
    pub(in crate::audit) open_fails: AtomicBool,
    pub(in crate::audit) reserve_fails: AtomicBool,
}

impl Faulty {
    pub(in crate::audit) fn new() -> Arc<Self> {
        Arc::new(Self {
            room: AtomicI64::new(i64::MAX),
            sync_fails: AtomicBool::new(false),
            cut_fails: AtomicBool::new(false),
            open_fails: AtomicBool::new(false),
            reserve_fails: AtomicBool::new(false),
        })
    }

    pub(in crate::audit) fn start(
        self: &Arc<Self>,
        settings: Settings,
    ) -> Result<Journal, StartError> {
        let files = Arc::new(FaultyFiles(Arc::clone(self)));
        Journal::start_on(settings, Clock::System, files)
    }

    pub(in crate::audit) fn full(&self, room: i64) {
        self.room.store(room, Ordering::SeqCst);
    }
}

pub(in crate::audit) fn durable(dir: &Path) -> Settings {
    Settings {
        durability: Durability::Disk,
        ..settings(dir)
    }
}

#[derive(Debug)]
pub(in crate::audit) struct FaultyFiles(pub(in crate::audit) Arc<Faulty>);

impl Files for FaultyFiles {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Medium>> {
        if self.0.open_fails.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(Arc::new(FaultyMedium(
            Disk.open(path)?,
            Arc::clone(&self.0),
        )))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        Disk.sync_dir(dir)
    }
}

#[derive(Debug)]
struct FaultyMedium(Arc<dyn Medium>, Arc<Faulty>);

impl Medium for FaultyMedium {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let room = usize::try_from(self.1.room.load(Ordering::SeqCst)).unwrap_or(0);
        let n = bytes.len().min(room);
        if n == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let n = self.0.write_at(&bytes[..n], offset)?;
        self.1
            .room
            .fetch_sub(i64::try_from(n).expect("small"), Ordering::SeqCst);
        Ok(n)
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(into, offset)
    }

    fn sync(&self) -> io::Result<()> {
        if self.1.sync_fails.load(Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.0.sync()
    }

    fn reserve(&self, from: u64, to: u64) -> io::Result<()> {
        if self.1.reserve_fails.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        self.0.reserve(from, to)
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        self.0.is_at(path)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.1.cut_fails.load(Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.0.set_len(len)
    }
}
