//! What is wrong with a configuration: every problem at once, each with its place and a remedy.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of the file, counted from 1.
    Line(usize),
    /// An environment variable.
    Environment(Arc<str>),
    /// Nobody wrote it.
    Default,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: PathBuf,
    pub place: Place,
    /// The dotted path (`apps[0].upstream`); empty for the file as a whole.
    pub key: String,
    /// The value as it was written, where showing it helps.
    pub value: Option<String>,
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// `config/locum.toml:12: limits.idle_timeout = "30 sec": not a duration; write …`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Line(line) => write!(f, "{}:{line}: ", self.file.display())?,
            Place::Environment(name) => write!(f, "environment {name}: ")?,
            Place::Default => write!(f, "{}: ", self.file.display())?,
        }
        if !self.key.is_empty() {
            f.write_str(&self.key)?;
            if let Some(value) = &self.value {
                write!(f, " = {value}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

impl serde::Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("file", &self.file.display().to_string())?;
        match &self.place {
            Place::Line(line) => map.serialize_entry("line", line)?,
            Place::Environment(name) => map.serialize_entry("environment", &**name)?,
            Place::Default => {}
        }
        map.serialize_entry("key", &self.key)?;
        if let Some(value) = &self.value {
            map.serialize_entry("value", value)?;
        }
        map.serialize_entry("message", &self.message)?;
        map.serialize_entry("remedy", &self.remedy)?;
        map.end()
    }
}

/// Everything that is wrong, in the order of the file. Never empty.
#[derive(Debug)]
pub struct Problems {
    list: Vec<Problem>,
    unreadable: Option<std::io::Error>,
}

impl Problems {
    /// The problems, in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Problem> {
        self.list.iter()
    }

    /// Whether the file could not be read at all, as opposed to being wrong.
    pub fn is_unreadable(&self) -> bool {
        self.unreadable.is_some()
    }

    /// The file could not be read.
    pub(super) fn unreadable(file: &Path, error: std::io::Error) -> Self {
        let problem = Problem {
            file: file.to_owned(),
            place: Place::Default,
            key: String::new(),
            value: None,
            message: format!("cannot be read: {error}"),
            remedy: "name another file with --config or LOCUM_CONFIG, or start from the \
                     example in docs/configuration.md"
                .into(),
        };
        Self {
            list: vec![problem],
            unreadable: Some(error),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.list.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(problem, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.unreadable
            .as_ref()
            .map(|e| e as &(dyn std::error::Error + 'static))
    }
}

/// Collects problems while a configuration is read.
#[derive(Debug)]
pub(super) struct Found {
    file: PathBuf,
    list: Vec<Problem>,
    is_lenient: bool,
}

impl Found {
    pub(super) fn new(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            list: Vec::new(),
            is_lenient: false,
        }
    }

    /// For a second reading: what is required and missing is made up.
    pub(super) fn lenient(file: &Path) -> Self {
        Self {
            is_lenient: true,
            ..Self::new(file)
        }
    }

    pub(super) fn is_lenient(&self) -> bool {
        self.is_lenient
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// Adds a problem with the value at `key`.
    pub(super) fn add(
        &mut self,
        place: &Place,
        key: &str,
        value: Option<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.list.push(Problem {
            file: self.file.clone(),
            place: place.clone(),
            key: key.to_owned(),
            value,
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    pub(super) fn push(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether a problem was already found on this line of the file.
    pub(super) fn has_line(&self, line: usize) -> bool {
        self.list.iter().any(|p| p.place == Place::Line(line))
    }

    pub(super) fn into_list(self) -> Vec<Problem> {
        self.list
    }

    /// The problems in the order of the file: those of the file as a whole first, of the
    /// environment last.
    pub(super) fn into_problems(mut self) -> Problems {
        self.list.sort_by_key(|p| match &p.place {
            Place::Default => 0,
            Place::Line(line) => *line,
            Place::Environment(_) => usize::MAX,
        });
        self.list.dedup();
        Problems {
            list: self.list,
            unreadable: None,
        }
    }
}
