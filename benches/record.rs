//! What the journal's records cost: `record DIR DURABILITY EXCHANGES AT_ONCE` writes two records for each exchange, as a forwarded request
//! does, and prints their number, bytes, microseconds and syncs. `benches/record.sh` makes a table of it, with allocations.

use futures_util::future::join_all;
use locum::audit::{Closing, Durability, Journal, Opening, Outcome, PolicyPart, Protocol};
use locum::audit::{SessionPart, Settings};
use locum::model::{
    Binding, Clock, Decision, Effect, ExchangeId, Grant, GrantId, Operator, OperatorKind, Session,
    SessionId, Subject, Tenant, Tier, Timestamp,
};
use std::sync::atomic::Ordering;
use std::time::Instant;

type Failed = Box<dyn std::error::Error>;

fn session() -> Result<SessionPart, Failed> {
    let grant = Grant {
        id: GrantId::fresh(),
        app: "shop".into(),
        operator: Operator {
            id: "ada@support.example".into(),
            name: Some("Ada".into()),
            kind: OperatorKind::Human,
        },
        subject: Subject {
            id: "kim@acme.example".into(),
            name: Some("Kim".into()),
        },
        tenant: Tenant {
            id: "acme".into(),
            name: Some("Acme".into()),
        },
        scopes: vec!["view".parse()?, "orders".parse()?],
        ticket: "SUP-1042".into(),
        reason: "Cannot see an invoice".into(),
        approvals: vec!["bo@support.example".into()],
        break_glass: false,
        not_before: Timestamp::now(),
        expires_at: Timestamp::now(),
        issued_at: Timestamp::now(),
        issued_by: "cli:root".into(),
        external_id: None,
        budget: None,
    };
    let session = Session {
        id: SessionId::fresh(),
        grant: grant.id,
        cookie: None,
        binding: Binding::default(),
        started_at: None,
        ended: None,
    };
    Ok(SessionPart::new(&grant, &session, 8192))
}

fn opening<'a>(
    session: &'a SessionPart,
    policy: &'a PolicyPart,
    decision: &'a Decision,
) -> Result<Opening<'a>, Failed> {
    Ok(Opening {
        exchange: ExchangeId::fresh(),
        session: Some(session),
        policy: Some(policy),
        decision: Some(decision),
        app: "shop",
        method: "GET",
        host: b"s0123456789abcdefghjkmnpqrs.shop.example",
        target: b"/orders/17?tab=items&token=secret",
        canonical: Some("/orders/17?tab=items&token=secret"),
        user_agent: Some(b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        client: "192.0.2.7:50123".parse()?,
        upstream: Some("shop"),
        protocol: Protocol::Http2,
        record: locum::model::Record::None,
    })
}

async fn write(journal: &Journal, exchanges: usize, at_once: usize) -> Result<(), Failed> {
    let (session, policy) = (session()?, PolicyPart::new(&"ab".repeat(32)));
    let decision = Decision {
        effect: Effect::Permit,
        rule: "orders-read".into(),
        action: "orders.read".into(),
        resource: "order:17".into(),
        tier: Tier::Ordinary,
        message: None,
    };
    let closing = Closing {
        outcome: Outcome::Done,
        status: Some(200),
        response_bytes: 512,
        request_sha256: Some([3; 32]),
        response_sha256: Some([7; 32]),
        upstream: Some("10.0.0.7:8443"),
        ..Closing::default()
    };
    for _ in 0..exchanges / at_once {
        if at_once == 1 {
            let opening = opening(&session, &policy, &decision)?;
            journal.open(&opening).await?.close(&closing);
            continue;
        }
        let openings = (0..at_once).map(|_| opening(&session, &policy, &decision));
        let openings = openings.collect::<Result<Vec<_>, _>>()?;
        for receipt in join_all(openings.iter().map(|it| journal.open(it))).await {
            receipt?.close(&closing);
        }
    }
    Ok(())
}

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, dir, durability, exchanges, at_once] = arguments.as_slice() else {
        return Err("record DIR process|disk EXCHANGES AT_ONCE".into());
    };
    let settings = Settings {
        dir: dir.into(),
        durability: match durability.as_str() {
            "disk" => Durability::Disk,
            _ => Durability::Process,
        },
        ..Settings::default()
    };
    let journal = Journal::start(settings, Clock::System)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let counters = journal.counters();
    let read = || {
        let counter = |it: &std::sync::atomic::AtomicU64| it.load(Ordering::Relaxed);
        (
            counter(&counters.records),
            counter(&counters.bytes),
            counter(&counters.syncs),
        )
    };
    let (before, began) = (read(), Instant::now());
    runtime.block_on(write(&journal, exchanges.parse()?, at_once.parse()?))?;
    let (took, after) = (began.elapsed(), read());
    println!(
        "records {} bytes {} microseconds {} syncs {}",
        after.0 - before.0,
        after.1 - before.1,
        took.as_micros(),
        after.2 - before.2
    );
    journal.stop("done");
    Ok(())
}
