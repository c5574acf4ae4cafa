//! The inventory of workloads: whose, for what, until when, and what is odd about each; registering and disabling.

use super::answer::{Shown, back_to, render};
use super::ask::one_line;
use super::call::Call;
use super::frame::Frame;
use super::nav::Here;
use super::parts::{Notice, Pill, When, Wrong};
use super::session::not_named;
use crate::control::lifecycle::Registration;
use crate::control::refusal::{Problem, Refusal};
use crate::model::{Role, Scope, Timestamp, Workload};
use crate::store::control::Query;
use askama::Template;
use std::time::Duration;

/// Not used for so long: stale.
const STALE: Duration = Duration::from_secs(30 * 86_400);
/// A registration that ends so soon is told.
const SOON: Duration = Duration::from_secs(14 * 86_400);
struct Row {
    id: String,
    owner: String,
    system: String,
    purpose: String,
    scopes: String,
    reach: String,
    budget: u64,
    renew_by: When,
    last_used: Option<When>,
    places: usize,
    pills: Vec<Pill>,
    alarm: bool,
    disabled: bool,
}

#[derive(Template)]
#[template(path = "workloads.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    is_admin: bool,
}

pub(super) async fn list(call: Call) -> Shown {
    call.needs(Here::Workloads)?;
    let control = call.control();
    let now = control.now();
    let query = Query {
        limit: 500,
        ..Query::default()
    };
    let found = control.workloads(call.caller(), query).await?.items;
    let at_once = call.control().settings.load().bounds.at_once;
    let page = List {
        frame: call.frame("Workloads", Here::Workloads).await,
        rows: found.iter().map(|it| row(it, at_once, now)).collect(),
        is_admin: call.is_any(&[Role::Admin]),
    };
    render(None, &page)
}

fn row(it: &Workload, at_once: Duration, now: Timestamp) -> Row {
    let places = it
        .places
        .iter()
        .filter(|place| now < place.at.plus(at_once))
        .count();
    let mut pills = Vec::new();
    match it.lapsed(now) {
        Some("workload.disabled") => pills.push(Pill::new("", "Disabled")),
        Some("workload.ownerless") => pills.push(Pill::new("bad", "No owner")),
        Some(_) => pills.push(Pill::new("bad", "Lapsed")),
        None if now.plus(SOON) >= it.renew_by => pills.push(Pill::new("warn", "Renew soon")),
        None => {}
    }
    if places > 1 {
        pills.push(Pill::new("bad", "Several places at once"));
    }
    match it.last_used {
        None if now >= it.registered_at.plus(STALE) => pills.push(Pill::new("warn", "Never used")),
        Some(at) if now >= at.plus(STALE) => pills.push(Pill::new("warn", "Unused lately")),
        _ => {}
    }
    let alarm = places > 1 || it.lapsed(now).is_some_and(|why| why != "workload.disabled");
    if pills.is_empty() {
        pills.push(Pill::new("good", "In order"));
    }
    let scopes: Vec<&str> = it.scopes.iter().map(Scope::as_str).collect();
    Row {
        id: it.id.clone(),
        owner: it.owner.clone(),
        system: it.system.clone(),
        purpose: it.purpose.clone(),
        scopes: scopes.join(", "),
        reach: format!("{} · {}", it.tenants.join(", "), it.apps.join(", ")),
        budget: it.budget,
        renew_by: When::day(it.renew_by),
        last_used: it.last_used.map(When::exact),
        places: it.places.len(),
        pills,
        alarm,
        disabled: it.disabled,
    }
}

#[derive(Template)]
#[template(path = "workload_new.html")]
struct Form {
    frame: Frame,
    typed: Typed,
    wrong: Vec<Wrong>,
}

struct Typed {
    id: String,
    owner: String,
    system: String,
    purpose: String,
    scopes: String,
    apps: String,
    tenants: String,
    budget: String,
    renew_by: String,
}

impl Form {
    fn wrong(&self, field: &str) -> Option<&str> {
        let found = self.wrong.iter().find(|it| it.field == field);
        found.map(|it| it.message.as_str())
    }
}

pub(super) async fn form(call: Call) -> Shown {
    show_form(&call, None).await
}

