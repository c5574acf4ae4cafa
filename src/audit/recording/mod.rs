//! The recording: what was sent, what came back, and what the operator saw. `docs/recording.md` states the format.
//!
//! ```text
//! session ─ keyring ─ key file (wrapped)
//! bytes ─ recorder ─ part (chunks, heads ─ frames ─ sealed) ─ tape file
//! tape file ─ scan ─ assemble ─ Tape ─ exchanges, bodies, messages
//! ```

// The writer joins the data plane in the next change.
#![allow(dead_code, unreachable_pub)]

pub mod settings;

mod about;
mod assemble;
mod digest;
mod erase;
mod error;
mod frame;
mod head;
mod header;
mod holds;
mod keyring;
mod kms;
mod library;
mod part;
mod scan;
mod seal;
mod tape;
mod taped;

pub use about::{About, Erased};
pub use error::RecordingError;
pub use library::{Hold, HoldOn, Library, Summary, ViewError, Viewing};
pub use scan::Torn;
pub use settings::Settings;
pub use tape::Tape;
pub use taped::{Body, From, Gap, Kind, Message, Side, Taped, Which};

#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
