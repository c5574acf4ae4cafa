//! Rows that are one JSON body with a few columns to find them by: one way in, one way out, for every kind.

use super::{RowError, StoreError, Tx, failed};
use crate::model::{
    AccessRequest, Alert, Change, Lock, Reach, Review, ReviewState, Timestamp, Transmission,
    TransmissionState, Workload,
};
use rusqlite::types::Value;
use serde::{Serialize, de::DeserializeOwned};

/// What a row is found by. Empty where a kind has no such thing.
#[derive(Clone, Debug, Default)]
pub struct Index {
    pub app: String,
    pub tenant: String,
    /// Whom it is about: an operator, a workload's owner; for a lock, its key; for a transmission, its receiver;
    /// for a change, its digest.
    pub person: String,
    pub state: &'static str,
    pub at: i64,
    /// When something must happen to it by itself: it expires, it is overdue, it is tried again.
    pub due: Option<i64>,
}

/// A kind of row.
pub trait Kept: Serialize + DeserializeOwned {
    const TABLE: &'static str;
    /// For errors.
    const WHAT: &'static str;
    fn key(&self) -> String;
    fn index(&self) -> Index;
    fn version(&self) -> i64;
    fn set_version(&mut self, version: i64);
}

macro_rules! kept {
    ($ty:ty, $table:literal, $what:literal, $it:ident => $index:expr) => {
        impl Kept for $ty {
            const TABLE: &'static str = $table;
            const WHAT: &'static str = $what;
            fn key(&self) -> String {
                self.id.to_string()
            }
            fn index(&self) -> Index {
                let $it = self;
                $index
            }
            fn version(&self) -> i64 {
                self.version
            }
            fn set_version(&mut self, version: i64) {
                self.version = version;
            }
        }
    };
}

kept!(AccessRequest, "requests", "request", it => Index {
    app: it.app.clone(),
    tenant: it.tenant.id.clone(),
    person: it.operator.id.clone(),
    state: it.state.as_str(),
    at: it.created_at.millis(),
    due: it.state.is_open().then(|| it.expires_at.millis()),
});

kept!(Lock, "locks", "lock", it => Index {
    person: it.key.folded().to_string(),
    state: if it.lifted_at.is_some() { "lifted" } else { "held" },
    at: it.at.millis(),
    due: it.until.map(Timestamp::millis),
    ..Index::default()
});

kept!(Review, "reviews", "review", it => Index {
    app: it.app.clone(),
    tenant: it.tenant.clone(),
    person: it.operator.clone(),
    state: it.state.as_str(),
    at: it.opened_at.millis(),
    // Until it escalated, which it does once: else those that did would fill each batch of what is due.
    due: (it.state == ReviewState::Due && it.escalated_at.is_none()).then(|| it.due_at.millis()),
});

kept!(Workload, "workloads", "workload", it => Index {
    person: it.owner.clone(),
    state: if it.disabled { "disabled" } else { "registered" },
    at: it.registered_at.millis(),
    due: Some(it.renew_by.millis()),
    ..Index::default()
});

kept!(Alert, "alerts", "alert", it => Index {
    app: it.app.clone(),
    tenant: it.tenant.clone(),
    person: it.operator.clone(),
    state: it.state.as_str(),
    at: it.at.millis(),
    due: it.state.is_open().then(|| it.next_at.millis()),
});

kept!(Transmission, "transmissions", "transmission", it => Index {
    app: it.app.clone(),
    tenant: it.tenant.clone(),
    // Each receiver has a queue of its own.
    person: it.receiver.clone(),
    state: it.state.as_str(),
    at: it.ended_at.millis(),
    due: (it.state == TransmissionState::Waiting).then(|| it.next_at.millis()),
});

kept!(Change, "changes", "change", it => Index {
    person: it.digest.clone(),
    state: it.state.as_str(),
    at: it.at.millis(),
    due: it.state.is_open().then(|| it.expires_at.millis()),
    ..Index::default()
});

/// Which rows to list; every member given must match.
#[derive(Clone, Debug)]
pub struct Query {
    /// Any of these; empty: whatever state.
    pub states: Vec<&'static str>,
    pub tenants: Reach,
    pub apps: Reach,
    pub person: Option<String>,
    /// Due at or before this moment.
    pub due_by: Option<Timestamp>,
    /// Only rows after this one, in the order of the list.
    pub after: Option<String>,
    /// Between 1 and 1,000.
    pub limit: usize,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            states: Vec::new(),
            tenants: Reach::All,
            apps: Reach::All,
            person: None,
            due_by: None,
            after: None,
            limit: 100,
        }
    }
}

/// A part of a list, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where the next page begins: give it as [`Query::after`]. `None`: that was all.
    pub next: Option<String>,
}

