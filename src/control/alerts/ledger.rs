//! What became of an alert, written down: each channel's answer as it comes, and what is left to do after each round.

use super::settings::Settings;
use crate::model::{Alert, AlertState, Happened, Timestamp};
use crate::store::StoreError;
use crate::store::control::{Book, Query, Tx};

/// Alerts taken up in one go.
const BATCH: usize = 64;

/// What happened to an alert, with all that it names.
pub(super) fn about(code: &str, alert: &Alert) -> Happened {
    let filled = |text: &String| (!text.is_empty()).then(|| text.clone());
    let detail = |name: &str| {
        let found = alert.details.iter().find(|(label, _)| label == name);
        found.map(|(_, value)| value.clone())
    };
    let happened = Happened {
        app: filled(&alert.app),
        tenant: filled(&alert.tenant),
        operator: filled(&alert.operator),
        request: detail("request"),
        ..Happened::new(code, "locum")
    };
    happened.with("alert", alert.id).with("kind", &alert.kind)
}

/// A channel took it.
pub(super) async fn taken(
    book: &Book,
    alert: &Alert,
    channel: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (happened, id) = (about("alert.taken", alert), alert.id.to_string());
    let channel = channel.to_owned();
    book.run("noting who took an alert", move |tx| {
        if let Some(mut stored) = tx.find::<Alert>(&id)? {
            if !stored.taken_by.contains(&channel) {
                stored.taken_by.push(channel.clone());
            }
            if matches!(stored.state, AlertState::Waiting | AlertState::Failed) {
                stored.state = AlertState::Taken;
            }
            tx.update(&mut stored)?;
        }
        tx.note(happened.with("channel", &channel), now)
    })
    .await
}

/// A channel did not take it.
pub(super) async fn failed(
    book: &Book,
    alert: &Alert,
    channel: &str,
    why: String,
    now: Timestamp,
) -> Result<(), StoreError> {
    let happened = about("alert.failed", alert)
        .severe(3)
        .with("channel", channel)
        .with("attempt", alert.attempts.saturating_add(1))
        .with("why", why);
    book.run("noting who did not take an alert", move |tx| {
        tx.note(happened, now)
    })
    .await
}

/// What is left to do after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Every channel took it.
    Nothing,
    Again,
    /// Its time is over: some channel never took it.
    GivenUp,
}

/// After a round: when the next one is, if there is one.
pub(super) async fn settle(
    book: &Book,
    alert: &Alert,
    settings: &Settings,
    now: Timestamp,
) -> Result<Left, StoreError> {
    let id = alert.id.to_string();
    let wanted = settings.names_for(&alert.kind);
    let backoff = settings.backoff;
    book.run("noting what is left of an alert", move |tx| {
        let Some(mut stored) = tx.find::<Alert>(&id)? else {
            return Ok(Left::Nothing);
        };
        stored.attempts = stored.attempts.saturating_add(1);
        let missing: Vec<String> = wanted
            .into_iter()
            .filter(|name| !stored.taken_by.contains(name))
            .collect();
        let left = if missing.is_empty() && !stored.taken_by.is_empty() {
            Left::Nothing
        } else if now >= stored.at.plus(backoff.give_up) {
            Left::GivenUp
        } else {
            Left::Again
        };
        match left {
            Left::Again => stored.next_at = now.plus(backoff.pause(stored.attempts)),
            Left::Nothing => stored.state = AlertState::Settled,
            Left::GivenUp => give_up(tx, &mut stored, &missing, now)?,
        }
        tx.update(&mut stored)?;
        Ok::<_, StoreError>(left)
    })
    .await
}

fn give_up(
    tx: &Tx<'_>,
    alert: &mut Alert,
    missing: &[String],
    now: Timestamp,
) -> Result<(), StoreError> {
    alert.state = if alert.taken_by.is_empty() {
        AlertState::Failed
    } else {
        AlertState::Settled
    };
    let happened = about("alert.given-up", alert)
        .severe(if alert.taken_by.is_empty() { 5 } else { 3 })
        .with("channels", missing.join(" "))
        .with("taken_by", alert.taken_by.join(" "));
    tx.note(happened, now)
}

/// Alerts whose time has come.
pub(super) async fn due(book: &Book, now: Timestamp) -> Result<Vec<Alert>, StoreError> {
    book.run("listing alerts", move |tx| {
        let due = Query {
            due_by: Some(now),
            limit: BATCH,
            ..Query::default()
        };
        Ok::<_, StoreError>(tx.list::<Alert>(&due)?.items)
    })
    .await
}
