//! Records as a busy support team would leave them in three months: requests, votes, sessions, exchanges, refusals.
//! Written by the journal's own writer; the same every time, but for ids and hashes.

use locum::audit::{
    Closing, Event, Journal, Opening, Outcome, PolicyPart, Protocol, Refusal, SessionPart, Settings,
};
use locum::model::{
    Binding, Clock, Decision, Effect, ExchangeId, Grant, GrantId, Happened, Operator, OperatorKind,
    RequestId, Session, SessionId, Subject, Tenant, Tier, Timestamp,
};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// 2026-01-01T00:00:00Z.
pub(crate) const BEGIN: i64 = 1_767_225_600_000;
pub(crate) const OPERATORS: u64 = 200;
pub(crate) const TENANTS: u64 = 60;
/// Three months.
const SPAN: i64 = 90 * 86_400_000;

const AGENT: &[u8] = b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const REASONS: [&str; 6] = [
    "The refund for an order has not come",
    "Cannot find an invoice",
    "A parcel was delivered to the wrong street",
    "Was charged twice for one order",
    "The address of the account is out of date",
    "A voucher is not taken at the checkout",
];

/// Method, path without its number, action, rule, kind of resource, tier.
const ROUTES: [(&str, &str, &str, &str, &str, Tier); 8] = [
    (
        "GET",
        "/orders",
        "orders.list",
        "orders-list",
        "",
        Tier::Ordinary,
    ),
    (
        "GET",
        "/orders/",
        "orders.read",
        "orders-read",
        "order",
        Tier::Ordinary,
    ),
    (
        "GET",
        "/invoices/",
        "invoices.read",
        "invoices-read",
        "invoice",
        Tier::Ordinary,
    ),
    (
        "GET",
        "/products/",
        "products.read",
        "products-read",
        "product",
        Tier::Ordinary,
    ),
    (
        "GET",
        "/account",
        "account.read",
        "account-read",
        "",
        Tier::Ordinary,
    ),
    (
        "GET",
        "/static/app.js",
        "static.read",
        "static",
        "",
        Tier::Ordinary,
    ),
    (
        "POST",
        "/orders/",
        "orders.note",
        "order-note",
        "order",
        Tier::Sensitive,
    ),
    (
        "POST",
        "/addresses/",
        "address.change",
        "address-change",
        "address",
        Tier::Sensitive,
    ),
];

/// What is refused.
const DENIED: [(&str, &str, &str, &str); 4] = [
    ("POST", "/account/mfa/reset", "mfa.reset", "pack.mfa"),
    ("GET", "/export/orders.csv", "data.export", "pack.export"),
    ("POST", "/account/email", "email.change", "pack.email"),
    ("GET", "/admin/users", "unlisted", "default-deny"),
];

/// A small generator of numbers (SplitMix64): the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    /// Small numbers far more often than large ones.
    fn skewed(&mut self, below: u64) -> u64 {
        let (one, two) = (self.roll(below), self.roll(below));
        one.min(two).min(self.roll(below))
    }
}

struct Team {
    journal: Journal,
    clock: Arc<AtomicI64>,
    dice: Dice,
    policy: PolicyPart,
    runtime: tokio::runtime::Runtime,
    /// Milliseconds from one record to the next.
    step: i64,
}

/// Writes about so many records; how many it became.
pub(crate) fn write(dir: &Path, records: u64) -> io::Result<u64> {
    let clock = Arc::new(AtomicI64::new(BEGIN));
    let settings = Settings {
        dir: dir.to_owned(),
        ..Settings::default()
    };
    let journal = Journal::start(settings, Clock::Fixed(Arc::clone(&clock)));
    let mut team = Team {
        journal: journal.map_err(io::Error::other)?,
        clock,
        dice: Dice(7),
        policy: PolicyPart::new(&"5e".repeat(32)),
        runtime: tokio::runtime::Builder::new_current_thread().build()?,
        step: SPAN / i64::try_from(records.max(1)).unwrap_or(i64::MAX),
    };
    let written = |team: &Team| team.journal.counters().records.load(Ordering::Relaxed);
    let mut nth = 0;
    while written(&team) + 100 < records {
        team.session(nth)?;
        nth += 1;
        if nth % 4000 == 1 {
            team.rarities();
        }
    }
    while written(&team) + 1 < records {
        team.note(&Happened::new("api.call", "cron@corp.example").with("path", "/api/v1/sessions"));
    }
    team.journal.stop("written");
    Ok(written(&team))
}

impl Team {
    fn pass(&self) {
        self.clock.fetch_add(self.step, Ordering::Relaxed);
    }

    fn note(&self, happened: &Happened) {
        self.pass();
        self.journal.note(&Event::Control(happened));
    }

    fn rarities(&self) {
        let lock = Happened::new("lock.set", "tess@support.example");
        self.note(&lock.with("key", "tenant:tenant-9"));
        if self.clock.load(Ordering::Relaxed) < BEGIN + SPAN / 100 {
            let found = Happened::new("review.certified", "tess@support.example");
            self.note(&found.with("findings", "A zebra was ordered, and sent back"));
        }
    }

