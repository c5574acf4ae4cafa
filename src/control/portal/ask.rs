//! A new request on one screen: customer, ticket, what one needs to do and for how long; and, before it is sent, what it
//! takes.

use super::answer::{Shown, back_to, go, render};
use super::ask_view::{
    Answer, Chosen, Code, Customer, Minutes, Typed, answer, lengths, minutes_of, scopes,
};
use super::call::Call;
use super::fields::Fields;
use super::frame::Frame;
use super::nav::Here;
use super::parts::{Notice, Wrong};
use super::requests::requests_path;
use crate::control::desk::ScopeChoice;
use crate::control::lifecycle::{Ask, Considered};
use crate::control::refusal::Refusal;
use crate::model::{ExchangeId, Reach, RequestState, Role};
use askama::Template;

#[derive(Template)]
#[template(path = "ask.html")]
struct Form {
    frame: Frame,
    typed: Typed,
    wrong: Vec<Wrong>,
    customers: Vec<Customer>,
    apps: Vec<(String, bool)>,
    codes: Vec<Code>,
    minutes: Vec<Minutes>,
    scopes: Vec<Chosen>,
    answer: Answer,
    ticket_needed: bool,
}

#[derive(Template)]
#[template(path = "ask_parts.html")]
struct Parts {
    scopes: Vec<Chosen>,
    minutes: Vec<Minutes>,
    wrong: Vec<Wrong>,
    answer: Answer,
}

/// What the template asks of a field.
fn wrong_at<'a>(wrong: &'a [Wrong], field: &str) -> Option<&'a str> {
    let found = wrong.iter().find(|it| it.field == field);
    found.map(|it| it.message.as_str())
}

impl Form {
    fn wrong(&self, field: &str) -> Option<&str> {
        wrong_at(&self.wrong, field)
    }
}

impl Parts {
    fn wrong(&self, field: &str) -> Option<&str> {
        wrong_at(&self.wrong, field)
    }
}

/// An empty form, or one that a refusal page filled in.
pub(super) async fn form(call: Call) -> Shown {
    let typed = typed(&call, &call.query);
    show(&call, typed, Answer::waiting(), None).await
}

/// Both buttons: "Check" tells what it would take, "Send" asks.
pub(super) async fn send(call: Call) -> Shown {
    let typed = typed(&call, &call.form);
    let ask = asked(&typed);
    if call.form.get("do") != "send" {
        let answer = weigh(&call, &ask).await;
        return show(&call, typed, answer, None).await;
    }
    match call.control().ask(call.caller(), &ask).await {
        Ok(request) => {
            let done = match request.state {
                RequestState::Approved => "granted",
                _ => "asked",
            };
            Ok(back_to(&requests_path(request.id), done))
        }
        Err(refusal) => {
            let answer = answer(Err(&refusal), &ask, None);
            show(&call, typed, answer, Some(&refusal)).await
        }
    }
}

/// For the script: the same answer as "Check", in its two parts.
pub(super) async fn check(call: Call) -> Shown {
    if !call.is_any(&[Role::Operator]) {
        return Ok(go("/requests"));
    }
    let typed = typed(&call, &call.form);
    let ask = asked(&typed);
    let answer = weigh(&call, &ask).await;
    let all = lengths(call.control().settings.load().max_time);
    let weighed = call.control().weigh(call.caller(), &ask, &all).await;
    let known = choices(&call, &typed.app);
    let page = Parts {
        scopes: scopes(&known, &typed.scopes, &weighed.scopes),
        minutes: minutes_of(&weighed.minutes, typed.minutes),
        wrong: Vec::new(),
        answer,
    };
    render(None, &page)
}

async fn weigh(call: &Call, ask: &Ask) -> Answer {
    let considered: Result<Considered, Refusal> = call.control().consider(call.caller(), ask).await;
    let ticket = match &considered {
        Ok(_) => None,
        Err(_) => ticket_alone(call, ask).await,
    };
    answer(considered.as_ref(), ask, ticket)
}

/// The ticket is looked up as soon as it can be, whatever else is missing yet.
async fn ticket_alone(call: &Call, ask: &Ask) -> Option<String> {
    let (tenant, ticket) = (ask.tenant.trim(), ask.ticket.trim());
    let may = call.caller().may(Role::Operator, tenant, ask.app.trim());
    if !may || tenant.is_empty() || ticket.is_empty() {
        return None;
    }
    let found = call.control().tickets.check(ticket, tenant).await.ok()?;
    found.title.map(|title| format!("{}: {title}", found.id))
}

