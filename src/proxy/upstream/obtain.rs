//! A connection for one request: a kept one, a new one, or, when all places are taken, the next to come free.

use super::dial::dial;
use super::error::{Phase, UpstreamError};
use super::lanes::{Lane, Link, Spare};
use super::limit::{NoTurn, Turn};
use super::metrics::count;
use super::settings::Protocol;
use super::shared::Shared;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::OwnedSemaphorePermit;

/// What is asked of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) lane: usize,
    pub(super) target: usize,
    /// HTTP/1.1, for an Upgrade.
    pub(super) upgrade: bool,
    /// Not one that was kept: those may all be stale.
    pub(super) fresh: bool,
    /// The request may be sent twice.
    pub(super) repeatable: bool,
}

/// The right to open a connection, or one that came free.
enum Place {
    Permit(OwnedSemaphorePermit),
    Link(Link),
}

impl Shared {
    /// A connection as `wanted`, and whether it served a request before.
    pub(super) async fn obtain(
        self: &Arc<Self>,
        wanted: Wanted,
    ) -> Result<(Link, bool), UpstreamError> {
        let Wanted {
            lane,
            target,
            upgrade,
            ..
        } = wanted;
        let place = self.lane(lane);
        if let Some(link) = self.kept(wanted).await {
            count(&place.counts.reuses);
            return Ok((link, true));
        }
        let shares = !upgrade && self.speaks_http2(target);
        let dialing = match place.dialing.get(target) {
            Some(dialing) if shares => Some(dialing.lock().await),
            _ => None,
        };
        // Whoever held the lock before may have made just what is wanted.
        let made = place.join(target, self.settings.max_streams);
        if let Some(link) = made.filter(|_| shares) {
            count(&place.counts.reuses);
            return Ok((link, true));
        }
        let permit = match self.place(lane, target, shares).await? {
            Place::Permit(permit) => permit,
            Place::Link(link) => {
                count(&place.counts.reuses);
                return Ok((link, true));
            }
        };
        let link = dial(self, lane, target, upgrade, permit).await?;
        drop(dialing);
        count(&place.counts.connects);
        Ok((link, false))
    }

    /// A kept connection that still works.
    async fn kept(&self, wanted: Wanted) -> Option<Link> {
        let Wanted { lane, target, .. } = wanted;
        if wanted.fresh {
            return None;
        }
        let place = self.lane(lane);
        let shares = !wanted.upgrade && self.speaks_http2(target);
        loop {
            let joined = shares.then(|| place.join(target, self.settings.max_streams));
            let link = match joined.flatten() {
                Some(link) => link,
                None => place.take(target)?.into(),
            };
            if !wanted.repeatable {
                // What must not be sent twice is not sent at all on a connection whose end has already
                // arrived: after one turn of the event loop its task has read it.
                tokio::task::yield_now().await;
                if link.is_closed() {
                    continue;
                }
            }
            return Some(link);
        }
    }

    fn speaks_http2(&self, target: usize) -> bool {
        let learned = |index: usize| {
            let target = self.targets.get(index);
            target.is_some_and(|t| t.speaks_http2.load(Ordering::Relaxed))
        };
        match self.settings.protocol {
            Protocol::Http1 => false,
            Protocol::Http2 => true,
            Protocol::Auto => learned(target),
        }
    }

    /// The right to open one more connection; or, where all are taken, one that is free or comes free.
    async fn place(
        &self,
        lane: usize,
        target: usize,
        shares: bool,
    ) -> Result<Place, UpstreamError> {
        if let Some(permit) = self.limit.try_permit() {
            return Ok(Place::Permit(permit));
        }
        // A crowded HTTP/2 connection is better than none.
        let crowded = self.lane(lane).join(target, usize::MAX);
        if let Some(link) = crowded.filter(|_| shares) {
            return Ok(Place::Link(link));
        }
        // The places may be held by connections that idle in other lanes, or lead elsewhere.
        while let Some(spare) = self.idle() {
            if spare.target == target && !shares {
                return Ok(Place::Link(spare.into()));
            }
            drop(spare);
            tokio::task::yield_now().await;
            if let Some(permit) = self.limit.try_permit() {
                return Ok(Place::Permit(permit));
            }
        }
        self.wait(target, shares).await
    }

    /// Any idle connection, of whatever lane.
    fn idle(&self) -> Option<Spare> {
        self.lanes.iter().find_map(Lane::take_any)
    }

    async fn wait(&self, target: usize, shares: bool) -> Result<Place, UpstreamError> {
        let at_most = self.settings.timeouts.connect;
        loop {
            match self.limit.wait(at_most, || self.idle()).await {
                Ok(Turn::Permit(permit)) => return Ok(Place::Permit(permit)),
                Ok(Turn::Spare(spare)) if spare.target == target && !shares => {
                    return Ok(Place::Link(spare.into()));
                }
                // It leads elsewhere: closing it frees its place.
                Ok(Turn::Spare(spare)) => drop(spare),
                Err(NoTurn::TooMany) => {
                    return Err(UpstreamError::TooBusy {
                        upstream: self.settings.name.clone(),
                        connections: self.limit.max(),
                        waiting: self.limit.waiting(),
                    });
                }
                Err(NoTurn::Timeout) => {
                    return Err(UpstreamError::Timeout {
                        upstream: self.settings.name.clone(),
                        phase: Phase::Wait,
                        after: at_most,
                        peer: None,
                    });
                }
            }
        }
    }
}
