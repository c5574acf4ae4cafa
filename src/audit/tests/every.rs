//! A journal with every kind of record in it, for the validators that are not ours: `tests/receivers/run.sh`.

use super::fixture::{Faulty, Support, block_on, done, events, small_segments};
use super::records::{NOTICED, one_of_each};
use crate::audit::encode_own::Own;
use crate::audit::{Event, Journal, Outcome, Refusal};
use crate::model::{Clock, ExchangeId, Happened, Timestamp};
use std::path::PathBuf;

/// What the control plane tells of.
const STEPS: [&str; 36] = [
    "alert.failed",
    "alert.raised",
    "alert.taken",
    "alert.tested",
    "api.call",
    "break-glass.opened",
    "consent.asked",
    "consent.given",
    "consent.refused",
    "control.refused",
    "lock.lifted",
    "lock.set",
    "login.in",
    "login.out",
    "login.refused",
    "login.step-up",
    "request.approved",
    "request.cancelled",
    "request.created",
    "request.denied",
    "request.expired",
    "request.ticket-checked",
    "review.certified",
    "review.flagged",
    "review.overdue",
    "session.activated",
    "session.all-ended",
    "session.end-asked",
    "session.link-renewed",
    "signal.heard",
    "signal.refused",
    "vote.approve",
    "vote.deny",
    "workload.disabled",
    "workload.issued",
    "workload.shared",
];

fn step(code: &str) -> Happened {
    let whole = Happened {
        app: Some("shop".into()),
        tenant: Some("acme".into()),
        operator: Some("ada@support.example".into()),
        subject: Some("kim@acme.example".into()),
        request: Some("q01".into()),
        ..Happened::new(code, "bo@support.example")
    };
    whole
        .with("scopes", "view orders")
        .with("address", "192.0.2.7")
        .with("method", "DELETE")
}

fn exchanges(journal: &Journal, support: &Support) {
    for method in ["GET", "POST", "PUT", "DELETE", "PROPFIND"] {
        let opening = crate::audit::Opening {
            method,
            ..support.opening()
        };
        let receipt = block_on(journal.open(&opening)).expect("recorded");
        receipt.close(&done());
    }
    drop(support.open(journal).expect("recorded"));
    let failed = crate::audit::Closing {
        outcome: Outcome::Failed,
        status: None,
        cause: "upstream-timeout",
        upstream: Some("127.0.0.1:9000"),
        request_sha256: Some([1; 32]),
        ..done()
    };
    let receipt = support.open(journal).expect("recorded");
    receipt.close(&failed);
    for (host, canonical, status) in [
        (&b"shop.example:8443"[..], Some("/a?b=c"), 200),
        (b"[2001:db8::1]:8443", None, 400),
        (b"\xff:x", Some("/"), 403),
        (b"", None, 503),
    ] {
        let opening = crate::audit::Opening {
            host,
            canonical,
            session: None,
            policy: None,
            decision: None,
            upstream: None,
            user_agent: None,
            client: "[2001:db8::7]:4711".parse().expect("address"),
            ..support.opening()
        };
        let refusal = Refusal {
            opening,
            status,
            reason: "policy",
            detail: "why",
        };
        block_on(journal.refuse(&refusal)).expect("recorded");
    }
}

fn journals_own(journal: &Journal) {
    for own in [
        Own::Recovered {
            segment: "segment-0000000000000001.jsonl",
            bytes: 9,
            sha256: &"ab".repeat(32),
        },
        Own::Aborted {
            exchange: ExchangeId::fresh(),
        },
        Own::Restored {
            since: Timestamp::now(),
            refused: 1,
            queued: 2,
            lost: 3,
            cause: "full",
        },
        Own::Lag {
            sink: "siem",
            lagging: true,
            records: 1,
            bytes: 2,
            seconds: 3,
            refuses: true,
        },
        Own::Poisoned {
            sink: "siem",
            sequence: 7,
            detail: "too long",
        },
    ] {
        journal.core().note_own(&own);
    }
}

#[test]
fn every_kind_of_record_is_written_once_at_least() {
    let kept = tempfile::tempdir().expect("dir");
    let dir = std::env::var_os("LOCUM_RECORDS").map_or(kept.path().into(), PathBuf::from);
    let support = Support::new();
    // A first life that ends in a crash, so that the second has something to recover.
    let journal = Faulty::new().start(small_segments(&dir)).expect("a start");
    exchanges(&journal, &support);
    let left_open = support.open(&journal).expect("recorded");
    std::mem::forget(left_open);
    journal.note(&Event::Alert {
        kind: "sink-lag",
        session: None,
        exchange: None,
        client: None,
        detail: "",
    });
    let all = one_of_each(&support.session).into_iter().chain(NOTICED);
    for event in all {
        block_on(journal.event(&event)).expect("recorded");
    }
    for up in [false, true] {
        journal.note(&Event::SinkState {
            sink: "siem",
            up,
            sequence: 7,
            detail: "refused",
        });
    }
    for code in STEPS {
        journal.note(&Event::Control(&step(code)));
    }
    journals_own(&journal);
    journal.stop("test");
    Journal::start(small_segments(&dir), Clock::System)
        .expect("a start")
        .stop("test");
    let codes = events(&dir);
    for code in ["segment.sealed", "segment.carried", "process.stopped"] {
        assert!(codes.iter().any(|it| it == code), "{code}: {codes:?}");
    }
}