    /// One session from the question to its end.
    fn session(&mut self, nth: u64) -> io::Result<()> {
        let tenant = self.dice.skewed(TENANTS);
        let subject = self.dice.roll(400);
        let operator = self.dice.roll(OPERATORS);
        let grant = grant(nth, tenant, subject, operator, self.dice.roll(6));
        let session = Session {
            id: SessionId::fresh(),
            grant: grant.id,
            cookie: None,
            binding: Binding::default(),
            started_at: None,
            ended: None,
        };
        let request = RequestId::fresh().to_string();
        let part = self.journal.session_part(&grant, &session);
        let step = |code: &str, by: &str| Happened {
            request: Some(request.clone()),
            session: Some(session.id.to_string()),
            ..Happened::new(code, by).about_grant(&grant)
        };
        let by = grant.operator.id.as_str();
        self.note(&step("request.created", by).with("reason", &grant.reason));
        self.note(&step("vote.approve", "bo@support.example"));
        self.note(&step("session.activated", by));
        self.event(&Event::GrantIssued {
            grant: &part,
            by: "request",
        })?;
        self.event(&Event::SessionStarted {
            session: &part,
            client: None,
        })?;
        for _ in 0..20 + self.dice.roll(40) {
            self.exchange(&part)?;
        }
        let ended = Event::SessionEnded {
            session: &part,
            cause: locum::model::session::EndCause::Revoked,
            by,
            used: None,
        };
        self.event(&ended)
    }

    fn event(&self, event: &Event<'_>) -> io::Result<()> {
        self.pass();
        let done = self.runtime.block_on(self.journal.event(event));
        done.map_err(|why| io::Error::other(why.to_string()))
    }

    fn exchange(&mut self, part: &SessionPart) -> io::Result<()> {
        if self.dice.roll(40) == 0 {
            return self.refused(part);
        }
        let route = usize::try_from(self.dice.skewed(8)).unwrap_or(0);
        let Some((method, path, action, rule, kind, tier)) = ROUTES.get(route).copied() else {
            return Ok(());
        };
        let number = 1000 + self.dice.skewed(20_000);
        let (path, resource) = if path.ends_with('/') {
            (
                format!("{path}{number}?tab=items"),
                format!("{kind}:{number}"),
            )
        } else {
            (path.to_owned(), String::new())
        };
        let decision = decision(Effect::Permit, rule, action, &resource, tier);
        self.pass();
        let opening = self.opening(part, &decision, method, &path);
        let receipt = self.runtime.block_on(self.journal.open(&opening));
        let receipt = receipt.map_err(|why| io::Error::other(why.to_string()))?;
        self.pass();
        let status = if self.dice.roll(500) == 0 { 503 } else { 200 };
        receipt.close(&Closing {
            outcome: Outcome::Done,
            status: Some(status),
            response_bytes: self.dice.roll(50_000),
            response_sha256: Some([7; 32]),
            upstream: Some("10.0.0.7:8080"),
            ..Closing::default()
        });
        Ok(())
    }

    fn refused(&mut self, part: &SessionPart) -> io::Result<()> {
        let nth = usize::try_from(self.dice.roll(4)).unwrap_or(0);
        let Some((method, path, action, rule)) = DENIED.get(nth).copied() else {
            return Ok(());
        };
        let decision = decision(Effect::Deny, rule, action, "", Tier::Privileged);
        self.pass();
        let refusal = Refusal {
            opening: self.opening(part, &decision, method, path),
            status: 403,
            reason: "policy",
            detail: "",
        };
        let done = self.runtime.block_on(self.journal.refuse(&refusal));
        done.map_err(|why| io::Error::other(why.to_string()))
    }

    fn opening<'a>(
        &'a self,
        part: &'a SessionPart,
        decision: &'a Decision,
        method: &'a str,
        path: &'a str,
    ) -> Opening<'a> {
        Opening {
            exchange: ExchangeId::fresh(),
            session: Some(part),
            policy: Some(&self.policy),
            decision: Some(decision),
            app: "shop",
            method,
            host: b"s01k9abcdefghjkmnpqrstvwxyz.shop.locum.example",
            target: path.as_bytes(),
            canonical: Some(path),
            user_agent: Some(AGENT),
            client: ([192, 0, 2, 7], 50123).into(),
            upstream: Some("shop-1"),
            protocol: Protocol::Http2,
            record: locum::model::Record::None,
        }
    }
}

fn decision(effect: Effect, rule: &str, action: &str, resource: &str, tier: Tier) -> Decision {
    Decision {
        effect,
        rule: rule.into(),
        action: action.into(),
        resource: resource.into(),
        tier,
        message: None,
    }
}

fn grant(nth: u64, tenant: u64, subject: u64, operator: u64, reason: u64) -> Grant {
    let reason = usize::try_from(reason).ok().and_then(|at| REASONS.get(at));
    Grant {
        id: GrantId::fresh(),
        app: "shop".into(),
        operator: Operator {
            id: format!("op{operator}@support.example"),
            name: Some(format!("Operator {operator}")),
            kind: OperatorKind::Human,
        },
        subject: Subject {
            id: format!("user{subject}@tenant-{tenant}.example"),
            name: None,
        },
        tenant: Tenant {
            id: format!("tenant-{tenant}"),
            name: Some(format!("Tenant number {tenant}")),
        },
        scopes: ["view", "orders"]
            .iter()
            .filter_map(|it| it.parse().ok())
            .collect(),
        ticket: format!("SUP-{}", 100 + nth),
        reason: reason.copied().unwrap_or_default().into(),
        approvals: vec!["bo@support.example".into()],
        break_glass: false,
        not_before: Timestamp::from_millis(0),
        expires_at: Timestamp::from_millis(i64::MAX),
        issued_at: Timestamp::from_millis(BEGIN),
        issued_by: "request".into(),
        external_id: None,
        budget: None,
    }
}
