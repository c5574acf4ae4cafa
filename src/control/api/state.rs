//! What the API works with: the control plane, whoever knows the callers, and the bounds of a call.

use super::limits::{Buckets, Rate};
use crate::control::desk::{Answer, Control};
use crate::control::refusal::Refusal;
use crate::model::Caller;
use crate::telemetry::metrics::Metrics;
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::request::Parts;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Who knows who is calling: bearer token, workload's JWT, client certificate, or the portal's cookie with its proof
/// against forged requests.
pub trait Callers: Send + Sync {
    /// Who sent this request, or why that is not known.
    fn caller<'a>(&'a self, parts: &'a Parts) -> Answer<'a, Result<Caller, Refusal>>;

    /// The address that the request came from.
    fn address(&self, parts: &Parts) -> IpAddr;
}

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
    pub callers: Arc<dyn Callers>,
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
    pub(super) fn new(
        control: Arc<Control>,
        callers: Arc<dyn Callers>,
        metrics: Arc<Metrics>,
        settings: Settings,
        document: Bytes,
    ) -> Self {
        Self {
            control,
            callers,
            metrics,
            settings: ArcSwap::from_pointee(settings),
            people: Buckets::default(),
            addresses: Buckets::default(),
            document,
        }
    }
}
