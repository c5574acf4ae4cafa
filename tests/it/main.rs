//! The integration tests: one binary, one module a concern.

/// Attacks on a running Locum, each of which once came through.
mod attack;
/// Every reason of the canonical request on the real binary, over HTTP/1 and HTTP/2, with the app seeing nothing.
mod canonical;
/// The command line as people and scripts see it: help, errors, exit codes, JSON.
mod cli;
/// The control plane on the real binary: asking, agreeing, activating, and what a crash leaves.
mod control;
/// The list of controls names what there is.
mod controls;
/// Documentation that is written from the code is what the code says.
mod documentation;
/// A tenant's own records, and the checkpoint of its tree.
mod exported;
/// What must hold when things break: kill -9, a full disk, a store or a receiver that is gone.
mod faults;
/// What is a WebSocket handshake and what only looks like one.
mod handshake;
/// The cases of the HTTP/1.1 probe on raw sockets against the real binary, scored.
mod http11probe;
/// The real binary with one live session, for the modules that send raw requests.
mod probed;
/// Alerts to real receivers, which `tests/receivers/run.sh` installs.
mod receivers;
/// An app that keeps every byte it gets and reads it strictly.
mod recorder;
/// Finding records, and deciding recorded requests again.
mod search;
/// Locum as it serves: the real binary over real sockets, in front of an app that sees every byte.
mod serving;
/// The shop that the demo stands in front of, by itself.
mod storefront;
/// What several of these share.
mod support;
/// The house rules on files, functions, layers and panics.
mod tidy;
