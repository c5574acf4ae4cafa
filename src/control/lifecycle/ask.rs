//! Asking: what is asked for is checked, weighed by policy, and becomes a request.

use crate::control::desk::{Control, Settings, Ticket, TicketRefused};
use crate::control::duties;
use crate::control::refusal::{Kind, Problem, Refusal};
use crate::model::{
    AccessRequest, Caller, Emergency, Happened, LockKey, Needs, Operator, RequestId, RequestState,
    Scope, Subject, SubjectClass, Tenant, Tier, Timestamp,
};
use crate::policy::access::{Answer, Facts};
use crate::store::control::Query;
use crate::store::text;
use crate::telemetry::metrics::Limit;
use std::time::Duration;

/// What somebody asks for, as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Ask {
    pub app: String,
    pub tenant: String,
    pub subject: String,
    #[serde(default)]
    pub subject_name: Option<String>,
    #[serde(default)]
    pub scopes: Vec<String>,
    /// 0: the default.
    #[serde(default)]
    pub minutes: u64,
    #[serde(default)]
    pub ticket: String,
    #[serde(default)]
    pub reason_code: String,
    #[serde(default)]
    pub reason: String,
    /// The refused exchange that this asks elevation for.
    #[serde(default)]
    pub elevates: Option<String>,
    /// Present in an emergency.
    #[serde(default)]
    pub incident: Option<String>,
}

/// What would become of a request, before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    pub class: SubjectClass,
    pub tier: Tier,
    pub scopes: Vec<Scope>,
    pub duration: Duration,
    pub ticket: Option<Ticket>,
    /// The ticket system could not be asked, and the configuration lets the request wait for it.
    pub waits_for_ticket: bool,
    pub needs: Needs,
}

