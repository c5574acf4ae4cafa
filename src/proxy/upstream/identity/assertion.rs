//! The signed statement to the app: this operator acts for this subject, under this grant, for a minute.

use super::keys::KeyRing;
use super::template::{kind, scopes};
use super::{Assertion, IdentityError, field_name};
use crate::model::{Grant, SessionId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderName, HeaderValue};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The event of an assertion that states an end.
const ENDED: &str = "urn:locum:session-ended";

/// Assertion settings with the keys that sign them.
pub(super) struct Assertions {
    settings: Assertion,
    header: HeaderName,
    keys: Arc<KeyRing>,
}

/// An assertion and when to make the next one.
pub(super) struct Signed {
    pub(super) value: HeaderValue,
    pub(super) refresh_at: Timestamp,
}

impl Assertions {
    pub(super) fn new(settings: Assertion, keys: Arc<KeyRing>) -> Result<Self, String> {
        let header = field_name(&settings.header)?;
        if settings.issuer.is_empty() || settings.audience.is_empty() {
            return Err("assertion needs an issuer and an audience".to_owned());
        }
        let bounds = Duration::from_secs(5)..=Duration::from_secs(3600);
        if !bounds.contains(&settings.lifetime) {
            return Err("assertion.lifetime must be between 5 s and 1 h".to_owned());
        }
        Ok(Self {
            settings,
            header,
            keys,
        })
    }

    pub(super) fn header(&self) -> &HeaderName {
        &self.header
    }

    pub(super) fn on_requests(&self) -> bool {
        self.settings.on_requests
    }

    /// Claims as RFC 7519 §4.1 and RFC 8693 §4.1 and §4.2 name them, and ours beside them.
    pub(super) fn sign(
        &self,
        session: SessionId,
        grant: &Grant,
        now: Timestamp,
    ) -> Result<Signed, IdentityError> {
        let expires = now.plus(self.settings.lifetime).min(grant.expires_at);
        if expires.seconds() <= now.seconds() {
            return Err(IdentityError::Expired);
        }
        let mut claims = self.claims(session, grant, (now, expires))?;
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("scope".to_owned(), json!(scopes(grant)));
        }
        let half = now.until(expires) / 2;
        Ok(Signed {
            value: self.signed(&claims)?,
            refresh_at: now.plus(half),
        })
    }

    /// States that the session is over, in the shape of a logout token (OpenID Connect Back-Channel Logout §2.4): no
    /// scope, and an event. It may outlive the grant, since it gives nothing.
    pub(super) fn sign_end(
        &self,
        session: SessionId,
        grant: &Grant,
        now: Timestamp,
    ) -> Result<HeaderValue, IdentityError> {
        let expires = now.plus(self.settings.lifetime);
        let mut claims = self.claims(session, grant, (now, expires))?;
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("events".to_owned(), json!({ ENDED: {} }));
        }
        self.signed(&claims)
    }

    fn signed(&self, claims: &serde_json::Value) -> Result<HeaderValue, IdentityError> {
        let token = self.keys.sign(claims).ok_or(IdentityError::Sign)?;
        let mut value = HeaderValue::from_str(&token).map_err(|_| IdentityError::Sign)?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn claims(
        &self,
        session: SessionId,
        grant: &Grant,
        (now, expires): (Timestamp, Timestamp),
    ) -> Result<serde_json::Value, IdentityError> {
        let leeway = i64::try_from(self.settings.leeway.as_secs()).unwrap_or(0);
        let mut act = json!({ "sub": grant.operator.id, "kind": kind(grant.operator.kind) });
        if let (Some(act), Some(name)) = (act.as_object_mut(), &grant.operator.name) {
            act.insert("name".to_owned(), json!(name));
        }
        let mut claims = json!({
            "iss": self.settings.issuer,
            "aud": self.settings.audience,
            "sub": grant.subject.id,
            "act": act,
            "tenant": grant.tenant.id,
            "session": session,
            "grant": grant.id,
            "ticket": grant.ticket,
            "iat": now.seconds(),
            "nbf": now.seconds().saturating_sub(leeway),
            "exp": expires.seconds(),
            "jti": token_id()?,
        });
        if let (true, Some(claims)) = (grant.break_glass, claims.as_object_mut()) {
            claims.insert("break_glass".to_owned(), json!(true));
        }
        Ok(claims)
    }
}

/// 128 random bits.
fn token_id() -> Result<String, IdentityError> {
    let mut bytes = [0u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| IdentityError::Sign)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
