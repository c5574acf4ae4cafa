//! `[[alerts]]`, `[alerting]` and `[signals]`: who outside hears of what happens here, and whom Locum hears.

use super::grants::JwtAlgorithm;
use crate::config::net::Label;
use crate::config::schema::{choice, section};
use crate::config::units::{DAY, HOUR, KIB, MIB, MINUTE, SECOND, Size};
use std::path::PathBuf;
use std::time::Duration;

section! {
    /// A channel that alerts leave by. Break-glass opens only when one of its channels took the alert; only a definite yes
    /// counts: a 2xx from a webhook, `ok` from Slack, 202 and `success` from `PagerDuty`, 250 from a mail server.
    pub struct AlertChannel {
        /// What records and metrics call it.
        name: Label = required;
        /// `webhook`: POST of JSON, signed by the Standard Webhooks specification. `slack`: an incoming webhook of Slack or
        /// one that behaves like it. `pagerduty`: Events API v2. `smtp`: a mail.
        kind: AlertKind = required;
        /// Which alerts it is for, by kind, as in `break-glass.activated` or `break-glass.*`. Empty: all.
        only: Vec<String> = [];
        /// Where to POST; https, or http to loopback. `pagerduty` has a default.
        url: Option<String> = unset;
        /// A file with the URL, where the URL itself is a secret, as Slack's is.
        url_file: Option<PathBuf> = unset;
        /// Files with its secrets. `webhook`: `whsec_…` keys, the newest first; during a rotation two, and both sign.
        /// `pagerduty`: the integration's routing key. `smtp`: the password.
        secret_files: Vec<PathBuf> = [];
        /// The CA (PEM) that the receiver's certificate must come from. Unset: the system's.
        ca: Option<PathBuf> = unset;
        /// How long it has to take an alert, from connecting to the last byte of its answer.
        timeout: Duration = "5s" in [100, MINUTE];
        /// The mail server, as in `mail.example.com:587`.
        server: Option<String> = unset;
        /// How mail is protected. `none` is for loopback only.
        tls: MailTls = "starttls";
        /// Whom to sign in as at the mail server. Unset: nobody.
        username: Option<String> = unset;
        /// The mail's sender, as in `Locum <locum@example.com>`.
        from: Option<String> = unset;
        /// The mail's recipients. The server must accept all of them.
        to: Vec<String> = [];
    }
}

impl AlertChannel {
    /// Whether alerts of this kind leave by it.
    pub fn is_for(&self, kind: &str) -> bool {
        is_for(&self.only, kind)
    }
}

/// Whether a list of `only` names this kind of alert.
pub fn is_for(only: &[String], kind: &str) -> bool {
    only.is_empty()
        || only.iter().any(|it| match it.strip_suffix('*') {
            Some(beginning) => kind.starts_with(beginning),
            None => it == kind,
        })
}

section! {
    /// How alerts that a channel did not take are sent again. A channel that took one does not get it again; one that fell
    /// silent in between may, under the same id.
    pub struct Alerting {
        /// The pause after the first failure. It doubles with each.
        retry_first: Duration = "5s" in [100, HOUR];
        /// The longest pause between two tries.
        retry_longest: Duration = "5m" in [SECOND, DAY];
        /// After this long an alert is given up, which is recorded.
        give_up: Duration = "3d" in [MINUTE, 90 * DAY];
        /// Alerts that are sent again at the same time. Break-glass waits for none of them.
        max_under_way: usize = 32 in [1, 10_000], "alerts";
        /// The least time between two tests of alert channels (`locum alert test`), whoever asks for them. Sooner: 429.
        test_every: Duration = "10s" in [0, HOUR];
    }
}

