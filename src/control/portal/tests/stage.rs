//! A portal in a temporary directory, people who signed in to it, and things for them to look at.

use super::outside::{Outside, settings};
use crate::control::desk::{Answer, Control, Settings};
use crate::control::evidence::testing::Archive;
use crate::control::gate::{Gate, Visit};
use crate::control::portal::{self, Views};
use crate::control::recordings::Recordings;
use crate::control::refusal::{Kind, Refusal};
use crate::control::replay::door::divert;
use crate::control::web::shared::{Shared, Web};
use crate::model::{
    AccessRequest, Caller, Clock, Emergency, Grant, GrantId, Method, Needs, Operator, OperatorKind,
    Proof, Reach, RequestId, RequestState, Review, ReviewId, ReviewState, Role, Seat, SecretHash,
    SessionId, Subject, SubjectClass, Tenant, Tier, Timestamp,
};
use crate::store::control::{Book, Noted, Tx};
use crate::store::{Issue, StoreError, sqlite};
use crate::telemetry::Metrics;
use axum::Router;
use axum::body::Body;
use axum::middleware::from_fn_with_state;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode, header};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tower::ServiceExt as _;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// 2027-01-15T08:00:00Z, a Friday.
pub(super) const NOW: i64 = 1_800_000_000_000;
const CSRF: &str = "proof-of-";

/// Knows who signed in by a cookie that holds them as JSON in base64: these tests are about what comes after.
struct Told;

impl Gate for Told {
    fn caller<'a>(&'a self, _: &'a Parts) -> Answer<'a, Result<Caller, Refusal>> {
        Box::pin(async {
            Err(Refusal::new(
                Kind::Unauthenticated,
                "unauthenticated",
                "Sign in.",
            ))
        })
    }

    fn visitor<'a>(&'a self, headers: &'a HeaderMap) -> Answer<'a, Result<Option<Visit>, Refusal>> {
        let told = headers.get(header::COOKIE).and_then(|it| it.to_str().ok());
        let told = told
            .and_then(|it| it.strip_prefix("who="))
            .and_then(|it| URL_SAFE_NO_PAD.decode(it).ok());
        let caller = told.and_then(|json| serde_json::from_slice::<Caller>(&json).ok());
        let visit = caller.map(|caller| Visit {
            csrf: format!("{CSRF}{}", caller.account),
            caller,
            login: SecretHash::from_bytes([7; 32]),
        });
        Box::pin(async { Ok(visit) })
    }

    fn is_in(&self, _: SecretHash) -> Answer<'_, bool> {
        Box::pin(async { true })
    }

    fn check_unsafe(
        &self,
        _: &HeaderMap,
        visit: &Visit,
        token: Option<&str>,
    ) -> Result<(), Refusal> {
        if token == Some(&visit.csrf) {
            return Ok(());
        }
        Err(Refusal::forbidden(
            "csrf",
            "This form is not from our own page.",
        ))
    }
}

/// A person who signed in a minute ago with a strong factor. `*`: every tenant.
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

pub(super) fn ada() -> Caller {
    Caller {
        name: Some("Ada Byron".to_owned()),
        ..person("ada", &[(Role::Operator, "*")])
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Seen {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |it| it.to_str().expect("a text"))
    }

    /// The reasons that the page tells.
    pub(super) fn reasons(&self) -> Vec<&str> {
        let parts = self.text.split("Reason <code>").skip(1);
        let mut reasons: Vec<&str> = parts.filter_map(|part| part.split('<').next()).collect();
        reasons.dedup();
        reasons
    }

    /// Where the links of the main navigation lead.
    pub(super) fn links(&self) -> Vec<&str> {
        let nav = self
            .text
            .split("aria-label=\"Main\"")
            .nth(1)
            .unwrap_or_default();
        let nav = nav.split("</nav>").next().unwrap_or_default();
        nav.split("<a href=\"")
            .skip(1)
            .filter_map(|part| part.split('"').next())
            .collect()
    }

    #[track_caller]
    pub(super) fn shows(&self, words: &str) {
        assert!(self.text.contains(words), "{words:?} in {}", self.text);
    }

    #[track_caller]
    pub(super) fn hides(&self, words: &str) {
        assert!(!self.text.contains(words), "no {words:?} in {}", self.text);
    }
}