async fn show_form(call: &Call, trouble: Option<&Refusal>) -> Shown {
    if !call.is_any(&[Role::Admin]) {
        return Err(Refusal::forbidden(
            "duty.not-admin",
            "Workloads are registered by an admin.",
        ));
    }
    let mut frame = call.frame("Register a workload", Here::Workloads).await;
    frame.trouble(trouble, "/workloads/new");
    let get = |name: &str| {
        let typed = call.form.given(name).unwrap_or(call.query.get(name));
        typed.to_owned()
    };
    let page = Form {
        frame,
        typed: Typed {
            id: get("id"),
            owner: get("owner"),
            system: get("system"),
            purpose: get("purpose"),
            scopes: get("scopes"),
            apps: get("apps"),
            tenants: get("tenants"),
            budget: get("budget"),
            renew_by: get("renew_by"),
        },
        wrong: trouble
            .map(|it| Notice::trouble(it).problems)
            .unwrap_or_default(),
    };
    render(trouble, &page)
}

pub(super) async fn register(call: Call) -> Shown {
    let done = match registration(&call) {
        Ok(registration) => call.control().register(call.caller(), registration).await,
        Err(refusal) => Err(refusal),
    };
    match done {
        Ok(_) => Ok(back_to("/workloads", "registered")),
        Err(refusal) => show_form(&call, Some(&refusal)).await,
    }
}

fn registration(call: &Call) -> Result<Registration, Refusal> {
    let form = &call.form;
    let words = |name: &str| -> Vec<String> {
        let words = form.get(name).split([',', ' ', '\n', '\r']).map(str::trim);
        words
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let mut problems = Vec::new();
    let mut scopes = Vec::new();
    for word in words("scopes") {
        match word.parse::<Scope>() {
            Ok(scope) => scopes.push(scope),
            Err(why) => problems.push(problem("scopes", &why.to_string())),
        }
    }
    let renew_by = day(form.get("renew_by"));
    if renew_by.is_none() {
        problems.push(problem("renew_by", "is a day, such as 2027-01-31"));
    }
    let (None, true) = (problems.first(), renew_by.is_some()) else {
        return Err(Refusal::invalid(problems));
    };
    Ok(Registration {
        id: form.get("id").to_owned(),
        owner: form.get("owner").to_owned(),
        system: form.get("system").to_owned(),
        purpose: one_line(form.get("purpose")),
        scopes,
        apps: words("apps"),
        tenants: words("tenants"),
        budget: form.get("budget").parse().unwrap_or(0),
        renew_by: renew_by.unwrap_or(Timestamp::from_millis(0)),
    })
}

fn problem(field: &str, message: &str) -> Problem {
    Problem {
        field: field.to_owned(),
        message: message.to_owned(),
    }
}

/// The beginning of a day in UTC.
fn day(text: &str) -> Option<Timestamp> {
    let day: jiff::civil::Date = text.parse().ok()?;
    let at = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_millis(at.timestamp().as_millisecond()))
}

#[derive(Template)]
#[template(path = "workload_disable.html")]
struct Disable {
    frame: Frame,
    id: String,
}

pub(super) async fn disable_form(call: Call) -> Shown {
    call.needs(Here::Workloads)?;
    show_disable(&call, call.query.get("id"), None).await
}

async fn show_disable(call: &Call, id: &str, trouble: Option<&Refusal>) -> Shown {
    let mut frame = call.frame("Disable a workload", Here::Workloads).await;
    frame.trouble(trouble, "/workloads");
    let id = id.to_owned();
    render(trouble, &Disable { frame, id })
}

pub(super) async fn disable(call: Call) -> Shown {
    let id = call.form.get("id").to_owned();
    if call.is_any(&[Role::Admin]) && call.form.get("name") != id {
        return show_disable(&call, &id, Some(&not_named(&id))).await;
    }
    match call.control().disable(call.caller(), &id).await {
        Ok(_) => Ok(back_to("/workloads", "disabled")),
        Err(refusal) => Err(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_beginning_in_utc_or_nothing() {
        let at = day("2027-01-31").map(|at| at.to_string());
        assert_eq!(at.as_deref(), Some("2027-01-31T00:00:00.000Z"));
        for text in ["", "31.01.2027", "2027-02-30"] {
            assert_eq!(day(text), None, "{text}");
        }
    }
}
