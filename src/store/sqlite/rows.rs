//! Between rows and model types: the only place that knows how each is spelled in the file.

use crate::model::{EndCause, Ended, Grant, SecretHash, Session, SessionId, Timestamp};
use crate::store::{Mark, StoreError, Stored};
use rusqlite::Row;
use std::sync::Arc;

/// The columns that [`stored`] reads, in its order.
pub(super) const COLUMNS: &str = "g.body, s.id, s.cookie, s.binding, s.started_at, s.last_used, \
     s.ended_cause, s.ended_at, s.ended_by, s.recorded, s.revision, s.used";

/// A row or value that cannot be read: `SQLite`'s trouble or ours.
pub(in crate::store) enum RowError {
    Sql(rusqlite::Error),
    Corrupt {
        what: &'static str,
        detail: String,
    },
    /// Its words are there already.
    Store(StoreError),
    /// The transaction's own work gave up: nothing is written, its caller holds the reason.
    Abandoned,
}

impl From<StoreError> for RowError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<rusqlite::Error> for RowError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl RowError {
    pub(in crate::store) fn doing(self, doing: &'static str) -> StoreError {
        match self {
            Self::Sql(source) => StoreError::Failed {
                doing,
                source: Box::new(source),
            },
            Self::Corrupt { what, detail } => StoreError::Corrupt { what, detail },
            Self::Store(error) => error,
            Self::Abandoned => StoreError::Stopped,
        }
    }
}

fn corrupt(what: &'static str) -> impl Fn(String) -> RowError {
    move |detail| RowError::Corrupt { what, detail }
}

/// Reads a row of [`COLUMNS`].
pub(super) fn stored(row: &Row<'_>) -> Result<Stored, RowError> {
    let body = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
    let grant: Grant = serde_json::from_str(body).map_err(|e| corrupt("grant")(e.to_string()))?;
    let id: SessionId = row
        .get_ref(1)?
        .as_str()
        .map_err(rusqlite::Error::from)?
        .parse()
        .map_err(|e: crate::model::id::InvalidId| corrupt("session id")(e.to_string()))?;
    let binding = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
    let binding = serde_json::from_str(binding).map_err(|e| corrupt("binding")(e.to_string()))?;
    let session = Session {
        id,
        grant: grant.id,
        cookie: row
            .get::<_, Option<[u8; 32]>>(2)?
            .map(SecretHash::from_bytes),
        binding,
        started_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_millis),
        ended: ended(row, 6)?,
    };
    Ok(Stored {
        grant: Arc::new(grant),
        session,
        last_used: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
        recorded: Mark::from_bits(u8::try_from(row.get::<_, i64>(9)?).unwrap_or(0)),
        revision: row.get(10)?,
        used: row
            .get::<_, Option<String>>(11)?
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|e| corrupt("use")(e.to_string()))?,
    })
}

/// Reads cause, time and author from three columns at `first`.
pub(super) fn ended(row: &Row<'_>, first: usize) -> Result<Option<Ended>, RowError> {
    let Some(cause) = row.get::<_, Option<String>>(first)? else {
        return Ok(None);
    };
    Ok(Some(Ended {
        cause: cause_of(&cause)?,
        at: Timestamp::from_millis(row.get(first + 1)?),
        by: row.get(first + 2)?,
    }))
}

fn cause_of(text: &str) -> Result<EndCause, RowError> {
    serde_json::from_value(serde_json::Value::from(text))
        .map_err(|e| corrupt("end cause")(e.to_string()))
}

/// JSON for a text column.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String, RowError> {
    serde_json::to_string(value).map_err(|e| corrupt("value")(e.to_string()))
}
