//! Alerts: they leave by every configured channel at once, and count as taken only where a channel gave a definite yes.
//!
//! [`Alarm::raise`] waits for the first yes, because break-glass opens on it; the other channels go on in the background.
//! What some channel did not take is sent again by [`Alerts::run`] until it did or its time is over. Every answer is noted.

mod channel;
mod counts;
mod ledger;
mod mail;
mod pagerduty;
mod settings;
mod slack;
mod trial;
mod untaken;
mod webhook;
mod words;

#[cfg(test)]
pub(in crate::control) mod fixture;
#[cfg(test)]
mod tests;

pub use counts::Counts;
pub use settings::{Settings, SettingsError};
pub use untaken::Untaken;
pub use words::TEST;

use super::desk::{Alarm, Answer, Tried};
use super::refusal::Refusal;
use crate::model::{Alert, AlertId, Caller, Clock, Timestamp};
use crate::store::control::Book;
use arc_swap::ArcSwap;
use channel::Channel;
use ledger::Left;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often alerts that are due are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// The channels, and what is under way. Clones are the same.
#[derive(Clone)]
pub struct Alerts(Arc<Inner>);

struct Inner {
    book: Book,
    clock: Clock,
    settings: ArcSwap<Settings>,
    under_way: Mutex<HashSet<AlertId>>,
    counts: Counts,
    /// When channels were tested last.
    tested: Mutex<Option<Timestamp>>,
}

/// What one channel said.
struct Said {
    channel: String,
    result: Result<(), Untaken>,
}

/// While it lives, the alert is not sent by anybody else here.
struct Claim {
    alert: AlertId,
    inner: Arc<Inner>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.inner.under_way.lock().remove(&self.alert);
        self.inner.counts.under_way.dec();
    }
}

impl Settings {
    fn wanted<'a>(&'a self, alert: &'a Alert) -> impl Iterator<Item = &'a Arc<Channel>> {
        self.channels
            .iter()
            .filter(|it| it.is_for(&alert.kind) && !alert.taken_by.contains(&it.name))
    }

    fn names_for(&self, kind: &str) -> Vec<String> {
        let wanted = self.channels.iter().filter(|it| it.is_for(kind));
        wanted.map(|it| it.name.clone()).collect()
    }
}

impl Alerts {
    pub fn new(book: Book, clock: Clock, settings: Settings, counts: Counts) -> Self {
        Self(Arc::new(Inner {
            book,
            clock,
            settings: ArcSwap::from_pointee(settings),
            under_way: Mutex::default(),
            counts,
            tested: Mutex::default(),
        }))
    }

    /// Takes other channels into use. What is being sent goes on by the old ones.
    pub fn reload(&self, settings: Settings) {
        self.0.settings.store(Arc::new(settings));
    }

    /// The channels' names, in the order of the configuration.
    pub fn channels(&self) -> Vec<String> {
        let settings = self.0.settings.load();
        settings.channels.iter().map(|it| it.name.clone()).collect()
    }

    /// Sends what is due, until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => self.look().await,
            }
        }
    }

    /// Sends what is due, once. The sending goes on after this returns.
    pub async fn look(&self) {
        let now = self.0.clock.now();
        let due = match ledger::due(&self.0.book, now).await {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(%error, "alerts cannot be read");
                return;
            }
        };
        let most = self.0.settings.load().max_under_way;
        for alert in due {
            if self.0.under_way.lock().len() >= most {
                self.0.counts.put_off.inc();
                return;
            }
            let Some(claim) = self.claim(alert.id) else {
                continue;
            };
            drop(self.send(claim, alert));
        }
    }

    /// [`Alerts::look`], and waits for what it began.
    #[cfg(test)]
    pub(in crate::control) async fn look_through(&self) {
        self.look().await;
        fixture::until("all is sent", || self.is_idle()).await;
    }

    #[cfg(test)]
    pub(in crate::control) fn is_idle(&self) -> bool {
        self.0.under_way.lock().is_empty()
    }

    fn claim(&self, alert: AlertId) -> Option<Claim> {
        let inner = Arc::clone(&self.0);
        let is_new = inner.under_way.lock().insert(alert);
        is_new.then(|| {
            inner.counts.under_way.inc();
            Claim { alert, inner }
        })
    }

    /// One round: every channel that has not taken it, at the same time. What each says comes out as it is said; the round
    /// goes on, and is noted, if nobody listens.
    fn send(&self, claim: Claim, alert: Alert) -> mpsc::Receiver<Said> {
        let settings = self.0.settings.load_full();
        let alert = Arc::new(alert);
        let now = self.0.clock.now();
        let mut sending = JoinSet::new();
        for channel in settings.wanted(&alert) {
            let (channel, alert) = (Arc::clone(channel), Arc::clone(&alert));
            sending.spawn(async move {
                Said {
                    channel: channel.name.clone(),
                    result: channel.send(&alert, now).await,
                }
            });
        }
        let (tell, said) = mpsc::channel(sending.len().max(1));
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move {
            let _claim = claim;
            inner.round(&alert, sending, tell, &settings).await;
        });
        said
    }
}

