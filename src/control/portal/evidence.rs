//! Evidence: a search over the records of the journal, one record whole, and what was found as a file.

use super::answer::{Shown, render};
use super::call::Call;
use super::evidence_row::{Row, row};
use super::fields::Fields;
use super::frame::Frame;
use super::nav::Here;
use super::parts::When;
use crate::audit::index::{Fault, Field, Order, Query};
use crate::control::evidence::Format;
use crate::control::refusal::{Kind, Problem, Refusal};
use crate::model::Timestamp;
use askama::Template;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};
use std::sync::Arc;

/// Kinds of records that people choose from, as the index knows them.
const KINDS: [(&str, &str); 18] = [
    ("exchange", "Requests to an app"),
    ("exchange.refused", "Requests that were refused"),
    ("session", "Sessions"),
    ("grant", "Grants"),
    ("request", "Requests for access"),
    ("vote", "Votes"),
    ("consent", "Consent of customers"),
    ("break-glass", "Break-glass"),
    ("review", "Reviews"),
    ("alert", "Alerts"),
    ("lock", "Locks"),
    ("workload", "Workloads"),
    ("control.refused", "Steps that were refused"),
    ("login", "Sign-ins"),
    ("records", "Searches of the evidence"),
    ("policy", "Policy"),
    ("sink", "Sinks"),
    ("process", "Start and stop of Locum"),
];

/// Fields of the form below "More": name, label, and an example.
const MORE: [(Field, &str, &str); 11] = [
    (Field::Operator, "Who", "agent@support.example"),
    (Field::Subject, "Customer’s user", "kim@customer.example"),
    (Field::Tenant, "Customer", "its id"),
    (Field::App, "App", "shop"),
    (Field::Ticket, "Ticket", "T-7"),
    (Field::Action, "Action", "orders.read"),
    (Field::Resource, "Resource", "order:17"),
    (Field::Rule, "Rule", "orders-read"),
    (Field::Method, "Method", "POST"),
    (Field::Status, "Status", "4xx"),
    (Field::Session, "Session", "s…"),
];

/// Fields that links of other pages use.
const HIDDEN: [Field; 5] = [
    Field::Grant,
    Field::Request,
    Field::Exchange,
    Field::Outcome,
    Field::Decision,
];

struct Input {
    name: &'static str,
    label: &'static str,
    example: &'static str,
    value: String,
}

#[derive(Template)]
#[template(path = "evidence.html")]
struct Page {
    frame: Frame,
    kinds: Vec<(&'static str, &'static str, bool)>,
    words: String,
    from: String,
    to: String,
    oldest: bool,
    decision: String,
    more: Vec<Input>,
    is_more_open: bool,
    rows: Vec<Row>,
    faults: Vec<Fault>,
    next: Option<String>,
    /// The same search as a file, without its format.
    export: String,
    filtered: bool,
    /// Newest records that cannot be found yet; a few always are, for a moment.
    behind: u64,
}

pub(super) async fn list(call: Call) -> Shown {
    call.needs(Here::Evidence)?;
    let rows = call.control().settings.load().bounds.evidence_rows;
    let read = query(&call.query, rows);
    let found = match read {
        Ok(query) => {
            let evidence = &call.web.evidence;
            evidence.find(call.control(), call.caller(), query).await
        }
        Err(refusal) => Err(refusal),
    };
    let mut frame = call.frame("Evidence", Here::Evidence).await;
    let (found, trouble) = match found {
        Ok(found) => (Some(found), None),
        Err(refusal) if refusal.kind == Kind::Forbidden => return Err(refusal),
        Err(refusal) => (None, Some(refusal)),
    };
    frame.trouble(trouble.as_ref(), "/evidence");
    let asked = |name: &str| call.query.get(name).to_owned();
    let next = found.as_ref().and_then(|it| it.next);
    let event = asked("event");
    let page = Page {
        frame,
        kinds: KINDS
            .iter()
            .map(|(word, label)| (*word, *label, *word == event))
            .collect(),
        words: asked("words"),
        from: asked("from"),
        to: asked("to"),
        oldest: asked("order") == "oldest",
        decision: asked("decision"),
        more: inputs(&call.query),
        is_more_open: MORE
            .iter()
            .any(|(field, ..)| call.query.given(field.name()).is_some()),
        rows: found.iter().flat_map(|it| &it.entries).map(row).collect(),
        next: next.map(|after| link("/evidence?", &call.query, Some(after))),
        export: link("/evidence/export?", &call.query, None),
        filtered: query(&call.query, 1).map_or(true, |it| !it.is_open()),
        behind: found.as_ref().map_or(0, |it| it.kept - it.indexed),
        faults: found.map(|it| it.faults).unwrap_or_default(),
    };
    render(trouble.as_ref(), &page)
}

