//! Break-glass with the real channels: what nobody took opens nothing, unless the configuration says so, on record.

use crate::control::alerts::Alerts;
use crate::control::alerts::fixture::{Bench, Does, Fake, NOW, until};
use crate::control::desk::{
    Answer, Bounds, Control, EmergencySettings, Routes, ScopeChoice, Settings, Subjects, Ticket,
    TicketRefused, Tickets,
};
use crate::control::duties::StepUp;
use crate::model::{
    AccessRequest, Alert, AlertState, Binding, Caller, Emergency, Method, Needs, Operator,
    OperatorKind, Proof, Reach, RequestId, RequestState, Role, Seat, Subject, SubjectClass, Tenant,
    Tier, Timestamp,
};
use crate::policy::access::AccessPolicy;
use crate::store::control::Query;
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

struct Neighbours;

impl Tickets for Neighbours {
    fn check<'a>(
        &'a self,
        ticket: &'a str,
        _tenant: &'a str,
    ) -> Answer<'a, Result<Ticket, TicketRefused>> {
        let ticket = Ticket {
            id: ticket.to_owned(),
            title: None,
        };
        Box::pin(async move { Ok(ticket) })
    }
}

impl Subjects for Neighbours {
    fn class<'a>(
        &'a self,
        _tenant: &'a str,
        _subject: &'a str,
    ) -> Answer<'a, Result<SubjectClass, String>> {
        Box::pin(async { Ok(SubjectClass::Ordinary) })
    }
}

impl Routes for Neighbours {
    fn apps(&self) -> Vec<String> {
        vec!["shop".to_owned()]
    }
    fn scopes(&self, _app: &str) -> Vec<ScopeChoice> {
        Vec::new()
    }
    fn origin(&self, session: &str, app: &str) -> String {
        format!("https://{session}.{app}.localhost")
    }
}

fn control(bench: &Bench, alerts: &Alerts, open_unalerted: bool) -> Control {
    let minutes = |n: u64| Duration::from_secs(n * 60);
    let settings = Settings {
        access: AccessPolicy::default(),
        tenants: BTreeMap::new(),
        reason_codes: Vec::new(),
        max_time: minutes(60),
        default_time: minutes(30),
        request_ttl: minutes(60),
        vote_ttl: minutes(60),
        code_ttl: minutes(1),
        max_sessions: 5,
        max_open_requests: 5,
        max_text: 500,
        max_scopes: 5,
        step_up: StepUp {
            max_age: minutes(5),
            acr_values: Vec::new(),
        },
        ticket_required: false,
        queue_unchecked: false,
        emergency: EmergencySettings {
            enabled: true,
            incident_prefixes: Vec::new(),
            reason_codes: Vec::new(),
            max_time: minutes(15),
            scopes: Vec::new(),
            review_within: minutes(60),
            max_unreviewed: 3,
            open_unalerted,
            alert_timeout: Duration::from_millis(500),
        },
        zone_minutes: 0,
        portal: "https://portal.example".to_owned(),
        courier: None,
        bounds: Bounds::default(),
    };
    Control {
        book: bench.book.clone(),
        clock: bench.clock.clone(),
        settings: ArcSwap::from_pointee(settings),
        tickets: Arc::new(Neighbours),
        subjects: Arc::new(Neighbours),
        alarm: Arc::new(alerts.clone()),
        routes: Arc::new(Neighbours),
        agreed: Arc::default(),
        metrics: Arc::default(),
    }
}

fn ada() -> Caller {
    Caller {
        person: "ada@support.example".to_owned(),
        account: "https://id.example|ada".to_owned(),
        name: Some("Ada Byron".to_owned()),
        kind: OperatorKind::Human,
        groups: Vec::new(),
        seats: vec![Seat {
            role: Role::BreakGlass,
            tenants: Reach::All,
            apps: Reach::All,
            group: "glass".to_owned(),
        }],
        proof: Proof {
            method: Method::Oidc,
            at: Timestamp::from_millis(NOW),
            acr: None,
            amr: Vec::new(),
        },
    }
}

/// An emergency that everybody agreed to.
fn agreed(bench: &Bench) -> RequestId {
    let ada = ada();
    let now = Timestamp::from_millis(NOW);
    let mut request = AccessRequest {
        id: RequestId::fresh(),
        app: "shop".to_owned(),
        tenant: Tenant {
            id: "acme".to_owned(),
            name: None,
        },
        subject: Subject {
            id: "kim@acme.example".to_owned(),
            name: None,
        },
        class: SubjectClass::Ordinary,
        scopes: "view".parse().into_iter().collect(),
        tier: Tier::Ordinary,
        duration: Duration::from_secs(600),
        ticket: String::new(),
        ticket_title: None,
        reason_code: "outage".to_owned(),
        reason: "Nobody can pay".to_owned(),
        emergency: Some(Emergency {
            incident: "INC-7".to_owned(),
        }),
        elevates: None,
        operator: Operator {
            id: ada.person,
            name: ada.name,
            kind: OperatorKind::Human,
        },
        account: ada.account,
        created_at: now,
        expires_at: now.plus(Duration::from_secs(3600)),
        needs: Needs::default(),
        state: RequestState::Approved,
        consented: None,
        consented_by: None,
        closed_by: None,
        closed_why: None,
        grant: None,
        session: None,
        version: 0,
    };
    let put = bench
        .book
        .write("storing a request", |tx| tx.insert(&mut request));
    put.expect("stored");
    request.id
}

