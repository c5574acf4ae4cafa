//! A control plane in a folder of its own, for tests: the real store, the real access policy, a clock that tests move.

use super::desk::{
    Alarm, Answer, Bounds, Control, EmergencySettings, Routes, ScopeChoice, Settings, Subjects,
    Ticket, TicketRefused, Tickets,
};
use super::duties::StepUp;
use super::lifecycle::Ask;
use crate::model::{
    Alert, Caller, Clock, Method, OperatorKind, Proof, Reach, Role, Seat, SubjectClass, Tier,
};
use crate::policy::access::{AccessPolicy, Options};
use crate::store::control::Book;
use crate::store::sqlite;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A Tuesday, 10:00 UTC.
pub(in crate::control) const NOW: i64 = 1_762_855_200_000;

/// What the systems around answer; tests change it.
#[derive(Default)]
pub(in crate::control) struct Around {
    pub(in crate::control) ticket: Mutex<Option<TicketRefused>>,
    pub(in crate::control) class: Mutex<Option<SubjectClass>>,
    /// `Some`: no channel takes an alert, and why.
    pub(in crate::control) deaf: Mutex<Option<String>>,
    pub(in crate::control) alerts: Mutex<Vec<Alert>>,
}

impl Tickets for Around {
    fn check<'a>(
        &'a self,
        ticket: &'a str,
        _: &'a str,
    ) -> Answer<'a, Result<Ticket, TicketRefused>> {
        let refused = self.ticket.lock().clone();
        Box::pin(async move {
            match refused {
                Some(why) => Err(why),
                None => Ok(Ticket {
                    id: ticket.to_owned(),
                    title: Some("Cannot see an invoice".to_owned()),
                }),
            }
        })
    }
}

impl Subjects for Around {
    fn class<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, Result<SubjectClass, String>> {
        let class = self.class.lock().unwrap_or_default();
        Box::pin(async move { Ok(class) })
    }
}

impl Alarm for Around {
    fn raise<'a>(&'a self, alert: &'a Alert) -> Answer<'a, Result<Vec<String>, String>> {
        self.alerts.lock().push(alert.clone());
        let deaf = self.deaf.lock().clone();
        Box::pin(async move {
            match deaf {
                Some(why) if why == "hang" => std::future::pending().await,
                Some(why) => Err(why),
                None => Ok(vec!["soc".to_owned()]),
            }
        })
    }
}

impl Routes for Around {
    fn apps(&self) -> Vec<String> {
        vec!["shop".to_owned(), "desk".to_owned()]
    }

    fn scopes(&self, _: &str) -> Vec<ScopeChoice> {
        let choice = |name: &str, tier| {
            let name = name.parse().ok()?;
            let sentence = "See or change something".to_owned();
            Some(ScopeChoice {
                name,
                sentence,
                tier,
            })
        };
        let all = [
            choice("view", Tier::Ordinary),
            choice("orders", Tier::Sensitive),
            choice("factors", Tier::Privileged),
            choice("break-glass", Tier::Privileged),
        ];
        all.into_iter().flatten().collect()
    }

    fn origin(&self, session: &str, app: &str) -> String {
        format!("https://{session}.{app}.localhost")
    }
}

/// All that a test needs.
pub(in crate::control) struct Bench {
    pub(in crate::control) control: Arc<Control>,
    pub(in crate::control) around: Arc<Around>,
    pub(in crate::control) clock: Arc<AtomicI64>,
    _dir: tempfile::TempDir,
}

