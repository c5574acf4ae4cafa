//! Who may ask for what: Cedar policies decide on each request for access, in real time. Deny by default; a tenant's own
//! rules can only tighten. `docs/access.md` tells how to write them.

mod annotations;
mod answer;
mod cases;
mod demands;
mod facts;
mod options;
mod place;
mod policy;
mod rules;
mod source;
mod vocabulary;
mod window;

pub use answer::Answer;
pub use cases::{TierOf, test};
pub use facts::Facts;
pub use options::Options;
pub use policy::{AccessPolicy, CheckReport, RuleText, check};
pub use source::is_own;
pub use window::ChangeWindow;

#[cfg(test)]
mod tests;
