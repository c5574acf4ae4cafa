//! The control plane: who may stand in for whom, for how long, who agreed, and how it ends.
//!
//! Every way in (API, portal, signals, timers) calls one object, [`desk::Control`]. Which person may take which step is
//! in [`duties`] and nowhere else; each step is in a file of [`lifecycle`], with its words for the journal.

pub mod alerts;
pub mod api;
mod backoff;
pub mod changes;
pub mod courier;
pub mod desk;
pub mod duties;
pub mod evidence;
pub mod gate;
pub mod grants;
pub mod http;
pub mod identity;
pub mod lifecycle;
pub mod lookup;
mod network;
mod outbound;
pub mod portal;
pub mod recordings;
pub mod refusal;
pub mod replay;
mod secret_file;
pub mod signals;
mod smtp;
pub mod subjects;
pub mod tickets;
pub mod web;

#[cfg(test)]
mod testing;
