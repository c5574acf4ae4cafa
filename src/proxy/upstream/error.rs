//! What can go wrong between Locum and the app: what happened, whose fault, what to do, which status.

use super::Cause;
use http::StatusCode;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where the time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Lookup, connect or TLS handshake.
    Connect,
    /// Waiting for one of the upstream's connections to become free.
    Wait,
    /// The client sent no more of its body.
    ClientBody,
    /// The app took no more of the request body.
    RequestBody,
    /// The app did not answer.
    Head,
    /// The app stopped in the middle of its answer.
    ResponseBody,
}

impl Phase {
    /// The name in metrics and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Wait => "wait",
            Self::ClientBody => "client-body",
            Self::RequestBody => "request-body",
            Self::Head => "head",
            Self::ResponseBody => "response-body",
        }
    }
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Client,
    Upstream,
    Ours,
}

/// Why there is no response. `Display` is for the log: it names the upstream and its address, which the
/// client may not see.
#[derive(Debug)]
pub enum UpstreamError {
    /// No connection to any address that was tried.
    Connect {
        upstream: String,
        address: String,
        cause: Cause,
    },
    /// A phase took longer than its setting allows.
    Timeout {
        upstream: String,
        phase: Phase,
        after: Duration,
        peer: Option<Arc<str>>,
    },
    /// The app closed the connection before it answered, and the request could not be sent again.
    Closed {
        upstream: String,
        cause: Cause,
        peer: Option<Arc<str>>,
    },
    /// The app answered with something that is not HTTP as agreed, or beyond a limit.
    Protocol {
        upstream: String,
        cause: Cause,
        peer: Option<Arc<str>>,
    },
    /// Every connection is busy and too many requests wait for one.
    TooBusy {
        upstream: String,
        connections: usize,
        waiting: usize,
    },
    /// No trust in the app's certificate, or the app has none in ours.
    Tls {
        upstream: String,
        address: String,
        cause: Cause,
    },
    /// The client's body ended early or broke.
    ClientBody { cause: Cause },
    /// The request cannot be put on the wire; it should have been refused before.
    Request { what: &'static str },
}

impl UpstreamError {
    /// The status for the client: 502, 503, 504; 400 or 408 where its own body failed.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Connect { .. }
            | Self::Closed { .. }
            | Self::Protocol { .. }
            | Self::Tls { .. } => StatusCode::BAD_GATEWAY,
            Self::Timeout {
                phase: Phase::ClientBody,
                ..
            } => StatusCode::REQUEST_TIMEOUT,
            Self::Timeout {
                phase: Phase::Wait, ..
            }
            | Self::TooBusy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::ClientBody { .. } => StatusCode::BAD_REQUEST,
            Self::Request { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Where the connection led that failed, or should have led. None where none was tried.
    pub fn peer(&self) -> Option<Arc<str>> {
        match self {
            Self::Connect { address, .. } | Self::Tls { address, .. } => {
                Some(address.as_str().into())
            }
            Self::Timeout { peer, .. }
            | Self::Closed { peer, .. }
            | Self::Protocol { peer, .. } => peer.clone(),
            Self::TooBusy { .. } | Self::ClientBody { .. } | Self::Request { .. } => None,
        }
    }

    pub fn fault(&self) -> Fault {
        match self {
            Self::ClientBody { .. }
            | Self::Timeout {
                phase: Phase::ClientBody,
                ..
            } => Fault::Client,
            Self::Request { .. } => Fault::Ours,
            _ => Fault::Upstream,
        }
    }

    /// The name in metrics and records.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Timeout { .. } => "timeout",
            Self::Closed { .. } => "closed",
            Self::Protocol { .. } => "protocol",
            Self::TooBusy { .. } => "too-busy",
            Self::Tls { .. } => "tls",
            Self::ClientBody { .. } => "client-body",
            Self::Request { .. } => "request",
        }
    }

