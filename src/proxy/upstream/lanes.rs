//! Idle connections, kept by the worker thread that used them last so that its lock is never contended.

use super::metrics::Counts;
use super::outgoing::Outgoing;
use hyper::client::conn::{http1, http2};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Where a connection leads: `ip:port`, or `unix:/path`. Made once a connection, shared by its requests.
pub(crate) type Peer = Arc<str>;

/// One worker's connections to one upstream. Aligned so that lanes never share a cache line.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Lane {
    state: Mutex<State>,
    /// Held while an HTTP/2 connection is made, so that a burst makes one and not a hundred.
    pub(super) dialing: Vec<tokio::sync::Mutex<()>>,
    /// Requests in flight to each address.
    pub(super) active: Vec<AtomicUsize>,
    pub(super) counts: Counts,
}

#[derive(Debug)]
struct State {
    /// For each address, the oldest first.
    idle: Vec<VecDeque<Idle>>,
    multiplexed: Vec<Vec<Multiplexed>>,
    reaping: bool,
}

#[derive(Debug)]
struct Idle {
    sender: http1::SendRequest<Outgoing>,
    peer: Peer,
    since: Instant,
}

#[derive(Debug)]
struct Multiplexed {
    sender: http2::SendRequest<Outgoing>,
    peer: Peer,
    streams: Arc<AtomicUsize>,
    used: Instant,
}

/// A free HTTP/1 connection on its way to whoever needs one.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) target: usize,
    pub(super) sender: http1::SendRequest<Outgoing>,
    pub(super) peer: Peer,
}

/// A connection as one request holds it.
#[derive(Debug)]
pub(super) enum Link {
    Http1(http1::SendRequest<Outgoing>, Peer),
    Http2(http2::SendRequest<Outgoing>, Stream, Peer),
}

/// One stream of a shared connection; frees its place when dropped.
#[derive(Debug)]
pub(super) struct Stream(Arc<AtomicUsize>);

impl Stream {
    fn on(streams: &Arc<AtomicUsize>) -> Self {
        streams.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(streams))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Link {
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender, _) => sender.is_closed(),
            Self::Http2(sender, ..) => sender.is_closed(),
        }
    }

    pub(super) fn peer(&self) -> &Peer {
        match self {
            Self::Http1(_, peer) | Self::Http2(_, _, peer) => peer,
        }
    }
}

impl From<Spare> for Link {
    fn from(spare: Spare) -> Self {
        Self::Http1(spare.sender, spare.peer)
    }
}

impl Lane {
    pub(super) fn new(targets: usize) -> Self {
        Self {
            state: Mutex::new(State {
                idle: (0..targets).map(|_| VecDeque::new()).collect(),
                multiplexed: (0..targets).map(|_| Vec::new()).collect(),
                reaping: false,
            }),
            dialing: (0..targets).map(|_| tokio::sync::Mutex::new(())).collect(),
            active: (0..targets).map(|_| AtomicUsize::new(0)).collect(),
            counts: Counts::default(),
        }
    }

    /// The connection to `target` that was used last and still works.
    pub(super) fn take(&self, target: usize) -> Option<Spare> {
        let mut state = self.state.lock();
        let idle = state.idle.get_mut(target)?;
        // A closed one is dropped here; one that is not ready belongs to no pool.
        std::iter::from_fn(|| idle.pop_back())
            .find(|one| one.sender.is_ready())
            .map(|one| Spare {
                target,
                sender: one.sender,
                peer: one.peer,
            })
    }

    /// Any idle connection: for a request that found every place taken.
    pub(super) fn take_any(&self) -> Option<Spare> {
        let count = self.dialing.len();
        (0..count).find_map(|target| self.take(target))
    }

    /// A stream on an HTTP/2 connection to `target` that has fewer than `max` of them.
    pub(super) fn join(&self, target: usize, max: usize) -> Option<Link> {
        let mut state = self.state.lock();
        let list = state.multiplexed.get_mut(target)?;
        list.retain(|one| !one.sender.is_closed());
        let one = list
            .iter_mut()
            .find(|one| one.streams.load(Ordering::Acquire) < max)?;
        one.used = Instant::now();
        let stream = Stream::on(&one.streams);
        Some(Link::Http2(
            one.sender.clone(),
            stream,
            Arc::clone(&one.peer),
        ))
    }

    /// Opens no more streams on the connection that `stream` was on; those it has go on.
    pub(super) fn leave(&self, target: usize, stream: &Stream) {
        if let Some(list) = self.state.lock().multiplexed.get_mut(target) {
            list.retain(|one| !Arc::ptr_eq(&one.streams, &stream.0));
        }
    }

    /// Adds a new HTTP/2 connection, and opens the first stream on it.
    pub(super) fn share(
        &self,
        target: usize,
        sender: http2::SendRequest<Outgoing>,
        peer: Peer,
        reaper: impl FnOnce(),
    ) -> Link {
        let streams = Arc::new(AtomicUsize::new(0));
        let link = Link::Http2(sender.clone(), Stream::on(&streams), Arc::clone(&peer));
        let mut state = self.state.lock();
        if let Some(list) = state.multiplexed.get_mut(target) {
            list.push(Multiplexed {
                sender,
                peer,
                streams,
                used: Instant::now(),
            });
        }
        state.reap(reaper);
        link
    }

    /// Keeps an idle connection; beyond `max` the oldest goes.
    pub(super) fn keep(&self, spare: Spare, max: usize, reaper: impl FnOnce()) {
        let mut state = self.state.lock();
        let Some(idle) = state.idle.get_mut(spare.target) else {
            return;
        };
        if idle.len() >= max {
            idle.pop_front();
        }
        if max > 0 {
            idle.push_back(Idle {
                sender: spare.sender,
                peer: spare.peer,
                since: Instant::now(),
            });
        }
        state.reap(reaper);
    }

    /// Drops what was not used for `idle`. Returns whether anything is left to watch.
    pub(super) fn prune(&self, idle: Duration) -> bool {
        let mut state = self.state.lock();
        for list in &mut state.idle {
            list.retain(|one| !one.sender.is_closed() && one.since.elapsed() < idle);
        }
        for list in &mut state.multiplexed {
            list.retain(|one| {
                let unused = one.streams.load(Ordering::Acquire) == 0 && one.used.elapsed() >= idle;
                !one.sender.is_closed() && !unused
            });
        }
        let left = state.idle.iter().any(|list| !list.is_empty())
            || state.multiplexed.iter().any(|list| !list.is_empty());
        state.reaping = left;
        left
    }
}

impl State {
    fn reap(&mut self, start: impl FnOnce()) {
        if !self.reaping {
            self.reaping = true;
            start();
        }
    }
}
