//! Trying channels out: a marked alert by each, whatever alerts it is for, and what each said of it.

use super::channel::Channel;
use super::untaken::Untaken;
use super::words::TEST;
use super::{Alerts, Inner};
use crate::control::desk::Tried;
use crate::control::refusal::{Kind, Problem, Refusal};
use crate::model::{Alert, AlertId, AlertState, Caller, Happened, Timestamp};
use std::sync::Arc;
use tokio::task::JoinSet;

impl Alerts {
    /// Sends a test alert by the channel of this name, or by each. What each said is recorded, whether it took it or not.
    pub(super) async fn try_out(
        &self,
        channel: Option<&str>,
        by: &Caller,
    ) -> Result<Vec<Tried>, Refusal> {
        let settings = self.0.settings.load_full();
        let wanted = settings.channels.iter();
        let wanted = wanted.filter(|it| channel.is_none_or(|name| it.name == name));
        let wanted: Vec<Arc<Channel>> = wanted.cloned().collect();
        if wanted.is_empty() {
            return Err(unknown(channel, &self.channels()));
        }
        let now = self.0.clock.now();
        {
            let mut tested = self.0.tested.lock();
            let until = tested.map(|last| last.plus(settings.test_every));
            if tested.is_some_and(|last| last <= now) && until.is_some_and(|until| now < until) {
                self.0.counts.tests_too_soon.inc();
                return Err(Refusal::new(
                    Kind::TooMany,
                    "alert.test-rate",
                    format!(
                        "Channels were tested less than {} s ago: people read these. Try again in a moment.",
                        settings.test_every.as_secs()
                    ),
                ));
            }
            *tested = Some(now);
        }
        let (inner, by) = (Arc::clone(&self.0), by.clone());
        // On a task of its own: what was sent is on record even if nobody waits for the answer.
        let tried = tokio::spawn(async move { inner.try_each(wanted, by, now).await });
        tried.await.map_err(|error| {
            tracing::error!(%error, "a test of alert channels broke off");
            let detail = "The test broke off. What was sent before that is on record.";
            Refusal::new(Kind::Unavailable, "alert.test", detail)
        })?
    }
}

impl Inner {
    async fn try_each(
        &self,
        wanted: Vec<Arc<Channel>>,
        by: Caller,
        now: Timestamp,
    ) -> Result<Vec<Tried>, Refusal> {
        let alert = Arc::new(test_alert(&by.person, now));
        let mut sending = JoinSet::new();
        for (at, channel) in wanted.into_iter().enumerate() {
            let alert = Arc::clone(&alert);
            sending.spawn(async move { (at, tried(&channel, &alert, now).await) });
        }
        let mut all: Vec<(usize, Tried)> = Vec::new();
        while let Some(one) = sending.join_next().await {
            all.extend(one);
        }
        all.sort_by_key(|(at, _)| *at);
        let all: Vec<Tried> = all.into_iter().map(|(_, tried)| tried).collect();
        for one in &all {
            self.counts.tried(&one.channel, one.result);
        }
        let noted = all.clone();
        self.book
            .run("noting a test of alert channels", move |tx| {
                for one in noted {
                    let mut happened = Happened::by("alert.tested", &by)
                        .with("alert", alert.id)
                        .with("channel", one.channel)
                        .with("result", one.result);
                    if let Some(why) = one.why {
                        happened = happened.with("why", why);
                    }
                    tx.note(happened, now)?;
                }
                Ok::<_, Refusal>(())
            })
            .await?;
        Ok(all)
    }
}

async fn tried(channel: &Channel, alert: &Alert, now: Timestamp) -> Tried {
    let sent = channel.send(alert, now).await;
    Tried {
        channel: channel.name.clone(),
        kind: channel.way.as_str(),
        result: sent.as_ref().map_or_else(Untaken::as_str, |()| "taken"),
        why: sent.err().map(|why| why.to_string()),
    }
}

fn unknown(channel: Option<&str>, known: &[String]) -> Refusal {
    match channel {
        Some(_) if !known.is_empty() => Refusal::invalid(vec![Problem {
            field: "channel".to_owned(),
            message: format!("no channel has this name; there are: {}", known.join(", ")),
        }]),
        _ => Refusal::conflict(
            "alert.no-channels",
            "No alert channel is configured: add [[alerts]].",
        ),
    }
}

fn test_alert(by: &str, now: Timestamp) -> Alert {
    Alert {
        id: AlertId::fresh(),
        kind: TEST.to_owned(),
        severity: "info".to_owned(),
        summary: format!("TEST: {by} tests this alert channel; nothing happened"),
        app: String::new(),
        tenant: String::new(),
        operator: by.to_owned(),
        details: Vec::new(),
        at: now,
        state: AlertState::Waiting,
        taken_by: Vec::new(),
        attempts: 0,
        next_at: now,
        version: 0,
    }
}
