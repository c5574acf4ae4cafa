//! What the API shows: wire types, never the model's own. Ids are texts, times RFC 3339, secrets nowhere.

pub(super) mod alert;
pub(super) mod change;
pub(super) mod happening;
pub(super) mod lock;
pub(super) mod record;
pub(super) mod recording;
pub(super) mod request;
pub(super) mod review;
pub(super) mod session;
pub(super) mod who;
pub(super) mod word;
pub(super) mod workload;
