//! Where a permitted request goes.

use super::setup::{App, AppOrigin, Setup};
use super::worker::Worker;
use crate::model::RecordRule;
use std::sync::Arc;

/// The app, its origin and who carries the request there.
#[derive(Clone, Copy)]
pub struct Way<'w> {
    pub worker: &'w Worker,
    pub setup: &'w Arc<Setup>,
    pub app: &'w App,
    pub origin: &'w AppOrigin,
    /// How its exchange is recorded.
    pub record: RecordRule,
    /// Whether the digest of the response's body is recorded.
    pub digest_response: bool,
    /// The same of the request's.
    pub digest_request: bool,
}
