//! What one configuration makes of the data plane. Immutable; a reload replaces it whole.

use super::canonical::Spoofable;
use super::guard;
use super::hosts::Hosts;
use super::rewrite::banner;
use super::rewrite::jar;
use super::rewrite::origins::{Origins, Pair};
use super::upstream::identity::Identity;
use super::upstream::{Upstream, forward};
use crate::audit::PolicyPart;
use crate::model::{OnOverrun, Record, RecordRule, SessionId, Tier};
use crate::policy::Policy;
use crate::policy::shadow::Differ;
use crate::store::external::Bearers;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Every bound of the data plane that is not an upstream's own. Times are how long, sizes are bytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_connections: usize,
    pub max_head_bytes: usize,
    pub max_headers: usize,
    pub max_uri_bytes: usize,
    pub max_chunk_extension_bytes: usize,
    pub handshake_timeout: Duration,
    pub header_timeout: Duration,
    pub idle_timeout: Duration,
    /// How long a request's body may bring nothing.
    pub request_body_idle_timeout: Duration,
    /// How long a client may take nothing of what is ready for it.
    pub response_idle_timeout: Duration,
    pub h2_max_concurrent_streams: u32,
    pub h2_max_pending_resets: usize,
    pub h2_max_local_resets: usize,
    pub h2_stream_window: u32,
    pub h2_connection_window: u32,
    pub h2_send_buffer: usize,
    pub max_websockets: usize,
    /// The longest WebSocket message that is held whole to be judged.
    pub max_websocket_message: usize,
    /// Failed tries to start or present a session, from one address within a minute.
    pub max_sign_in_attempts: u32,
    /// Addresses whose failed tries are remembered.
    pub max_attempt_addresses: usize,
    /// What is held of bodies to judge requests by, all together.
    pub max_policy_buffers: usize,
    pub events_keep_alive: Duration,
    /// From one of a session's origins to the next.
    pub handoff_timeout: Duration,
    pub max_handoffs: usize,
    /// A signed grant in the body of a request.
    pub max_grant_form: usize,
    /// How often our own name may stand in `Via`.
    pub max_via_passes: usize,
    /// Refusals of strangers that are recorded one by one, in a second. 0: all.
    pub max_stranger_records: u32,
    pub jar: jar::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            max_head_bytes: 32 * 1024,
            max_headers: 100,
            max_uri_bytes: 8 * 1024,
            max_chunk_extension_bytes: 4 * 1024,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            request_body_idle_timeout: Duration::from_secs(30),
            response_idle_timeout: Duration::from_secs(60),
            h2_max_concurrent_streams: 128,
            h2_max_pending_resets: 20,
            h2_max_local_resets: 256,
            h2_stream_window: 256 * 1024,
            h2_connection_window: 1024 * 1024,
            h2_send_buffer: 256 * 1024,
            max_websocket_message: 1024 * 1024,
            max_websockets: 10_000,
            max_sign_in_attempts: 60,
            max_attempt_addresses: 10_000,
            max_policy_buffers: 64 * 1024 * 1024,
            events_keep_alive: Duration::from_secs(15),
            handoff_timeout: Duration::from_secs(30),
            max_handoffs: 16,
            max_grant_form: 16 * 1024,
            max_via_passes: 4,
            max_stranger_records: 20,
            jar: jar::Limits::default(),
        }
    }
}

impl Limits {
    /// The guard's share of the limits.
    pub fn guard(&self) -> guard::Limits {
        guard::Limits {
            max_head_bytes: self.max_head_bytes,
            max_headers: self.max_headers,
            max_uri_bytes: self.max_uri_bytes,
            max_chunk_extension_bytes: self.max_chunk_extension_bytes,
            header_timeout: self.header_timeout,
            ..guard::Limits::default()
        }
    }
}

/// Whose requests come to an app's own host name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// Only support sessions.
    #[default]
    Gate,
    /// Everybody's; those without a support session pass untouched.
    Inline,
}

/// Where a session is browsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OriginMode {
    /// `https://<session>.<app>.<suffix>/`.
    #[default]
    Session,
    /// The app's own host name.
    Shared,
}

/// What a session is tied to from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BindingRule {
    pub certificate: bool,
    /// Prefix lengths of the client's network, IPv4 and IPv6; 0 does not bind.
    pub prefix_v4: u8,
    pub prefix_v6: u8,
}

/// One origin of an app: its public name, and what stands behind it.
#[derive(Debug)]
pub struct AppOrigin {
    /// Empty for the main one.
    pub name: String,
    /// `https://shop.example`, without a trailing slash.
    pub public: String,
    /// Host and port of `public` as a `Host` header carries them.
    pub authority: String,
    /// Host of `public` alone.
    pub host: String,
    pub is_https: bool,
    pub upstream_name: String,
    pub upstream: Arc<Upstream>,
    pub identity: Arc<Identity>,
    /// Which `Host`, `Forwarded` and `Via` the upstream sees.
    pub forward: forward::Settings,
    /// What clients may not say of themselves: stripped in every spelling.
    pub strip: Arc<Spoofable>,
}

