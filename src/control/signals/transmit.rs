//! Telling receivers: each session that ended becomes one row for each receiver that hears of it, and each row is pushed
//! until the receiver acknowledged it (RFC 8935 §2.2: 202), or its time is over.

use super::hub::{Inner, Signals};
use super::settings::{Receiver, Settings, TYPE};
use super::token;
use crate::control::outbound::CallError;
use crate::model::{Happened, Timestamp, Transmission, TransmissionState};
use crate::store::control::{Query, Tx};
use crate::store::{StoreError, Stored};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often the store is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Changed sessions that are read in one go.
const BATCH: usize = 256;

/// Why a receiver was not told.
#[derive(Debug)]
enum Untold {
    Signing,
    Call(CallError),
    /// Any status but 202, with the receiver's own error code where it gave one.
    Status(u16, Option<String>),
}

impl Signals {
    /// Tells what there is to tell, until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => self.look().await,
            }
        }
    }

    /// Looks once for sessions that have ended, and tells what is due. The telling goes on after this returns.
    pub async fn look(&self) {
        if let Err(error) = self.0.gather().await {
            tracing::error!(%error, "ended sessions cannot be read");
        }
        let settings = self.0.settings.load_full();
        for receiver in &settings.receivers {
            if self.0.telling.lock().insert(receiver.name.clone()) {
                let (inner, settings) = (Arc::clone(&self.0), Arc::clone(&settings));
                let receiver = Arc::clone(receiver);
                tokio::spawn(async move {
                    let turn = Turn { inner, receiver };
                    if let Err(error) = turn.tell(&settings).await {
                        tracing::error!(%error, "what receivers are told cannot be read");
                    }
                });
            }
        }
    }
}

impl Inner {
    /// Turns sessions that have ended into rows, all or none.
    async fn gather(&self) -> Result<(), StoreError> {
        loop {
            let settings = self.settings.load_full();
            let now = self.clock.now();
            let more = self
                .book
                .run("queueing what receivers are told", move |tx| {
                    let ended = tx.newly_ended(BATCH)?;
                    for stored in &ended.over {
                        queue(tx, stored, &settings, now)?;
                    }
                    Ok::<_, StoreError>(ended.read == BATCH)
                });
            if !more.await? {
                return Ok(());
            }
        }
    }
}

fn queue(
    tx: &Tx<'_>,
    stored: &Stored,
    settings: &Settings,
    now: Timestamp,
) -> Result<(), StoreError> {
    let grant = &stored.grant;
    // A session that nobody began has left nothing anywhere.
    let (Some(ended), Some(_)) = (&stored.session.ended, stored.session.started_at) else {
        return Ok(());
    };
    let concerned = settings
        .receivers
        .iter()
        .filter(|it| it.apps.covers(&grant.app) && it.tenants.covers(&grant.tenant.id));
    for receiver in concerned {
        let id = format!("{}.{}", stored.session.id, receiver.name);
        if tx.find::<Transmission>(&id)?.is_some() {
            continue;
        }
        tx.insert(&mut Transmission {
            id,
            receiver: receiver.name.clone(),
            session: stored.session.id.to_string(),
            grant: grant.id.to_string(),
            app: grant.app.clone(),
            tenant: grant.tenant.id.clone(),
            operator: grant.operator.id.clone(),
            subject: grant.subject.id.clone(),
            ticket: grant.ticket.clone(),
            cause: ended.cause,
            by: ended.by.clone(),
            ended_at: ended.at,
            state: TransmissionState::Waiting,
            attempts: 0,
            next_at: now,
            version: 0,
        })?;
    }
    Ok(())
}

/// One receiver's turn; nobody else tells it meanwhile.
struct Turn {
    inner: Arc<Inner>,
    receiver: Arc<Receiver>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.inner.telling.lock().remove(&self.receiver.name);
    }
}

