//! Why a channel did not take an alert.

use crate::control::outbound::{CallError, root_cause};
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Anything but a definite yes. Shows no secret and no URL.
#[derive(Debug)]
pub enum Untaken {
    Timeout(Duration),
    Call(CallError),
    /// A redirect is not followed: whoever answers elsewhere is not whom the configuration names.
    Redirect(u16),
    Status(u16),
    /// The status was right, and the body was not what a receiver of this kind says.
    Body(&'static str),
    Mail(lettre::transport::smtp::Error),
    /// The mail server answered something other than 250 to the message.
    MailAnswer(String),
    /// The alert could not be put into the channel's form.
    Form(Box<dyn Error + Send + Sync>),
}

impl Untaken {
    /// The word in metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Timeout(_) | Self::Call(CallError::Timeout(_)) => "timeout",
            Self::Call(CallError::Connect(_)) => "connect",
            Self::Call(CallError::BrokenOff(_)) => "broken-off",
            Self::Call(CallError::TooLong(_)) => "too-long",
            Self::Redirect(_) => "redirect",
            Self::Status(_) => "status",
            Self::Body(_) => "body",
            Self::Mail(_) => "mail",
            Self::MailAnswer(_) => "mail-answer",
            Self::Form(_) => "form",
        }
    }

    /// What a status other than the wanted one means.
    pub(super) const fn by_status(status: u16) -> Self {
        if status >= 300 && status < 400 {
            Self::Redirect(status)
        } else {
            Self::Status(status)
        }
    }
}

impl From<CallError> for Untaken {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl fmt::Display for Untaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(limit) => write!(f, "not taken within {} ms", limit.as_millis()),
            Self::Call(error) => error.fmt(f),
            Self::Redirect(status) => write!(f, "answered {status}, a redirect"),
            Self::Status(status) => write!(f, "answered {status}"),
            Self::Body(wanted) => write!(f, "the answer was not {wanted}"),
            Self::Mail(error) => write!(f, "the mail server: {}", root_cause(error)),
            Self::MailAnswer(code) => write!(f, "the mail server answered {code}, not 250"),
            Self::Form(error) => write!(f, "the message cannot be made: {error}"),
        }
    }
}

impl Error for Untaken {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Call(error) => Some(error),
            Self::Mail(error) => Some(error),
            Self::Form(error) => Some(&**error),
            _ => None,
        }
    }
}
