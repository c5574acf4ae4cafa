//! One configured channel: which alerts it is for, how long it has, and what it calls taken.

use super::mail::Mail;
use super::pagerduty::PagerDuty;
use super::slack::Slack;
use super::untaken::Untaken;
use super::webhook::Webhook;
use crate::model::{Alert, Timestamp};
use std::time::Duration;

/// How it sends.
#[derive(Debug)]
pub(super) enum Way {
    Webhook(Webhook),
    Slack(Slack),
    PagerDuty(PagerDuty),
    Mail(Mail),
}

impl Way {
    /// As in the configuration.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::PagerDuty(_) => "pagerduty",
            Self::Mail(_) => "smtp",
        }
    }
}

#[derive(Debug)]
pub(super) struct Channel {
    pub(super) name: String,
    /// Kinds of alerts, or their beginnings (`break-glass.*`). Empty: all.
    pub(super) only: Vec<String>,
    pub(super) timeout: Duration,
    pub(super) way: Way,
}

impl Channel {
    pub(super) fn is_for(&self, kind: &str) -> bool {
        crate::config::is_for_alert(&self.only, kind)
    }

    /// Sends it once. `Ok` only after a definite yes.
    pub(super) async fn send(&self, alert: &Alert, now: Timestamp) -> Result<(), Untaken> {
        let sent = async {
            match &self.way {
                Way::Webhook(way) => way.send(alert, now).await,
                Way::Slack(way) => way.send(alert).await,
                Way::PagerDuty(way) => way.send(alert).await,
                Way::Mail(way) => way.send(alert, now).await,
            }
        };
        tokio::time::timeout(self.timeout, sent)
            .await
            .unwrap_or(Err(Untaken::Timeout(self.timeout)))
    }
}