    /// What the people who run Locum can do.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Connect { .. } => {
                "Check that the app runs and that its address in the configuration is right."
            }
            Self::Timeout {
                phase: Phase::Wait, ..
            }
            | Self::TooBusy { .. } => {
                "Raise the upstream's max_connections, or find out why the app holds its connections."
            }
            Self::Timeout {
                phase: Phase::ClientBody,
                ..
            } => "The client should send its body faster.",
            Self::Timeout { .. } => {
                "Find out why the app is slow, or raise the timeout of this phase."
            }
            Self::Closed { .. } => {
                "Look in the app's log: it closed the connection without an answer."
            }
            Self::Protocol { .. } => {
                "Check that the port speaks the configured protocol, and the app's response head limits."
            }
            Self::Tls { .. } => {
                "Check the upstream's tls settings: server name, authorities, client certificate."
            }
            Self::ClientBody { .. } => "Nothing: the client broke off its request.",
            Self::Request { .. } => "Report this as a defect of Locum.",
        }
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect {
                upstream, address, ..
            } => {
                write!(f, "cannot connect to upstream {upstream} at {address}")
            }
            Self::Timeout {
                upstream,
                phase,
                after,
                ..
            } => write!(
                f,
                "upstream {upstream}: nothing for {} ms in phase {}",
                after.as_millis(),
                phase.name()
            ),
            Self::Closed { upstream, .. } => {
                write!(
                    f,
                    "upstream {upstream} closed the connection before it answered"
                )
            }
            Self::Protocol { upstream, .. } => {
                write!(
                    f,
                    "upstream {upstream} answered with something that is not valid HTTP"
                )
            }
            Self::TooBusy {
                upstream,
                connections,
                waiting,
            } => write!(
                f,
                "upstream {upstream}: all {connections} connections are busy and {waiting} requests wait"
            ),
            Self::Tls {
                upstream, address, ..
            } => {
                write!(f, "no TLS with upstream {upstream} at {address}")
            }
            Self::ClientBody { .. } => f.write_str("the client's request body broke off"),
            Self::Request { what } => write!(f, "the request cannot be sent: {what}"),
        }
    }
}

impl std::error::Error for UpstreamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect { cause, .. }
            | Self::Closed { cause, .. }
            | Self::Protocol { cause, .. }
            | Self::Tls { cause, .. }
            | Self::ClientBody { cause } => Some(&**cause),
            Self::Timeout { .. } | Self::TooBusy { .. } | Self::Request { .. } => None,
        }
    }
}

/// Why a response body ended early.
#[derive(Debug)]
pub enum BodyError {
    /// Nothing came for this long.
    Idle(Duration),
    /// The app closed, reset or broke its framing.
    Broken(hyper::Error),
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle(after) => write!(
                f,
                "the app sent nothing of its body for {} ms",
                after.as_millis()
            ),
            Self::Broken(_) => f.write_str("the app broke off its response body"),
        }
    }
}

impl std::error::Error for BodyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Idle(_) => None,
            Self::Broken(cause) => Some(cause),
        }
    }
}

/// Why an upstream cannot be built from its settings. Always the configuration's fault.
#[derive(Debug)]
pub enum BuildError {
    NoAddress {
        upstream: String,
    },
    /// A number that cannot be: its key, what it is, the least it may be.
    TooSmall {
        upstream: String,
        key: &'static str,
        least: usize,
    },
    /// A certificate or key file that cannot be used.
    File {
        upstream: String,
        path: PathBuf,
        cause: Cause,
    },
    /// Neither the address nor `server_name` gives a name to verify.
    ServerName {
        upstream: String,
        name: String,
    },
    Tls {
        upstream: String,
        cause: Cause,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress { upstream } => {
                write!(f, "upstream {upstream} has no address: give at least one")
            }
            Self::TooSmall {
                upstream,
                key,
                least,
            } => {
                write!(f, "upstream {upstream}: {key} must be at least {least}")
            }
            Self::File { upstream, path, .. } => write!(
                f,
                "upstream {upstream}: cannot use {}: give a readable PEM file",
                path.display()
            ),
            Self::ServerName { upstream, name } => write!(
                f,
                "upstream {upstream}: {name:?} is no name to verify a certificate for: set tls.server_name"
            ),
            Self::Tls { upstream, .. } => write!(
                f,
                "upstream {upstream}: these TLS settings do not work together"
            ),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { cause, .. } | Self::Tls { cause, .. } => Some(&**cause),
            _ => None,
        }
    }
}
