//! What is known of a request for access when it is decided.

use crate::model::{OperatorKind, Scope, SubjectClass, Tier};
use std::time::Duration;

/// What is known of a request when it is decided.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub person: &'a str,
    pub groups: &'a [String],
    pub kind: OperatorKind,
    pub app: &'a str,
    pub tenant: &'a str,
    pub subject: &'a str,
    pub class: SubjectClass,
    pub scopes: &'a [Scope],
    /// The worst that the scopes allow, by route policy.
    pub tier: Tier,
    pub duration: Duration,
    pub has_ticket: bool,
    pub reason_code: &'a str,
    pub emergency: bool,
    /// Hour of the day and day of the week (1 is Monday) in the configured time zone.
    pub hour: u8,
    pub weekday: u8,
    /// Inside one of the configured change windows of the app or tenant.
    pub change_window: bool,
}