/// One app.
#[derive(Debug)]
pub struct App {
    pub name: String,
    pub placement: Placement,
    pub origin: OriginMode,
    /// `shop.localhost`: what follows a session's label.
    pub family: String,
    /// The main one first; never empty.
    pub origins: Vec<AppOrigin>,
    /// Cookies of the app that its scripts must read, and so go to the browser.
    pub browser_cookies: Vec<String>,
    /// Put `Cache-Control: no-store` on every response.
    pub no_store: bool,
    /// Replace the app's origins in text bodies.
    pub replace_origins: bool,
    /// Bytes; 0 is any number.
    pub max_request_body: u64,
    pub binding: BindingRule,
    pub banner: banner::Settings,
}

/// A candidate policy that decides beside the live one and never acts.
#[derive(Debug)]
pub struct Shadow {
    pub policy: Arc<Policy>,
    pub differ: Differ,
}

/// The whole.
#[derive(Debug)]
pub struct Setup {
    pub limits: Limits,
    pub hosts: Hosts,
    /// Which of this process's configurations it is.
    pub serial: u64,
    pub apps: Vec<App>,
    pub policy: Arc<Policy>,
    pub policy_part: PolicyPart,
    pub shadow: Option<Shadow>,
    /// External issuers of grants.
    pub bearers: Arc<Bearers>,
    /// `https` or `http`, as browsers see the apps listener.
    pub scheme: &'static str,
    /// The port in browsers' address bar; `None` where it is the scheme's own.
    pub port: Option<u16>,
    /// The portal's origin, where it is on: what was refused can be asked for there.
    pub portal: Option<String>,
    /// Whose bodies' SHA-256 the records carry.
    pub digests: Digests,
    /// The longest text from outside in a record.
    pub max_field: usize,
    pub recording: Recording,
}

/// Whose bodies' SHA-256 stands in the closing record. Of what is recorded it always does: the tape is held to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Digests {
    All,
    /// Each request's; the response's where the route is above the ordinary tier.
    #[default]
    Sensitive,
    None,
}

impl Digests {
    /// Whether the request's body is digested, and whether the response's is.
    pub fn of(self, record: Record, tier: Tier) -> (bool, bool) {
        let is_recorded = record != Record::None;
        match self {
            Self::All => (true, true),
            Self::Sensitive => (true, is_recorded || tier != Tier::Ordinary),
            Self::None => (is_recorded, is_recorded),
        }
    }
}

/// What is recorded beside the journal, by tier.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recording {
    pub ordinary: RecordRule,
    pub sensitive: RecordRule,
    pub privileged: RecordRule,
    /// Break-glass is always recorded whole; what becomes of it where that is not possible.
    pub break_glass: OnOverrun,
    /// WebSocket messages beyond so many bytes are recorded without their payload.
    pub max_message: usize,
}

/// A number that no other configuration of this process has.
pub fn next_serial() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

impl Setup {
    /// The origin of `session` for one of the app's origins.
    pub fn session_origin(&self, app: &App, origin: &AppOrigin, session: SessionId) -> String {
        if app.origin == OriginMode::Shared {
            return origin.public.clone();
        }
        let scheme = self.scheme;
        let name = if origin.name.is_empty() {
            String::new()
        } else {
            format!("--{}", origin.name)
        };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{session}{name}.{}{port}", app.family)
    }

    /// All origins of `app` in both worlds.
    pub fn origins(&self, app: &App, session: SessionId) -> Origins {
        let pair = |origin: &AppOrigin| Pair {
            app: origin.public.clone(),
            session: self.session_origin(app, origin, session),
        };
        Origins::new(app.origins.iter().map(pair).collect())
    }

    /// Where a grant for `app` starts: `…/.locum/start?code=`.
    pub fn start_url(&self, app: &App, session: SessionId, code: &str) -> Option<String> {
        let main = app.origins.first()?;
        Some(format!(
            "{}/.locum/start?code={code}",
            self.session_origin(app, main, session)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_or_above_the_ordinary_is_digested() {
        let cases = [
            (Digests::All, Record::None, Tier::Ordinary, (true, true)),
            (
                Digests::Sensitive,
                Record::None,
                Tier::Ordinary,
                (true, false),
            ),
            (
                Digests::Sensitive,
                Record::None,
                Tier::Sensitive,
                (true, true),
            ),
            (
                Digests::Sensitive,
                Record::None,
                Tier::Privileged,
                (true, true),
            ),
            (
                Digests::Sensitive,
                Record::Headers,
                Tier::Ordinary,
                (true, true),
            ),
            (
                Digests::None,
                Record::None,
                Tier::Privileged,
                (false, false),
            ),
            (Digests::None, Record::Bodies, Tier::Ordinary, (true, true)),
        ];
        for (digests, record, tier, wanted) in cases {
            assert_eq!(
                digests.of(record, tier),
                wanted,
                "{digests:?} {record:?} {tier:?}"
            );
        }
    }
}
