//! The operations: each reads its call, calls the control plane once, and shows what came of it.

pub(super) mod agreeing;
pub(super) mod alerts;
pub(super) mod asking;
pub(super) mod changes;
pub(super) mod document;
pub(super) mod exports;
pub(super) mod happenings;
pub(super) mod holds;
pub(super) mod locks;
pub(super) mod log;
pub(super) mod recordings;
pub(super) mod records;
pub(super) mod reviews;
pub(super) mod sessions;
pub(super) mod who;
pub(super) mod workloads;
