//! Shared Signals: security events are heard from identity providers and customers, and told to whoever keeps state about a
//! support session. Hearing is one request; telling is a queue in the store, at least once.

mod act;
mod counts;
mod event;
mod hub;
mod receive;
mod refused;
mod settings;
mod subject;
mod token;
mod transmit;

#[cfg(test)]
mod tests;

pub use counts::Counts;
pub use hub::{Sign, Signals};
pub use receive::{PATH, router};
pub use settings::{Settings, SettingsError};
