//! What the stages share: the plane (one a process) and the worker (one a core).

use super::budget::Budget;
use super::setup::Setup;
use super::strangers::Strangers;
use crate::audit::Journal;
use crate::audit::recording::Recorder;
use crate::model::{Attempts, Clock};
use crate::store::live::Live;
use crate::telemetry::Metrics;
use arc_swap::{ArcSwap, Guard};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The process's data plane. Only `setup` is ever replaced, whole, by a reload.
#[derive(Debug)]
pub struct Plane {
    pub live: Arc<Live>,
    pub journal: Arc<Journal>,
    pub recorder: Recorder,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub connections: Places,
    pub websockets: Places,
    pub attempts: Attempts,
    /// Refusals that are not recorded one by one.
    pub strangers: Strangers,
    /// What is held of bodies to judge requests by.
    pub policy_buffers: Budget,
    pub current: ArcSwap<Setup>,
}

impl Plane {
    pub fn setup(&self) -> Guard<Arc<Setup>> {
        self.current.load()
    }
}

/// A bounded number of places, taken and given back.
#[derive(Clone, Debug, Default)]
pub struct Places {
    taken: Arc<AtomicUsize>,
    ever: Arc<AtomicUsize>,
}

/// One place; given back when dropped.
#[derive(Debug)]
pub struct Taken(Arc<AtomicUsize>);

impl Places {
    /// `None` when `max` are taken.
    pub fn take(&self, max: usize) -> Option<Taken> {
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        self.ever.fetch_add(1, Ordering::Relaxed);
        let taken = Taken(Arc::clone(&self.taken));
        (before < max).then_some(taken)
    }

    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// How many were asked for since the beginning.
    pub fn ever_taken(&self) -> usize {
        self.ever.load(Ordering::Relaxed)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One core's share: the plane, and which lane of each upstream's idle connections is its own.
#[derive(Clone, Debug)]
pub struct Worker {
    plane: Arc<Plane>,
    lane: usize,
}

impl Worker {
    /// `lane`: the worker's number, from 0.
    pub fn new(plane: Arc<Plane>, lane: usize) -> Self {
        Self { plane, lane }
    }

    pub fn plane(&self) -> &Arc<Plane> {
        &self.plane
    }

    pub fn lane(&self) -> usize {
        self.lane
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_given_back() {
        let places = Places::default();
        let one = places.take(1);
        assert!(one.is_some() && places.take(1).is_none());
        assert_eq!(places.taken(), 1);
        drop(one);
        assert!(places.take(1).is_some());
    }
}
