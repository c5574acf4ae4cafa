//! The route policy: files that map method, path and operation to an action, a resource and an effect.
//!
//! [`Policy::load`] compiles every file at once; [`Policy::route`] finds the rows that a request's
//! head can match, [`Routed::decide`] reads the body where one of them needs it and says Permit or
//! Deny with the rule that decided. Deny by default, deny wins, and what cannot be judged is denied.

pub mod access;
mod body;
mod cases;
mod cedar;
mod check;
mod choices;
mod decide;
pub mod diff;
mod digest;
mod example;
mod explain;
mod facts;
mod field_rule;
mod files;
mod form;
mod graphql;
mod json;
mod load;
mod matchers;
mod methods;
mod options;
mod overlap;
mod pack;
mod pattern;
mod portrait;
mod problem;
mod read_matchers;
mod read_row;
mod read_scopes;
mod reader;
pub mod replay;
mod route;
mod row;
mod scan;
mod scopes;
pub mod shadow;
mod table;
mod template;
mod told;
mod touches;
mod values;
mod verdict;
mod websocket;
mod words;

pub use cases::{CaseOutcome, TestReport, test};
pub use check::{CheckReport, check};
pub use choices::ScopeInfo;
pub use example::ExplainQuery;
pub use explain::{Explanation, Tried, explain};
pub use facts::{Facts, GrantFacts};
pub use load::Policy;
pub use options::{LoadOptions, Settings};
pub use problem::{Problem, Problems};
pub use route::{BodyNeed, Routed};
pub use scan::OverrideScan;
pub use told::RowInfo;
pub use verdict::{Verdict, Why};
pub use websocket::{MessageDenied, WsMode, WsRules};

#[cfg(test)]
mod tests;
