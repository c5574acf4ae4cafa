//! Where grants and sessions live: durable in a [`GrantStore`], at hand in [`live::Live`].
//!
//! The store is the truth and survives a crash; `Live` is its image in memory, kept in step within
//! milliseconds, and is what each request is checked against. [`external`] turns the signed tokens
//! of other issuers into the same grants and sessions.

pub mod control;
pub mod error;
pub mod external;
pub mod grants;
pub mod live;
pub mod sqlite;
pub mod text;

#[cfg(test)]
pub(crate) mod conformance;

pub use error::StoreError;
pub use grants::{
    Admission, AdmitRefused, Changes, ExternalUse, Filter, GrantStore, Issue, Mark, RedeemRefused,
    Redemption, ReissueRefused, Revocation, State, Stored, Target, Use, Version,
};
