//! One session: a paragraph that an auditor can paste, its history and what the journal tells; and its end.

use super::answer::{Shown, back_to, render};
use super::call::Call;
use super::frame::Frame;
use super::nav::{self, Here};
use super::parts::{Id, Left, Pill, When};
use super::summary::{Tally, summary, tally};
use super::told;
use super::views::{Exchange, Outcome, Recorded};
use crate::control::duties;
use crate::control::refusal::{Problem, Refusal};
use crate::model::{SessionId, Timestamp};
use crate::store::control::Noted;
use crate::store::{State, Stored};
use askama::Template;
use std::fmt::Write as _;

/// A line of the timeline.
struct Line {
    at: When,
    /// `refused`, `changed` or nothing.
    class: &'static str,
    who: String,
    what: String,
    details: Vec<(String, String)>,
    id: Option<Id>,
    /// What a page asked for while it was open.
    under: Vec<Line>,
    is_page: bool,
}

impl Line {
    /// "7 more requests, 1 changed something, 2 refused".
    fn told_under(&self) -> String {
        let count = |class: &str| self.under.iter().filter(|it| it.class == class).count();
        let mut told = match self.under.len() {
            1 => "1 more request".to_owned(),
            n => format!("{n} more requests"),
        };
        for (class, words) in [("changed", "changed something"), ("refused", "refused")] {
            let n = count(class);
            if n > 0 {
                let _ = write!(told, ", {n} {words}");
            }
        }
        told
    }

    /// Whether something in it must not be overlooked.
    fn stands_out(&self) -> bool {
        self.under.iter().any(|it| !it.class.is_empty())
    }
}

#[derive(Template)]
#[template(path = "session.html")]
struct One {
    frame: Frame,
    id: String,
    short: Id,
    head: String,
    pill: Pill,
    emergency: bool,
    summary: String,
    left: Option<Left>,
    request: Option<String>,
    lines: Vec<Line>,
    tally: Option<Tally>,
    /// Why the journal's part is missing or cut, if it is.
    missing: Option<String>,
    may_end: bool,
    /// The recording and the export.
    may_see: bool,
}

pub(super) async fn one(call: Call) -> Shown {
    let id: SessionId = call.id()?;
    let control = call.control();
    let (stored, history) = control.session(call.caller(), id).await?;
    let grant = &stored.grant;
    let recorded = call
        .web
        .views
        .records
        .of(&id.to_string(), grant.issued_at)
        .await;
    let (recorded, missing) = match recorded {
        Ok(recorded) => {
            let cut = recorded
                .cut
                .then(|| "Only the newest part is shown: the whole is in the journal.".to_owned());
            (Some(recorded), cut)
        }
        Err(why) => (
            None,
            Some(format!(
                "What was done in the session cannot be shown here: {why}."
            )),
        ),
    };
    let now = control.now();
    let is_open = stored.state() != State::Ended && grant.expires_at > now;
    let page = One {
        frame: call.frame("Session", here(&call)).await,
        id: id.to_string(),
        short: Id::of(id),
        head: format!("{} as {}", grant.operator_label(), grant.subject.id),
        pill: if is_open {
            Pill::session(stored.state())
        } else {
            Pill::session(State::Ended)
        },
        emergency: grant.break_glass,
        summary: summary(
            &stored,
            &control.routes.scopes(&grant.app),
            recorded.as_ref(),
            now,
        ),
        left: is_open.then(|| Left::until(grant.expires_at, now)),
        request: grant.issued_by.strip_prefix("request:").map(str::to_owned),
        lines: lines(&history, recorded.as_ref()),
        tally: recorded.as_ref().map(tally),
        missing,
        may_end: is_open && duties::may_end(call.caller(), grant).is_ok(),
        may_see: {
            let settings = call.web.recordings.replay.load();
            duties::may_see_recording(call.caller(), grant, settings.tenant_auditors).is_ok()
        },
    };
    render(None, &page)
}

/// The page of the navigation that this person came from, as far as that can be known.
fn here(call: &Call) -> Here {
    let candidates = [Here::Live, Here::Sessions, Here::Customer];
    let is_for = |here: &Here| call.is_any(nav::roles(*here));
    candidates.into_iter().find(is_for).unwrap_or(Here::Nowhere)
}

fn lines(history: &[Noted], recorded: Option<&Recorded>) -> Vec<Line> {
    let steps = history.iter().map(|noted| (noted.happened.at, step(noted)));
    let mut lines: Vec<(Option<Timestamp>, Line)> = steps.collect();
    let exchanges = recorded
        .map(|it| it.exchanges.as_slice())
        .unwrap_or_default();
    lines.extend(exchanges.iter().map(|it| (Some(it.at), exchange(it))));
    lines.sort_by_key(|(at, _)| *at);
    by_page(lines.into_iter().map(|(_, line)| line))
}

/// Puts what a page asked for under it. A step of the control plane stands alone, and so does what no page asked for.
fn by_page(lines: impl Iterator<Item = Line>) -> Vec<Line> {
    let mut grouped: Vec<Line> = Vec::new();
    for line in lines {
        match grouped.last_mut() {
            Some(page) if page.is_page && line.id.is_some() && !line.is_page => {
                page.under.push(line);
            }
            _ => grouped.push(line),
        }
    }
    grouped
}

fn step(noted: &Noted) -> Line {
    let happened = &noted.happened;
    Line {
        at: When::exact(happened.at.unwrap_or(Timestamp::from_millis(0))),
        class: if told::is_refusal(happened) {
            "refused"
        } else {
            ""
        },
        who: match happened.actor.as_str() {
            "locum" => String::new(),
            who => who.to_owned(),
        },
        what: told::clause(&happened.code).to_owned(),
        details: told::details(happened),
        id: None,
        under: Vec::new(),
        is_page: false,
    }
}