impl Control {
    /// Makes a request. What policy lets through without approvals is `approved` at once.
    pub async fn ask(&self, caller: &Caller, ask: &Ask) -> Result<AccessRequest, Refusal> {
        let about = Happened {
            app: Some(clip(&ask.app)),
            tenant: Some(clip(&ask.tenant)),
            subject: Some(clip(&ask.subject)),
            ticket: Some(clip(&ask.ticket)),
            ..Happened::default()
        };
        let done = match self.consider(caller, ask).await {
            Ok(considered) => self.put(caller, ask, considered).await,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = &done {
            self.refused(caller, "request", about, refusal).await;
        }
        done
    }

    /// Checks and weighs what would be asked, changing nothing.
    pub async fn consider(&self, caller: &Caller, ask: &Ask) -> Result<Considered, Refusal> {
        let settings = self.settings.load_full();
        let emergency = ask.incident.is_some();
        let checked = check(self, &settings, ask)?;
        duties::may_ask(
            caller,
            ask.tenant.trim(),
            ask.app.trim(),
            ask.subject.trim(),
            emergency,
        )?;
        self.may_use_scopes(caller, ask, &checked.0).await?;
        let (scopes, duration) = checked;
        let tier = self.tier(ask.app.trim(), &scopes);
        let class = self
            .subjects
            .class(ask.tenant.trim(), ask.subject.trim())
            .await;
        let class = class.map_err(|why| {
            tracing::warn!(%why, "a subject's class could not be looked up");
            Refusal::new(
                Kind::Unavailable,
                "subject.unknown-class",
                "How sensitive this account is could not be looked up. Try again in a moment.",
            )
        })?;
        let (ticket, waits_for_ticket) = self.ticket(&settings, ask).await?;
        let facts = facts(
            caller,
            ask,
            &scopes,
            tier,
            class,
            duration,
            &settings,
            self.now(),
        );
        let mut needs = match settings.access.decide(&facts) {
            Answer::Allow(needs) => needs,
            Answer::Deny { rules, message } => {
                let message = format!("{message} (rule {})", rules.join(", "));
                return Err(Refusal::forbidden("policy.denied", message));
            }
        };
        let duration = within(duration, ask.minutes == 0, needs.max_time)?;
        let tenant = settings.tenants.get(ask.tenant.trim());
        needs.consent |= tenant.is_some_and(|it| it.consent);
        // Security settings, export and factors are privileged access: two people, whatever policy says.
        if tier == Tier::Privileged && !emergency {
            needs.approvals = needs.approvals.max(2);
        }
        Ok(Considered {
            class,
            tier,
            scopes,
            duration,
            ticket,
            waits_for_ticket,
            needs,
        })
    }

    /// The worst that these scopes allow in this app.
    fn tier(&self, app: &str, scopes: &[Scope]) -> Tier {
        let known = self.routes.scopes(app);
        let of = |scope: &Scope| known.iter().find(|it| it.name == *scope).map(|it| it.tier);
        // A scope without a tier is one that nobody knows: `check` has refused it.
        scopes
            .iter()
            .map(|scope| of(scope).unwrap_or(Tier::Privileged))
            .max()
            .unwrap_or_default()
    }

    async fn ticket(
        &self,
        settings: &Settings,
        ask: &Ask,
    ) -> Result<(Option<Ticket>, bool), Refusal> {
        let id = ask.ticket.trim();
        if id.is_empty() {
            return Ok((None, false));
        }
        let field = |message: &str| {
            let message = message.to_owned();
            Refusal::invalid(vec![Problem {
                field: "ticket".to_owned(),
                message,
            }])
        };
        let most = settings.bounds.ticket_bytes;
        if id.len() > most {
            self.metrics.hit(Limit::TicketId);
            return Err(field(&format!("is longer than {most} bytes")));
        }
        match self.tickets.check(id, ask.tenant.trim()).await {
            Ok(ticket) => Ok((Some(ticket), false)),
            Err(TicketRefused::Unknown) => Err(field("there is no such ticket")),
            Err(TicketRefused::Closed) => {
                Err(field("this ticket is closed: reopen it, or name another"))
            }
            Err(TicketRefused::Foreign) => Err(field("this ticket belongs to another customer")),
            Err(TicketRefused::Unavailable(why)) => {
                tracing::warn!(%why, "the ticket system could not be asked");
                if settings.queue_unchecked && ask.incident.is_none() {
                    return Ok((None, true));
                }
                Err(Refusal::new(
                    Kind::Unavailable,
                    "ticket.unavailable",
                    "The ticket system cannot be asked now, and nothing is granted without it. Try again in a moment.",
                ))
            }
        }
    }

    async fn put(
        &self,
        caller: &Caller,
        ask: &Ask,
        considered: Considered,
    ) -> Result<AccessRequest, Refusal> {
        let settings = self.settings.load_full();
        let now = self.now();
        let caller = caller.clone();
        let mut request = compose(&caller, ask, considered, &settings, now);
        self.run("storing a request", move |tx| {
            let keys = keys(&request);
            if let Some(lock) = tx.locked(&keys, now)? {
                return Err(locked(&lock.key));
            }
            let open = Query {
                states: vec!["queued", "pending", "approved"],
                person: Some(request.operator.id.clone()),
                ..Query::default()
            };
            if tx.count::<AccessRequest>(&open)? >= settings.max_open_requests {
                return Err(Refusal::new(
                    Kind::TooMany,
                    "requests.ceiling",
                    "You have as many open requests as one person may: finish or cancel one.",
                ));
            }
            tx.insert(&mut request)?;
            let happened = Happened::by("request.created", &caller)
                .about(&request)
                .with("state", request.state.as_str())
                .with("digest", request.digest())
                .with("scopes", words(&request.scopes))
                .with("tier", request.tier.as_str())
                .with("class", request.class.as_str())
                .with("minutes", request.duration.as_secs() / 60)
                .with("approvals_needed", request.needs.approvals)
                .with("rules", request.needs.rules.join(" "))
                .with("access_policy", settings.access.digest())
                .with("reason_code", &request.reason_code)
                .with("reason", &request.reason);
            tx.note(happened, now)?;
            Ok(request)
        })
        .await
    }
}

/// The time that policy gives: who names none gets as much as there is.
fn within(wanted: Duration, is_default: bool, most: Duration) -> Result<Duration, Refusal> {
    if most.is_zero() || wanted <= most {
        return Ok(wanted);
    }
    if is_default {
        return Ok(most);
    }
    let most = most.as_secs() / 60;
    Err(Refusal::invalid(vec![Problem {
        field: "minutes".to_owned(),
        message: format!("policy allows at most {most} minutes here"),
    }]))
}

/// Every key that a lock on this request could have.
pub(super) fn keys(request: &AccessRequest) -> Vec<LockKey> {
    let mut keys = vec![
        LockKey::All,
        LockKey::Operator(request.operator.id.clone()),
        LockKey::Subject(request.subject.id.clone()),
        LockKey::Tenant(request.tenant.id.clone()),
        LockKey::App(request.app.clone()),
    ];
    if !request.ticket.is_empty() {
        keys.push(LockKey::Ticket(request.ticket.clone()));
    }
    keys
}

pub(super) fn locked(key: &LockKey) -> Refusal {
    let detail = format!("Access is locked ({}). Ask the security team.", key.kind());
    Refusal::forbidden("locked", detail)
}

pub(super) fn words(scopes: &[Scope]) -> String {
    let names: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
    names.join(" ")
}

/// As much of a text as a record about a refusal needs.
fn clip(text: &str) -> String {
    text.chars().take(128).collect()
}

fn compose(
    caller: &Caller,
    ask: &Ask,
    considered: Considered,
    settings: &Settings,
    now: Timestamp,
) -> AccessRequest {
    let tenant = ask.tenant.trim();
    let needs = considered.needs;
    let state = match (considered.waits_for_ticket, needs.approvals, needs.consent) {
        (true, ..) => RequestState::Queued,
        (false, 0, false) => RequestState::Approved,
        _ => RequestState::Pending,
    };
    let name = ask
        .subject_name
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty());
    AccessRequest {
        id: RequestId::fresh(),
        app: ask.app.trim().to_owned(),
        tenant: Tenant {
            id: tenant.to_owned(),
            name: settings.tenants.get(tenant).and_then(|it| it.name.clone()),
        },
        subject: Subject {
            id: ask.subject.trim().to_owned(),
            name: name.map(str::to_owned),
        },
        class: considered.class,
        scopes: considered.scopes,
        tier: considered.tier,
        duration: considered.duration,
        // As its own system writes it: a closing message names it so.
        ticket: considered
            .ticket
            .as_ref()
            .map_or(ask.ticket.trim(), |ticket| ticket.id.as_str())
            .to_owned(),
        ticket_title: considered.ticket.and_then(|ticket| ticket.title),
        reason_code: ask.reason_code.trim().to_owned(),
        reason: ask.reason.trim().to_owned(),
        emergency: ask.incident.as_ref().map(|incident| Emergency {
            incident: incident.trim().to_owned(),
        }),
        elevates: ask.elevates.clone(),
        operator: Operator {
            id: caller.person.clone(),
            name: caller.name.clone(),
            kind: caller.kind,
        },
        account: caller.account.clone(),
        created_at: now,
        expires_at: now.plus(settings.request_ttl),
        needs,
        state,
        consented: None,
        consented_by: None,
        closed_by: None,
        closed_why: None,
        grant: None,
        session: None,
        version: 0,
    }
}

