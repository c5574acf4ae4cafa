//! A compact JWS taken apart (RFC 7515 §7.1), and its header checked before anything is believed.

use super::refused::BearerRefused;
use super::settings::{Algorithm, Issuer};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// A token in its parts; nothing of it is verified.
pub(super) struct Token<'t> {
    /// What the signature is over.
    pub(super) message: &'t str,
    pub(super) signature: &'t str,
    header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
}

/// Parameters that make a verifier fetch or believe a key of the token's choice (RFC 8725 §3.10), that
/// demand processing we do not do (`crit`, `b64`), or that belong to encryption.
const FORBIDDEN: &[&str] = &[
    "crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc", "epk",
];

impl<'t> Token<'t> {
    pub(super) fn parse(text: &'t str, max: usize) -> Result<Self, BearerRefused> {
        if text.len() > max {
            return Err(BearerRefused::TooLong { max });
        }
        let parts = BearerRefused::Malformed("it does not have three parts");
        let Some((message, signature)) = text.rsplit_once('.') else {
            return Err(parts);
        };
        let Some((header, claims)) = message.split_once('.') else {
            return Err(parts);
        };
        if claims.contains('.') {
            return Err(parts);
        }
        Ok(Self {
            message,
            signature,
            header: object(header, "its header is not a JSON object in base64url")?,
            claims: object(claims, "its claims are not a JSON object in base64url")?,
        })
    }

    /// The `iss` that the token says it has; only good for choosing whose keys must verify it.
    pub(super) fn claimed_issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// Checks the header against what is pinned for the issuer.
    pub(super) fn check_header(&self, issuer: &Issuer) -> Result<Algorithm, BearerRefused> {
        if let Some(name) = FORBIDDEN
            .iter()
            .find(|name| self.header.contains_key(**name))
        {
            return Err(BearerRefused::Header(name));
        }
        self.check_type(issuer)?;
        let alg = self.header.get("alg").and_then(Value::as_str);
        alg.and_then(Algorithm::from_name)
            .filter(|alg| issuer.algorithms.contains(alg))
            .ok_or(BearerRefused::Algorithm)
    }

    fn check_type(&self, issuer: &Issuer) -> Result<(), BearerRefused> {
        let typ = match self.header.get("typ") {
            None if issuer.untyped => return Ok(()),
            typ => typ.and_then(Value::as_str).ok_or(BearerRefused::Type)?,
        };
        // RFC 7515 §4.1.9: a media type, `application/` may be left out, case does not matter.
        let typ = typ.to_ascii_lowercase();
        let typ = typ.strip_prefix("application/").unwrap_or(&typ);
        if issuer.types.iter().any(|t| t.eq_ignore_ascii_case(typ)) {
            return Ok(());
        }
        Err(BearerRefused::Type)
    }

    /// The key id, if the token has one.
    pub(super) fn key_id(&self) -> Result<Option<&str>, BearerRefused> {
        match self.header.get("kid") {
            None => Ok(None),
            Some(Value::String(kid)) => Ok(Some(kid)),
            Some(_) => Err(BearerRefused::Malformed("its `kid` is not a string")),
        }
    }
}

fn object(part: &str, problem: &'static str) -> Result<Map<String, Value>, BearerRefused> {
    let bytes = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| BearerRefused::Malformed(problem))?;
    // serde_json bounds the depth; the length is bounded above.
    serde_json::from_slice(&bytes).map_err(|_| BearerRefused::Malformed(problem))
}

/// Whether a bearer token asks to be taken for a grant, by its type or because it has an operator
/// (`act`) and a ticket. Reads without believing: an app's own tokens pass, ours are then verified.
pub fn claims_to_be_grant(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Header<'h> {
        #[serde(borrow, default)]
        typ: Option<std::borrow::Cow<'h, str>>,
    }
    #[derive(serde::Deserialize)]
    struct Claims {
        act: Option<serde::de::IgnoredAny>,
        ticket: Option<serde::de::IgnoredAny>,
    }
    let mut parts = text.split('.');
    let mut part = || URL_SAFE_NO_PAD.decode(parts.next()?).ok();
    let (Some(header), Some(claims)) = (part(), part()) else {
        return false;
    };
    let typ = serde_json::from_slice::<Header<'_>>(&header).ok();
    let typ = typ.and_then(|header| header.typ).unwrap_or_default();
    let typ = typ.to_ascii_lowercase();
    if typ.strip_prefix("application/").unwrap_or(&typ) == "locum-grant+jwt" {
        return true;
    }
    serde_json::from_slice::<Claims>(&claims)
        .is_ok_and(|claims| claims.act.is_some() && claims.ticket.is_some())
}