/// The whole of it.
pub(super) struct Stage {
    pub control: Arc<Control>,
    pub clock: Arc<AtomicI64>,
    pub archive: Archive,
    pub web: Shared,
    router: Router,
    dir: tempfile::TempDir,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let book = Book::open(&sqlite::Settings {
            path: dir.path().join("locum.db"),
            ..sqlite::Settings::default()
        });
        let clock = Arc::new(AtomicI64::new(NOW));
        let mut settings = settings();
        change(&mut settings);
        let control = Arc::new(Control {
            book: book.expect("a store"),
            clock: Clock::Fixed(Arc::clone(&clock)),
            settings: arc_swap::ArcSwap::from_pointee(settings),
            tickets: Arc::new(Outside),
            subjects: Arc::new(Outside),
            alarm: Arc::new(Outside),
            routes: Arc::new(Outside),
            agreed: Arc::default(),
            metrics: Arc::default(),
        });
        let archive = Archive::new(dir.path(), Arc::new(Metrics::default()));
        let web = Arc::new(Web {
            control: Arc::clone(&control),
            evidence: Arc::clone(&archive.evidence),
            gate: Arc::new(Told),
            jwks: Arc::new(bytes::Bytes::new),
            views: Views::default(),
            recordings: Arc::new(Recordings::in_dir(dir.path(), Arc::default())),
        });
        let router = portal::router()
            .fallback_service(portal::missing().with_state(Arc::clone(&web)))
            .layer(from_fn_with_state(Arc::clone(&web), divert))
            .with_state(Arc::clone(&web));
        Self {
            control,
            clock,
            archive,
            web,
            router,
            dir,
        }
    }

    pub(super) fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub(super) fn pass(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).expect("a short time");
        self.clock.fetch_add(millis, Ordering::Relaxed);
    }

    /// Changes what is stored, behind the control plane's back.
    pub(super) fn put<T>(&self, work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>) -> T {
        self.control
            .book
            .write("testing", work)
            .expect("the store works")
    }

    /// What happened, newest first.
    pub(super) fn happened(&self) -> Vec<Noted> {
        self.put(|tx| tx.lately(&[(Reach::All, Reach::All)], None, 100))
    }

    pub(super) fn stored(&self, id: RequestId) -> AccessRequest {
        self.put(|tx| tx.find(&id.to_string()))
            .expect("it is there")
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Seen {
        let response = self.router.clone().oneshot(request).await;
        let (parts, body) = response.expect("it always answers").into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await;
        Seen {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.expect("a body").to_vec()).expect("a text"),
        }
    }

    pub(super) async fn get(&self, who: &Caller, path: &str) -> Seen {
        self.send(request("GET", path, Some(who), Body::empty()))
            .await
    }

    /// A form of our own page: with its proof.
    pub(super) async fn post(&self, who: &Caller, path: &str, fields: &[(&str, &str)]) -> Seen {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &format!("{CSRF}{}", who.account));
        form.extend_pairs(fields);
        self.send(request("POST", path, Some(who), Body::from(form.finish())))
            .await
    }
}

