//! The audit log: every exchange is on record before the app sees it. `docs/journal.md` states the format.
//!
//! ```text
//! Opening ─ encode ─┐
//! Event  ─ encode ──┴─ chain ─ writer ─ segment files ─┬─ verify
//!                                  │                   ├─ tail
//!                               commit (fdatasync)     └─ sinks
//! ```

pub mod settings;

mod chain;
mod commit;
mod core;
mod counters;
mod encode;
mod encode_class;
mod encode_control;
mod encode_event;
mod encode_kept;
mod encode_own;
mod encode_tape;
mod encode_watch;
mod error;
mod escape;
mod event;
pub mod export;
mod group;
mod growing;
pub mod index;
mod journal;
mod leaf;
mod lines;
mod medium;
mod outage;
mod part;
mod pending;
mod ready;
mod receipt;
mod record;
pub mod recording;
mod recover;
mod redact;
mod report;
mod room;
mod segment;
pub mod session;
pub mod sink;
mod spare;
pub mod tail;
mod told;
pub mod tree;
mod upkeep;
pub mod verify;
mod walk;
mod writer;
mod yielding;

pub use counters::{Counters, SinkCounters};
pub use error::{Refused, StartError};
pub use event::Event;
pub use journal::Journal;
pub use part::{PolicyPart, SessionPart};
pub use receipt::Receipt;
pub use record::{Banner, Closing, Opening, Outcome, Protocol, Refusal};
pub use report::{Break, Fault, Report, TreeReport};
pub use room::{RoomCounters, RoomSettings, Stand};
pub use settings::{Durability, Settings};
pub use verify::verify;

#[cfg(test)]
mod tests;
