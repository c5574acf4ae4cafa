//! What the control plane keeps: requests, votes, locks, reviews, workloads, consents, alerts, logins, and what happened.
//!
//! All in the same `SQLite` file as the grants, so that a change, the authority that comes of it and the words that
//! tell of it are one transaction: after a crash all are there, or none. [`Book::write`] runs one.

mod answers;
mod authority;
mod force;
mod logins;
mod outbox;
mod shelf;
mod signals;
mod votes;

pub use answers::{Claim, Once};
pub use authority::Open;
pub use force::InForce;
pub use logins::{Login, LoginKind};
pub use outbox::Noted;
pub use shelf::{Index, Kept, Page, Query};
pub use signals::NewlyEnded;

use super::StoreError;
use super::sqlite::{RowError, Settings, Sqlite};
use std::sync::Arc;

/// One transaction, for reading and writing. What it wrote is kept when its closure returns `Ok`.
pub struct Tx<'a> {
    sql: &'a rusqlite::Transaction<'a>,
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tx")
    }
}

/// The control plane's handle on the file. Every call blocks for as long as a disk takes: from asynchronous code, use
/// [`Book::run`].
#[derive(Clone, Debug)]
pub struct Book {
    file: Arc<Sqlite>,
    /// Rung after each write, so that what happened is recorded without waiting.
    written: Arc<tokio::sync::Notify>,
}

impl Book {
    /// Opens a connection of its own to the file.
    pub fn open(settings: &Settings) -> Result<Self, StoreError> {
        Ok(Self {
            file: Arc::new(Sqlite::open(settings)?),
            written: Arc::new(tokio::sync::Notify::new()),
        })
    }

    /// Runs `work` in one write transaction and commits if it returns `Ok`. What was committed survives a power cut.
    pub fn write<T, E: From<StoreError>>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut own = None;
        let out = self.file.transact(doing, |sql| match work(&Tx { sql }) {
            Ok(out) => Ok(out),
            Err(error) => {
                own = Some(error);
                Err(RowError::Abandoned)
            }
        });
        match (out, own) {
            (_, Some(error)) => Err(error),
            (Ok(out), None) => {
                self.written.notify_one();
                Ok(out)
            }
            (Err(error), None) => Err(error.into()),
        }
    }

    /// [`Book::write`] away from the runtime's own threads.
    pub async fn run<T, E>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let book = self.clone();
        let done = tokio::task::spawn_blocking(move || book.write(doing, work)).await;
        done.unwrap_or_else(|_| Err(StoreError::Stopped.into()))
    }

    /// Waits until something may have been written by this process.
    pub async fn written(&self) {
        self.written.notified().await;
    }

    /// Rings [`Book::written`].
    pub fn ring(&self) {
        self.written.notify_one();
    }
}

/// Gives an error of the rows the words of what was being done.
fn failed(doing: &'static str) -> impl Fn(RowError) -> StoreError {
    move |error| error.doing(doing)
}
