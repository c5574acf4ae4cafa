//! The way back: the code becomes an ID token, and that is held to OpenID Connect Core §3.1.3.7 and to what was asked for.

use super::super::claims::{Claims, Reading, identified, time};
use super::super::flow::{Begun, Flow};
use super::super::logins::Proven;
use super::super::outbound::{OutboundError, caused};
use super::super::refused::Refused;
use super::authorize::redirect;
use super::provider::{Known, Provider};
use crate::model::{Method, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreIdToken, CoreTokenResponse};
use openidconnect::{
    AuthorizationCode, ClaimsVerificationError, ErrorResponse, Nonce, NonceVerifier,
    PkceCodeVerifier, RequestTokenError, SignatureVerificationError, TokenResponse as _,
};
use serde_json::Value;
use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

/// An ID token is taken only this long after it was made: it comes straight from the provider.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);

impl Provider {
    /// Who signed in.
    pub(in crate::control::identity) async fn finish(
        &self,
        code: &str,
        begun: &Begun,
        flow: &Flow,
        limits: (&str, usize, Timestamp),
    ) -> Result<Proven, Refused> {
        let (portal, max_groups, now) = limits;
        let known = self.known().await?;
        let client = self.client(&known);
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|why| Refused::Provider(why.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(begun.verifier()))
            .set_redirect_uri(Cow::Owned(redirect(portal)?));
        let answer = request.request_async(&self.http).await.map_err(failed)?;
        let nonce = Nonce::new(begun.nonce());
        let claims = self.claims(&known, &answer, Some(&nonce), now).await?;
        self.fresh_enough(&claims, flow)?;
        let proven = self.proven(&claims, max_groups)?;
        match &flow.fresh {
            Some(fresh) if fresh.account.is_empty() => Ok(proven),
            Some(fresh) if fresh.account != proven.who.account => Err(Refused::OtherAccount),
            Some(_) => Ok(Proven {
                code: "login.step-up",
                ..proven
            }),
            None => Ok(proven),
        }
    }

    pub(super) fn proven(&self, claims: &Claims, max_groups: usize) -> Result<Proven, Refused> {
        let reading = Reading {
            groups: &self.settings.groups_claim,
            person: self.settings.person_claim.as_deref(),
            auth_time: "auth_time",
            max_groups,
        };
        let sid = super::super::claims::optional(claims, "sid")?;
        Ok(Proven {
            who: identified(claims, &reading, Method::Oidc)?,
            sid: sid.unwrap_or_default().to_owned(),
            code: "login.in",
        })
    }

    /// The verified claims of an answer of the token endpoint, and what userinfo adds.
    pub(super) async fn claims(
        &self,
        known: &Known,
        answer: &CoreTokenResponse,
        nonce: Option<&Nonce>,
        now: Timestamp,
    ) -> Result<Claims, Refused> {
        let token = answer
            .id_token()
            .ok_or_else(|| Refused::Token("there is no ID token".to_owned()))?;
        let mut claims = match self.verify(known, token, nonce, now) {
            // Perhaps the provider rotated its keys.
            Err(Unverified::Key) => {
                let newer = self.newer(known).await?;
                let newer = newer.ok_or_else(|| Unverified::Key.refused())?;
                self.verify(&newer, token, nonce, now)
            }
            other => other,
        }
        .map_err(Unverified::refused)?;
        self.add_userinfo(known, answer, &mut claims).await?;
        Ok(claims)
    }

    fn verify(
        &self,
        known: &Known,
        token: &CoreIdToken,
        nonce: Option<&Nonce>,
        now: Timestamp,
    ) -> Result<Claims, Unverified> {
        let leeway = self.settings.leeway;
        let (latest, oldest) = (now.plus(leeway), MAX_AGE + leeway);
        let at = Duration::from_millis(u64::try_from(now.millis()).unwrap_or(0));
        let at = UNIX_EPOCH + at.saturating_sub(leeway);
        let client = self.client(known);
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(self.algorithms())
            .set_time_fn(move || at.into())
            .set_issue_time_verifier_fn(move |issued| {
                let issued = Timestamp::from_millis(issued.timestamp_millis());
                if issued > latest {
                    Err("it was made in the future".to_owned())
                } else if issued.until(now) > oldest {
                    Err("it was made too long ago".to_owned())
                } else {
                    Ok(())
                }
            });
        token.claims(&verifier, Wanted(nonce))?;
        // Verified: the same bytes once more, with the claims that the crate has no names for.
        let claims = payload(&token.to_string()).ok_or(Unverified::Payload)?;
        // §3.1.3.7 (5).
        let party = claims.get("azp");
        if party.is_some_and(|azp| azp.as_str() != Some(self.settings.client_id.as_str())) {
            return Err(Unverified::Party);
        }
        Ok(claims)
    }

