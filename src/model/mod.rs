//! The words of the product as types. Pure: no I/O, no HTTP library, nothing of ours imported.

pub mod alert;
pub mod attempts;
pub mod clock;
pub mod decision;
pub mod grant;
pub mod happened;
pub mod id;
pub mod lock;
pub mod person;
pub mod reason;
pub mod request;
pub mod review;
pub mod scope;
pub mod secret;
pub mod session;
pub mod transmission;
pub mod workload;

pub use alert::{Alert, AlertState};
pub use attempts::Attempts;
pub use clock::{Clock, Timestamp};
pub use decision::{Decision, Effect, Tier};
pub use grant::{Grant, Operator, OperatorKind, Subject, Tenant};
pub use happened::Happened;
pub use id::{AlertId, ExchangeId, GrantId, LockId, RequestId, ReviewId, SessionId};
pub use lock::{Lock, LockKey};
pub use person::{Caller, Method, Proof, Reach, Role, Seat};
pub use reason::{Findings, Reason};
pub use request::{AccessRequest, Emergency, Needs, RequestState, SubjectClass, Verdict, Vote};
pub use review::{Review, ReviewState};
pub use scope::Scope;
pub use secret::{Secret, SecretHash};
pub use session::{Binding, EndCause, Ended, Session, Used};
pub use transmission::{Transmission, TransmissionState};
pub use workload::Workload;