fn inputs(asked: &Fields) -> Vec<Input> {
    let each = MORE.iter().map(|(field, label, example)| Input {
        name: field.name(),
        label,
        example,
        value: asked.get(field.name()).to_owned(),
    });
    each.collect()
}

/// What the form asks for.
fn query(asked: &Fields, limit: usize) -> Result<Query, Refusal> {
    let mut query = Query {
        text: asked.get("words").to_owned(),
        since: day(asked, "from", 0)?,
        until: day(asked, "to", 1)?,
        order: match asked.get("order") {
            "oldest" => Order::Oldest,
            _ => Order::Newest,
        },
        after: asked.get("after").parse().ok(),
        limit,
        ..Query::default()
    };
    let shown = MORE.iter().map(|(field, ..)| *field);
    for field in shown.chain(HIDDEN).chain([Field::Event]) {
        query = query.with(field, asked.get(field.name()));
    }
    Ok(query)
}

/// The beginning of a day, so many days later, in UTC.
fn day(asked: &Fields, name: &str, later: i64) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = asked.given(name) else {
        return Ok(None);
    };
    let at = text.parse::<jiff::civil::Date>().ok();
    let at = at.and_then(|day| day.checked_add(jiff::Span::new().days(later)).ok());
    let at = at.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
    match at {
        Some(at) => {
            let millis = at.timestamp().as_millisecond();
            Ok(Some(Timestamp::from_millis(millis)))
        }
        None => Err(Refusal::invalid(vec![Problem {
            field: name.to_owned(),
            message: "is no day: write it as 2026-01-31".to_owned(),
        }])),
    }
}

/// The same search elsewhere.
fn link(to: &str, asked: &Fields, after: Option<u64>) -> String {
    let mut link = url::form_urlencoded::Serializer::for_suffix(String::from(to), to.len());
    let names = MORE.iter().map(|(field, ..)| field.name());
    let names = names.chain(HIDDEN.iter().map(|field| field.name()));
    for name in names.chain(["event", "words", "from", "to", "order"]) {
        if let Some(value) = asked.given(name) {
            link.append_pair(name, value);
        }
    }
    if let Some(after) = after {
        link.append_pair("after", &after.to_string());
    }
    link.finish()
}

/// What was found, as a file.
pub(super) async fn export(call: Call) -> Shown {
    call.needs(Here::Evidence)?;
    let (format, name) = match call.query.get("format") {
        "jsonl" => (Format::Lines, "attachment; filename=\"evidence.jsonl\""),
        _ => (Format::Csv, "attachment; filename=\"evidence.csv\""),
    };
    let query = query(&call.query, 1)?;
    let evidence = Arc::clone(&call.web.evidence);
    let file = evidence
        .export(call.control(), call.caller(), query, format)
        .await?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(format.media_type()),
        ),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static(name)),
    ];
    let response: Response = (headers, Body::from_stream(file)).into_response();
    Ok(response)
}

#[derive(Template)]
#[template(path = "record.html")]
struct One {
    frame: Frame,
    sequence: u64,
    at: When,
    event: String,
    row: Row,
    /// The whole record, for reading.
    text: String,
    hash: String,
    before: String,
}

/// One record, whole.
pub(super) async fn one(call: Call) -> Shown {
    call.needs(Here::Evidence)?;
    let sequence: u64 = call.id()?;
    let evidence = &call.web.evidence;
    let entry = evidence
        .one(call.control(), call.caller(), sequence)
        .await?;
    let text = |path: &[&str]| entry.text(path).unwrap_or_default().to_owned();
    let page = One {
        frame: call.frame("A record", Here::Evidence).await,
        sequence,
        at: When::exact(entry.at()),
        event: entry.event().to_owned(),
        row: row(&entry),
        text: serde_json::to_string_pretty(&entry.json).unwrap_or_default(),
        hash: text(&["hash"]),
        before: text(&["prev"]),
    };
    render(None, &page)
}
