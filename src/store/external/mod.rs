//! Grants from an external issuer: a signed JWT becomes a grant, and a session like any other.
//!
//! The token follows RFC 8693 (`act`: the operator) and RFC 9068 (typed, audience-bound). Everything
//! that a token could say about how it wants to be verified is ignored or refused: algorithms, types
//! and keys are pinned by configuration (RFC 8725).

mod claims;
mod fetch;
mod issuers;
mod jwks;
mod presenter;
mod refused;
mod settings;
mod signed;
mod token;

pub use presenter::{Bearers, Exchanged};
pub use refused::{BearerRefused, Fault};
pub use settings::{Algorithm, Issuer, Jwks, Settings, SettingsError};
pub use signed::{Signer, claimed_issuer};
pub use token::claims_to_be_grant;

#[cfg(test)]
mod fetch_tests;
#[cfg(test)]
pub(crate) mod forge;
#[cfg(test)]
mod tests;
