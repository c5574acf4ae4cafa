//! Locum as it serves, proved on the real binary: each file one concern.

/// Bodies both ways: streams, trailers, ranges, size, 100-continue.
mod bodies;
/// Limits of what Locum itself holds and waits for.
mod budgets;
/// Stopping and reading again.
mod drain;
/// Ends: what the app is told, what is revoked, what is summed up; and what can be asked for instead.
mod ends;
/// Grants of outside issuers.
mod external;
/// Emergencies: what they may, what they never may, and how loudly.
mod glass;
/// A gRPC-like app over HTTP/2.
mod grpc;
/// Whom a forwarded request speaks for, and what it must not say.
mod headers;
/// Everything of one tenant ended at once, with hundreds of streams open.
mod kill;
/// Limits, each at a small value.
mod limits;
/// Locks: nothing starts under one, and everything starts again once it is lifted.
mod locks;
/// Where sessions live, and who passes without one.
mod origins;
/// A recorder that cannot keep up.
mod overrun;
/// The recording: bytes sent and seen are the bytes on the tape.
mod recording;
/// What refused clients are told, and what is on record.
mod refusals;
/// What a restart goes on with.
mod restart;
/// Sessions: start, cookie, end, binding.
mod sessions;
/// WebSockets.
mod sockets;
/// TLS as clients meet it, and listeners without it.
mod tls;
/// The ways to the app.
mod upstreams;