    /// Whether the token proves what a step-up asked for. A provider that ignored `max_age`, `prompt` or `acr_values` does not.
    fn fresh_enough(&self, claims: &Claims, flow: &Flow) -> Result<(), Refused> {
        let Some(fresh) = &flow.fresh else {
            return Ok(());
        };
        let at = time(claims, "auth_time")?.ok_or(Refused::Stale)?;
        // Whole seconds: one that began in the same second counts.
        let begun = Timestamp::from_millis(flow.begun.seconds() * 1000);
        if at.plus(self.settings.leeway) < begun {
            return Err(Refused::Stale);
        }
        let acr = super::super::claims::optional(claims, "acr")?;
        let strong =
            fresh.acr.is_empty() || acr.is_some_and(|acr| fresh.acr.iter().any(|it| it == acr));
        if strong { Ok(()) } else { Err(Refused::Weak) }
    }
}

/// The nonce that the sign-in began with; none where there was no browser to bind (RFC 8628).
struct Wanted<'n>(Option<&'n Nonce>);

impl NonceVerifier for Wanted<'_> {
    fn verify(self, found: Option<&Nonce>) -> Result<(), String> {
        match self.0 {
            Some(wanted) => wanted.verify(found),
            None => Ok(()),
        }
    }
}

/// Why an ID token's claims are not believed.
enum Unverified {
    /// No key of the provider's that is known fits.
    Key,
    Claims(ClaimsVerificationError),
    Payload,
    /// `azp` is another client.
    Party,
}

impl From<ClaimsVerificationError> for Unverified {
    fn from(why: ClaimsVerificationError) -> Self {
        match why {
            ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            ) => Self::Key,
            why => Self::Claims(why),
        }
    }
}

impl Unverified {
    /// In words that hold nothing of the token: what it was for somebody else stays unknown here.
    fn refused(self) -> Refused {
        let words = match self {
            Self::Key => "its key is not one of the provider's",
            Self::Payload => "its claims cannot be read",
            Self::Party => "it was made for another client",
            Self::Claims(why) => match why {
                ClaimsVerificationError::Expired(_) => "its time is over, or not yet",
                ClaimsVerificationError::InvalidAudience(_) => "it was made for another client",
                ClaimsVerificationError::InvalidIssuer(_) => "it comes from another issuer",
                ClaimsVerificationError::InvalidNonce(_) => "it belongs to another sign-in",
                ClaimsVerificationError::SignatureVerification(
                    SignatureVerificationError::DisallowedAlg(_)
                    | SignatureVerificationError::UnsupportedAlg(_)
                    | SignatureVerificationError::NoSignature,
                ) => "it is not signed with an algorithm that is taken",
                ClaimsVerificationError::SignatureVerification(_) => "its signature does not hold",
                ClaimsVerificationError::Unsupported(_) => "it is of a kind that is not taken",
                _ => "it does not hold",
            },
        };
        Refused::Token(words.to_owned())
    }
}

/// The claims of a compact JWS.
fn payload(token: &str) -> Option<Claims> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    match serde_json::from_slice(&bytes).ok()? {
        Value::Object(claims) => Some(claims),
        _ => None,
    }
}

/// An answer that is none. `Debug` of the crate's error may hold the answer's bytes: only its words are kept.
pub(super) fn failed<E>(why: RequestTokenError<OutboundError, E>) -> Refused
where
    E: ErrorResponse + 'static,
{
    match why {
        RequestTokenError::Request(why) => Refused::Unreachable(why),
        RequestTokenError::ServerResponse(answer) => {
            let word = serde_json::to_value(&answer).ok();
            let word = word
                .as_ref()
                .and_then(|it| it.get("error"))
                .and_then(Value::as_str)
                .unwrap_or("error");
            Refused::Denied(plain(word))
        }
        other => Refused::Provider(caused(&other)),
    }
}

/// A word of the provider's (RFC 6749 §4.1.2.1), without anything that could mislead.
pub(in crate::control::identity) fn plain(word: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || *c == '_' || *c == '-';
    word.chars().filter(fits).take(64).collect()
}
