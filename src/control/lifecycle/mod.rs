//! The life of a grant: ask, agree, activate, end; and of what surrounds it: locks, emergencies, reviews.

mod activate;
mod alerting;
mod ask;
mod at;
mod change;
mod consent;
mod emergency;
mod end;
mod lock;
mod look;
mod review;
mod sweep;
mod vote;
mod weigh;
mod workload;

pub use activate::Activated;
pub use ask::{Ask, Considered};
pub use at::At;
pub use consent::ConsentLink;
pub use look::{Seen, Which};
pub use review::Finding;
pub use weigh::{Weighed, Weighing};
pub use workload::Registration;

#[cfg(test)]
mod tests;
