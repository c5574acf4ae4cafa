//! How a command ends: exit codes, and failures with their remedy.

use std::error::Error;
use std::fmt;

/// The exit codes of every command. `docs/cli.md` tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was done, and the answer is yes.
    Ok = 0,
    /// It was done, and the answer is no: a check, a test or a verification failed.
    No = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// It could not be done: a file, the store or the network is out of reach, or the configuration
    /// cannot be used.
    Cannot = 3,
    /// The portal does not know who asks, or wants a fresh proof of it: `locum login`.
    SignIn = 4,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
    remedy: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// It could not be done. `remedy` is a sentence on what to do.
    pub fn cannot(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            exit: Exit::Cannot,
            message: message.into(),
            remedy: remedy.into(),
            cause: None,
        }
    }

    /// The arguments make no sense together.
    pub fn usage(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            ..Self::cannot(message, remedy)
        }
    }

    /// The answer is no.
    pub fn no(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            exit: Exit::No,
            ..Self::cannot(message, remedy)
        }
    }

    /// Nobody is signed in, or not freshly enough.
    pub fn sign_in(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            exit: Exit::SignIn,
            ..Self::cannot(message, remedy)
        }
    }

    /// With what brought it about.
    pub fn because(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..self
        }
    }

    pub fn exit(&self) -> Exit {
        self.exit
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

/// The message and its causes, without the remedy.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|e| e as &(dyn Error + 'static))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::cannot("output failed", "look at where stdout goes").because(error)
    }
}
