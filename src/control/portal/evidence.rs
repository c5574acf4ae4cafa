//! Evidence: what happened in the control plane, newest first, with a filter.

use super::answer::{Shown, render};
use super::call::Call;
use super::frame::Frame;
use super::nav::Here;
use super::parts::When;
use super::told;
use crate::control::refusal::Refusal;
use crate::store::control::Noted;
use askama::Template;

/// Rows on a page.
const A_PAGE: usize = 50;
/// How many rows one page looks through, when a filter leaves most of them out.
const LOOKED_THROUGH: usize = 5_000;
/// Rows read in one go.
const AT_ONCE: usize = 500;

/// What a kind of step is called here, and what its codes begin with.
const KINDS: [(&str, &str, &[&str]); 8] = [
    (
        "requests",
        "Requests and votes",
        &["request.", "vote.", "consent."],
    ),
    ("sessions", "Sessions", &["session.", "grant."]),
    ("refusals", "Refusals", &["control.refused"]),
    (
        "break-glass",
        "Break-glass and reviews",
        &["break-glass.", "review.", "alert."],
    ),
    ("locks", "Locks", &["lock."]),
    ("workloads", "Workloads", &["workload."]),
    ("logins", "Sign-ins", &["login."]),
    (
        "settings",
        "Policy and settings",
        &["policy.", "config.", "role.", "key."],
    ),
];

struct Row {
    sequence: i64,
    at: When,
    who: String,
    what: String,
    about: Vec<(String, String)>,
    /// A page of ours about it.
    link: Option<(String, &'static str)>,
    refused: bool,
}

#[derive(Template)]
#[template(path = "evidence.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    kinds: Vec<(&'static str, &'static str, bool)>,
    words: String,
    next: Option<String>,
    filtered: bool,
}

pub(super) async fn list(call: Call) -> Shown {
    call.needs(Here::Evidence)?;
    let (kind, words) = (call.query.get("kind"), call.query.get("words"));
    let before = call.query.get("before").parse().ok();
    let (found, next) = find(&call, before, kind, &words.to_lowercase()).await?;
    let next = next.map(|sequence| {
        let mut link = url::form_urlencoded::Serializer::for_suffix(String::from("/evidence?"), 10);
        link.append_pair("kind", kind).append_pair("words", words);
        link.append_pair("before", &sequence.to_string()).finish()
    });
    let page = Page {
        frame: call.frame("Evidence", Here::Evidence).await,
        rows: found.iter().map(row).collect(),
        kinds: KINDS
            .iter()
            .map(|(word, label, _)| (*word, *label, *word == kind))
            .collect(),
        words: words.to_owned(),
        next,
        filtered: !kind.is_empty() || !words.is_empty(),
    };
    render(None, &page)
}

/// A page of what the filter takes, and where the next begins.
async fn find(
    call: &Call,
    mut before: Option<i64>,
    kind: &str,
    words: &str,
) -> Result<(Vec<Noted>, Option<i64>), Refusal> {
    let mut found = Vec::new();
    for _ in 0..LOOKED_THROUGH / AT_ONCE {
        let read = call
            .control()
            .happenings(call.caller(), before, AT_ONCE)
            .await?;
        let is_last = read.len() < AT_ONCE;
        for noted in read {
            before = Some(noted.sequence);
            if takes(&noted, kind, words) {
                found.push(noted);
            }
            if found.len() == A_PAGE {
                return Ok((found, before));
            }
        }
        if is_last {
            return Ok((found, None));
        }
    }
    Ok((found, before))
}

fn takes(noted: &Noted, kind: &str, words: &str) -> bool {
    let happened = &noted.happened;
    let of_kind = match KINDS.iter().find(|(word, ..)| *word == kind) {
        None => true,
        Some((_, _, codes)) => codes.iter().any(|code| happened.code.starts_with(code)),
    };
    let texts = [
        Some(&happened.actor),
        Some(&happened.code),
        happened.tenant.as_ref(),
        happened.subject.as_ref(),
        happened.operator.as_ref(),
        happened.ticket.as_ref(),
        happened.request.as_ref(),
        happened.session.as_ref(),
    ];
    let details = happened.details.iter().map(|(_, value)| value);
    let mut texts = texts.into_iter().flatten().chain(details);
    of_kind && (words.is_empty() || texts.any(|text| text.to_lowercase().contains(words)))
}

fn row(noted: &Noted) -> Row {
    let happened = &noted.happened;
    let mut about = Vec::new();
    for (name, value) in [
        ("customer", &happened.tenant),
        ("as", &happened.subject),
        ("ticket", &happened.ticket),
    ] {
        if let Some(value) = value.as_ref().filter(|it| !it.is_empty()) {
            about.push((name.to_owned(), value.clone()));
        }
    }
    about.extend(told::details(happened));
    let session = happened.session.as_ref();
    let link = session
        .map(|id| (format!("/sessions/{id}"), "Session"))
        .or_else(|| {
            happened
                .request
                .as_ref()
                .map(|id| (format!("/requests/{id}"), "Request"))
        });
    Row {
        sequence: noted.sequence,
        at: When::exact(
            happened
                .at
                .unwrap_or(crate::model::Timestamp::from_millis(0)),
        ),
        who: happened.actor.clone(),
        what: told::clause(&happened.code).to_owned(),
        about,
        link,
        refused: told::is_refusal(happened),
    }
}
