//! What the check of a package found.

use serde::Serialize;
use std::fmt;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// The file in the package.
    pub file: String,
    /// The record, exchange or line in it; empty where it is the file as a whole.
    pub place: String,
    pub what: String,
}

/// A package, checked.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    pub session: String,
    /// How many there are of each, and how many of them were proved or compared.
    pub files: u64,
    pub records: u64,
    pub proved: u64,
    pub bodies: u64,
    pub flaws: Vec<Flaw>,
    /// More flaws than are listed.
    pub more_flaws: u64,
    /// What is no flaw, but should be known.
    pub notes: Vec<String>,
}

/// Flaws that are listed; more are counted.
const LISTED: usize = 100;

impl Verdict {
    pub fn is_sound(&self) -> bool {
        self.flaws.is_empty()
    }

    pub(super) fn flaw(&mut self, file: &str, place: impl fmt::Display, what: impl fmt::Display) {
        if self.flaws.len() >= LISTED {
            self.more_flaws += 1;
            return;
        }
        self.flaws.push(Flaw {
            file: file.to_owned(),
            place: place.to_string(),
            what: what.to_string(),
        });
    }

    pub(super) fn note(&mut self, what: impl Into<String>) {
        self.notes.push(what.into());
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => write!(f, "{}: {}", self.file, self.what),
            place => write!(f, "{}: {place}: {}", self.file, self.what),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        for flaw in &self.flaws {
            writeln!(f, "WRONG: {flaw}")?;
        }
        if self.more_flaws > 0 {
            writeln!(f, "and {} more", self.more_flaws)?;
        }
        let word = if self.is_sound() {
            "sound"
        } else {
            "NOT SOUND"
        };
        write!(
            f,
            "{word}: session {}, {} files, {} records ({} proved), {} recorded bodies compared",
            self.session, self.files, self.records, self.proved, self.bodies
        )
    }
}
