//! The integration tests: one binary, one module a concern.

/// Every reason of the canonical request, over HTTP/1 and HTTP/2, with the app seeing nothing.
mod canonical;
/// The command line as people and scripts see it: help, errors, exit codes, JSON.
mod cli;
/// Documentation that is written from the code is what the code says.
mod documentation;
/// The cases of the HTTP/1.1 probe on raw sockets, scored.
mod http11probe;
/// Locum as it serves: the real binary over real sockets, in front of an app that sees every byte.
mod serving;
/// Guard and canonical stage on a socket, for the two that test them.
mod stage;
/// What several of these share.
mod support;
/// The house rules on files, functions, layers and panics.
mod tidy;
