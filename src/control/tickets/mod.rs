//! Tickets: whether one exists, is open and belongs to the tenant, by what its own system says; and the signed message by
//! which that system ends what was granted for a ticket that is closed.

mod cache;
mod desk;
pub(in crate::control) mod hook;
mod mapping;
mod pattern;
mod preset;
mod settings;
mod signature;
mod system;
mod web;
mod webhook;

pub use desk::{Prepared, TicketDesk};
pub use settings::{HookSettings, Mapping, Scheme, SetupError, SystemSettings, TicketSettings};
pub(in crate::control) use settings::{proof_of, secret_at};
pub use web::router;

#[cfg(test)]
mod tests;
