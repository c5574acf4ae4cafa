//! The integration tests: one binary, one module a concern.

/// The command line as people and scripts see it: help, errors, exit codes, JSON.
mod cli;
/// Documentation that is written from the code is what the code says.
mod documentation;
/// The cases of the HTTP/1.1 probe on raw sockets, scored.
mod http11probe;
/// The house rules on files, functions, layers and panics.
mod tidy;