impl Bench {
    pub(in crate::control) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let book = Book::open(&sqlite::Settings {
            path: dir.path().join("locum.db"),
            ..sqlite::Settings::default()
        });
        let around = Arc::new(Around::default());
        let clock = Arc::new(AtomicI64::new(NOW));
        let control = Control {
            book: book.expect("a store"),
            clock: Clock::Fixed(Arc::clone(&clock)),
            settings: ArcSwap::from_pointee(settings()),
            tickets: Arc::clone(&around) as _,
            subjects: Arc::clone(&around) as _,
            alarm: Arc::clone(&around) as _,
            routes: Arc::clone(&around) as _,
            agreed: Arc::default(),
            metrics: Arc::default(),
        };
        Self {
            control: Arc::new(control),
            around,
            clock,
            _dir: dir,
        }
    }

    pub(in crate::control) fn pass(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap_or(0);
        self.clock.fetch_add(millis, Ordering::Relaxed);
    }

    /// Somebody who signed in just now.
    pub(in crate::control) fn person(&self, name: &str, seats: &[(Role, &str)]) -> Caller {
        let seat = |(role, tenant): &(Role, &str)| Seat {
            role: *role,
            tenants: match *tenant {
                "*" => Reach::All,
                name => Reach::Only(vec![name.to_owned()]),
            },
            apps: Reach::All,
            group: role.as_str().to_owned(),
        };
        Caller {
            person: format!("{name}@support.example"),
            account: format!("https://id.example|{name}"),
            name: Some(name.to_owned()),
            kind: OperatorKind::Human,
            groups: seats
                .iter()
                .map(|(role, _)| role.as_str().to_owned())
                .collect(),
            seats: seats.iter().map(seat).collect(),
            proof: Proof {
                method: Method::Oidc,
                at: self.control.now(),
                acr: None,
                amr: Vec::new(),
            },
        }
    }

    pub(in crate::control) fn operator(&self, name: &str) -> Caller {
        self.person(name, &[(Role::Operator, "*")])
    }

    pub(in crate::control) fn approver(&self, name: &str) -> Caller {
        self.person(name, &[(Role::Approver, "*")])
    }

    pub(in crate::control) fn security(&self, name: &str) -> Caller {
        self.person(name, &[(Role::Security, "*")])
    }

    /// The codes of all that happened, oldest first.
    pub(in crate::control) fn codes(&self) -> Vec<String> {
        let noted = self.control.book.unrecorded(1000).expect("what happened");
        noted.into_iter().map(|it| it.happened.code).collect()
    }
}

/// What a well-meant request says.
pub(in crate::control) fn ask(scope: &str) -> Ask {
    Ask {
        app: "shop".into(),
        tenant: "acme".into(),
        subject: "kim@acme.example".into(),
        scopes: vec![scope.to_owned()],
        minutes: 10,
        ticket: "SUP-1042".into(),
        reason_code: "customer-request".into(),
        reason: "Cannot see an invoice".into(),
        ..Ask::default()
    }
}

pub(in crate::control) fn settings() -> Settings {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/policy/access.cedar");
    let access = AccessPolicy::load(&[path], &Options::default());
    let hour = Duration::from_secs(3600);
    Settings {
        access: access.expect("the default access policy"),
        tenants: std::collections::BTreeMap::new(),
        reason_codes: vec!["customer-request".into(), "outage".into()],
        max_time: hour,
        default_time: hour / 2,
        request_ttl: hour * 8,
        vote_ttl: hour * 4,
        code_ttl: Duration::from_secs(30),
        max_sessions: 2,
        max_open_requests: 5,
        max_text: 1024,
        max_scopes: 8,
        step_up: StepUp {
            max_age: Duration::from_secs(300),
            acr_values: Vec::new(),
        },
        ticket_required: true,
        queue_unchecked: false,
        emergency: EmergencySettings {
            enabled: true,
            incident_prefixes: vec!["INC-".into()],
            reason_codes: vec!["outage".into()],
            max_time: hour,
            scopes: "break-glass".parse().into_iter().collect(),
            review_within: hour * 24,
            max_unreviewed: 2,
            open_unalerted: false,
            alert_timeout: Duration::from_millis(200),
        },
        zone_minutes: 0,
        portal: "https://portal.example".into(),
        courier: None,
        bounds: Bounds::default(),
    }
}
