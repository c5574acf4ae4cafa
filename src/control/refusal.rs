//! Why the control plane did not do what was asked: one type for API, portal and command line.

use crate::store::StoreError;
use std::fmt;

/// What kind of no it is; decides the status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request's fault, with the fields.
    Invalid,
    Unauthenticated,
    /// They are who they say, but must prove it again now (RFC 9470).
    StepUp,
    Forbidden,
    /// There is no such thing, or none that the caller may know of.
    NotFound,
    /// The path has no such method.
    Method,
    /// It is not in a state for this.
    Conflict,
    /// `If-Match` named another version.
    Stale,
    TooMany,
    /// Ours, or that of a system that we depend on.
    Unavailable,
}

impl Kind {
    pub const fn status(self) -> u16 {
        match self {
            Self::Invalid => 422,
            Self::Unauthenticated | Self::StepUp => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Method => 405,
            Self::Conflict => 409,
            Self::Stale => 412,
            Self::TooMany => 429,
            Self::Unavailable => 503,
        }
    }
}

/// One field that is wrong, with what to do.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    pub field: String,
    pub message: String,
}

/// A no, with its machine's word, and words for people.
#[derive(Debug)]
pub struct Refusal {
    pub kind: Kind,
    /// `duty.requester`, `policy.denied`, … Stable: clients and tests go by it.
    pub reason: &'static str,
    /// A sentence that the caller may see.
    pub detail: String,
    pub problems: Vec<Problem>,
    source: Option<StoreError>,
}

impl Refusal {
    pub fn new(kind: Kind, reason: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind,
            reason,
            detail: detail.into(),
            problems: Vec::new(),
            source: None,
        }
    }

    pub fn forbidden(reason: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, reason, detail)
    }

    pub fn conflict(reason: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, reason, detail)
    }

    /// Says nothing of whether it exists for others.
    pub fn not_found() -> Self {
        Self::new(
            Kind::NotFound,
            "not-found",
            "There is no such thing, or none that you may see.",
        )
    }

    pub fn invalid(problems: Vec<Problem>) -> Self {
        let count = problems.len();
        let detail = match count {
            1 => "One field needs another look.".to_owned(),
            n => format!("{n} fields need another look."),
        };
        Self {
            problems,
            ..Self::new(Kind::Invalid, "invalid", detail)
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.reason)?;
        for problem in &self.problems {
            write!(f, "\n  {}: {}", problem.field, problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|why| why as _)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let detail = "Nothing was changed: the store cannot be used now. Try again in a moment.";
        Self {
            source: Some(error),
            ..Self::new(Kind::Unavailable, "store", detail)
        }
    }
}

impl From<aws_lc_rs::error::Unspecified> for Refusal {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::new(
            Kind::Unavailable,
            "random",
            "The system's random generator failed.",
        )
    }
}
