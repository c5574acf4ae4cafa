//! Whether a lock forbids a grant: asked in the same transaction that would start its session.

use super::rows::RowError;
use crate::model::{Grant, Lock, LockKey, SessionId, Timestamp};
use rusqlite::Transaction;
use rusqlite::types::Value;

/// Every key that a lock on this grant could have.
pub(in crate::store) fn keys(grant: &Grant, session: Option<SessionId>) -> Vec<LockKey> {
    let mut keys = vec![
        LockKey::All,
        LockKey::Operator(grant.operator.id.clone()),
        LockKey::Subject(grant.subject.id.clone()),
        LockKey::Tenant(grant.tenant.id.clone()),
        LockKey::Ticket(grant.ticket.clone()),
        LockKey::App(grant.app.clone()),
    ];
    keys.extend(session.map(|id| LockKey::Session(id.to_string())));
    keys
}

/// The first lock that holds at `now` on any of `keys`.
pub(in crate::store) fn holding(
    tx: &Transaction<'_>,
    keys: &[LockKey],
    now: Timestamp,
) -> Result<Option<Lock>, RowError> {
    // As they are, too: for locks that were set before names were folded.
    let spelt = keys.iter().map(ToString::to_string);
    let folded = keys.iter().map(|key| key.folded().to_string());
    let wanted: Vec<String> = spelt.chain(folded).collect();
    let marks = vec!["?"; wanted.len()].join(", ");
    let sql = format!(
        "SELECT body FROM locks WHERE state = 'held' AND (due IS NULL OR due > ?)
         AND person IN ({marks}) ORDER BY id LIMIT 1"
    );
    let mut values = vec![Value::from(now.millis())];
    values.extend(wanted.into_iter().map(Value::from));
    let mut query = tx.prepare_cached(&sql)?;
    let mut rows = query.query(rusqlite::params_from_iter(values))?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let body = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
    serde_json::from_str(body)
        .map(Some)
        .map_err(|error| RowError::Corrupt {
            what: "lock",
            detail: error.to_string(),
        })
}
