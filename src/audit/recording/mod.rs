//! The recording: what was sent, what came back, and what the operator saw. `docs/recording.md` states the format.
//!
//! ```text
//! session ─ keyring ─ key file (wrapped)
//! bytes ─ recorder ─ part (chunks, heads ─ frames ─ sealed) ─ tape file
//! tape file ─ scan ─ assemble ─ Tape ─ exchanges, bodies, messages
//! ```

pub mod settings;

mod about;
mod assemble;
mod counters;
mod deck;
mod digest;
mod ends;
mod erase;
mod error;
mod events;
mod exchange;
mod frame;
mod head;
mod header;
mod holds;
mod kept;
mod keyring;
mod kms;
mod library;
mod part;
mod queue;
mod recorder;
mod redact;
mod retention;
mod scan;
mod seal;
mod shelf;
mod side;
mod step;
mod tap;
mod tape;
mod taped;
mod told;
mod viewing;
mod work;

pub use about::{About, Asked, Erased};
pub use counters::Counters;
pub use error::RecordingError;
pub use kept::{Kept, Spot};
pub use library::{Hold, HoldOn, Library, Summary};
pub use recorder::{Recorder, Start};
pub use retention::{Retention, Rule, RuleOn};
pub use scan::Torn;
pub use settings::Settings;
pub use step::Step;
pub use tap::{Overrun, Tap};
pub use tape::Tape;
pub use taped::{Body, From, Gap, Kind, Message, Side, Taped, Which};
pub use told::{Checked, Erasure, check, erasures};
pub use viewing::{Undone, Viewing};
pub use work::Closed;

#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
