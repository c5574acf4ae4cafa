//! Transmitters and receivers as they are configured now, and what is under way.

use super::counts::Counts;
use super::settings::Settings;
use crate::model::Clock;
use crate::store::control::Book;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Signs claims as a token of a type, with Locum's own key; `None`: it cannot.
pub type Sign = Arc<dyn Fn(&str, &serde_json::Value) -> Option<String> + Send + Sync>;

/// Transmitters and receivers, and what is under way. Clones are the same.
#[derive(Clone)]
pub struct Signals(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) book: Book,
    pub(super) clock: Clock,
    pub(super) settings: ArcSwap<Settings>,
    pub(super) sign: Sign,
    pub(super) counts: Counts,
    /// Tokens that are looked at now.
    pub(super) hearing: AtomicUsize,
    /// Receivers that are being told now.
    pub(super) telling: Mutex<HashSet<String>>,
}

impl Signals {
    pub fn new(book: Book, clock: Clock, settings: Settings, sign: Sign, counts: Counts) -> Self {
        Self(Arc::new(Inner {
            book,
            clock,
            settings: ArcSwap::from_pointee(settings),
            sign,
            counts,
            hearing: AtomicUsize::new(0),
            telling: Mutex::default(),
        }))
    }

    /// Takes other transmitters and receivers into use. What is being told goes on by the old ones.
    pub fn reload(&self, settings: Settings) {
        self.0.settings.store(Arc::new(settings));
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.0.settings.load();
        f.debug_struct("Signals")
            .field("transmitters", &settings.transmitters.len())
            .field("receivers", &settings.receivers.len())
            .finish_non_exhaustive()
    }
}
