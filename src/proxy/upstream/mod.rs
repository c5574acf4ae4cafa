//! Towards the app: pick an address, connect, put the subject's identity on, send, stream back.
//!
//! Read in this order: `settings` (what can be said), `send` (one request's way), `lanes` (idle
//! connections), `dial` (new ones), `health` (which address), `outgoing` and `body` (the two streams).
//!
//! Deliberately absent: RFC 8441 extended CONNECT towards the app (a WebSocket goes out as an
//! HTTP/1.1 Upgrade), active health probes (they would be requests without a record), and any way
//! to skip certificate verification.

mod attempts;
mod body;
mod dial;
mod error;
mod faults;
pub mod forward;
mod health;
pub mod identity;
mod lanes;
mod limit;
mod metrics;
mod obtain;
mod outgoing;
mod prepare;
mod race;
mod reaper;
mod send;
mod settings;
mod shared;
mod tls;
mod wire;

#[cfg(test)]
mod tests;

pub use body::UpstreamBody;
pub use error::{BodyError, BuildError, Fault, Phase, UpstreamError};
pub(crate) use lanes::Peer;
pub use metrics::Snapshot;
pub use send::Upstream;
pub use settings::{Address, Balance, Health, Protocol, Roots, Settings, Timeouts, Tls};

/// A cause as it is kept inside our errors.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;