#[allow(
    clippy::too_many_arguments,
    reason = "the facts of one decision, each from another place"
)]
pub(super) fn facts<'a>(
    caller: &'a Caller,
    ask: &'a Ask,
    scopes: &'a [Scope],
    tier: Tier,
    class: SubjectClass,
    duration: Duration,
    settings: &Settings,
    now: Timestamp,
) -> Facts<'a> {
    let minutes = now.seconds().div_euclid(60) + i64::from(settings.zone_minutes);
    let hour = u8::try_from(minutes.div_euclid(60).rem_euclid(24)).unwrap_or(0);
    // 1970-01-01 was a Thursday.
    let weekday = u8::try_from((minutes.div_euclid(24 * 60) + 3).rem_euclid(7) + 1).unwrap_or(1);
    Facts {
        person: &caller.person,
        groups: &caller.groups,
        kind: caller.kind,
        app: ask.app.trim(),
        tenant: ask.tenant.trim(),
        subject: ask.subject.trim(),
        class,
        scopes,
        tier,
        duration,
        has_ticket: !ask.ticket.trim().is_empty(),
        reason_code: ask.reason_code.trim(),
        emergency: ask.incident.is_some(),
        hour,
        weekday,
        change_window: settings
            .access
            .in_change_window(ask.app.trim(), ask.tenant.trim(), now),
    }
}

