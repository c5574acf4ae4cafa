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
            "scope": scopes(grant),
            "ticket": grant.ticket,
            "iat": now.seconds(),
            "nbf": now.seconds().saturating_sub(leeway),
            "exp": expires.seconds(),
            "jti": token_id()?,
        });
        if let (true, Some(claims)) = (grant.break_glass, claims.as_object_mut()) {
            claims.insert("break_glass".to_owned(), json!(true));
        }
        let token = self.keys.sign(&claims).ok_or(IdentityError::Sign)?;
        let mut value = HeaderValue::from_str(&token).map_err(|_| IdentityError::Sign)?;
        value.set_sensitive(true);
        let half = now.until(expires) / 2;
        Ok(Signed {
            value,
            refresh_at: now.plus(half),
        })
    }
}

/// 128 random bits.
fn token_id() -> Result<String, IdentityError> {
    let mut bytes = [0u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| IdentityError::Sign)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
