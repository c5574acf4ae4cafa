//! From a state directory to an export: everything is read and checked first, so that what fails, fails before a byte is sent.

use super::error::ExportError;
use super::facts::Facts;
use super::gather::{Wanted, records};
use super::manifest::Made;
use super::package::{Dossier, Package};
use super::proofs::Proven;
use super::{bundle, har, warc};
use crate::audit::recording::{Library, RecordingError, Tape};
use crate::audit::tail::Entry;
use crate::audit::tree::{LogKey, Proofs};
use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;

/// What an export looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Har,
    Warc,
    Package,
}

impl Format {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Har => "har",
            Self::Warc => "warc",
            Self::Package => "package",
        }
    }

    /// What a file of it ends with.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Har => "har",
            Self::Warc => "warc.gz",
            Self::Package => "zip",
        }
    }

    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Har => "application/json",
            Self::Warc => "application/warc",
            Self::Package => "application/zip",
        }
    }
}

impl FromStr for Format {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let all = [Self::Har, Self::Warc, Self::Package];
        all.into_iter().find(|it| it.as_str() == text).ok_or(())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where exports are made from, and within which bounds.
#[derive(Clone, Debug)]
pub struct Exporter {
    /// The journal's directory.
    pub journal: PathBuf,
    pub library: Library,
    /// Sign packages; empty: nobody does.
    pub keys: Vec<LogKey>,
    /// Records of one session.
    pub max_records: usize,
    /// The longest body in a HAR. Bytes.
    pub max_body: usize,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    pub format: Format,
    pub wanted: Wanted,
    pub dossier: Dossier,
    pub made: Made,
}

/// An export, ready to be written.
#[derive(Debug)]
pub struct Ready {
    order: Order,
    facts: Facts,
    entries: Vec<Entry>,
    tape: Result<Tape, String>,
    whole: Option<Proven>,
    tenant: Option<Proven>,
    keys: Vec<LogKey>,
    max_body: usize,
}

impl Exporter {
    /// Reads what the export is made of. `tape`: the recording, opened on record; a session without one, or one whose
    /// recording is erased, has its records all the same.
    ///
    /// # Errors
    /// Where the journal, the recording or the log cannot be read, or the bounds are passed.
    pub fn prepare(
        &self,
        order: Order,
        tape: Result<Tape, RecordingError>,
    ) -> Result<Ready, ExportError> {
        let tape = match tape {
            Ok(tape) => Ok(tape),
            Err(
                why @ (RecordingError::Absent { .. }
                | RecordingError::Erased { .. }
                | RecordingError::Sealed { .. }),
            ) => Err(why.to_string()),
            Err(why) => return Err(why.into()),
        };
        if let (Format::Warc, Err(why)) = (order.format, &tape) {
            return Err(ExportError::NoRecording(why.clone()));
        }
        let entries = records(&self.journal, &order.wanted, self.max_records)?;
        let facts = Facts::of(&order.wanted.session, &entries);
        let (mut whole, mut tenant) = (None, None);
        if order.format == Format::Package {
            whole = Proven::of(Proofs::of_all(&self.journal), &entries)?;
            tenant = Proven::of(Proofs::of_tenant(&self.journal, &facts.tenant), &entries)?;
        }
        Ok(Ready {
            order,
            facts,
            entries,
            tape,
            whole,
            tenant,
            keys: self.keys.clone(),
            max_body: self.max_body,
        })
    }
}

impl Ready {
    /// Writes it, a piece at a time.
    ///
    /// # Errors
    /// Where `out` takes no more, or a recorded body is damaged.
    pub fn write(&self, out: &mut dyn Write) -> Result<(), ExportError> {
        match (self.order.format, &self.tape) {
            (Format::Har, tape) => har::write(&self.facts, tape.as_ref().ok(), self.max_body, out),
            (Format::Warc, Ok(tape)) => warc::write(&self.facts, tape, out),
            (Format::Warc, Err(why)) => Err(ExportError::NoRecording(why.clone())),
            (Format::Package, tape) => {
                let package = Package {
                    facts: &self.facts,
                    dossier: &self.order.dossier,
                    entries: &self.entries,
                    tape: tape.as_ref().map_err(Clone::clone),
                    whole: self.whole.as_ref(),
                    tenant: self.tenant.as_ref(),
                    made: &self.order.made,
                    keys: &self.keys,
                    max_body: self.max_body,
                };
                bundle::write(&package, out)
            }
        }
    }
}
