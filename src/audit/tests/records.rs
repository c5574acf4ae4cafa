//! What stands in a record, and what never does.

use super::fixture::{Support, block_on, done, events, lines, settings, start, verified};
use crate::audit::{Closing, Event, Outcome, Refusal, SessionPart, Settings};
use crate::model::{Clock, EndCause, ExchangeId, SessionId, Step, Timestamp, Used};
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn an_exchange_is_two_records_in_ocsf_shape() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = start(dir.path());
    let support = Support::new();
    let opening = support.opening();
    let receipt = block_on(journal.open(&opening)).expect("recorded");
    journal.close(
        receipt,
        &Closing {
            total: Some(Duration::from_micros(12_345)),
            first_byte: Some(Duration::from_micros(1_200)),
            upstream: Some("127.0.0.1:9000"),
            request_sha256: Some([0xab; 32]),
            ..done()
        },
    );
    journal.stop("test");

    let all = lines(dir.path());
    let names: Vec<_> = all.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(
        names,
        [
            "process.started",
            "exchange.opened",
            "exchange.closed",
            "process.stopped"
        ]
    );
    let (opened, closed) = (&all[1].1, &all[2].1);
    let exchange = opening.exchange.to_string();
    for record in [opened, closed] {
        assert_eq!(record["class_uid"], 6003);
        assert_eq!(record["type_uid"], 600_302);
        assert_eq!(record["metadata"]["correlation_uid"], exchange.as_str());
        assert_eq!(record["actor"]["user"]["uid"], "ada@support.example");
        assert_eq!(record["actor"]["user"]["name"], "Ada \"A\" Byron");
        assert_eq!(record["api"]["operation"], "orders.read");
        assert_eq!(record["src_endpoint"]["ip"], "192.0.2.7");
        assert_eq!(record["http_request"]["http_method"], "GET");
        assert_eq!(record["locum"]["tenant"]["uid"], "acme");
        assert_eq!(record["locum"]["subject"]["uid"], "kim@acme.example");
    }
    assert_ne!(opened["metadata"]["uid"], closed["metadata"]["uid"]);
    assert_eq!(opened["http_request"]["url"]["path"], "/orders/17");
    assert_eq!(
        opened["http_request"]["url"]["query_string"],
        "tab=items&token=[redacted]"
    );
    assert_eq!(opened["locum"]["reason"], "order\nstuck");
    assert_eq!(opened["locum"]["rule"], "orders-read");
    assert_eq!(opened["locum"]["resource"], "order:17");
    assert_eq!(opened["locum"]["policy"], "ab".repeat(32));
    assert!(
        opened["locum"].get("raw_target").is_none(),
        "the same as the canonical one"
    );
    assert_eq!(closed["status_code"], "200");
    assert_eq!(closed["duration"], 12);
    assert_eq!(closed["locum"]["total_us"], 12_345);
    assert_eq!(closed["locum"]["first_byte_us"], 1200);
    assert_eq!(closed["locum"]["request_sha256"], "ab".repeat(32));
    assert_eq!(closed["locum"]["upstream"], "127.0.0.1:9000");
    assert_eq!(closed["http_response"]["body_length"], 512);
    let report = verified(dir.path());
    assert!(report.is_intact(), "{report}");
    assert_eq!((report.records, report.open_exchanges), (4, 0));
}

#[test]
fn a_refusal_is_one_record_and_keeps_what_the_client_sent() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = start(dir.path());
    let support = Support::new();
    let mut opening = support.opening();
    opening.session = None;
    opening.decision = None;
    opening.canonical = None;
    opening.target = b"/a%2e%2e/\xff\n?token=hunter2";
    let refusal = Refusal {
        opening,
        status: 400,
        reason: "dot-segment",
        detail: "",
    };
    block_on(journal.refuse(&refusal)).expect("recorded");
    journal.stop("test");
    let all = lines(dir.path());
    let (event, record) = &all[1];
    assert_eq!(event, "exchange.refused");
    assert_eq!(record["action_id"], 2);
    assert_eq!(record["status_detail"], "dot-segment");
    assert_eq!(
        record["locum"]["raw_target"],
        "/a%2e%2e/%FF\n?token=[redacted]"
    );
    assert_eq!(verified(dir.path()).open_exchanges, 0);
}

#[test]
fn what_locum_answers_well_by_itself_is_no_refusal() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = start(dir.path());
    let support = Support::new();
    let refusal = Refusal {
        opening: support.opening(),
        status: 200,
        reason: "service-worker",
        detail: "",
    };
    block_on(journal.refuse(&refusal)).expect("recorded");
    let (event, record) = lines(dir.path()).remove(1);
    assert_eq!(event, "exchange.answered");
    assert_eq!(record["action_id"], 1);
    assert_eq!(record["locum"]["outcome"], "answered");
}

#[test]
fn a_dropped_receipt_closes_itself_as_aborted() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = start(dir.path());
    drop(Support::new().open(&journal).expect("recorded"));
    let all = lines(dir.path());
    let (event, record) = all.last().expect("records");
    assert_eq!(event, "exchange.closed");
    assert_eq!(record["locum"]["outcome"], Outcome::Aborted.as_str());
    assert_eq!(
        journal
            .counters()
            .aborted
            .load(std::sync::atomic::Ordering::Relaxed),
        1
    );
}

