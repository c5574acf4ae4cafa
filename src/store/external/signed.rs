//! Tokens of one issuer that are no grants (security events, for one): the signature is checked with the same pinning
//! and the same keys as a grant's; what the claims mean is their reader's to say.

use super::issuers::Trusted;
use super::refused::BearerRefused;
use super::settings::{Issuer, Settings, SettingsError};
use super::token::Token;
use serde_json::{Map, Value};
use std::fmt;

/// One issuer, with its keys kept fresh.
pub struct Signer {
    trusted: Trusted,
    max_bytes: usize,
}

impl Signer {
    /// Checks the settings and reads a key file (blocking). A key URL is fetched when first needed.
    pub fn new(issuer: Issuer, max_bytes: usize) -> Result<Self, SettingsError> {
        let problems = Settings {
            issuers: vec![issuer.clone()],
            ..Settings::default()
        };
        if let Some(problem) = problems.problems().into_iter().next() {
            return Err(problem);
        }
        let trusted = Trusted::new(issuer)?;
        Ok(Self { trusted, max_bytes })
    }

    pub fn issuer(&self) -> &str {
        &self.trusted.issuer.issuer
    }

    /// Whether `aud` is this issuer's audience, or a list that has it.
    pub fn is_audience(&self, claims: &Map<String, Value>) -> bool {
        let wanted = Some(self.trusted.issuer.audience.as_str());
        match claims.get("aud") {
            Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == wanted),
            Some(one) => one.as_str() == wanted,
            None => false,
        }
    }

    /// The claims of a token whose header is as pinned and whose signature holds. `iss` and `aud` are its reader's to
    /// check.
    pub async fn verify(&self, token: &str) -> Result<Map<String, Value>, BearerRefused> {
        let parsed = Token::parse(token, self.max_bytes)?;
        let algorithm = parsed.check_header(&self.trusted.issuer)?;
        let key = self.trusted.key(algorithm, parsed.key_id()?).await?;
        // The key is of the algorithm's own kind, so no key can be read as another's secret.
        let holds = jsonwebtoken::crypto::verify(
            parsed.signature,
            parsed.message.as_bytes(),
            &key.public,
            key.algorithm.wire(),
        );
        if holds.unwrap_or(false) {
            Ok(parsed.claims)
        } else {
            Err(BearerRefused::Signature)
        }
    }
}

/// The `iss` that a token says it has. Nothing is verified: it only chooses whose keys must verify it.
pub fn claimed_issuer(token: &str, max_bytes: usize) -> Result<Option<String>, BearerRefused> {
    let parsed = Token::parse(token, max_bytes)?;
    Ok(parsed.claimed_issuer().map(str::to_owned))
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.issuer())
    }
}