impl Turn {
    async fn tell(&self, settings: &Arc<Settings>) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        let due = Query {
            person: Some(self.receiver.name.clone()),
            due_by: Some(now),
            limit: settings.max_under_way,
            ..Query::default()
        };
        let due = self
            .inner
            .book
            .run("listing what a receiver is told", move |tx| {
                Ok::<_, StoreError>(tx.list::<Transmission>(&due)?.items)
            });
        let mut pushing = JoinSet::new();
        for it in due.await? {
            let (inner, receiver) = (Arc::clone(&self.inner), Arc::clone(&self.receiver));
            let settings = Arc::clone(settings);
            pushing.spawn(async move {
                let pushed = push(&inner, &receiver, &settings, &it).await;
                settle(&inner, &settings, it, pushed).await
            });
        }
        while let Some(done) = pushing.join_next().await {
            if let Ok(Err(error)) = done {
                tracing::error!(%error, "what a receiver was told cannot be noted");
            }
        }
        Ok(())
    }
}

async fn push(
    inner: &Inner,
    receiver: &Receiver,
    settings: &Settings,
    it: &Transmission,
) -> Result<(), Untold> {
    let claims = token::claims(it, &settings.issuer, &receiver.audience, inner.clock.now());
    let token = (inner.sign)(TYPE, &claims).ok_or(Untold::Signing)?;
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/secevent+jwt"),
    );
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(authorization) = &receiver.authorization
        && let Ok(mut value) = HeaderValue::from_str(authorization)
    {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let answer = receiver
        .to
        .post(&receiver.url, headers, token.into_bytes())
        .await
        .map_err(Untold::Call)?;
    if answer.status == 202 {
        return Ok(());
    }
    Err(Untold::Status(answer.status, error_code(&answer.body)))
}

/// `err` of RFC 8935 §2.3.
fn error_code(body: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let code = answer.get("err")?.as_str()?;
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    Some(code.chars().filter(plain).take(64).collect())
}

async fn settle(
    inner: &Inner,
    settings: &Settings,
    it: Transmission,
    pushed: Result<(), Untold>,
) -> Result<(), StoreError> {
    let (now, backoff) = (inner.clock.now(), settings.backoff);
    let result = pushed.as_ref().map_or_else(Untold::word, |()| "taken");
    inner.counts.told(&it.receiver, result);
    let why = pushed.err().map(|untold| untold.to_string());
    if let Some(why) = &why {
        tracing::warn!(receiver = it.receiver, why, "a receiver was not told");
    }
    let done = inner
        .book
        .run("noting what a receiver was told", move |tx| {
            let Some(mut stored) = tx.find::<Transmission>(&it.id)? else {
                return Ok(());
            };
            stored.attempts = stored.attempts.saturating_add(1);
            let happened = match why {
                None => {
                    stored.state = TransmissionState::Taken;
                    about("signal.told", &stored)
                }
                Some(why) if now >= stored.ended_at.plus(backoff.give_up) => {
                    stored.state = TransmissionState::Failed;
                    about("signal.given-up", &stored).severe(4).with("why", why)
                }
                Some(why) => {
                    stored.next_at = now.plus(backoff.pause(stored.attempts));
                    about("signal.untold", &stored).severe(2).with("why", why)
                }
            };
            tx.update(&mut stored)?;
            tx.note(happened, now)
        });
    done.await
}

fn about(code: &str, it: &Transmission) -> Happened {
    let happened = Happened {
        app: Some(it.app.clone()),
        tenant: Some(it.tenant.clone()),
        operator: Some(it.operator.clone()),
        subject: Some(it.subject.clone()),
        ticket: Some(it.ticket.clone()),
        grant: Some(it.grant.clone()),
        session: Some(it.session.clone()),
        ..Happened::new(code, "locum")
    };
    happened
        .with("receiver", &it.receiver)
        .with("jti", &it.id)
        .with("attempt", it.attempts)
}

impl Untold {
    /// The word in metrics.
    const fn word(&self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Call(CallError::Timeout(_)) => "timeout",
            Self::Call(CallError::Connect(_)) => "connect",
            Self::Call(CallError::BrokenOff(_)) => "broken-off",
            Self::Call(CallError::TooLong(_)) => "too-long",
            Self::Status(..) => "status",
        }
    }
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signing => f.write_str("the token could not be signed"),
            Self::Call(error) => error.fmt(f),
            Self::Status(status, None) => write!(f, "answered {status}, not 202"),
            Self::Status(status, Some(code)) => write!(f, "answered {status}: {code}"),
        }
    }
}
