//! Break-glass: its exact criteria, the form for those who were authorised beforehand, and what has been used.

use super::answer::{Shown, back_to, render};
use super::ask::{apps, customers, one_line, tenant_id};
use super::ask_view::{Code, Customer};
use super::call::Call;
use super::frame::Frame;
use super::nav::Here;
use super::parts::{Notice, Pill, When, Wrong};
use super::requests::requests_path;
use super::words;
use crate::control::lifecycle::Ask;
use crate::control::refusal::Refusal;
use crate::model::{Review, Role};
use crate::store::control::Query;
use askama::Template;

struct Used {
    id: String,
    at: When,
    who: String,
    subject: String,
    incident: String,
    pill: Pill,
}

#[derive(Template)]
#[template(path = "emergency.html")]
struct Page {
    frame: Frame,
    enabled: bool,
    is_authorised: bool,
    /// Why they cannot now, with its reason.
    barred: Option<(String, &'static str)>,
    criteria: Vec<String>,
    able: Vec<String>,
    customers: Vec<Customer>,
    apps: Vec<(String, bool)>,
    codes: Vec<Code>,
    typed: Ask,
    wrong: Vec<Wrong>,
    used: Vec<Used>,
}

impl Page {
    fn wrong(&self, field: &str) -> Option<&str> {
        let found = self.wrong.iter().find(|it| it.field == field);
        found.map(|it| it.message.as_str())
    }

    fn incident(&self) -> &str {
        self.typed.incident.as_deref().unwrap_or_default()
    }
}

pub(super) async fn form(call: Call) -> Shown {
    call.needs(Here::BreakGlass)?;
    show(&call, typed(&call), None).await
}

async fn show(call: &Call, typed: Ask, trouble: Option<&Refusal>) -> Shown {
    let control = call.control();
    let settings = control.settings.load_full();
    let emergency = &settings.emergency;
    let mut frame = call.frame("Break-glass", Here::BreakGlass).await;
    frame.trouble(trouble, "/break-glass");
    let codes = settings.reason_codes.iter();
    let codes = codes
        .filter(|code| emergency.reason_codes.is_empty() || emergency.reason_codes.contains(code));
    let apps = apps(call, Role::BreakGlass, &typed.app);
    let names: Vec<String> = apps.iter().map(|(app, _)| app.clone()).collect();
    let app = apps.first().map(|(app, _)| app.clone()).unwrap_or_default();
    let is_authorised = call.is_any(&[Role::BreakGlass]);
    let barred = if is_authorised && trouble.is_none() {
        control.barred_from_glass(call.caller()).await?
    } else {
        None
    };
    let page = Page {
        frame,
        enabled: emergency.enabled,
        is_authorised,
        barred: barred.map(|why| (why.detail, why.reason)),
        criteria: criteria(call, &names),
        able: words::sentences(&emergency.scopes, &control.routes.scopes(&app)),
        customers: customers(call, Role::BreakGlass),
        apps,
        codes: codes
            .map(|code| Code {
                value: code.clone(),
                words: words::reason_code(code),
                chosen: *code == typed.reason_code,
            })
            .collect(),
        wrong: trouble
            .map(|it| Notice::trouble(it).problems)
            .unwrap_or_default(),
        typed,
        used: used(call).await?,
    };
    render(trouble, &page)
}

/// What must be true, in sentences.
fn criteria(call: &Call, apps: &[String]) -> Vec<String> {
    let settings = call.control().settings.load_full();
    let emergency = &settings.emergency;
    let mut criteria = Vec::new();
    criteria.push(match emergency.incident_prefixes.as_slice() {
        [] => "There is an incident with an id.".to_owned(),
        prefixes => format!(
            "There is an incident whose id begins with {}.",
            prefixes.join(" or ")
        ),
    });
    criteria.push("You were authorised beforehand, and your last use was certified.".to_owned());
    let ceiling = match call.control().emergency_ceiling(call.caller(), apps) {
        Some(most) => Some(most),
        // Whoever only reads here is told the bound that holds for everybody.
        None if !call.is_any(&[Role::BreakGlass]) => Some(emergency.max_time),
        None => None,
    };
    criteria.push(match ceiling {
        Some(most) => format!("It lasts {} at most.", words::span(most)),
        None => "Policy allows it for no customer of yours now.".to_owned(),
    });
    criteria.push(if emergency.open_unalerted {
        "Security is alerted at the first moment.".to_owned()
    } else {
        "Security is alerted at the first moment; nothing opens before one channel took the alert."
            .to_owned()
    });
    criteria.push(format!(
        "Within {} somebody else reviews what you did. Until they certify it, you cannot break glass again.",
        words::span(emergency.review_within)
    ));
    criteria
}

async fn used(call: &Call) -> Result<Vec<Used>, Refusal> {
    let (control, now) = (call.control(), call.control().now());
    let query = Query {
        limit: 20,
        ..Query::default()
    };
    let reviews = control.reviews(call.caller(), query).await?.items;
    let used = reviews.iter().map(|it: &Review| Used {
        id: it.id.to_string(),
        at: When::at(it.opened_at),
        who: it.operator.clone(),
        subject: format!("{} in {}", it.subject, it.tenant),
        incident: it.incident.clone(),
        pill: Pill::review(it, now),
    });
    Ok(used.collect())
}

fn typed(call: &Call) -> Ask {
    let form = &call.form;
    let app = match form.given("app") {
        Some(app) => app.to_owned(),
        None => apps(call, Role::BreakGlass, "")
            .into_iter()
            .next()
            .map(|(app, _)| app)
            .unwrap_or_default(),
    };
    Ask {
        app,
        tenant: tenant_id(call, form.get("tenant")),
        subject: form.get("subject").to_owned(),
        ticket: form.get("ticket").to_owned(),
        reason_code: form.get("reason_code").to_owned(),
        reason: one_line(form.get("reason")),
        incident: Some(form.get("incident").to_owned()),
        ..Ask::default()
    }
}

/// Asks; the glass itself is broken on the request's own page, after a fresh sign-in.
pub(super) async fn ask(call: Call) -> Shown {
    let typed = typed(&call);
    match call.control().ask_in_emergency(call.caller(), &typed).await {
        Ok(request) => Ok(back_to(&requests_path(request.id), "asked")),
        Err(refusal) if call.needs(Here::BreakGlass).is_err() => Err(refusal),
        Err(refusal) => show(&call, typed, Some(&refusal)).await,
    }
}
