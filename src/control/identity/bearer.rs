//! `Authorization: Bearer` (RFC 6750): a token of ours, or a workload's JWT.

use super::front::Identity;
use super::refused::Refused;
use crate::control::gate::Peer;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{Caller, Secret};
use http::{HeaderMap, header};

/// The token that a request shows. Another scheme, or two of them, is refused: it meant to be somebody.
pub(super) fn token(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(one), None) = (all.next(), all.next()) else {
        return if headers.contains_key(header::AUTHORIZATION) {
            Err(malformed())
        } else {
            Ok(None)
        };
    };
    let text = one.to_str().map_err(|_| malformed())?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(malformed()),
    }
}

fn malformed() -> Refusal {
    Refusal::new(
        Kind::Unauthenticated,
        "login.scheme",
        "Show one token: `Authorization: Bearer …`.",
    )
}

impl Identity {
    /// Whose token it is.
    pub(super) async fn bearer(&self, token: &str, peer: &Peer) -> Result<Caller, Refusal> {
        let address = peer.address.ip();
        let found = match Secret::parse(token) {
            // 256 bits cannot be guessed: whoever else tried from this address keeps no good token out.
            Some(secret) => self.holder(&secret).await,
            None if token.contains('.') => {
                self.may_try(address)?;
                match self.workload_token(token).await {
                    Ok(who) => return self.workload(who, peer).await,
                    Err(why) => Err(why),
                }
            }
            None => Err(Refused::Token(
                "it is not one that is given here".to_owned(),
            )),
        };
        match found {
            Ok(caller) => Ok(caller),
            Err(why) => {
                self.may_try(address)?;
                Err(self.refuse(why, "token", address, None).await)
            }
        }
    }
}
