//! Why a security event was not taken, in the words of RFC 8935 §2.4.

use crate::store::StoreError;
use crate::store::external::BearerRefused;
use axum::http::StatusCode;
use std::fmt;

/// Nothing was done.
#[derive(Debug)]
pub(super) enum Refused {
    /// `Content-Type` is not `application/secevent+jwt`.
    ContentType,
    /// Longer than so many bytes.
    TooLong(usize),
    /// The connection ended before the token did, or it is no text.
    NotText,
    /// No transmitter has this `iss`.
    Issuer,
    /// The bearer token beside it is missing or wrong.
    Unauthenticated,
    /// Its form, header or signature.
    Token(BearerRefused),
    Audience,
    /// A claim is missing or wrong.
    Claim {
        claim: &'static str,
        problem: &'static str,
    },
    /// `iat` is too long ago, or `exp` has passed.
    Expired,
    /// `iat` is in the future.
    Early,
    /// Its `jti` was heard before.
    Replayed,
    /// As many as allowed are looked at.
    Busy,
    Store(StoreError),
}

impl Refused {
    /// The registered error code; `None`: it is ours, and the same token may be sent again (§2.3).
    pub(super) const fn code(&self) -> Option<&'static str> {
        match self {
            Self::ContentType
            | Self::TooLong(_)
            | Self::NotText
            | Self::Claim { .. }
            | Self::Expired
            | Self::Early
            | Self::Replayed => Some("invalid_request"),
            Self::Issuer => Some("invalid_issuer"),
            Self::Audience => Some("invalid_audience"),
            Self::Unauthenticated => Some("authentication_failed"),
            Self::Token(why) => match why {
                BearerRefused::Algorithm | BearerRefused::UnknownKey | BearerRefused::Signature => {
                    Some("invalid_key")
                }
                BearerRefused::KeysUnavailable { .. } => None,
                _ => Some("invalid_request"),
            },
            Self::Busy | Self::Store(_) => None,
        }
    }

    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            _ if self.code().is_none() => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The word in metrics and records.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::ContentType => "content-type",
            Self::TooLong(_) => "too-long",
            Self::NotText => "not-text",
            Self::Issuer => "issuer",
            Self::Unauthenticated => "bearer",
            Self::Token(why) => why.name(),
            Self::Audience => "audience",
            Self::Claim { .. } => "claim",
            Self::Expired => "expired",
            Self::Early => "early",
            Self::Replayed => "replayed",
            Self::Busy => "busy",
            Self::Store(_) => "store",
        }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Safe to show: never echoes the token.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContentType => f.write_str("send it as application/secevent+jwt"),
            Self::TooLong(most) => write!(f, "it is longer than {most} bytes"),
            Self::NotText => f.write_str("it is not a whole token"),
            Self::Issuer => f.write_str("nobody of this `iss` is heard here"),
            Self::Unauthenticated => f.write_str("the bearer token is missing or wrong"),
            Self::Token(why) => why.fmt(f),
            Self::Audience => f.write_str("it is for another audience"),
            Self::Claim { claim, problem } => write!(f, "its `{claim}` {problem}"),
            Self::Expired => f.write_str("it is too old"),
            Self::Early => f.write_str("its `iat` is in the future"),
            Self::Replayed => f.write_str("an event with this `jti` was heard before"),
            Self::Busy => f.write_str("too many are being looked at: send it again"),
            Self::Store(_) => f.write_str("it cannot be kept now: send it again"),
        }
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Token(why) => Some(why),
            Self::Store(why) => Some(why),
            _ => None,
        }
    }
}