async fn show(call: &Call, typed: Typed, answer: Answer, trouble: Option<&Refusal>) -> Shown {
    if !call.is_any(&[Role::Operator]) {
        return Err(Refusal::forbidden(
            "duty.not-operator",
            "Only operators ask for access.",
        ));
    }
    let control = call.control();
    let settings = control.settings.load_full();
    let mut frame = call.frame("New request", Here::Requests).await;
    frame.trouble(trouble, "/requests/new");
    if let (Some(action), None) = (&typed.action, trouble) {
        let text = format!(
            "You were refused “{action}”. This asks for a new session that may do it; the one you have stays as it is."
        );
        frame.notices.push(Notice {
            tone: "",
            ..Notice::good(&text)
        });
    }
    let all = lengths(settings.max_time);
    let weighed = control.weigh(call.caller(), &asked(&typed), &all).await;
    let codes = settings.reason_codes.iter().map(|code| Code {
        value: code.clone(),
        words: super::words::reason_code(code),
        chosen: *code == typed.reason_code,
    });
    let page = Form {
        frame,
        wrong: answer.wrong.clone(),
        customers: customers(call, Role::Operator),
        apps: apps(call, Role::Operator, &typed.app),
        codes: codes.collect(),
        minutes: minutes_of(&weighed.minutes, typed.minutes),
        scopes: scopes(&choices(call, &typed.app), &typed.scopes, &weighed.scopes),
        answer,
        ticket_needed: settings.ticket_required,
        typed,
    };
    render(trouble, &page)
}

/// The scopes of an app that can be asked for.
fn choices(call: &Call, app: &str) -> Vec<ScopeChoice> {
    let view = &call.web.views.policy;
    let mut known = call.control().routes.scopes(app);
    known.retain(|it| !view.is_for_emergencies(app, &it.name));
    known
}

/// Customers that this person's role reaches, by name.
pub(super) fn customers(call: &Call, role: Role) -> Vec<Customer> {
    let settings = call.control().settings.load_full();
    let seats = || call.caller().seats.iter().filter(|seat| seat.role == role);
    let reached = settings
        .tenants
        .iter()
        .filter(|(id, _)| seats().any(|seat| seat.tenants.covers(id)));
    let customers = reached.map(|(id, tenant)| Customer {
        id: id.clone(),
        name: tenant.name.clone().unwrap_or_else(|| id.clone()),
    });
    customers.collect()
}

/// Apps that this person's role reaches, and which is chosen.
pub(super) fn apps(call: &Call, role: Role, chosen: &str) -> Vec<(String, bool)> {
    let caller = call.caller();
    let covers = |app: &str| {
        let mut seats = caller.seats.iter().filter(|seat| seat.role == role);
        seats.any(|seat| match &seat.apps {
            Reach::All => true,
            Reach::Only(names) => names.iter().any(|name| name == app),
        })
    };
    let apps = call.control().routes.apps().into_iter();
    let apps = apps.filter(|app| covers(app));
    apps.map(|app| {
        let is_chosen = app == chosen;
        (app, is_chosen)
    })
    .collect()
}

/// A customer may be named as people do; the request has the id.
pub(super) fn tenant_id(call: &Call, text: &str) -> String {
    let settings = call.control().settings.load_full();
    if settings.tenants.contains_key(text) {
        return text.to_owned();
    }
    let same = |name: &str| name.to_lowercase() == text.to_lowercase();
    let found = settings
        .tenants
        .iter()
        .find(|(id, tenant)| same(id) || tenant.name.as_deref().is_some_and(same));
    found.map_or_else(|| text.to_owned(), |(id, _)| id.clone())
}

/// What was typed, or prefilled by a link.
fn typed(call: &Call, fields: &Fields) -> Typed {
    let app = match fields.given("app") {
        Some(app) => app.to_owned(),
        None => apps(call, Role::Operator, "")
            .into_iter()
            .next()
            .map(|(app, _)| app)
            .unwrap_or_default(),
    };
    let mut scopes: Vec<String> = fields.all("scopes").map(str::to_owned).collect();
    let action = fields.given("action").map(clip);
    if let Some(action) = action.as_deref().filter(|_| !fields.has("do")) {
        let carrying = call.web.views.policy.carrying(&app, action).into_iter();
        // The mildest does; more may be chosen.
        scopes.extend(carrying.take(1).map(|scope| scope.to_string()));
    }
    let exchange = fields.given("exchange").or_else(|| fields.given("from"));
    Typed {
        tenant: tenant_id(call, fields.get("tenant")),
        subject: fields.get("subject").to_owned(),
        subject_name: fields.get("subject_name").to_owned(),
        ticket: fields.get("ticket").to_owned(),
        reason_code: fields.get("reason_code").to_owned(),
        reason: one_line(fields.get("reason")),
        minutes: fields.get("minutes").parse().unwrap_or(0),
        exchange: exchange
            .and_then(|text| text.parse::<ExchangeId>().ok())
            .map(|id| id.to_string()),
        action,
        app,
        scopes,
    }
}

fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

/// What people write in several lines is one text in records.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split(['\r', '\n', '\t']).map(str::trim).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

fn asked(typed: &Typed) -> Ask {
    Ask {
        app: typed.app.clone(),
        tenant: typed.tenant.clone(),
        subject: typed.subject.clone(),
        subject_name: Some(typed.subject_name.clone()).filter(|name| !name.is_empty()),
        scopes: typed.scopes.clone(),
        minutes: typed.minutes,
        ticket: typed.ticket.clone(),
        reason_code: typed.reason_code.clone(),
        reason: typed.reason.clone(),
        elevates: typed.exchange.clone(),
        incident: None,
    }
}
