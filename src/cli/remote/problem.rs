//! What an answer means for a command: its JSON, or a failure that says what to do. Refusals are RFC 9457 problems.

use super::reply::Reply;
use crate::cli::Failure;
use crate::cli::output::printable;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::Value;
use std::fmt::Write as _;

/// As much of a problem as people are told.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Problem {
    detail: String,
    reason: String,
    problems: Vec<Field>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Field {
    field: String,
    message: String,
}

/// The JSON of a yes; the words of a no.
pub(super) fn judge(answer: &Reply, portal: &str) -> Result<(StatusCode, Value), Failure> {
    let kind = answer
        .headers
        .get(CONTENT_TYPE)
        .and_then(|it| it.to_str().ok())
        .unwrap_or_default();
    if answer.status == StatusCode::NO_CONTENT {
        return Ok((answer.status, Value::Null));
    }
    if answer.status.is_success() && kind.starts_with("application/json") {
        let read = serde_json::from_slice(&answer.body);
        return read
            .map(|body| (answer.status, body))
            .map_err(|why| foreign(answer, portal).because(why));
    }
    if !kind.starts_with("application/problem+json") {
        return Err(foreign(answer, portal));
    }
    let problem = serde_json::from_slice::<Problem>(&answer.body);
    let problem = problem.map_err(|why| foreign(answer, portal).because(why))?;
    Err(failure(answer, &problem, portal))
}

/// An answer that no Locum gives.
fn foreign(answer: &Reply, portal: &str) -> Failure {
    let message = format!(
        "{portal} answered {}, and not as Locum's API does",
        answer.status.as_u16()
    );
    Failure::cannot(
        message,
        "see whether --url names Locum's portal and nothing in front of it answers instead",
    )
}

fn failure(answer: &Reply, problem: &Problem, portal: &str) -> Failure {
    let mut message = format!(
        "{} ({})",
        printable(&problem.detail),
        printable(&problem.reason)
    );
    for one in &problem.problems {
        let _ = write!(
            message,
            "\n  {}: {}",
            printable(&one.field),
            printable(&one.message)
        );
    }
    let remedy = remedy(&problem.reason, answer.status, portal);
    match answer.status {
        StatusCode::UNAUTHORIZED => Failure::sign_in(message, remedy),
        StatusCode::TOO_MANY_REQUESTS => Failure::cannot(message, waiting(answer)),
        status if status.is_server_error() => Failure::cannot(message, remedy),
        _ => Failure::no(message, remedy),
    }
}

fn waiting(answer: &Reply) -> String {
    let seconds = answer
        .headers
        .get(RETRY_AFTER)
        .and_then(|it| it.to_str().ok());
    match seconds.and_then(|text| text.parse::<u64>().ok()) {
        Some(seconds) => format!("again in {seconds} s"),
        None => "again in a moment".to_owned(),
    }
}

/// What to do, where the portal's sentence does not say it already in words of the command line.
fn remedy(reason: &str, status: StatusCode, portal: &str) -> String {
    let fixed = match reason {
        "duty.requester" | "duty.twice" => "ask somebody else for their answer",
        "duty.voter-activates" | "duty.not-requester" => {
            "the person who asked activates it themselves"
        }
        "duty.other-account" => "sign in with the account that asked: `locum login`",
        "duty.reviews-own" | "duty.approver-reviews" => {
            "ask somebody of security who had no part in it"
        }
        "break-glass.barred" | "break-glass.team-barred" => {
            "`locum review list --state due` shows what is to be reviewed first"
        }
        "break-glass.unalerted" => "tell the security team by other means, and try again",
        "policy.denied" => {
            "`locum request check …` says what policy would allow; nothing is recorded by it as asked"
        }
        "vote.changed" => "read it again, and answer what it says now",
        "request.used" | "request.expired" | "approvals.missing" => {
            "ask anew: `locum request create …`"
        }
        "request.not-approved" => "`locum request show ID` says whose answer is missing",
        "idempotency.secret-answer" => "`locum request start-link ID` makes a new link",
        "sessions.ceiling" => "end one that you do not need: `locum session list --mine`",
        "login.unsupported" => "sign in at the portal instead, or use --token-file",
        "ticket.unavailable" => "try again when the ticket system answers",
        "not-found" => "look at the id; what other customers have does not show",
        _ => "",
    };
    match (fixed, status) {
        ("", StatusCode::UNAUTHORIZED) if reason.starts_with("step-up.") => {
            format!("locum login --fresh --url {portal}, then this again")
        }
        ("", StatusCode::UNAUTHORIZED) => format!("locum login --url {portal}"),
        ("", StatusCode::SERVICE_UNAVAILABLE) => "try again in a moment".to_owned(),
        _ => fixed.to_owned(),
    }
}
