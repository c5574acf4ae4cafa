//! Every key, by section: the one place that states type, default, bounds, unit and meaning.

pub(super) mod access;
pub(super) mod alerts;
pub(super) mod api;
pub(super) mod apps;
pub(super) mod audit;
pub(super) mod audit_log;
pub(super) mod control;
pub(super) mod grants;
pub(super) mod identity;
pub(super) mod limits;
pub(super) mod listeners;
pub(super) mod recording;
pub(super) mod replay;
pub(super) mod root;
pub(super) mod search;
pub(super) mod sinks;
pub(super) mod upstreams;