impl Query {
    /// `WHERE …` with its values.
    fn conditions(&self) -> (String, Vec<Value>) {
        let mut words = vec!["1".to_owned()];
        let mut values: Vec<Value> = Vec::new();
        let mut any = |column: &str, names: Vec<String>| {
            let marks = vec!["?"; names.len()].join(", ");
            words.push(format!("{column} IN ({marks})"));
            values.extend(names.into_iter().map(Value::from));
        };
        if !self.states.is_empty() {
            any(
                "state",
                self.states.iter().map(|it| (*it).to_owned()).collect(),
            );
        }
        if let Reach::Only(names) = &self.tenants {
            any("tenant", names.clone());
        }
        if let Reach::Only(names) = &self.apps {
            any("app", names.clone());
        }
        if let Some(person) = &self.person {
            any("person", vec![person.clone()]);
        }
        if let Some(due) = self.due_by {
            words.push("due <= ?".to_owned());
            values.push(due.millis().into());
        }
        if let Some(after) = &self.after {
            words.push("id < ?".to_owned());
            values.push(after.clone().into());
        }
        (words.join(" AND "), values)
    }
}

fn body<T: Kept>(text: &str) -> Result<T, RowError> {
    serde_json::from_str(text).map_err(|error| RowError::Corrupt {
        what: T::WHAT,
        detail: error.to_string(),
    })
}

fn text<T: Kept>(value: &T) -> Result<String, RowError> {
    serde_json::to_string(value).map_err(|error| RowError::Corrupt {
        what: T::WHAT,
        detail: error.to_string(),
    })
}

impl Tx<'_> {
    /// The row of this id.
    pub fn find<T: Kept>(&self, id: &str) -> Result<Option<T>, StoreError> {
        let run = || -> Result<Option<T>, RowError> {
            let sql = format!("SELECT body FROM {} WHERE id = ?1", T::TABLE);
            let mut query = self.sql.prepare_cached(&sql)?;
            let mut rows = query.query([id])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            let found = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            body(found).map(Some)
        };
        run().map_err(failed("reading the control plane's rows"))
    }

    /// Adds a row; its version becomes 1.
    pub fn insert<T: Kept>(&self, value: &mut T) -> Result<(), StoreError> {
        value.set_version(1);
        let run = || -> Result<(), RowError> {
            let sql = format!(
                "INSERT INTO {} (id, app, tenant, person, state, at, due, version, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8)",
                T::TABLE
            );
            let index = value.index();
            let row = (
                value.key(),
                index.app,
                index.tenant,
                index.person,
                index.state,
                index.at,
                index.due,
                text(value)?,
            );
            self.sql.prepare_cached(&sql)?.execute(row)?;
            Ok(())
        };
        run().map_err(failed("adding to the control plane's rows"))
    }

    /// Replaces a row that was read in this transaction; its version grows.
    pub fn update<T: Kept>(&self, value: &mut T) -> Result<(), StoreError> {
        value.set_version(value.version().saturating_add(1));
        let run = || -> Result<usize, RowError> {
            let sql = format!(
                "UPDATE {} SET app = ?2, tenant = ?3, person = ?4, state = ?5, at = ?6, due = ?7,
                 version = version + 1, body = ?8 WHERE id = ?1 AND version = ?9",
                T::TABLE
            );
            let index = value.index();
            let row = (
                value.key(),
                index.app,
                index.tenant,
                index.person,
                index.state,
                index.at,
                index.due,
                text(value)?,
                value.version().saturating_sub(1),
            );
            Ok(self.sql.prepare_cached(&sql)?.execute(row)?)
        };
        let doing = "changing the control plane's rows";
        match run().map_err(failed(doing))? {
            1 => Ok(()),
            _ => Err(StoreError::Corrupt {
                what: T::WHAT,
                detail: format!("{} is not at the version that was read", value.key()),
            }),
        }
    }

    /// Rows by query, newest first.
    pub fn list<T: Kept>(&self, query: &Query) -> Result<Page<T>, StoreError> {
        let limit = query.limit.clamp(1, 1_000);
        let run = || -> Result<Vec<(String, String)>, RowError> {
            let (conditions, mut values) = query.conditions();
            values.push(Value::from(i64::try_from(limit + 1).unwrap_or(1_001)));
            let sql = format!(
                "SELECT id, body FROM {} WHERE {conditions} ORDER BY id DESC LIMIT ?",
                T::TABLE
            );
            let mut query = self.sql.prepare_cached(&sql)?;
            let rows = query.query_map(rusqlite::params_from_iter(values), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        let doing = "listing the control plane's rows";
        let mut rows = run().map_err(failed(doing))?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|(id, _)| id.clone());
        let items = rows.iter().map(|(_, text)| body(text));
        let items = items.collect::<Result<_, _>>().map_err(failed(doing))?;
        Ok(Page { items, next })
    }

    /// How many rows match; the limit and the cursor do not count.
    pub fn count<T: Kept>(&self, query: &Query) -> Result<usize, StoreError> {
        let run = || -> Result<i64, RowError> {
            let query = Query {
                after: None,
                ..query.clone()
            };
            let (conditions, values) = query.conditions();
            let sql = format!("SELECT count(*) FROM {} WHERE {conditions}", T::TABLE);
            let mut query = self.sql.prepare_cached(&sql)?;
            Ok(query.query_row(rusqlite::params_from_iter(values), |row| row.get(0))?)
        };
        let count = run().map_err(failed("counting the control plane's rows"))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }
}
