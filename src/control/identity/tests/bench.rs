//! A control plane with identity on a fresh store, and browsers that keep cookies.

use super::provider::{CLIENT, NOW, Provider, SECRET};
use crate::control::desk::{
    self, Alarm, Answer, Bounds, Control, EmergencySettings, Routes, ScopeChoice, Subjects, Ticket,
    TicketRefused, Tickets,
};
use crate::control::duties::StepUp;
use crate::control::gate::Peer;
use crate::control::identity::{
    HumanSettings, Identity, OidcSettings, Persona, RoleRow, Settings, WorkloadSettings, router,
};
use crate::model::{Alert, Clock, Happened, Reach, Role, SubjectClass};
use crate::policy::access::AccessPolicy;
use crate::store::control::Book;
use crate::store::external::Algorithm;
use crate::store::external::forge::Anything;
use crate::store::sqlite;
use crate::telemetry::Metrics;
use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use openidconnect::ClientSecret;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tower::ServiceExt as _;

pub(super) const PORTAL: &str = "https://portal.example";

/// Neighbours that no test here asks.
struct Nobody;

impl Tickets for Nobody {
    fn check<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, Result<Ticket, TicketRefused>> {
        Box::pin(async { Err(TicketRefused::Unknown) })
    }
}

impl Subjects for Nobody {
    fn class<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, Result<SubjectClass, String>> {
        Box::pin(async { Err("nobody knows".to_owned()) })
    }
}

impl Alarm for Nobody {
    fn raise<'a>(&'a self, _: &'a Alert) -> Answer<'a, Result<Vec<String>, String>> {
        Box::pin(async { Err("nobody hears".to_owned()) })
    }
}

impl Routes for Nobody {
    fn apps(&self) -> Vec<String> {
        Vec::new()
    }
    fn scopes(&self, _: &str) -> Vec<ScopeChoice> {
        Vec::new()
    }
    fn origin(&self, _: &str, _: &str) -> String {
        String::new()
    }
}

pub(super) struct Bench {
    pub(super) control: Arc<Control>,
    pub(super) identity: Arc<Identity>,
    pub(super) metrics: Arc<Metrics>,
    clock: Arc<AtomicI64>,
    router: Router,
    dir: tempfile::TempDir,
}

fn desk_settings() -> desk::Settings {
    let hour = Duration::from_secs(3600);
    desk::Settings {
        access: AccessPolicy::default(),
        tenants: BTreeMap::new(),
        reason_codes: Vec::new(),
        max_time: hour,
        default_time: hour,
        request_ttl: hour,
        vote_ttl: hour,
        code_ttl: hour,
        max_sessions: 5,
        max_open_requests: 5,
        max_text: 1000,
        max_scopes: 10,
        step_up: StepUp {
            max_age: Duration::from_secs(300),
            acr_values: vec!["mfa".to_owned(), "hwk".to_owned()],
        },
        ticket_required: false,
        queue_unchecked: false,
        emergency: EmergencySettings {
            enabled: false,
            incident_prefixes: Vec::new(),
            reason_codes: Vec::new(),
            max_time: hour,
            scopes: Vec::new(),
            review_within: hour,
            max_unreviewed: 1,
            open_unalerted: false,
            alert_timeout: hour,
        },
        zone_minutes: 0,
        portal: PORTAL.to_owned(),
        courier: None,
        bounds: Bounds::default(),
    }
}

/// Settings with nobody to sign in yet.
pub(super) fn settings(human: HumanSettings) -> Settings {
    let row = |group: &str, role| RoleRow {
        group: group.to_owned(),
        role,
        tenants: Reach::All,
        apps: Reach::All,
    };
    Settings {
        human,
        workloads: WorkloadSettings::default(),
        roles: vec![row("support", Role::Operator), row("leads", Role::Approver)],
        portal: PORTAL.to_owned(),
        login_max: Duration::from_secs(8 * 3600),
        login_idle: Duration::from_secs(1800),
        token_max: Duration::from_secs(3600),
        flow_max: Duration::from_secs(600),
        max_flows: 100,
        max_sign_ins: 1000,
        max_addresses: 1000,
        max_token_bytes: 16 * 1024,
        max_groups: 5,
    }
}

pub(super) fn oidc(issuer: String) -> OidcSettings {
    OidcSettings {
        issuer,
        client_id: CLIENT.to_owned(),
        client_secret: Some(ClientSecret::new(SECRET.to_owned())),
        ca: None,
        scopes: vec!["email".to_owned()],
        algorithms: vec![Algorithm::Es256, Algorithm::EdDsa],
        groups_claim: "groups".to_owned(),
        person_claim: None,
        userinfo: true,
        timeout: Duration::from_secs(5),
        max_answer_bytes: 64 * 1024,
        refresh: Duration::from_secs(600),
        max_stale: Duration::from_secs(600),
        cooldown: Duration::from_millis(10),
        leeway: Duration::from_secs(5),
    }
}

pub(super) fn personas() -> Vec<Persona> {
    let persona = |id: &str, person: &str, group: &str| Persona {
        id: id.to_owned(),
        name: format!("{id} <b>"),
        groups: vec![group.to_owned()],
        person: person.to_owned(),
    };
    vec![
        persona("ada", "ada", "support"),
        persona("ada-admin", "ada", "leads"),
    ]
}

