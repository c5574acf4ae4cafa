//! What hyper's errors say about the connection, as far as it matters for trying again.

use std::error::Error as _;

/// Whether the connection as a whole went away, rather than one stream or one answer being wrong.
pub(super) fn is_connections(error: &hyper::Error) -> bool {
    if error.is_parse() || error.is_user() || error.is_timeout() {
        return false;
    }
    http2(error).is_none_or(|cause| cause.is_go_away() || cause.is_io())
}

/// Whether the app says that it did not begin to process the request (RFC 9113 §8.7).
pub(super) fn was_refused(error: &hyper::Error) -> bool {
    http2(error).is_some_and(|cause| {
        cause.is_remote() && cause.is_reset() && cause.reason() == Some(h2::Reason::REFUSED_STREAM)
    })
}

fn http2(error: &hyper::Error) -> Option<&h2::Error> {
    error.source()?.downcast_ref()
}