pub(super) fn request(verb: &str, path: &str, who: Option<&Caller>, body: Body) -> Request<Body> {
    let mut request = Request::builder()
        .method(verb)
        .uri(path)
        .header("accept", "text/html");
    if let Some(who) = who {
        let told = serde_json::to_vec(who).expect("a caller is JSON");
        request = request.header("cookie", format!("who={}", URL_SAFE_NO_PAD.encode(&told)));
    }
    if verb == "POST" {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    request.body(body).expect("a request")
}

/// Ada asks to stand in for Kim of Acme: two approvals, pending, as if policy had weighed it.
pub(super) fn asked() -> AccessRequest {
    let now = Timestamp::from_millis(NOW);
    AccessRequest {
        id: RequestId::fresh(),
        app: "shop".into(),
        tenant: Tenant {
            id: "acme".into(),
            name: Some("Acme".into()),
        },
        subject: Subject {
            id: "kim@acme.example".into(),
            name: None,
        },
        class: SubjectClass::Ordinary,
        scopes: "orders".parse().into_iter().collect(),
        tier: Tier::Sensitive,
        duration: 30 * MINUTE,
        ticket: "SUP-1042".into(),
        ticket_title: Some("Invoice missing".into()),
        reason_code: "customer-request".into(),
        reason: "Cannot see an invoice".into(),
        emergency: None,
        elevates: None,
        operator: Operator {
            id: ada().person,
            name: ada().name,
            kind: OperatorKind::Human,
        },
        account: ada().account,
        created_at: now,
        expires_at: now.plus(60 * MINUTE),
        needs: Needs {
            approvals: 2,
            consent: false,
            max_time: 60 * MINUTE,
            rules: vec!["orders-by-two".into()],
        },
        state: RequestState::Pending,
        consented: None,
        consented_by: None,
        closed_by: None,
        closed_why: None,
        grant: None,
        session: None,
        version: 0,
    }
}

impl Stage {
    pub(super) fn insert(&self, mut request: AccessRequest) -> AccessRequest {
        self.put(move |tx| {
            tx.insert(&mut request)?;
            Ok(request)
        })
    }

    pub(super) fn asked(&self) -> AccessRequest {
        self.insert(asked())
    }

    /// The same request, used: with its grant and its session.
    pub(super) fn used(&self, change: impl FnOnce(&mut AccessRequest)) -> AccessRequest {
        let mut request = asked();
        change(&mut request);
        let now = Timestamp::from_millis(NOW);
        let (grant, session) = (GrantId::fresh(), SessionId::fresh());
        request.state = RequestState::Activated;
        request.grant = Some(grant);
        request.session = Some(session);
        let request = self.insert(request);
        let grant = Grant {
            id: grant,
            app: request.app.clone(),
            operator: request.operator.clone(),
            subject: request.subject.clone(),
            tenant: request.tenant.clone(),
            scopes: request.scopes.clone(),
            ticket: request.ticket.clone(),
            reason: format!("{}: {}", request.reason_code, request.reason),
            approvals: vec!["bo@support.example".into(), "cy@support.example".into()],
            break_glass: request.emergency.is_some(),
            not_before: now,
            expires_at: now.plus(request.duration),
            issued_at: now,
            issued_by: format!("request:{}", request.id),
            external_id: None,
            budget: None,
        };
        let issue = Issue {
            grant,
            session,
            binding: crate::model::Binding::default(),
            code: crate::model::Secret::fresh().expect("random").hash(),
            code_expires: now.plus(MINUTE),
        };
        self.put(move |tx| tx.issue(&issue));
        request
    }

    /// Ben broke the glass in Acme; its review is due, and its session over.
    pub(super) fn broken(&self) -> Review {
        let request = self.used(|request| {
            request.operator.id = "ben@support.example".into();
            request.operator.name = None;
            request.emergency = Some(Emergency {
                incident: "INC-7".into(),
            });
        });
        let now = Timestamp::from_millis(NOW);
        let mut review = Review {
            id: ReviewId::fresh(),
            grant: request.grant.expect("used"),
            session: request.session.expect("used"),
            app: request.app,
            tenant: request.tenant.id,
            subject: request.subject.id,
            incident: "INC-7".into(),
            reason: "outage: the shop is down".into(),
            operator: request.operator.id,
            approvers: vec!["cy@support.example".into()],
            opened_at: now,
            due_at: now.plus(24 * 60 * MINUTE),
            escalated_at: None,
            state: ReviewState::Due,
            reviewer: None,
            reviewed_at: None,
            findings: None,
            follow_ups: Vec::new(),
            version: 0,
        };
        self.put(move |tx| {
            let ended = crate::model::Ended {
                cause: crate::model::EndCause::Operator,
                at: now,
                by: "operator:ben@support.example".into(),
            };
            tx.revoke(&crate::store::Target::Session(review.session), &ended)?;
            tx.insert(&mut review)?;
            Ok(review)
        })
    }
}
