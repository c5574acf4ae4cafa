//! What stands between a connection and a [`Caller`]: the contract that [`super::identity`] keeps.

use super::desk::Answer;
use super::refusal::Refusal;
use crate::model::{Caller, SecretHash};
use http::HeaderMap;
use http::request::Parts;
use std::net::SocketAddr;

/// Who is at the other end of the connection. In the extensions of each request.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The client's address: a trusted proxy's word where there is one.
    pub address: SocketAddr,
    /// DER of the client certificate that the listener verified.
    pub certificate: Option<Vec<u8>>,
}

/// A browser that signed in.
#[derive(Clone, Debug)]
pub struct Visit {
    pub caller: Caller,
    /// The token that its forms must carry.
    pub csrf: String,
    /// Its login in the store.
    pub login: SecretHash,
}

/// Tells who asks.
pub trait Gate: Send + Sync {
    /// The caller of an API request, by whatever proof it carries.
    fn caller<'a>(&'a self, parts: &'a Parts) -> Answer<'a, Result<Caller, Refusal>>;

    /// The browser behind a page's request; `None`: nobody signed in.
    fn visitor<'a>(&'a self, headers: &'a HeaderMap) -> Answer<'a, Result<Option<Visit>, Refusal>>;

    /// Whether this login is still good: nobody signed it out, and its time is not over.
    fn is_in(&self, login: SecretHash) -> Answer<'_, bool>;

    /// Whether an unsafe request really comes from our own page: token, `Origin`, Fetch Metadata.
    fn check_unsafe(
        &self,
        headers: &HeaderMap,
        visit: &Visit,
        token: Option<&str>,
    ) -> Result<(), Refusal>;
}