pub(super) fn one_of_each(session: &SessionPart) -> [Event<'_>; 11] {
    let exchange = ExchangeId::fresh();
    let client = Some("2001:db8::1".parse().expect("address"));
    [
        Event::SessionStarted { session, client },
        Event::SessionEnded {
            session,
            cause: EndCause::Revoked,
            by: "cli:root",
            used: Some(Used {
                requests: 3,
                changes: 1,
                first: Some(Timestamp::from_millis(0)),
                ..Used::default()
            }),
        },
        Event::GrantIssued {
            grant: session,
            by: "cli:root",
        },
        Event::GrantRevoked {
            grant: session,
            by: "cli:root",
        },
        Event::PolicyLoaded {
            digest: "aa",
            rows: 7,
        },
        Event::PolicyRefused {
            digest: "bb",
            problem: "row 3",
        },
        Event::ConfigReloaded { digest: "cc" },
        Event::ConfigRefused { problem: "line 1" },
        Event::Alert {
            kind: "binding-broken",
            session: Some(session),
            exchange: None,
            client,
            detail: "",
        },
        Event::ShadowDiffers {
            session,
            exchange,
            live_rule: "a",
            shadow_rule: "b",
            shadow_permits: false,
            shadow_digest: "dd",
        },
        Event::WebSocketEnded {
            session,
            exchange,
            messages_in: 1,
            messages_out: 2,
            bytes_in: 3,
            bytes_out: 4,
            refused: 0,
            cause: "client",
        },
    ]
}

/// What Locum notices of the world around it.
pub(super) const NOTICED: [Event<'_>; 5] = [
    Event::ClockStepped(Step {
        wall: Timestamp::from_millis(1_000),
        expected: Timestamp::from_millis(61_000),
        monotonic: Duration::from_secs(5),
    }),
    Event::RefusalsCounted {
        since: Timestamp::from_millis(1_000),
        until: Timestamp::from_millis(2_000),
        refusals: 3,
        reasons: &[("no-session", 3)],
        addresses: &[("192.0.2.1", 1), ("2001:db8::1", 1)],
        elsewhere: 1,
    },
    Event::Room {
        place: "journal",
        stand: "low",
        free: 1,
        alarm: 2,
        refuse: 0,
        refused: 0,
    },
    Event::RecordingMarked {
        session: SessionId::from_bits(7),
        part: 1,
        frames: 2,
        bytes: 300,
        sha256: "00",
    },
    Event::RecordingState {
        up: false,
        detail: "full",
    },
];

#[test]
fn every_event_is_a_record() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = start(dir.path());
    let support = Support::new();
    let all: Vec<_> = one_of_each(&support.session)
        .into_iter()
        .chain(NOTICED)
        .collect();
    for event in &all {
        block_on(journal.event(event)).expect("recorded");
    }
    journal.stop("test");
    let records = lines(dir.path());
    assert_eq!(records.len(), all.len() + 2);
    for (event, record) in &records {
        let class = record["class_uid"].as_u64().expect("class");
        let activity = record["activity_id"].as_u64().expect("activity");
        assert_eq!(record["type_uid"], class * 100 + activity, "{event}");
        assert_eq!(record["category_uid"], class / 1000, "{event}");
    }
    assert_eq!(records[2].1["locum"]["cause"], "revoked");
    assert_eq!(records[1].1["user"]["uid"], "ada@support.example");
    assert_eq!(records[9].1["finding_info"]["title"], "binding-broken");
    let stepped = &records[12].1["locum"];
    assert_eq!(
        (stepped["by_ms"].as_u64(), stepped["direction"].as_str()),
        (Some(60_000), Some("back"))
    );
    assert_eq!(records[13].1["locum"]["addresses"]["2001:db8::1"], 1);
    assert!(verified(dir.path()).is_intact());
}

#[test]
fn texts_from_outside_are_bounded() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = crate::audit::Journal::start(
        Settings {
            max_field: 64,
            ..settings(dir.path())
        },
        Clock::System,
    )
    .expect("start");
    let support = Support::new();
    let long = vec![b'a'; 1 << 20];
    let mut opening = support.opening();
    opening.target = &long;
    opening.host = &long;
    opening.user_agent = Some(&long);
    opening.method = "BREW".repeat(999).leak();
    drop(block_on(journal.open(&opening)).expect("recorded"));
    for (_, record) in lines(dir.path()) {
        assert!(record.to_string().len() < 4096);
    }
    assert_eq!(events(dir.path()).len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_comes_from_outside_the_line_is_json(
        target: Vec<u8>,
        host: Vec<u8>,
        agent: Vec<u8>,
        method in "\\PC{0,12}",
        canonical in proptest::option::of(".{0,40}"),
        detail: String,
    ) {
        let dir = tempfile::tempdir().expect("dir");
        let journal = start(dir.path());
        let support = Support::new();
        let mut opening = support.opening();
        opening.target = &target;
        opening.host = &host;
        opening.user_agent = Some(&agent);
        opening.method = &method;
        opening.canonical = canonical.as_deref();
        drop(block_on(journal.open(&opening)).expect("recorded"));
        let refusal = Refusal { opening, status: 400, reason: "malformed", detail: &detail };
        block_on(journal.refuse(&refusal)).expect("recorded");
        prop_assert_eq!(lines(dir.path()).len(), 4);
        let report = verified(dir.path());
        prop_assert!(report.is_intact(), "{}", report);
    }
}
