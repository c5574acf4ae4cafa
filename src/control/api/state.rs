//! What the API works with: the control plane, whoever knows the callers, and the bounds of a call.

use super::limits::{Buckets, Rate};
use crate::control::desk::Control;
use crate::control::evidence::Evidence;
use crate::control::gate::{Gate, Peer};
use crate::control::recordings::Recordings;
use crate::telemetry::metrics::Metrics;
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::request::Parts;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// What tunes the API. Replaced whole by a reload.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub person: Rate,
    pub address: Rate,
    /// Bytes of a call's body.
    pub max_body: usize,
    /// From the head of a call to the end of its body.
    pub body_timeout: Duration,
    /// Persons, and addresses, whose calls are counted at once.
    pub max_callers: usize,
}

/// The API's state.
pub struct Api {
    pub control: Arc<Control>,
    /// Finds records.
    pub evidence: Arc<Evidence>,
    /// What was recorded, for those who may see it.
    pub recordings: Arc<Recordings>,
    pub gate: Arc<dyn Gate>,
    pub metrics: Arc<Metrics>,
    pub settings: ArcSwap<Settings>,
    pub(super) people: Buckets<String>,
    pub(super) addresses: Buckets<IpAddr>,
    /// The document that is served.
    pub(super) document: Bytes,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Api")
    }
}

impl Api {
    /// Where a call comes from. A listener that says nothing of it makes all calls one caller's.
    pub(super) fn address(parts: &Parts) -> IpAddr {
        let peer = parts.extensions.get::<Peer>();
        peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |it| it.address.ip())
    }

    pub(super) fn new(
        control: Arc<Control>,
        evidence: Arc<Evidence>,
        recordings: Arc<Recordings>,
        gate: Arc<dyn Gate>,
        metrics: Arc<Metrics>,
        settings: Settings,
        document: Bytes,
    ) -> Self {
        Self {
            control,
            evidence,
            recordings,
            gate,
            metrics,
            settings: ArcSwap::from_pointee(settings),
            people: Buckets::default(),
            addresses: Buckets::default(),
            document,
        }
    }
}
