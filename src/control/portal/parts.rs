//! Small parts of pages that are the same everywhere. Each is a template of its own, which escapes what it is given, so
//! that pages may put it in as it is.

use crate::control::refusal::Refusal;
use crate::model::{AccessRequest, RequestState, Review, ReviewState, Timestamp};
use crate::store::State;
use askama::Template;
use askama::filters::HtmlSafe;
use std::fmt::Display;

/// A moment: UTC as written by the server, local where scripts run.
#[derive(Clone, Debug, Template)]
#[template(path = "part_when.html")]
pub(super) struct When {
    iso: String,
    text: String,
    shown: String,
    form: &'static str,
}

/// How long something lasts yet.
#[derive(Clone, Debug, Template)]
#[template(path = "part_left.html")]
pub(super) struct Left {
    millis: i64,
    text: String,
}

/// An id: short, and whole to copy.
#[derive(Clone, Debug, Template)]
#[template(path = "part_id.html")]
pub(super) struct Id {
    full: String,
    short: String,
}

/// An address or another long word: where the room is short it is broken after `@`, `.` or `-`, never inside a name.
#[derive(Clone, Debug, Template)]
#[template(path = "part_address.html")]
pub(super) struct Address {
    pieces: Vec<String>,
}

/// A state in one word.
#[derive(Clone, Debug, Template)]
#[template(path = "part_pill.html")]
pub(super) struct Pill {
    tone: &'static str,
    word: &'static str,
}

/// One field that is wrong.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub(super) field: String,
    pub(super) label: String,
    pub(super) message: String,
}

/// Something said on top of a page.
#[derive(Clone, Debug, Template)]
#[template(path = "part_notice.html")]
pub(super) struct Notice {
    pub(super) tone: &'static str,
    pub(super) text: String,
    pub(super) problems: Vec<Wrong>,
    /// A link and its words: the way on.
    pub(super) way: Option<(String, String)>,
    pub(super) reason: Option<&'static str>,
}

impl HtmlSafe for When {}
impl HtmlSafe for Left {}
impl HtmlSafe for Id {}
impl HtmlSafe for Address {}
impl HtmlSafe for Pill {}
impl HtmlSafe for Notice {}

impl When {
    pub(super) fn at(at: Timestamp) -> Self {
        Self::new(at, "", "%-d %b %Y, %H:%M UTC")
    }

    /// The day alone.
    pub(super) fn day(at: Timestamp) -> Self {
        Self::new(at, "day", "%-d %b %Y")
    }

    /// To the second, for what follows on each other.
    pub(super) fn exact(at: Timestamp) -> Self {
        Self::new(at, "exact", "%-d %b, %H:%M:%S UTC")
    }

    fn new(at: Timestamp, form: &'static str, shown: &str) -> Self {
        let told = |form: &str| {
            jiff::Timestamp::from_millisecond(at.millis())
                .map_or_else(|_| at.to_string(), |at| at.strftime(form).to_string())
        };
        Self {
            iso: at.to_string(),
            text: told("%-d %b %Y, %H:%M:%S UTC"),
            shown: told(shown),
            form,
        }
    }

    /// Only the time of day, where the day is told elsewhere.
    pub(super) fn clock(at: Timestamp) -> Self {
        Self::new(at, "clock", "%H:%M:%S UTC")
    }
}

impl Left {
    pub(super) fn until(end: Timestamp, now: Timestamp) -> Self {
        let seconds = now.until(end).as_secs();
        let text = match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
            (0, 0, 0) => "over".to_owned(),
            (0, minutes, seconds) => format!("{minutes}:{seconds:02} left"),
            (hours, minutes, _) => format!("{hours} h {minutes:02} min left"),
        };
        Self {
            millis: end.millis(),
            text,
        }
    }
}

impl Id {
    pub(super) fn of(id: impl Display) -> Self {
        let full = id.to_string();
        let kind: String = full.chars().take(1).collect();
        let tail: Vec<char> = full.chars().rev().take(6).collect();
        let tail: String = tail.into_iter().rev().collect();
        Self {
            short: format!("{kind}…{tail}"),
            full,
        }
    }
}

impl Address {
    pub(super) fn of(text: &str) -> Self {
        let pieces = text.split_inclusive(['@', '.', '-', '/', ':', '|']);
        Self {
            pieces: pieces.map(str::to_owned).collect(),
        }
    }
}

impl Pill {
    pub(super) const fn new(tone: &'static str, word: &'static str) -> Self {
        Self { tone, word }
    }

    pub(super) fn request(request: &AccessRequest) -> Self {
        let needs = &request.needs;
        match request.state {
            RequestState::Pending if needs.approvals == 0 && needs.consent => {
                Self::new("warn", "Waits for the customer")
            }
            RequestState::Queued => Self::new("warn", "Waits for the ticket system"),
            RequestState::Pending => Self::new("warn", "Waits for approval"),
            RequestState::Approved => Self::new("good", "Approved"),
            RequestState::Denied => Self::new("bad", "Denied"),
            RequestState::Cancelled => Self::new("", "Cancelled"),
            RequestState::Expired => Self::new("", "Expired"),
            RequestState::Activated => Self::new("live", "Used"),
        }
    }

    pub(super) const fn session(state: State) -> Self {
        match state {
            State::Live => Self::new("good live", "Live"),
            State::Ended => Self::new("", "Ended"),
            State::Pending => Self::new("warn", "Not opened yet"),
        }
    }

    pub(super) fn review(review: &Review, now: Timestamp) -> Self {
        match review.state {
            ReviewState::Certified => Self::new("good", "Certified"),
            ReviewState::Rejected => Self::new("bad", "Rejected"),
            ReviewState::Due if review.due_at <= now => Self::new("bad", "Overdue"),
            ReviewState::Due => Self::new("warn", "Due"),
        }
    }
}

impl Notice {
    pub(super) fn good(text: &str) -> Self {
        Self {
            tone: "good",
            text: text.to_owned(),
            problems: Vec::new(),
            way: None,
            reason: None,
        }
    }

    pub(super) fn trouble(refusal: &Refusal) -> Self {
        let problems = refusal.problems.iter().map(|problem| Wrong {
            field: problem.field.clone(),
            label: label(&problem.field),
            message: problem.message.clone(),
        });
        Self {
            tone: "trouble",
            text: refusal.detail.clone(),
            problems: problems.collect(),
            way: None,
            reason: Some(refusal.reason),
        }
    }
}

/// What a form calls its field.
fn label(field: &str) -> String {
    let known = match field {
        "tenant" => "Customer",
        "subject" => "Customer’s user",
        "subject_name" => "Their name",
        "scopes" => "What you need to do",
        "minutes" => "Time",
        "reason_code" => "Kind of reason",
        "renew_by" => "Renew by",
        other => {
            let mut letters = other.chars();
            let first = letters.next().map(char::to_uppercase);
            return first.into_iter().flatten().chain(letters).collect();
        }
    };
    known.to_owned()
}
