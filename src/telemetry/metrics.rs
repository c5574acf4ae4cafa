//! Every metric of the process, by name, in one place.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// A limit that was met. Each has a configuration key of the same words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Limit {
    Connections,
    HandshakeTimeout,
    HeaderTimeout,
    IdleTimeout,
    HeadBytes,
    HeaderCount,
    UriBytes,
    RequestBody,
    RequestBodyIdle,
    ResponseIdle,
    PolicyBody,
    WebSockets,
    WebSocketMessage,
    WebSocketRate,
    RequestBudget,
    Upstream,
    DocumentBytes,
    DrainTimeout,
    Journal,
    SinkLag,
    ChunkExtension,
    SignInAttempts,
    AttemptAddresses,
    PolicyBuffers,
    HandoffTimeout,
    Handoffs,
    GrantForm,
    ViaPasses,
    Http2Resets,
    SignIns,
    Flows,
    TokenBytes,
    Groups,
    ProviderAnswer,
    ProviderTimeout,
    ApiBody,
    ApiBodyTimeout,
    ApiPersonRate,
    ApiAddressRate,
    StrangerRecords,
    Searches,
    SearchTimeout,
    ExportRecords,
    ReplayViews,
    ReplayFrames,
    ReplayText,
    SessionRecords,
    Exports,
    PortalConnections,
    PortalAddress,
    ConsentMails,
    TicketId,
    TicketHookBytes,
    TicketHookTimeout,
    Lookups,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: Limit,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabel {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabel {
    what: &'static str,
    result: &'static str,
}

/// Counters that the hot path touches are fields of their own; those that it does not are families.
pub struct Metrics {
    registry: Registry,
    pub connections: Gauge,
    pub connections_total: Counter,
    pub handshakes_failed: Counter,
    pub in_flight: Gauge,
    pub forwarded: Counter,
    pub passed: Counter,
    pub cut: Counter,
    pub aborted: Counter,
    pub websockets: Gauge,
    pub documents: Counter,
    pub alerts: Counter,
    pub policy_rows: Gauge,
    pub live_sessions: Gauge,
    pub unread_sessions: Gauge,
    pub clock_steps: Counter,
    pub seconds: Histogram,
    refusals: Family<ReasonLabel, Counter>,
    limits: Family<LimitLabel, Counter>,
    reloads: Family<ReloadLabel, Counter>,
    ends_at_app: Family<EndLabel, Counter>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut made = Self {
            registry: Registry::with_prefix("locum"),
            connections: Gauge::default(),
            connections_total: Counter::default(),
            handshakes_failed: Counter::default(),
            in_flight: Gauge::default(),
            forwarded: Counter::default(),
            passed: Counter::default(),
            cut: Counter::default(),
            aborted: Counter::default(),
            websockets: Gauge::default(),
            documents: Counter::default(),
            alerts: Counter::default(),
            policy_rows: Gauge::default(),
            live_sessions: Gauge::default(),
            unread_sessions: Gauge::default(),
            clock_steps: Counter::default(),
            seconds: Histogram::new([
                0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
            ]),
            refusals: Family::default(),
            limits: Family::default(),
            reloads: Family::default(),
            ends_at_app: Family::default(),
        };
        made.register();
        made
    }
}

impl Metrics {
    fn register(&mut self) {
        self.register_gauges();
        let counters = [
            (
                "connections_accepted",
                "Client connections accepted",
                &self.connections_total,
            ),
            (
                "handshakes_failed",
                "TLS handshakes that failed or timed out",
                &self.handshakes_failed,
            ),
            (
                "exchanges_forwarded",
                "Exchanges permitted and sent to an upstream",
                &self.forwarded,
            ),
            (
                "requests_passed",
                "Ordinary requests passed untouched (inline placement)",
                &self.passed,
            ),
            (
                "exchanges_cut",
                "Exchanges cut in flight by revocation or expiry",
                &self.cut,
            ),
            (
                "exchanges_aborted",
                "Exchanges that ended before their body did",
                &self.aborted,
            ),
            (
                "documents",
                "HTML documents that got the banner",
                &self.documents,
            ),
            ("alerts", "Alert records written", &self.alerts),
        ];
        for (name, help, counter) in counters {
            self.registry.register(name, help, counter.clone());
        }
        let registry = &mut self.registry;
        let help = "From the head of the request to the end of the response";
        registry.register_with_unit("exchange", help, Unit::Seconds, self.seconds.clone());
        registry.register(
            "refusals",
            "Requests refused, by reason and status",
            self.refusals.clone(),
        );
        registry.register(
            "limit_hits",
            "Times that a limit was met, by limit",
            self.limits.clone(),
        );
        registry.register(
            "reloads",
            "Reloads of configuration and policy, by result",
            self.reloads.clone(),
        );
        registry.register(
            "ends_at_app",
            "Logouts called and tokens revoked at apps after a session's end, by result",
            self.ends_at_app.clone(),
        );
    }

    fn register_gauges(&mut self) {
        let gauges = [
            (
                "connections",
                "Client connections open now",
                &self.connections,
            ),
            (
                "exchanges_in_flight",
                "Exchanges between their opening and closing record",
                &self.in_flight,
            ),
            ("websockets", "WebSockets open now", &self.websockets),
            ("policy_rows", "Rows of the live policy", &self.policy_rows),
            (
                "sessions_live",
                "Sessions that may act now",
                &self.live_sessions,
            ),
            (
                "sessions_unread",
                "Sessions that are stored and not in memory yet; 0 once all are read after the start",
                &self.unread_sessions,
            ),
        ];
        for (name, help, gauge) in gauges {
            self.registry.register(name, help, gauge.clone());
        }
        let help = "Times that the system's clock was found set";
        self.registry
            .register("clock_steps", help, self.clock_steps.clone());
    }

    /// Adds what another part counts by itself.
    pub fn registry_mut(&mut self) -> &mut Registry {
        &mut self.registry
    }

    pub fn refused(&self, reason: &'static str, status: u16) {
        self.refusals
            .get_or_create(&ReasonLabel { reason, status })
            .inc();
    }

    pub fn hit(&self, limit: Limit) {
        self.limits.get_or_create(&LimitLabel { limit }).inc();
    }

    pub fn reloaded(&self, result: &'static str) {
        self.reloads.get_or_create(&ReloadLabel { result }).inc();
    }

    /// `logout` or `revocation`; `done` or `failed`.
    pub fn ended_at_app(&self, what: &'static str, result: &'static str) {
        let label = EndLabel { what, result };
        self.ends_at_app.get_or_create(&label).inc();
    }

    /// The exposition, `application/openmetrics-text`.
    pub fn expose(&self) -> String {
        let mut out = String::new();
        // Writing into a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut out, &self.registry);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposes_what_was_counted() {
        let metrics = Metrics::default();
        metrics.refused("default-deny", 403);
        metrics.hit(Limit::UriBytes);
        let text = metrics.expose();
        assert!(
            text.contains(r#"locum_refusals_total{reason="default-deny",status="403"} 1"#),
            "{text}"
        );
        assert!(
            text.contains(r#"locum_limit_hits_total{limit="UriBytes"} 1"#),
            "{text}"
        );
    }
}
