//! Tickets, classes and windows through the control plane itself: what a request becomes, and what a message ends.

use super::super::web::receive;
use super::hooks::{KEY, hook_settings, standard};
use super::*;
use crate::control::desk::{
    Alarm, Answer, Bounds, Control, EmergencySettings, Routes, ScopeChoice, Settings,
};
use crate::control::duties::StepUp;
use crate::control::lifecycle::Ask;
use crate::control::refusal::Kind;
use crate::control::subjects::{SubjectDesk, SubjectSettings};
use crate::model::{
    Alert, Binding, Caller, Clock, EndCause, Grant, GrantId, Method, Operator, OperatorKind,
    Proof as Shown, Reach, Role, Seat, Secret, SessionId, Subject, Tenant, Tier, Timestamp,
};
use crate::policy::access::{AccessPolicy, ChangeWindow, Options};
use crate::store::Issue;
use crate::store::control::Book;
use crate::store::sqlite;
use arc_swap::ArcSwap;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::atomic::AtomicI64;

/// 2023-11-14, a Tuesday, 22:13 UTC.
const NOW: i64 = 1_700_000_000_000;

struct Nobody;

impl Alarm for Nobody {
    fn raise<'a>(&'a self, _: &'a Alert) -> Answer<'a, Result<Vec<String>, String>> {
        Box::pin(async { Err("nobody listens".to_owned()) })
    }
}

struct Shop;

impl Routes for Shop {
    fn apps(&self) -> Vec<String> {
        vec!["shop".to_owned()]
    }

    fn scopes(&self, _: &str) -> Vec<ScopeChoice> {
        let choice = |name: &str, tier| ScopeChoice {
            name: name.parse().expect("a scope"),
            sentence: name.to_owned(),
            tier,
        };
        vec![
            choice("view", Tier::Ordinary),
            choice("orders", Tier::Sensitive),
        ]
    }

    fn origin(&self, session: &str, app: &str) -> String {
        format!("https://{session}.{app}.localhost")
    }
}

fn settings(access: AccessPolicy) -> Settings {
    let hour = Duration::from_secs(3600);
    Settings {
        access,
        tenants: std::collections::BTreeMap::default(),
        reason_codes: vec!["customer-request".to_owned()],
        max_time: hour,
        default_time: hour / 2,
        request_ttl: hour,
        vote_ttl: hour,
        code_ttl: Duration::from_secs(30),
        max_sessions: 3,
        max_open_requests: 10,
        max_text: 256,
        max_scopes: 8,
        step_up: StepUp {
            max_age: hour,
            acr_values: Vec::new(),
        },
        ticket_required: true,
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
        portal: "http://localhost".to_owned(),
        courier: None,
        bounds: Bounds::default(),
    }
}

/// A control plane on a file of its own, with the shipped rules.
fn control(
    folder: &std::path::Path,
    tickets: TicketDesk,
    subjects: &SubjectSettings,
    windows: Vec<ChangeWindow>,
) -> Control {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/config/policy");
    let options = Options {
        windows,
        ..Options::default()
    };
    let access =
        AccessPolicy::load(&[shipped.into()], &options).unwrap_or_else(|why| panic!("{why}"));
    let file = sqlite::Settings {
        path: folder.join("locum.db"),
        ..sqlite::Settings::default()
    };
    Control {
        book: Book::open(&file).unwrap_or_else(|why| panic!("{why}")),
        clock: Clock::Fixed(Arc::new(AtomicI64::new(NOW))),
        settings: ArcSwap::from_pointee(settings(access)),
        tickets: Arc::new(tickets),
        subjects: Arc::new(SubjectDesk::new(subjects).unwrap_or_else(|why| panic!("{why}"))),
        alarm: Arc::new(Nobody),
        routes: Arc::new(Shop),
        agreed: Arc::default(),
        metrics: Arc::default(),
    }
}

const ORDINARY: SubjectSettings = SubjectSettings {
    file: None,
    max_file: 1 << 20,
    hook: None,
    unknown: Some(crate::model::SubjectClass::Ordinary),
};

fn ada() -> Caller {
    Caller {
        person: "ada@support.example".to_owned(),
        account: "https://id.example|ada".to_owned(),
        name: None,
        kind: OperatorKind::Human,
        groups: Vec::new(),
        seats: vec![Seat {
            role: Role::Operator,
            tenants: Reach::All,
            apps: Reach::All,
            group: "support".to_owned(),
        }],
        proof: Shown {
            method: Method::Oidc,
            at: Timestamp::from_millis(NOW),
            acr: None,
            amr: Vec::new(),
        },
    }
}

