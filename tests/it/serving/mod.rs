//! Locum as it serves, proved on the real binary: each file one concern.

/// Bodies both ways: streams, trailers, ranges, size, 100-continue.
mod bodies;
/// Limits of what Locum itself holds and waits for.
mod budgets;
/// Stopping and reading again.
mod drain;
/// Grants of outside issuers.
mod external;
/// A gRPC-like app over HTTP/2.
mod grpc;
/// Whom a forwarded request speaks for, and what it must not say.
mod headers;
/// Limits, each at a small value.
mod limits;
/// Where sessions live, and who passes without one.
mod origins;
/// What refused clients are told, and what is on record.
mod refusals;
/// Sessions: start, cookie, end, binding.
mod sessions;
/// WebSockets.
mod sockets;
/// TLS as clients meet it, and listeners without it.
mod tls;
/// The ways to the app.
mod upstreams;
