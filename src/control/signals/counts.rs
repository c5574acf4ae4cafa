//! What is counted of security events.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Heard {
    /// `taken`, or why not.
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Told {
    receiver: String,
    result: &'static str,
}

/// Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    heard: Family<Heard, Counter>,
    told: Family<Told, Counter>,
}

impl Counts {
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "signals_heard",
            "Security event tokens pushed to us, by result",
            self.heard.clone(),
        );
        registry.register(
            "signals_told",
            "Security event tokens pushed by us, by receiver and result",
            self.told.clone(),
        );
    }

    pub(super) fn heard(&self, result: &'static str) {
        self.heard.get_or_create(&Heard { result }).inc();
    }

    pub(super) fn told(&self, receiver: &str, result: &'static str) {
        let receiver = receiver.to_owned();
        self.told.get_or_create(&Told { receiver, result }).inc();
    }
}