impl Inner {
    async fn round(
        &self,
        alert: &Alert,
        mut sending: JoinSet<Said>,
        tell: mpsc::Sender<Said>,
        settings: &Settings,
    ) {
        if sending.is_empty() && alert.taken_by.is_empty() {
            tracing::error!(kind = alert.kind, "no alert channel is configured for this");
        }
        while let Some(said) = sending.join_next().await {
            let Ok(said) = said else { continue };
            let (channel, why) = (said.channel.clone(), said.result.as_ref().err());
            let result = why.map_or("taken", Untaken::as_str);
            self.counts.tried(&channel, result);
            let why = why.map(ToString::to_string);
            // Whoever waits is told first: what follows takes as long as a disk does.
            let _ = tell.send(said).await;
            self.note(alert, &channel, why).await;
        }
        drop(tell);
        let now = self.clock.now();
        match ledger::settle(&self.book, alert, settings, now).await {
            Ok(Left::Again | Left::Nothing) => {}
            Ok(Left::GivenUp) => {
                self.counts.given_up.inc();
                tracing::error!(alert = %alert.id, kind = alert.kind, "an alert was given up");
            }
            Err(error) => tracing::error!(%error, "what is left of an alert cannot be noted"),
        }
    }

    async fn note(&self, alert: &Alert, channel: &str, why: Option<String>) {
        let now = self.clock.now();
        let noted = match why {
            None => ledger::taken(&self.book, alert, channel, now).await,
            Some(why) => {
                tracing::warn!(channel, kind = alert.kind, why, "an alert was not taken");
                ledger::failed(&self.book, alert, channel, why, now).await
            }
        };
        if let Err(error) = noted {
            tracing::error!(%error, channel, "an alert channel's answer cannot be noted");
        }
    }
}

impl Alarm for Alerts {
    fn raise<'a>(&'a self, alert: &'a Alert) -> Answer<'a, Result<Vec<String>, String>> {
        Box::pin(async move {
            let raised = self.first_yes(alert).await;
            if raised.is_err() {
                self.0.counts.unheard.inc();
            }
            raised
        })
    }

    fn test<'a>(
        &'a self,
        channel: Option<&'a str>,
        by: &'a Caller,
    ) -> Answer<'a, Result<Vec<Tried>, Refusal>> {
        Box::pin(self.try_out(channel, by))
    }
}

impl Alerts {
    async fn first_yes(&self, alert: &Alert) -> Result<Vec<String>, String> {
        if self.0.settings.load().wanted(alert).next().is_none() {
            return Err(format!("no alert channel is configured for {}", alert.kind));
        }
        let Some(claim) = self.claim(alert.id) else {
            return Err("it is being sent already".to_owned());
        };
        let mut said = self.send(claim, alert.clone());
        let mut why = Vec::new();
        while let Some(one) = said.recv().await {
            match one.result {
                Ok(()) => return Ok(vec![one.channel]),
                Err(untaken) => why.push(format!("{}: {untaken}", one.channel)),
            }
        }
        Err(why.join("; "))
    }
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Alerts").field(&self.channels()).finish()
    }
}
