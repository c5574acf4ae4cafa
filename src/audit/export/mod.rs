//! A session given out: as HAR for browser tools, as WARC for web archives, and as one package that proves itself.
//!
//! ```text
//! journal ─ gather ─ facts ─┐
//! tape ─────────────────────┼─ har, warc ─┐
//! tree ─ proofs ────────────┴─────────────┴─ package ─ verify
//! ```

pub mod decode;
pub mod events;
pub mod exchange;
pub mod har;
pub mod package;
pub mod warc;

mod bundle;
mod digest;
mod error;
mod exporter;
mod facts;
mod gather;
mod manifest;
mod page;
mod proofs;
mod verdict;
mod verify;
mod verify_warc;
mod warc_reader;

pub use error::ExportError;
pub use exporter::{Exporter, Format, Order, Ready};
pub use facts::{Facts, Known};
pub use gather::{Wanted, names, records};
pub use manifest::Made;
pub use proofs::{Proof, Proven};
pub use verdict::{Flaw, Verdict};
pub use verify::verify;

#[cfg(test)]
pub(crate) mod tests;
