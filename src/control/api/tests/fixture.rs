//! A control plane in a temporary directory, people to call it, and things to call it about.

use crate::audit::recording::{self, testing::Sample};
use crate::control::api::{self, Rate, Settings};
use crate::control::desk::{
    Alarm, Answer, Bounds, Control, EmergencySettings, Routes, ScopeChoice, Settings as Desk,
    Subjects, TenantSettings, Ticket, TicketRefused, Tickets,
};
use crate::control::duties::StepUp;
use crate::control::evidence::testing::Archive;
use crate::control::gate::{Gate, Visit};
use crate::control::portal::LogOf;
use crate::control::recordings::Recordings;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{
    Alert, Caller, Clock, Method, OperatorKind, Proof, Reach, Role, Seat, SecretHash, SessionId,
    SubjectClass, Tier, Timestamp,
};
use crate::policy::access::{AccessPolicy, Options};
use crate::store::control::{Book, Noted};
use crate::store::{StoreError, sqlite};
use crate::telemetry::metrics::Metrics;
use axum::Router;
use axum::body::Body;
use http::request::Parts;
use http::{HeaderMap, Method as Verb, Request, StatusCode};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tower::ServiceExt as _;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// What the clock says at first: 2027-01-15T08:00:00Z.
const NOW: i64 = 1_800_000_000_000;

/// Everything outside that the control plane leans on, answering well.
struct Outside;

impl Tickets for Outside {
    fn check<'a>(
        &'a self,
        ticket: &'a str,
        _: &'a str,
    ) -> Answer<'a, Result<Ticket, TicketRefused>> {
        let ticket = Ticket {
            id: ticket.to_owned(),
            title: Some("Invoice missing".to_owned()),
        };
        Box::pin(async { Ok(ticket) })
    }
}

impl Subjects for Outside {
    fn class<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, Result<SubjectClass, String>> {
        Box::pin(async { Ok(SubjectClass::Ordinary) })
    }
}

impl Alarm for Outside {
    fn raise<'a>(&'a self, _: &'a Alert) -> Answer<'a, Result<Vec<String>, String>> {
        Box::pin(async { Ok(vec!["soc".to_owned()]) })
    }
}

impl Routes for Outside {
    fn apps(&self) -> Vec<String> {
        vec!["shop".to_owned()]
    }

    fn scopes(&self, _: &str) -> Vec<ScopeChoice> {
        let scope = |name: &str, sentence: &str, tier| ScopeChoice {
            name: name.parse().expect("a scope"),
            sentence: sentence.to_owned(),
            tier,
        };
        vec![
            scope("view", "See orders and invoices", Tier::Ordinary),
            scope("refund", "Pay an order back", Tier::Sensitive),
            scope("export", "Export all orders", Tier::Privileged),
        ]
    }

    fn origin(&self, session: &str, app: &str) -> String {
        format!("https://{session}.{app}.locum.example")
    }
}

/// Knows callers by the JSON in a header: these tests are about what comes after.
struct Told;

impl Gate for Told {
    fn caller<'a>(&'a self, parts: &'a Parts) -> Answer<'a, Result<Caller, Refusal>> {
        let told = parts.headers.get("x-caller");
        let told = told.and_then(|it| serde_json::from_slice(it.as_bytes()).ok());
        let nobody = || Refusal::new(Kind::Unauthenticated, "unauthenticated", "Sign in.");
        Box::pin(async move { told.ok_or_else(nobody) })
    }

    fn visitor<'a>(&'a self, _: &'a HeaderMap) -> Answer<'a, Result<Option<Visit>, Refusal>> {
        Box::pin(async { Ok(None) })
    }

    fn is_in(&self, _: SecretHash) -> Answer<'_, bool> {
        Box::pin(async { true })
    }

    fn check_unsafe(&self, _: &HeaderMap, _: &Visit, _: Option<&str>) -> Result<(), Refusal> {
        Ok(())
    }
}