fn ask(ticket: &str, scope: &str) -> Ask {
    Ask {
        app: "shop".to_owned(),
        tenant: "globex".to_owned(),
        subject: "kim@globex.example".to_owned(),
        scopes: vec![scope.to_owned()],
        minutes: 10,
        ticket: ticket.to_owned(),
        reason_code: "customer-request".to_owned(),
        reason: "Cannot see an invoice".to_owned(),
        ..Ask::default()
    }
}

#[tokio::test]
async fn a_request_takes_the_tickets_own_spelling_and_its_title() {
    let answer = |Path(id): Path<String>| async move {
        match id.as_str() {
            "hang" => tokio::time::sleep(Duration::from_secs(60)).await,
            "lost" => return StatusCode::NOT_FOUND.into_response(),
            _ => {}
        }
        axum::Json(json!({ "id": id.to_uppercase(), "state": "open", "tenant": "globex", "title": "Invoice" }))
            .into_response()
    };
    let site = serve(Router::new().route("/{ticket}", get(answer))).await;
    let folder = tempfile::tempdir().expect("a folder");
    let tickets = desk(vec![generic(&format!("{site}/{{ticket}}"))]);
    let control = control(folder.path(), tickets, &ORDINARY, Vec::new());
    let request = control.ask(&ada(), &ask("sup-7", "view")).await;
    let request = request.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(request.ticket, "SUP-7");
    assert_eq!(request.ticket_title.as_deref(), Some("Invoice"));
    for (ticket, kind) in [("lost", Kind::Invalid), ("hang", Kind::Unavailable)] {
        let refused = control.ask(&ada(), &ask(ticket, "view")).await;
        assert_eq!(
            refused.map_err(|why| why.kind).err(),
            Some(kind),
            "{ticket}"
        );
    }
}

#[tokio::test]
async fn a_change_window_and_a_class_change_what_is_needed() {
    let approvals = |windows: Vec<ChangeWindow>, subjects: SubjectSettings| async move {
        let folder = tempfile::tempdir().expect("a folder");
        let control = control(folder.path(), desk(Vec::new()), &subjects, windows);
        let considered = control.consider(&ada(), &ask("SUP-1", "orders")).await;
        considered
            .map(|it| it.needs.approvals)
            .map_err(|why| why.reason)
    };
    let window = |to: i64| ChangeWindow {
        app: Some("shop".to_owned()),
        tenant: None,
        from: Timestamp::from_millis(NOW - 1000),
        to: Timestamp::from_millis(to),
    };
    // At 22:13 a change needs two; in an announced window one; over a VIP's account two all the same.
    assert_eq!(approvals(Vec::new(), ORDINARY).await, Ok(2));
    assert_eq!(approvals(vec![window(NOW + 1000)], ORDINARY).await, Ok(1));
    assert_eq!(approvals(vec![window(NOW)], ORDINARY).await, Ok(2));
    let vip = SubjectSettings {
        unknown: Some(crate::model::SubjectClass::Vip),
        ..ORDINARY
    };
    assert_eq!(approvals(vec![window(NOW + 1000)], vip).await, Ok(2));
    let unknown = SubjectSettings {
        unknown: None,
        ..ORDINARY
    };
    let refused = approvals(Vec::new(), unknown).await;
    assert_eq!(refused, Err("subject.unknown-class"));
}

/// A session of a grant for this ticket.
fn opened(control: &Control, ticket: &str) -> SessionId {
    let session = SessionId::fresh();
    let at = |millis| Timestamp::from_millis(millis);
    let issue = Issue {
        grant: Grant {
            id: GrantId::fresh(),
            app: "shop".to_owned(),
            operator: Operator {
                id: "ada@support.example".to_owned(),
                name: None,
                kind: OperatorKind::Human,
            },
            subject: Subject {
                id: "kim@globex.example".to_owned(),
                name: None,
            },
            tenant: Tenant {
                id: "globex".to_owned(),
                name: None,
            },
            scopes: Vec::new(),
            ticket: ticket.to_owned(),
            reason: "a test".to_owned(),
            approvals: Vec::new(),
            break_glass: false,
            not_before: at(NOW),
            expires_at: at(NOW + 600_000),
            issued_at: at(NOW),
            issued_by: "cli:test".to_owned(),
            external_id: None,
            budget: None,
        },
        session,
        binding: Binding::default(),
        code: Secret::fresh().expect("random").hash(),
        code_expires: at(NOW + 30_000),
    };
    let done = control.book.write("issuing", |tx| tx.issue(&issue));
    done.unwrap_or_else(|why: crate::store::StoreError| panic!("{why}"));
    session
}

