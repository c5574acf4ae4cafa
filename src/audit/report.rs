//! What a verification found, for people and for scripts.

use std::fmt;

/// The outcome of [`super::verify()`]. It passed if [`Report::is_intact`].
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    pub segments: u64,
    /// Whole records read, broken ones included.
    pub records: u64,
    pub bytes: u64,
    /// The last record's sequence number; 0 for an empty journal.
    pub last_sequence: u64,
    /// The last record's hash: note it elsewhere, and a later cut of the end can be shown.
    pub last_hash: String,
    /// Exchanges that have an opening but no close.
    pub open_exchanges: u64,
    /// What is worth knowing but breaks nothing: a torn tail, a writer at work.
    pub notes: Vec<String>,
    /// In the order found; at most [`super::verify::Options::max_breaks`].
    pub breaks: Vec<Break>,
    /// How many more there were.
    pub more_breaks: u64,
}

impl Report {
    pub fn is_intact(&self) -> bool {
        self.breaks.is_empty()
    }
}

/// One place where the chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Break {
    /// The segment's file name.
    pub segment: String,
    /// Counted from 1.
    pub line: u64,
    /// The sequence number of the record meant, as far as it can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange: Option<String>,
    #[serde(flatten)]
    pub fault: Fault,
}

/// What is wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// The record's bytes do not give the hash that it states.
    Changed,
    /// The line has not the shape of a record.
    Malformed,
    /// Records `from` to `to` are not there.
    Missing { from: u64, to: u64 },
    /// The record comes after one that follows it: moved, or there twice.
    OutOfOrder,
    /// The record states another hash of the one before than that one has.
    Unchained,
    /// The segment ends without its footer although another follows.
    NoFooter,
    /// There is a record after the footer.
    AfterFooter,
    /// The footer counts other than what is there.
    WrongFooter,
    /// The file's name says another first sequence number.
    WrongName,
    /// The last line is neither whole nor a crash's remains.
    BadTail,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "the record was changed: its bytes do not give its hash",
            Self::Malformed => "the line is no record",
            Self::Missing { from, to } if from == to => {
                return write!(f, "record {from} is missing");
            }
            Self::Missing { from, to } => return write!(f, "records {from} to {to} are missing"),
            Self::OutOfOrder => "the record was moved or is there twice",
            Self::Unchained => "the record does not continue the one before",
            Self::NoFooter => "the segment ends without its footer: its end is missing",
            Self::AfterFooter => "there is a record after the footer",
            Self::WrongFooter => "the footer counts other than what is there",
            Self::WrongName => "the file's name does not fit its first record",
            Self::BadTail => "the last line is neither whole nor torn by a crash",
        })
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}", self.segment, self.line)?;
        if let Some(sequence) = self.sequence {
            write!(f, ", record {sequence}")?;
        }
        if let Some(exchange) = &self.exchange {
            write!(f, ", exchange {exchange}")?;
        }
        write!(f, ": {}", self.fault)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_intact() { "intact" } else { "BROKEN" };
        writeln!(
            f,
            "{verdict}: {} records in {} segments, {} bytes",
            self.records, self.segments, self.bytes
        )?;
        for found in &self.breaks {
            writeln!(f, "  {found}")?;
        }
        if self.more_breaks > 0 {
            writeln!(f, "  and {} more", self.more_breaks)?;
        }
        for note in &self.notes {
            writeln!(f, "  note: {note}")?;
        }
        if self.open_exchanges > 0 {
            writeln!(
                f,
                "  note: {} exchanges have no close yet",
                self.open_exchanges
            )?;
        }
        write!(
            f,
            "  last: record {} hash {}",
            self.last_sequence, self.last_hash
        )
    }
}
