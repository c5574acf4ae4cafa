//! The provider's word that somebody signed out there: a logout token, held to OpenID Connect Back-Channel Logout 1.0 §2.6.

use super::super::claims::{Claims, optional, required, time, timely};
use super::super::refused::Refused;
use super::provider::{Known, Provider};
use crate::model::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::CoreJwsSigningAlgorithm;
use openidconnect::{JsonWebKey as _, JsonWebKeyId};
use serde_json::Value;
use std::time::Duration;

/// The member of `events` that makes it one (§2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// "at most two minutes in the future" is what §2.4 recommends; some providers allow more.
const MAX_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Who signed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control::identity) struct SignedOut {
    pub(in crate::control::identity) issuer: String,
    /// Empty: only the session is said.
    pub(in crate::control::identity) subject: String,
    /// Empty: all of the subject's.
    pub(in crate::control::identity) sid: String,
    /// The token's id, not to be taken twice.
    pub(in crate::control::identity) id: String,
    pub(in crate::control::identity) expires_at: Timestamp,
}

/// A logout token in its parts; nothing of it is verified.
struct Parts<'t> {
    message: &'t str,
    signature: Vec<u8>,
    algorithm: CoreJwsSigningAlgorithm,
    key_id: Option<JsonWebKeyId>,
    claims: Claims,
}

impl Provider {
    /// Who a logout token is about.
    pub(in crate::control::identity) async fn signed_out(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<SignedOut, Refused> {
        let parts = self.parts(token)?;
        let known = self.known().await?;
        if !holds(&known, &parts) {
            // A key that is not known yet: the provider may have rotated them.
            let newer = self.newer(&known).await?;
            if !newer.is_some_and(|newer| holds(&newer, &parts)) {
                return Err(wrong("its signature does not hold"));
            }
        }
        let claims = &parts.claims;
        if claims.get("iss").and_then(Value::as_str) != Some(self.settings.issuer.as_str()) {
            return Err(Refused::MixUp);
        }
        self.for_us(claims)?;
        timely(claims, now, self.settings.leeway, MAX_LIFETIME)?;
        let event = claims.get("events").and_then(|it| it.get(EVENT));
        if !event.is_some_and(Value::is_object) {
            return Err(Refused::claim("events", "is not a logout"));
        }
        // §2.6 (6): so that an ID token cannot be taken for one.
        if claims.contains_key("nonce") {
            return Err(Refused::claim("nonce", "must not be there"));
        }
        let of = |name| optional(claims, name).map(|it| it.unwrap_or_default().to_owned());
        let (subject, sid) = (of("sub")?, of("sid")?);
        if subject.is_empty() && sid.is_empty() {
            return Err(Refused::claim("sub", "is missing, as is `sid`"));
        }
        let expires = time(claims, "exp")?.unwrap_or(now);
        Ok(SignedOut {
            issuer: self.settings.issuer.clone(),
            subject,
            sid,
            id: required(claims, "jti")?.to_owned(),
            expires_at: expires.plus(self.settings.leeway).plus(MAX_LIFETIME),
        })
    }

    fn for_us(&self, claims: &Claims) -> Result<(), Refused> {
        let client = Some(self.settings.client_id.as_str());
        let ours = match claims.get("aud") {
            Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == client),
            Some(one) => one.as_str() == client,
            None => false,
        };
        if ours {
            return Ok(());
        }
        Err(Refused::claim("aud", "does not name this Locum"))
    }

    fn parts<'t>(&self, token: &'t str) -> Result<Parts<'t>, Refused> {
        let malformed = || wrong("it is malformed");
        let (message, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = message.split_once('.').ok_or_else(malformed)?;
        let header = object(header).ok_or_else(malformed)?;
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let typ = text("typ").unwrap_or("JWT").to_ascii_lowercase();
        let typ = typ.strip_prefix("application/").unwrap_or(&typ);
        if !matches!(typ, "logout+jwt" | "jwt") || header.contains_key("crit") {
            return Err(wrong("it is of a kind that is not taken"));
        }
        let algorithm = header.get("alg").cloned().unwrap_or_default();
        let algorithm = serde_json::from_value(algorithm).ok();
        let algorithm = algorithm.filter(|it| self.algorithms().contains(it));
        Ok(Parts {
            message,
            signature: URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?,
            algorithm: algorithm
                .ok_or_else(|| wrong("it is not signed with an algorithm that is taken"))?,
            key_id: text("kid").map(|kid| JsonWebKeyId::new(kid.to_owned())),
            claims: object(claims).ok_or_else(malformed)?,
        })
    }
}

/// Whether one of the provider's keys that the token may mean made its signature. The crate checks that key and algorithm fit.
fn holds(known: &Known, parts: &Parts<'_>) -> bool {
    let keys = known.metadata.jwks().keys().iter();
    let mut meant =
        keys.filter(|key| parts.key_id.is_none() || key.key_id() == parts.key_id.as_ref());
    meant.any(|key| {
        key.verify_signature(&parts.algorithm, parts.message.as_bytes(), &parts.signature)
            .is_ok()
    })
}

fn object(part: &str) -> Option<Claims> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn wrong(words: &str) -> Refused {
    Refused::Token(words.to_owned())
}