/// A person who signed in a minute ago with a strong factor.
pub(super) fn person(name: &str, seats: &[(Role, &str)]) -> Caller {
    let seats = seats.iter().map(|(role, tenants)| Seat {
        role: *role,
        tenants: match *tenants {
            "*" => Reach::All,
            some => Reach::Only(some.split(' ').map(str::to_owned).collect()),
        },
        apps: Reach::All,
        group: "test".to_owned(),
    });
    Caller {
        person: format!("{name}@support.example"),
        account: format!("https://id.example|{name}"),
        name: None,
        kind: OperatorKind::Human,
        groups: Vec::new(),
        seats: seats.collect(),
        proof: Proof {
            method: Method::Oidc,
            at: Timestamp::from_millis(NOW - 60_000),
            acr: Some("strong".to_owned()),
            amr: Vec::new(),
        },
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answered {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The machine's word of a problem.
    pub(super) fn reason(&self) -> String {
        let reason = &self.json()["reason"];
        reason.as_str().unwrap_or_default().to_owned()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |it| it.to_str().expect("a text"))
    }
}

/// The whole of it.
pub(super) struct Stage {
    pub control: Arc<Control>,
    pub metrics: Arc<Metrics>,
    pub archive: Archive,
    pub clock: Arc<AtomicI64>,
    router: Router,
    dir: tempfile::TempDir,
}

pub(super) const LOOSE: Rate = Rate {
    per_minute: 1_000_000,
    burst: 1_000_000,
};

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(Settings {
            person: LOOSE,
            address: LOOSE,
            max_body: 64 * 1024,
            body_timeout: Duration::from_secs(5),
            max_callers: 100,
        })
    }

    pub(super) fn with(settings: Settings) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let book = Book::open(&sqlite::Settings {
            path: dir.path().join("locum.db"),
            ..sqlite::Settings::default()
        });
        let (clock, metrics) = (Arc::new(AtomicI64::new(NOW)), Arc::new(Metrics::default()));
        let control = Arc::new(Control {
            book: book.expect("a store"),
            clock: Clock::Fixed(Arc::clone(&clock)),
            settings: arc_swap::ArcSwap::from_pointee(desk(policy(dir.path()))),
            tickets: Arc::new(Outside),
            subjects: Arc::new(Outside),
            alarm: Arc::new(Outside),
            routes: Arc::new(Outside),
            agreed: Arc::default(),
            metrics: Arc::default(),
        });
        let archive = Archive::new(dir.path(), Arc::clone(&metrics));
        let api = api::new(
            Arc::clone(&control),
            Arc::clone(&archive.evidence),
            Arc::new(Recordings::in_dir(dir.path(), Arc::clone(&metrics))),
            Arc::new(Told),
            Arc::clone(&metrics),
            settings,
        );
        Self {
            control,
            metrics,
            clock,
            router: api::router(api).layer(axum::Extension(LogOf::default())),
            archive,
            dir,
        }
    }

    /// One page is on tape of a session of acme's, as Jane, by Ada.
    pub(super) fn record(&self, session: SessionId) {
        let settings = recording::Settings::new(self.dir.path().join("recordings"));
        let mut tape = Sample::of(&settings, session);
        let page = tape.exchange("GET", "https://s1.shop.example/orders");
        tape.end(page, "done");
        tape.finish();
    }

    /// Moves the clock.
    pub(super) fn pass(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).expect("a short time");
        self.clock.fetch_add(millis, Ordering::Relaxed);
    }

    /// Changes what is stored, behind the control plane's back.
    pub(super) fn put<T>(
        &self,
        work: impl FnOnce(&crate::store::control::Tx<'_>) -> Result<T, StoreError>,
    ) -> T {
        let done = self.control.book.write("testing", work);
        done.expect("the store works")
    }

    /// What happened, newest first.
    pub(super) fn happened(&self, limit: usize) -> Vec<Noted> {
        self.put(|tx| tx.lately(&[(Reach::All, Reach::All)], None, limit))
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answered {
        let response = self.router.clone().oneshot(request).await;
        let (parts, body) = response.expect("it always answers").into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await;
        Answered {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.expect("a body").to_vec()).expect("a text"),
        }
    }

    pub(super) async fn get(&self, who: &Caller, path: &str) -> Answered {
        let request = request(Verb::GET, path, Some(who)).body(Body::empty());
        self.send(request.expect("a request")).await
    }

    /// `Value::Null`: without a body.
    pub(super) async fn post(&self, who: &Caller, path: &str, body: &Value) -> Answered {
        self.post_with(who, path, &[], body).await
    }

    pub(super) async fn post_with(
        &self,
        who: &Caller,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answered {
        let mut request = request(Verb::POST, path, Some(who));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match body {
            Value::Null => request.body(Body::empty()),
            body => request
                .header("content-type", "application/json")
                .body(Body::from(body.to_string())),
        };
        self.send(request.expect("a request")).await
    }
}

pub(super) fn request(verb: Verb, path: &str, who: Option<&Caller>) -> http::request::Builder {
    let request = Request::builder().method(verb).uri(path);
    match who {
        Some(who) => {
            let told = serde_json::to_string(who).expect("a caller is JSON");
            request.header("x-caller", told)
        }
        None => request,
    }
}

/// Whoever looks needs nobody, whoever exports two; nothing else is allowed but breaking the glass.
const POLICY: &str = r#"
@id("look") @approvals("0")
permit (principal, action == Action::"request", resource) when { context.tier == Tier::"ordinary" };
@id("export") @approvals("2")
permit (principal, action == Action::"request", resource) when { context.tier == Tier::"privileged" };
@id("glass") @approvals("0")
permit (principal is Human, action == Action::"break-glass", resource);
"#;

fn policy(dir: &Path) -> AccessPolicy {
    let file = dir.join("access.cedar");
    std::fs::write(&file, POLICY).expect("a file can be written");
    AccessPolicy::load(&[file], &Options::default()).expect("the policy is good")
}

fn desk(access: AccessPolicy) -> Desk {
    let tenant = TenantSettings::default;
    Desk {
        access,
        tenants: [
            ("acme".to_owned(), tenant()),
            ("globex".to_owned(), tenant()),
        ]
        .into(),
        reason_codes: vec!["customer-request".to_owned(), "outage".to_owned()],
        max_time: 60 * MINUTE,
        default_time: 15 * MINUTE,
        request_ttl: 60 * MINUTE,
        vote_ttl: 30 * MINUTE,
        code_ttl: MINUTE,
        max_sessions: 3,
        max_open_requests: 5,
        max_text: 500,
        max_scopes: 8,
        step_up: StepUp {
            max_age: 5 * MINUTE,
            acr_values: vec!["strong".to_owned()],
        },
        ticket_required: true,
        queue_unchecked: false,
        emergency: EmergencySettings {
            enabled: true,
            incident_prefixes: vec!["INC-".to_owned()],
            reason_codes: vec!["outage".to_owned()],
            max_time: 15 * MINUTE,
            scopes: vec!["view".parse().expect("a scope")],
            review_within: 24 * 60 * MINUTE,
            max_unreviewed: 10,
            open_unalerted: false,
            alert_timeout: Duration::from_secs(1),
        },
        zone_minutes: 0,
        portal: "https://portal.locum.example".to_owned(),
        courier: None,
        bounds: Bounds::default(),
    }
}
