//! The route policy: files that map method, path and operation to an action, a resource and an effect.
//!
//! [`Policy::load`] compiles every file at once; [`Policy::route`] finds the rows that a request's
//! head can match, [`Routed::decide`] reads the body where one of them needs it and says Permit or
//! Deny with the rule that decided. Deny by default, deny wins, and what cannot be judged is denied.

mod cases;
mod check;
mod explain;
mod facts;
mod load;
mod options;
mod problem;
mod route;
mod scan;
pub mod shadow;
mod verdict;
mod websocket;

pub use cases::{CaseOutcome, TestReport, test};
pub use check::{CheckReport, check};
pub use explain::{ExplainQuery, Explanation, Tried, explain};
pub use facts::{Facts, GrantFacts};
pub use load::Policy;
pub use options::{LoadOptions, Settings};
pub use problem::{Problem, Problems};
pub use route::{BodyNeed, Routed};
pub use scan::OverrideScan;
pub use verdict::{Verdict, Why};
pub use websocket::{MessageDenied, WsMode, WsRules};