fn open_sessions(bench: &Bench) -> usize {
    let all = crate::model::LockKey::All;
    let open = bench
        .book
        .write("reading sessions", |tx| tx.open_sessions(&all, 10));
    open.expect("read").len()
}

fn only_alert(bench: &Bench) -> Alert {
    let all = bench
        .book
        .write("reading alerts", |tx| tx.list::<Alert>(&Query::default()));
    let mut all = all.expect("read").items;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn slack(fake: &Fake) -> String {
    let url = fake.url();
    format!("[[alerts]]\nname = \"soc\"\nkind = \"slack\"\nurl = {url:?}\ntimeout = \"200ms\"\n")
}

const OK: Does = Does::Says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");

#[tokio::test]
async fn the_glass_stays_whole_while_nobody_took_the_alert() {
    for does in [
        Does::Hangs,
        Does::Closes,
        Does::Says("HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nok"),
        Does::Says("HTTP/1.1 302 Found\r\nlocation: /ok\r\ncontent-length: 2\r\n\r\nok"),
        Does::Says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok"),
        Does::Says("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nnot ok"),
    ] {
        let bench = Bench::new();
        let fake = Fake::new(does).await;
        let alerts = bench.alerts(&slack(&fake));
        let control = control(&bench, &alerts, false);
        let id = agreed(&bench);
        let refused = control.activate(&ada(), id, Binding::default()).await;
        let reason = refused.err().map(|refusal| refusal.reason);
        assert_eq!(reason, Some("break-glass.unalerted"), "{does:?}");
        assert_eq!(open_sessions(&bench), 0, "{does:?}");
        let codes = bench.happened("why");
        assert!(
            codes.iter().any(|(code, _)| code == "alert.failed"),
            "{codes:?}"
        );
        // Who was to hear of it hears of the attempt later.
        until("the round is over", || alerts.is_idle()).await;
        fake.now_does(OK);
        bench.pass(60);
        alerts.look_through().await;
        until("it is taken", || {
            only_alert(&bench).state == AlertState::Settled
        })
        .await;
    }
}

#[tokio::test]
async fn the_glass_stays_whole_without_any_channel() {
    let bench = Bench::new();
    let alerts = bench.alerts("");
    let control = control(&bench, &alerts, false);
    let id = agreed(&bench);
    let refused = control.activate(&ada(), id, Binding::default()).await;
    assert_eq!(
        refused.err().map(|refusal| refusal.reason),
        Some("break-glass.unalerted")
    );
    assert_eq!(open_sessions(&bench), 0);
}

#[tokio::test]
async fn it_opens_when_one_channel_took_the_alert() {
    let bench = Bench::new();
    let (hangs, takes) = (Fake::new(Does::Hangs).await, Fake::new(OK).await);
    let second = slack(&takes).replace("soc", "second");
    let alerts = bench.alerts(&(slack(&hangs) + &second));
    let control = control(&bench, &alerts, false);
    let id = agreed(&bench);
    let opened = control.activate(&ada(), id, Binding::default()).await;
    assert!(opened.is_ok(), "{:?}", opened.err().map(|it| it.reason));
    assert_eq!(
        takes.got().len(),
        1,
        "the alert left before the session opened"
    );
    assert_eq!(open_sessions(&bench), 1);
    let unalerted = bench.happened("unalerted");
    assert!(
        unalerted.contains(&("break-glass.opened".to_owned(), "false".to_owned())),
        "{unalerted:?}"
    );
    until("the round is over", || only_alert(&bench).attempts == 1).await;
    assert_eq!(only_alert(&bench).taken_by, ["second"]);
}

#[tokio::test]
async fn it_opens_unalerted_only_where_the_configuration_says_so_and_on_record() {
    let bench = Bench::new();
    let fake = Fake::new(Does::Hangs).await;
    let alerts = bench.alerts(&slack(&fake));
    let control = control(&bench, &alerts, true);
    let id = agreed(&bench);
    let opened = control.activate(&ada(), id, Binding::default()).await;
    assert!(opened.is_ok(), "{:?}", opened.err().map(|it| it.reason));
    assert_eq!(open_sessions(&bench), 1);
    let unalerted = bench.happened("unalerted");
    assert!(
        unalerted.contains(&("break-glass.opened".to_owned(), "true".to_owned())),
        "{unalerted:?}"
    );
    until("the round is over", || only_alert(&bench).attempts == 1).await;
    assert_eq!(
        only_alert(&bench).state,
        AlertState::Waiting,
        "it is sent again"
    );
}
