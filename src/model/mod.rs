//! The words of the product as types. Pure: no I/O, no HTTP library, nothing of ours imported.

pub mod clock;
pub mod decision;
pub mod grant;
pub mod id;
pub mod reason;
pub mod scope;
pub mod secret;
pub mod session;

pub use clock::{Clock, Timestamp};
pub use decision::{Decision, Effect, Tier};
pub use grant::{Grant, Operator, OperatorKind, Subject, Tenant};
pub use id::{ExchangeId, GrantId, SessionId};
pub use reason::{Findings, Reason};
pub use scope::Scope;
pub use secret::{Secret, SecretHash};
pub use session::{Binding, EndCause, Ended, Session};