section! {
    /// Shared Signals (RFC 8417, RFC 8935, CAEP): security events heard at `/signals/events` on the portal's listener, and
    /// told when a support session ends.
    pub struct Signals {
        /// Whose events are heard. Empty: `/signals/events` is not there.
        transmitters: Vec<SignalTransmitter> = [];
        /// Who is told.
        receivers: Vec<SignalReceiver> = [];
        /// The size of one event token. Beyond: refused.
        max_token_bytes: Size = "16KiB" in [KIB, MIB];
        /// Event tokens that are checked at the same time (beyond: 503, to be sent again), and that are told to one receiver
        /// at the same time.
        max_under_way: usize = 32 in [1, 10_000], "tokens";
        /// The pause after the first failure to tell a receiver. It doubles with each.
        retry_first: Duration = "2s" in [100, HOUR];
        /// The longest pause between two tries.
        retry_longest: Duration = "5m" in [SECOND, DAY];
        /// After this long a receiver is not told any more, which is recorded.
        give_up: Duration = "3d" in [MINUTE, 90 * DAY];
    }
}

section! {
    /// An issuer whose security events are acted on: `session-revoked` and `credential-change` end sessions.
    pub struct SignalTransmitter {
        /// The exact `iss`.
        issuer: String = required;
        /// The `aud` that its tokens must have.
        audience: String = required;
        /// The issuer's keys (JWKS): an `https://` URL or a file.
        jwks: String = required;
        /// The CA (PEM) that the URL's certificate must come from. Unset: the system's.
        ca: Option<PathBuf> = unset;
        /// Signature algorithms that are honoured.
        algorithms: Vec<JwtAlgorithm> = ["ES256"];
        /// Whom its events are about. `operators`: their sessions end and they are signed out. `subjects`: customers' users,
        /// and the sessions in which somebody stands in for them end.
        about: SignalAbout = required;
        /// With `about = "subjects"`: the tenants whose users it may speak of. Empty: every tenant.
        tenants: Vec<String> = [];
        /// A file with the bearer token that it must present beside the signature. Unset: the signature alone.
        token_file: Option<PathBuf> = unset;
        /// How old a token may be by its `iat`. Ids are remembered for as long, so that none counts twice.
        max_age: Duration = "1h" in [SECOND, 7 * DAY];
        /// How far the issuer's clock may differ.
        leeway: Duration = "5s" in [0, MINUTE];
        /// How old fetched keys may be before they are fetched again.
        refresh: Duration = "10m" in [10 * SECOND, DAY];
        /// How old fetched keys may be, if they cannot be fetched again, before its events are
        /// refused.
        max_stale: Duration = "1h" in [10 * SECOND, 7 * DAY];
        /// An unknown key id makes Locum fetch again, at most once in this time.
        cooldown: Duration = "30s" in [SECOND, HOUR];
    }
}

section! {
    /// A receiver that is told, by a signed `session-revoked`, when a support session ends.
    pub struct SignalReceiver {
        /// What records and metrics call it.
        name: Label = required;
        /// Where to POST; https, or http to loopback.
        url: String = required;
        /// The `aud` of what it is told.
        audience: String = required;
        /// A file with the bearer token to present. Unset: none.
        token_file: Option<PathBuf> = unset;
        /// The CA (PEM) that its certificate must come from. Unset: the system's.
        ca: Option<PathBuf> = unset;
        /// How long it has to acknowledge.
        timeout: Duration = "5s" in [100, MINUTE];
        /// The apps whose sessions it is told of. Empty: all.
        apps: Vec<Label> = [];
        /// The tenants whose sessions it is told of. Empty: all.
        tenants: Vec<String> = [];
    }
}

choice! {
    /// What an alert channel is.
    pub enum AlertKind {
        Webhook = "webhook",
        Slack = "slack",
        Pagerduty = "pagerduty",
        Smtp = "smtp",
    }
}

choice! {
    /// How mail is protected on its way.
    pub enum MailTls {
        /// Plain until `STARTTLS`, which must succeed.
        Starttls = "starttls",
        /// TLS from the first byte.
        Implicit = "implicit",
        None = "none",
    }
}

choice! {
    /// Whom a transmitter's events are about.
    pub enum SignalAbout {
        Operators = "operators",
        Subjects = "subjects",
    }
}
