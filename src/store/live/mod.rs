//! The live sessions in memory: what every request is checked against.
//!
//! Two threads have all traffic with the [`GrantStore`](super::GrantStore). `locum-lookout` asks for changes every few
//! milliseconds, runs the timers, and ends what is over; it only reads. `locum-store` takes in what is new and does the
//! writes, its own and those of others, so only it waits for a disk. Requests only read shared memory: [`Live::find`]
//! takes no lock that a write holds for long, and never touches a disk. When the lookout has not reached the store for
//! longer than a lease, nothing is live any more.

mod events;
mod loading;
mod lookout;
mod over;
mod registry;
mod session;
mod settings;
mod shared;
mod thread;
mod timers;
mod under_way;
mod usage;

pub use events::{Event, SessionEvent};
pub use over::{Staleness, Tombstone};
pub use registry::{AdmitError, Durable, Found, Live, RedeemError, Redeemed, Starter, Stats};
pub use session::{LiveSession, Slot};
pub use settings::Settings;
pub use under_way::UnderWay;
pub use usage::Usage;

#[cfg(test)]
mod loading_tests;
#[cfg(test)]
mod size_tests;
#[cfg(test)]
mod tests;
