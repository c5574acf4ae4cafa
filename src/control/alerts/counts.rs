//! What is counted of alerts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tried {
    channel: String,
    /// `taken`, or [`super::Untaken::as_str`].
    result: &'static str,
}

/// Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    tries: Family<Tried, Counter>,
    pub(super) unheard: Counter,
    pub(super) given_up: Counter,
    pub(super) under_way: Gauge,
    pub(super) put_off: Counter,
    pub(super) tests_too_soon: Counter,
}

impl Counts {
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "alert_tries",
            "Alerts sent to a channel, by channel and result",
            self.tries.clone(),
        );
        registry.register(
            "alerts_unheard",
            "Times that no channel took an alert at once",
            self.unheard.clone(),
        );
        registry.register(
            "alerts_given_up",
            "Alerts that some channel did not take before alerting.give_up",
            self.given_up.clone(),
        );
        registry.register(
            "alerts_under_way",
            "Alerts that are being sent now",
            self.under_way.clone(),
        );
        registry.register(
            "alerts_put_off",
            "Alerts that waited because alerting.max_under_way were being sent",
            self.put_off.clone(),
        );
        registry.register(
            "alert_tests_too_soon",
            "Tests of alert channels refused by alerting.test_every",
            self.tests_too_soon.clone(),
        );
    }

    pub(super) fn tried(&self, channel: &str, result: &'static str) {
        let channel = channel.to_owned();
        self.tries.get_or_create(&Tried { channel, result }).inc();
    }
}
