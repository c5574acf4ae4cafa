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
    /// What was compared with the log's trees; absent where there is no log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<TreeReport>,
}

/// What was compared with the trees over the records.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct TreeReport {
    /// Leaves of the whole tree, made anew from the records.
    pub size: u64,
    /// Its root, in base64.
    pub root: String,
    /// Records that the published checkpoint covers.
    pub published: u64,
    /// Checkpoints compared, of all trees.
    pub checkpoints: u64,
    /// Tiles compared, of all trees.
    pub tiles: u64,
    /// Tenants' trees.
    pub tenants: u64,
    /// Known witnesses on the latest checkpoint.
    pub cosigned: u64,
    /// Whether there were keys to check signatures with.
    pub signatures_checked: bool,
}

impl Report {
    pub fn is_intact(&self) -> bool {
        self.breaks.is_empty()
    }
}

/// One place where the chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Break {
    /// The segment's file name, or the name of the log's file.
    pub segment: String,
    /// Counted from 1; 0 and absent where a whole file is meant.
    #[serde(skip_serializing_if = "is_zero")]
    pub line: u64,
    /// The sequence number of the record meant, as far as it can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange: Option<String>,
    #[serde(flatten)]
    pub fault: Fault,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde asks
fn is_zero(line: &u64) -> bool {
    *line == 0
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
    /// Records that checkpoint `by` covers are not there.
    Truncated { from: u64, to: u64, by: String },
    /// The record is not the one that was signed, though the chain was computed anew around it.
    Rewritten,
    /// The saved checkpoint of this size was signed over other records.
    Forked { size: u64 },
    /// The root signed for this size is not that of the records.
    WrongRoot { size: u64 },
    /// There is no checkpoint.
    NoCheckpoint,
    /// The latest checkpoint is not the last one published.
    Superseded,
    /// It is no checkpoint.
    BadNote,
    /// No key that was given signed it.
    WrongKey,
    /// A signature does not fit the text.
    WrongSignature,
    /// No key that was given is one of that log.
    WrongOrigin { origin: String },
    /// The file differs from the records.
    WrongTile,
    /// A file that the checkpoint needs is not there.
    MissingTile,
    /// There is no record for the file.
    StrangeFile,
    /// Fewer records of the tenant than its checkpoint covers.
    Lacking { size: u64, records: u64 },
    /// A record of somebody else.
    OtherTenant,
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
            _ => return self.of_log(f),
        })
    }
}

impl Fault {
    /// The faults that a tree over the records shows.
    fn of_log(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated { from, to, by } => {
                return write!(
                    f,
                    "records {from} to {to} were cut off: the checkpoint in {by} covers them"
                );
            }
            Self::Forked { size } => {
                return write!(
                    f,
                    "the saved checkpoint was signed over {size} other records: this is another history"
                );
            }
            Self::WrongRoot { size } => {
                return write!(
                    f,
                    "the root signed for {size} records is not theirs: they were written anew, or it was"
                );
            }
            Self::WrongOrigin { origin } => {
                return write!(f, "no key that was given is one of the log {origin:?}");
            }
            Self::Lacking { size, records } => {
                return write!(
                    f,
                    "the tenant's checkpoint covers {size} records, and there are {records}"
                );
            }
            Self::Rewritten => {
                "the record is not the one that was signed: the chain was computed anew around it"
            }
            Self::NoCheckpoint => "there is no checkpoint",
            Self::Superseded => "the latest checkpoint is not the last one published",
            Self::BadNote => "it is no checkpoint: damaged or changed",
            Self::WrongKey => "no key that was given has signed it",
            Self::WrongSignature => "a signature does not fit its text",
            Self::WrongTile => "the file differs from the records, which fit what was signed",
            Self::MissingTile => "the file is missing",
            Self::StrangeFile => "there is no record that the file could be of",
            Self::OtherTenant => "the record is not of this tenant",
            _ => "the record does not fit",
        })
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.segment)?;
        if self.line > 0 {
            write!(f, " line {}", self.line)?;
        }
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
        if let Some(tree) = &self.tree {
            writeln!(
                f,
                "  log: {} checkpoints ({}), {} tiles, {} tenants, {} cosignatures; checkpoint at {}, root of all {}",
                tree.checkpoints,
                if tree.signatures_checked {
                    "signatures checked"
                } else {
                    "signatures NOT checked"
                },
                tree.tiles,
                tree.tenants,
                tree.cosigned,
                tree.published,
                tree.root
            )?;
        }
        write!(
            f,
            "  last: record {} hash {}",
            self.last_sequence, self.last_hash
        )
    }
}