fn exchange(it: &Exchange) -> Line {
    let (class, word) = match (it.outcome, it.is_page) {
        (Outcome::Read, true) => ("", "Opened a page"),
        (Outcome::Read, false) => ("", "Read"),
        (Outcome::Changed, _) => ("changed", "Changed"),
        (Outcome::Refused, _) => ("refused", "Refused"),
    };
    let mut details = vec![("request".to_owned(), format!("{} {}", it.method, it.path))];
    for (name, value) in [
        ("action", &it.action),
        ("resource", &it.resource),
        ("rule", &it.rule),
    ] {
        if !value.is_empty() {
            details.push((name.to_owned(), value.clone()));
        }
    }
    if it.status != 0 {
        details.push(("status".to_owned(), it.status.to_string()));
    }
    Line {
        at: When::exact(it.at),
        class,
        who: String::new(),
        what: word.to_owned(),
        details,
        id: Some(Id::of(&it.exchange)),
        under: Vec::new(),
        is_page: it.is_page,
    }
}

#[derive(Template)]
#[template(path = "session_end.html")]
struct End {
    frame: Frame,
    id: String,
    head: String,
    detail: String,
    name: String,
    from: &'static str,
    typed: String,
}

/// Where an end goes back to: one of ours, by word.
fn back(call: &Call, word: &str) -> (&'static str, &'static str) {
    match word {
        "home" => ("home", "/"),
        "customer" => ("customer", "/customer"),
        "live" => ("live", "/live"),
        _ => match here(call) {
            Here::Customer => ("customer", "/customer"),
            Here::Live => ("live", "/live"),
            _ => ("home", "/"),
        },
    }
}

/// Asks for the name before somebody else's session is ended.
pub(super) async fn end_form(call: Call) -> Shown {
    let id: SessionId = call.id()?;
    let (stored, _) = call.control().session(call.caller(), id).await?;
    duties::may_end(call.caller(), &stored.grant)?;
    show_end(&call, &stored, None).await
}

async fn show_end(call: &Call, stored: &Stored, trouble: Option<&Refusal>) -> Shown {
    let grant = &stored.grant;
    let from = call.query.given("from").unwrap_or(call.form.get("from"));
    let mut frame = call.frame("End a session", here(call)).await;
    frame.trouble(trouble, "/live");
    let page = End {
        frame,
        id: stored.session.id.to_string(),
        head: format!(
            "End {}’s session as {}",
            grant.operator_label(),
            grant.subject.id
        ),
        detail: format!(
            "{} loses access to {} at once, in every window. What was being sent is cut off.",
            grant.operator_label(),
            grant.tenant_label()
        ),
        name: grant.subject.id.clone(),
        from: back(call, from).0,
        typed: call.form.get("reason").to_owned(),
    };
    render(trouble, &page)
}

/// Ends it. Whoever ends another's session writes whose it is, so that the wrong row is not ended in a hurry.
pub(super) async fn end(call: Call) -> Shown {
    let id: SessionId = call.id()?;
    let (control, caller) = (call.control(), call.caller());
    let Ok((stored, _)) = control.session(caller, id).await else {
        // Refused, and put on record, by the one who ends sessions.
        let ended = control.end(caller, id, "").await;
        return ended.and_then(|_| Err(Refusal::not_found()));
    };
    let own = duties::same(&caller.person, &stored.grant.operator.id);
    let named = duties::same(call.form.get("name"), &stored.grant.subject.id);
    let may = duties::may_end(caller, &stored.grant).is_ok();
    if may && !own && !named {
        let refusal = not_named(&stored.grant.subject.id);
        return show_end(&call, &stored, Some(&refusal)).await;
    }
    let reason = super::ask::one_line(call.form.get("reason"));
    match control.end(caller, id, &reason).await {
        Ok(_) => Ok(back_to(back(&call, call.form.get("from")).1, "ended")),
        Err(refusal) if may && !own => show_end(&call, &stored, Some(&refusal)).await,
        Err(refusal) => Err(refusal),
    }
}

/// The name was not given, or is another's.
pub(super) fn not_named(name: &str) -> Refusal {
    Refusal::invalid(vec![Problem {
        field: "name".to_owned(),
        message: format!("write “{name}” to go on"),
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_asked_for_stands_under_it() {
        let line = |outcome, is_page| {
            exchange(&Exchange {
                at: Timestamp::from_millis(0),
                exchange: "x0123456789".into(),
                method: "GET".into(),
                path: "/".into(),
                action: String::new(),
                resource: String::new(),
                rule: String::new(),
                status: 200,
                is_page,
                outcome,
            })
        };
        let alone = Line {
            id: None,
            ..line(Outcome::Read, false)
        };
        let grouped = by_page(
            [
                line(Outcome::Read, false),
                line(Outcome::Read, true),
                line(Outcome::Read, false),
                line(Outcome::Changed, false),
                line(Outcome::Refused, false),
                alone,
                line(Outcome::Read, false),
                line(Outcome::Read, true),
            ]
            .into_iter(),
        );
        let under: Vec<usize> = grouped.iter().map(|it| it.under.len()).collect();
        assert_eq!(under, [0, 3, 0, 0, 0]);
        let page = &grouped[1];
        assert!(page.is_page && page.stands_out());
        assert_eq!(
            page.told_under(),
            "3 more requests, 1 changed something, 1 refused"
        );
    }
}