fn ended(control: &Control, session: SessionId) -> Option<EndCause> {
    let found = control.book.write("reading", |tx| tx.session(session));
    let found = found.unwrap_or_else(|why: crate::store::StoreError| panic!("{why}"));
    found.and_then(|it| it.session.ended).map(|it| it.cause)
}

#[tokio::test]
async fn a_message_ends_what_was_granted_for_its_ticket_and_nothing_else() {
    let (folder, path) = secret(&format!("whsec_{}", STANDARD.encode(KEY)));
    let desk = super::hooks::hooked(Scheme::Standard, &path, hook_settings());
    let control = control(folder.path(), desk, &ORDINARY, Vec::new());
    let (mine, other) = (opened(&control, "SUP-1"), opened(&control, "SUP-2"));
    let post = |system: Option<&'static str>, headers: HeaderMap, body: String| {
        let control = &control;
        async move {
            let done = receive(control, system, &headers, Body::from(body)).await;
            done.map(|status| status.as_u16()).map_err(|why| why.reason)
        }
    };
    let body = r#"{"ticket":"SUP-1","state":"closed"}"#.to_owned();
    let forged = standard(b"another key of twenty-four", NOW, &body);
    let unsigned = post(None, HeaderMap::new(), body.clone()).await;
    assert_eq!(unsigned, Err("hook.unsigned"));
    assert_eq!(post(None, forged, body.clone()).await, Err("hook.forged"));
    let foreign = r#"{"ticket":"OPS-1","state":"closed"}"#.to_owned();
    let signed = standard(KEY, NOW, &foreign);
    assert_eq!(post(None, signed, foreign).await, Err("hook.foreign"));
    let good = standard(KEY, NOW, &body);
    let nobody = post(Some("nobody"), good.clone(), body.clone()).await;
    assert_eq!(nobody, Err("not-found"));
    let huge = format!("{{\"pad\":\"{}\"}}", "x".repeat(10_000));
    let signed = standard(KEY, NOW, &huge);
    assert_eq!(post(None, signed, huge).await, Err("hook.body"));
    assert_eq!(ended(&control, mine), None);

    assert_eq!(
        post(Some("desk"), good.clone(), body.clone()).await,
        Ok(204)
    );
    assert_eq!(ended(&control, mine), Some(EndCause::TicketClosed));
    assert_eq!(ended(&control, other), None);
    let told = control.book.unrecorded(100).unwrap_or_default();
    let told = told.into_iter().map(|it| it.happened);
    let over = told.filter(|it| it.actor == "ticket-system:desk").count();
    assert_eq!(over, 1);

    // The same message again, after the ticket was opened again: a replay ends nothing.
    let later = opened(&control, "SUP-1");
    assert_eq!(post(None, good, body).await, Ok(204));
    assert_eq!(ended(&control, later), None);
}

#[tokio::test]
async fn a_message_that_is_too_long_or_too_slow_is_refused_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_secret, path) = secret(&format!("whsec_{}", STANDARD.encode(KEY)));
    let desk = super::hooks::hooked(Scheme::Standard, &path, hook_settings());
    let control = control(folder.path(), desk, &ORDINARY, Vec::new());
    let long = "x".repeat(4097);
    let slow = Body::from_stream(futures_util::stream::pending::<
        Result<bytes::Bytes, std::io::Error>,
    >());
    for (body, limit) in [
        (Body::from(long), "TicketHookBytes"),
        (slow, "TicketHookTimeout"),
    ] {
        let done = receive(&control, None, &HeaderMap::new(), body).await;
        assert_eq!(done.map_err(|it| it.reason), Err("hook.body"), "{limit}");
        let counted = control.metrics.expose();
        let wanted = format!("limit=\"{limit}\"}} 1");
        assert!(counted.contains(&wanted), "{counted}");
    }
}
