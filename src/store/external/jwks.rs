//! A JWK set (RFC 7517) read for what we can use; keys of other kinds are passed over.

use super::settings::Algorithm;
use jsonwebtoken::DecodingKey;
use serde_json::Value;
use std::fmt;

/// One public key, good for one algorithm only.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) public: DecodingKey,
}

/// The usable keys of an issuer.
#[derive(Clone, Default)]
pub(super) struct Keys(Vec<Key>);

/// A text that is no JWK set with a usable key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JwksError {
    NotASet,
    NoUsableKey,
}

impl fmt::Display for JwksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotASet => "it is not a JWK set",
            Self::NoUsableKey => "it has no key for ES256, EdDSA or RS256",
        })
    }
}

impl std::error::Error for JwksError {}

/// The most keys that are looked at.
const MAX_KEYS: usize = 64;

impl Keys {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, JwksError> {
        let set: Value = serde_json::from_slice(bytes).map_err(|_| JwksError::NotASet)?;
        let keys = set.get("keys").and_then(Value::as_array);
        let keys: Vec<Key> = keys
            .ok_or(JwksError::NotASet)?
            .iter()
            .take(MAX_KEYS)
            .filter_map(usable)
            .collect();
        if keys.is_empty() {
            return Err(JwksError::NoUsableKey);
        }
        Ok(Self(keys))
    }

    /// The key for a token: by id where it names one, else the only one of the algorithm. Two keys
    /// that both fit are none: which one to trust is not the token's to decide.
    pub(super) fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Option<&Key> {
        let mut fit = self
            .0
            .iter()
            .filter(|key| key.algorithm == algorithm && (id.is_none() || key.id.as_deref() == id));
        let first = fit.next()?;
        fit.next().is_none().then_some(first)
    }
}

fn usable(jwk: &Value) -> Option<Key> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    // A private or symmetric key in a public set is a leak: trusting it would make it worse.
    if jwk.get("d").is_some() || jwk.get("k").is_some() {
        tracing::warn!(
            kid = text("kid"),
            "a JWK set holds a secret key: passed over"
        );
        return None;
    }
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    if let Some(operations) = jwk.get("key_ops").and_then(Value::as_array)
        && !operations.iter().any(|one| one.as_str() == Some("verify"))
    {
        return None;
    }
    let (algorithm, key) = match (text("kty")?, text("crv")) {
        ("EC", Some("P-256")) => (
            Algorithm::Es256,
            DecodingKey::from_ec_components(text("x")?, text("y")?),
        ),
        ("OKP", Some("Ed25519")) => (
            Algorithm::EdDsa,
            DecodingKey::from_ed_components(text("x")?),
        ),
        ("RSA", None) => (
            Algorithm::Rs256,
            DecodingKey::from_rsa_components(text("n")?, text("e")?),
        ),
        _ => return None,
    };
    let stated = text("alg");
    if stated.is_some_and(|alg| Algorithm::from_name(alg) != Some(algorithm)) {
        return None;
    }
    Some(Key {
        id: text("kid").map(str::to_owned),
        algorithm,
        public: key.ok()?,
    })
}
