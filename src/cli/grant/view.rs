//! How a grant and its session are shown: as a row, as facts, as JSON.

use crate::cli::output::{Cell, Output, Tone, printable};
use crate::cli::{Failure, time};
use crate::model::{EndCause, Grant, OperatorKind, Session, Timestamp};
use serde::Serialize;

/// Where a session is in its life, as people read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// Issued, not started.
    Pending,
    Live,
    Ended,
    /// Its time ran out, and nothing wrote that down yet.
    Expired,
}

impl State {
    const fn words(self) -> (&'static str, Tone) {
        match self {
            Self::Pending => ("pending", Tone::Warn),
            Self::Live => ("live", Tone::Good),
            Self::Ended => ("ended", Tone::Faint),
            Self::Expired => ("expired", Tone::Faint),
        }
    }

    fn of(grant: &Grant, session: &Session, now: Timestamp) -> Self {
        match (&session.ended, session.started_at) {
            (Some(_), _) => Self::Ended,
            (None, _) if grant.expires_at <= now => Self::Expired,
            (None, Some(_)) => Self::Live,
            (None, None) => Self::Pending,
        }
    }
}

/// The wire form of a grant with its session. Times are RFC 3339.
#[derive(Clone, Debug, Serialize)]
pub(super) struct View {
    grant: String,
    session: String,
    state: State,
    app: String,
    operator: String,
    #[serde(skip_serializing_if = "is_human")]
    operator_kind: OperatorKind,
    subject: String,
    tenant: String,
    scopes: Vec<String>,
    ticket: String,
    reason: String,
    approvals: Vec<String>,
    break_glass: bool,
    issued_by: String,
    issued_at: String,
    not_before: String,
    expires_at: String,
    seconds_left: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_because: Option<EndCause>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_human(kind: &OperatorKind) -> bool {
    *kind == OperatorKind::Human
}

impl View {
    pub(super) fn new(grant: &Grant, session: &Session, now: Timestamp) -> Self {
        let state = State::of(grant, session, now);
        let is_open = matches!(state, State::Live | State::Pending);
        let left = if is_open {
            now.until(grant.expires_at).as_secs()
        } else {
            0
        };
        let ended = session.ended.as_ref();
        Self {
            grant: grant.id.to_string(),
            session: session.id.to_string(),
            state,
            app: grant.app.clone(),
            operator: grant.operator.id.clone(),
            operator_kind: grant.operator.kind,
            subject: grant.subject.id.clone(),
            tenant: grant.tenant.id.clone(),
            scopes: grant.scopes.iter().map(ToString::to_string).collect(),
            ticket: grant.ticket.clone(),
            reason: grant.reason.clone(),
            approvals: grant.approvals.clone(),
            break_glass: grant.break_glass,
            issued_by: grant.issued_by.clone(),
            issued_at: grant.issued_at.to_string(),
            not_before: grant.not_before.to_string(),
            expires_at: grant.expires_at.to_string(),
            seconds_left: left,
            external_id: grant.external_id.clone(),
            started_at: session.started_at.map(|at| at.to_string()),
            ended_at: ended.map(|it| it.at.to_string()),
            ended_by: ended.map(|it| it.by.clone()),
            ended_because: ended.map(|it| it.cause),
        }
    }

    /// Whether it is pending or live.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Live | State::Pending)
    }

    fn left(&self) -> String {
        if self.seconds_left == 0 {
            return "-".into();
        }
        time::words(std::time::Duration::from_secs(self.seconds_left))
    }

    fn row(&self) -> Vec<Cell> {
        let (words, tone) = self.state.words();
        vec![
            Cell::from(&self.grant),
            Cell::new(words, tone),
            Cell::from(&self.app),
            Cell::from(&self.operator),
            Cell::from(&self.subject),
            Cell::from(&self.tenant),
            Cell::from(self.scopes.join(",")),
            Cell::from(&self.ticket),
            Cell::from(self.left()),
        ]
    }

    /// All there is to say, one fact a line.
    pub(super) fn print(&self, out: &mut Output) -> Result<(), Failure> {
        let (words, tone) = self.state.words();
        let state = match self.ended_because {
            Some(cause) => format!("{words} ({})", cause_words(cause)),
            None => words.to_owned(),
        };
        let kind = match self.operator_kind {
            OperatorKind::Human => "",
            OperatorKind::Workload => " (workload)",
        };
        let glass = if self.break_glass { "yes" } else { "" };
        let text = |text: &Option<String>| printable(text.as_deref().unwrap_or(""));
        let facts = [
            ("grant", self.grant.clone()),
            ("session", self.session.clone()),
            ("state", out.paint(tone, &state)),
            ("app", printable(&self.app)),
            ("operator", format!("{}{kind}", printable(&self.operator))),
            ("subject", printable(&self.subject)),
            ("tenant", printable(&self.tenant)),
            ("scopes", self.scopes.join(", ")),
            ("ticket", printable(&self.ticket)),
            ("reason", printable(&self.reason)),
            ("approved by", printable(&self.approvals.join(", "))),
            ("break-glass", glass.to_owned()),
            (
                "issued",
                format!("{} by {}", self.issued_at, printable(&self.issued_by)),
            ),
            ("token", text(&self.external_id)),
            ("not before", self.not_before.clone()),
            (
                "expires",
                format!("{} ({} left)", self.expires_at, self.left()),
            ),
            ("started", text(&self.started_at)),
            ("ended", text(&self.ended_at)),
            ("ended by", text(&self.ended_by)),
        ];
        out.facts(&facts)
    }
}

fn cause_words(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Operator => "by the operator",
        EndCause::Expired => "time ran out",
        EndCause::Revoked => "revoked",
        EndCause::BindingBroken => "the client changed",
        EndCause::Idle => "not used",
        other => other.as_str(),
    }
}

/// A list, newest first, as a table or as JSON lines.
pub(super) fn print_list(views: &[View], out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        return views.iter().try_for_each(|view| out.json(view));
    }
    if views.is_empty() {
        return out.line("no grants match; `locum grant issue --help` tells how to make one");
    }
    let head = [
        "GRANT", "STATE", "APP", "OPERATOR", "SUBJECT", "TENANT", "SCOPES", "TICKET", "LEFT",
    ];
    let rows: Vec<_> = views.iter().map(View::row).collect();
    out.table(&head, &rows)
}
