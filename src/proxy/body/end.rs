//! How a response body ended.

/// How a body ended; what its exchange's closing record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All of it was handed to the client's connection.
    Done,
    /// The session ended in the middle.
    Cut,
    /// The upstream broke off, or was silent too long.
    Upstream,
    /// It could not be rewritten, and so was not passed on.
    Rewrite,
    /// It must be recorded and could not be.
    Unrecorded,
    /// The client went away.
    Aborted,
}