/// Everything that is wrong with what was typed, at once; or its scopes and duration.
fn check(
    control: &Control,
    settings: &Settings,
    ask: &Ask,
) -> Result<(Vec<Scope>, Duration), Refusal> {
    let mut problems = Vec::new();
    let mut say = |field: &str, message: String| {
        problems.push(Problem {
            field: field.to_owned(),
            message,
        });
    };
    check_texts(settings, ask, &mut say);
    let apps = control.routes.apps();
    if !ask.app.trim().is_empty() && !apps.iter().any(|app| app == ask.app.trim()) {
        say("app", format!("is not one of {}", apps.join(", ")));
    }
    let (tenant, known) = (ask.tenant.trim(), &settings.tenants);
    if !(tenant.is_empty() || known.is_empty() || known.contains_key(tenant)) {
        say("tenant", "is not a known customer".to_owned());
    }
    if !settings
        .reason_codes
        .iter()
        .any(|code| code == ask.reason_code.trim())
    {
        say(
            "reason_code",
            format!("choose one of {}", settings.reason_codes.join(", ")),
        );
    }
    let scopes = check_scopes(control, settings, ask, &mut say);
    let duration = match ask.minutes {
        0 if ask.incident.is_some() => settings.emergency.max_time,
        0 => settings.default_time,
        minutes => Duration::from_secs(minutes.saturating_mul(60)),
    };
    let most = if ask.incident.is_some() {
        settings.emergency.max_time
    } else {
        settings.max_time
    };
    if duration > most {
        say(
            "minutes",
            format!("at most {} are possible", most.as_secs() / 60),
        );
    }
    if problems.is_empty() {
        Ok((scopes, duration))
    } else {
        Err(Refusal::invalid(problems))
    }
}

fn check_texts(settings: &Settings, ask: &Ask, say: &mut impl FnMut(&str, String)) {
    let mut texts = vec![
        ("app", ask.app.as_str()),
        ("tenant", &ask.tenant),
        ("subject", &ask.subject),
        ("reason", &ask.reason),
    ];
    texts.extend(
        ask.subject_name
            .as_deref()
            .filter(|it| !it.is_empty())
            .map(|it| ("subject_name", it)),
    );
    texts.extend(ask.incident.as_deref().map(|it| ("incident", it)));
    if settings.ticket_required && ask.incident.is_none() || !ask.ticket.is_empty() {
        texts.push(("ticket", &ask.ticket));
    }
    for (field, value) in texts {
        if let Err(problem) = text::check(value, settings.max_text) {
            say(field, problem.to_string());
        }
    }
}

fn check_scopes(
    control: &Control,
    settings: &Settings,
    ask: &Ask,
    say: &mut impl FnMut(&str, String),
) -> Vec<Scope> {
    if ask.incident.is_some() {
        return settings.emergency.scopes.clone();
    }
    let known = control.routes.choices(ask.app.trim());
    let mut scopes = Vec::new();
    for name in &ask.scopes {
        match name.trim().parse::<Scope>() {
            Ok(scope) if known.iter().any(|it| it.name == scope) => scopes.push(scope),
            Ok(scope) => say("scopes", format!("{scope} is not a scope of this app")),
            Err(problem) => say("scopes", problem.to_string()),
        }
    }
    if ask.scopes.is_empty() {
        say("scopes", "choose at least one".to_owned());
    }
    if ask.scopes.len() > settings.max_scopes {
        say("scopes", format!("are more than {}", settings.max_scopes));
    }
    scopes.sort();
    scopes.dedup();
    scopes
}