impl Bench {
    pub(super) fn new(settings: Settings) -> Anything<Self> {
        let dir = tempfile::tempdir()?;
        let clock = Arc::new(AtomicI64::new(NOW * 1000));
        let book = Book::open(&sqlite::Settings {
            path: dir.path().join("locum.db"),
            busy_timeout: Duration::from_secs(5),
        })?;
        let nobody = Arc::new(Nobody);
        let control = Arc::new(Control {
            book,
            clock: Clock::Fixed(Arc::clone(&clock)),
            settings: ArcSwap::from_pointee(desk_settings()),
            tickets: nobody.clone(),
            subjects: nobody.clone(),
            alarm: nobody.clone(),
            routes: nobody,
            agreed: Arc::default(),
            metrics: Arc::default(),
        });
        let metrics = Arc::new(Metrics::default());
        let made = Identity::new(settings, Arc::clone(&control), Arc::clone(&metrics));
        let identity = Arc::new(made.map_err(|problems| format!("{problems:?}"))?);
        Ok(Self {
            router: router(Arc::clone(&identity)),
            control,
            identity,
            metrics,
            clock,
            dir,
        })
    }

    /// With a provider of its own.
    pub(super) async fn with_provider() -> Anything<(Self, Provider)> {
        let provider = Provider::start().await?;
        let human = HumanSettings::Oidc(Box::new(oidc(provider.issuer())));
        Ok((Self::new(settings(human))?, provider))
    }

    pub(super) fn database(&self) -> std::path::PathBuf {
        self.dir.path().join("locum.db")
    }

    pub(super) fn forward(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    pub(super) fn seconds(&self) -> i64 {
        self.clock.load(Ordering::Relaxed) / 1000
    }

    /// What happened, oldest first.
    pub(super) fn notes(&self) -> Anything<Vec<Happened>> {
        let noted = self.control.book.unrecorded(1000)?;
        Ok(noted.into_iter().map(|it| it.happened).collect())
    }

    /// The code of the last note, with its reason if it has one.
    pub(super) fn last_note(&self) -> Anything<String> {
        let notes = self.notes()?;
        let last = notes.last().ok_or("nothing happened")?;
        let reason = last.details.iter().find(|(name, _)| name == "reason");
        Ok(match reason {
            Some((_, reason)) => format!("{} {reason}", last.code),
            None => last.code.clone(),
        })
    }

    pub(super) async fn send(
        &self,
        mut request: Request<Body>,
        address: &str,
    ) -> Anything<Answered> {
        let address: SocketAddr = address.parse()?;
        request.extensions_mut().insert(Peer {
            address,
            certificate: None,
        });
        let response = self.router.clone().oneshot(request).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answered {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    /// POST of a JSON body by a command line.
    pub(super) async fn api(&self, path: &str, body: &serde_json::Value) -> Anything<Answered> {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))?;
        self.send(request, "192.0.2.7:1000").await
    }
}

#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answered {
    pub(super) fn location(&self) -> String {
        let found = self.headers.get(header::LOCATION);
        let found = found.and_then(|it| it.to_str().ok());
        found.unwrap_or_default().to_owned()
    }

    pub(super) fn json(&self) -> Anything<serde_json::Value> {
        Ok(serde_json::from_str(&self.body)?)
    }
}

/// Somebody's browser.
pub(super) struct Browser<'b> {
    bench: &'b Bench,
    pub(super) jar: BTreeMap<String, String>,
    pub(super) address: &'static str,
}

impl<'b> Browser<'b> {
    pub(super) fn new(bench: &'b Bench) -> Self {
        Self {
            bench,
            jar: BTreeMap::new(),
            address: "192.0.2.7:1000",
        }
    }

    fn cookies(&self) -> String {
        let pairs: Vec<String> = self.jar.iter().map(|(k, v)| format!("{k}={v}")).collect();
        pairs.join("; ")
    }

    pub(super) fn headers(&self) -> Anything<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, self.cookies().parse()?);
        Ok(headers)
    }

    async fn send(&mut self, request: http::request::Builder, body: String) -> Anything<Answered> {
        let request = request
            .header(header::COOKIE, self.cookies())
            .body(Body::from(body))?;
        let answered = self.bench.send(request, self.address).await?;
        for line in answered.headers.get_all(header::SET_COOKIE) {
            let line = line.to_str()?;
            assert!(line.starts_with("__Host-"), "{line}");
            assert!(line.contains("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age="));
            let pair = line.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').ok_or("no cookie")?;
            if value.is_empty() {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(answered)
    }

    pub(super) async fn get_as(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Anything<Answered> {
        let request = headers
            .iter()
            .fold(Request::get(path), |request, (name, value)| {
                request.header(*name, *value)
            });
        self.send(request, String::new()).await
    }

    pub(super) async fn get(&mut self, path: &str) -> Anything<Answered> {
        self.send(Request::get(path), String::new()).await
    }

    /// A form of one of our pages.
    pub(super) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Anything<Answered> {
        self.post_from(path, form, PORTAL).await
    }

    pub(super) async fn post_from(
        &mut self,
        path: &str,
        form: &[(&str, &str)],
        origin: &str,
    ) -> Anything<Answered> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, origin);
        self.send(request, body).await
    }

    /// Signs in at the provider; `Ok` is where the browser ended up.
    pub(super) async fn sign_in(&mut self, provider: &Provider, query: &str) -> Anything<Answered> {
        let sent = self.get(&format!("/login{query}")).await?;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
        let back = provider.sign_in(&sent.location())?;
        self.get(&back).await
    }

    /// Who the portal takes this browser for.
    pub(super) async fn visit(&self) -> Anything<Option<crate::control::gate::Visit>> {
        use crate::control::gate::Gate as _;
        let found = self.bench.identity.visitor(&self.headers()?).await;
        found.map_err(|why| why.to_string().into())
    }
}
