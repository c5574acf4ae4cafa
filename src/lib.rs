//! Locum: a reverse proxy for support impersonation that enforces, shows and records every request.
//!
//! The folders follow the life of a request; `ARCHITECTURE.md` tells it once, from end to end.

pub mod app;
pub mod audit;
pub mod cli;
pub mod config;
pub mod control;
pub mod model;
pub mod policy;
pub mod proxy;
pub mod store;
pub mod telemetry;
