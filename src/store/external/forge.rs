//! An issuer under the test's control: honest tokens, and every dishonest one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

pub(crate) type Anything<T> = Result<T, Box<dyn std::error::Error>>;

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key pair with its id.
pub(crate) struct Signer {
    pub(crate) id: String,
    algorithm: Algorithm,
    key: EncodingKey,
    pub(crate) public_pem: String,
    /// The public key's own bytes: a point, or 32 bytes.
    raw: Vec<u8>,
}

impl Signer {
    pub(crate) fn new(id: &str, algorithm: Algorithm) -> Anything<Self> {
        let kind = match algorithm {
            Algorithm::ES256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Algorithm::EdDSA => &rcgen::PKCS_ED25519,
            _ => &rcgen::PKCS_RSA_SHA256,
        };
        let pair = rcgen::KeyPair::generate_for(kind)?;
        let pem = pair.serialize_pem();
        let key = match algorithm {
            Algorithm::ES256 => EncodingKey::from_ec_pem(pem.as_bytes())?,
            Algorithm::EdDSA => EncodingKey::from_ed_pem(pem.as_bytes())?,
            _ => EncodingKey::from_rsa_pem(pem.as_bytes())?,
        };
        Ok(Self {
            id: id.to_owned(),
            algorithm,
            key,
            public_pem: pair.public_key_pem(),
            raw: pair.public_key_raw().to_vec(),
        })
    }

    pub(crate) fn jwk(&self) -> Anything<Value> {
        if self.algorithm == Algorithm::EdDSA {
            let (kid, x) = (&self.id, b64(&self.raw));
            return Ok(json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x }));
        }
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm)?;
        jwk.common.key_id = Some(self.id.clone());
        Ok(serde_json::to_value(jwk)?)
    }

    pub(crate) fn header(&self) -> Value {
        let alg = match self.algorithm {
            Algorithm::ES256 => "ES256",
            Algorithm::EdDSA => "EdDSA",
            _ => "RS256",
        };
        json!({ "alg": alg, "typ": "locum-grant+jwt", "kid": self.id })
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> Anything<String> {
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm)?;
        Ok(format!("{message}.{signature}"))
    }

    pub(crate) fn token(&self, claims: &Value) -> Anything<String> {
        self.sign(&self.header(), claims)
    }
}

/// A JWK set of these keys.
pub(crate) fn set(signers: &[&Signer]) -> Anything<String> {
    let keys = signers
        .iter()
        .map(|s| s.jwk())
        .collect::<Anything<Vec<_>>>()?;
    Ok(json!({ "keys": keys }).to_string())
}

/// Claims of a good grant from `now` (seconds) for ten minutes.
pub(crate) fn claims(now: i64, jti: &str) -> Value {
    json!({
        "iss": "https://issuer.example", "aud": "locum", "iat": now, "nbf": now, "exp": now + 600,
        "jti": jti, "sub": "kim@acme.example", "sub_name": "Kim",
        "act": { "sub": "ada@support.example", "name": "Ada Byron" },
        "tenant": "acme", "tenant_name": "Acme", "scope": "view orders",
        "ticket": "SUP-1042", "reason": "Cannot see an invoice",
    })
}

/// A token signed with HMAC under any secret: the classic confusion of a public key with a secret.
pub(crate) fn hmac(header: &Value, claims: &Value, secret: &[u8]) -> Anything<String> {
    let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256)?;
    Ok(format!("{message}.{signature}"))
}
