//! What all lanes and bodies of one upstream share, and how an address is chosen from it.

use super::error::UpstreamError;
use super::health::{Target, pick, since};
use super::lanes::Lane;
use super::limit::Limit;
use super::settings::{Balance, Settings};
use super::tls::Configs;
use http::HeaderValue;
use rustls_pki_types::ServerName;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::Instant;

/// What all lanes and bodies of one upstream share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) targets: Vec<Target>,
    /// For each target, where TLS is on.
    pub(super) server_names: Vec<ServerName<'static>>,
    /// For each target: what `Host` says when the request names none.
    pub(super) authorities: Vec<HeaderValue>,
    pub(super) tls: Option<Configs>,
    pub(super) limit: Limit,
    pub(super) lanes: Box<[Lane]>,
    pub(super) turn: AtomicUsize,
    pub(super) start: Instant,
}

impl Shared {
    /// The lane of that number; numbers come from [`Upstream::send`], which keeps them in range.
    pub(super) fn lane(&self, lane: usize) -> &Lane {
        &self.lanes[lane % self.lanes.len()]
    }

    pub(super) fn connected(&self, target: usize) {
        if let Some(target) = self.targets.get(target) {
            target.succeeded();
        }
    }

    pub(super) fn not_connected(&self, target: usize, error: &UpstreamError) {
        let Some(target) = self.targets.get(target) else {
            return;
        };
        let rest = target.failed(since(self.start), &self.settings.health);
        let source = std::error::Error::source(error).map(ToString::to_string);
        tracing::warn!(
            upstream = self.settings.name,
            address = %target.address,
            cause = source,
            rests_ms = rest.map(|r| u64::try_from(r.as_millis()).unwrap_or(u64::MAX)),
            "{error}"
        );
    }

    pub(super) fn pick(&self, tried: &[usize]) -> usize {
        if self.targets.len() == 1 {
            return 0;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let load = |target: usize| match self.settings.balance {
            Balance::RoundRobin => 0,
            Balance::LeastRequests => self
                .lanes
                .iter()
                .filter_map(|lane| lane.active.get(target))
                .map(|active| active.load(Ordering::Relaxed))
                .sum(),
        };
        pick(&self.targets, turn, since(self.start), tried, load)
    }
}
