//! A token presented with a request, or exchanged once for a browser session.

use super::claims::{self, Verified};
use super::issuers::Trusted;
use super::refused::BearerRefused;
use super::settings::{Settings, SettingsError};
use super::token::Token;
use crate::model::{Ended, Grant, Secret, SessionId, Timestamp};
use crate::store::live::{AdmitError, Found, Live, LiveSession, Starter, Tombstone};
use crate::store::{Admission, AdmitRefused, ExternalUse, StoreError};
use dashmap::DashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A token whose signature held.
#[derive(Clone, Copy)]
struct Checked {
    session: SessionId,
    issuer: usize,
    generation: u64,
    expires_at: Timestamp,
}

/// A browser session got for a token, and the secret to set as its cookie.
#[derive(Debug)]
pub struct Exchanged {
    pub session: Arc<LiveSession>,
    pub cookie: Secret,
}

/// Takes external tokens. Shared by all data-plane threads; made anew on a reload of the settings.
pub struct Bearers {
    settings: Settings,
    issuers: Vec<Trusted>,
    live: Arc<Live>,
    /// By SHA-256 of the whole token.
    checked: DashMap<[u8; 32], Checked>,
}

impl Bearers {
    /// Checks the settings and reads key files (blocking). Key URLs are fetched when first needed.
    pub fn new(settings: Settings, live: Arc<Live>) -> Result<Self, Vec<SettingsError>> {
        let mut problems = settings.problems();
        let mut issuers = Vec::new();
        for issuer in &settings.issuers {
            match Trusted::new(issuer.clone()) {
                Ok(trusted) => issuers.push(trusted),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            settings,
            issuers,
            live,
            checked: DashMap::new(),
        })
    }

    /// Whether there is any issuer: without one every token is refused.
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// Whether `token` says that it comes from one of our issuers. Nothing is verified: it only tells a grant from
    /// a token of the app's own.
    pub fn claims(&self, token: &str) -> bool {
        let parsed = Token::parse(token, self.settings.max_token_bytes).ok();
        let issuer = parsed.as_ref().and_then(Token::claimed_issuer);
        issuer.is_some_and(|claimed| {
            self.issuers
                .iter()
                .any(|trusted| trusted.issuer.issuer == claimed)
        })
    }

    /// The answer for a token seen before, without a signature check or a wait: the fast path of
    /// each request. `None`: ask [`Bearers::present`].
    pub fn recall(
        &self,
        token: &str,
        app: &str,
    ) -> Option<Result<Arc<LiveSession>, BearerRefused>> {
        if token.len() > self.settings.max_token_bytes {
            let max = self.settings.max_token_bytes;
            return Some(Err(BearerRefused::TooLong { max }));
        }
        let checked = *self.checked.get(&hash(token))?;
        let issuer = self.issuers.get(checked.issuer)?;
        if checked.generation != issuer.generation() {
            return None;
        }
        match self.live.find(checked.session) {
            Found::Live(session) if session.grant.app == app => Some(Ok(session)),
            Found::Live(_) => Some(Err(BearerRefused::App)),
            Found::Ended(stone) => Some(Err(BearerRefused::Ended(stone))),
            Found::Stale(why) => Some(Err(BearerRefused::Stale(why))),
            Found::Pending(_) | Found::Unknown => None,
        }
    }

    /// The session of a bearer token presented to `app`.
    pub async fn present(
        &self,
        token: &str,
        app: &str,
        starter: Starter,
    ) -> Result<Arc<LiveSession>, BearerRefused> {
        if let Some(known) = self.recall(token, app) {
            return known;
        }
        let (verified, mut checked) = self.verify(token, app).await?;
        let session = match self.live.find_or_read(verified.session).await {
            Found::Live(session) if session.is_bearer() => session,
            Found::Stale(why) => return Err(BearerRefused::Stale(why)),
            _ => {
                self.admit(&verified, &checked, ExternalUse::Bearer, starter)
                    .await?
            }
        };
        if !is_same_authority(&session.grant, &verified.grant) {
            let at = session.started_at.unwrap_or(session.grant.issued_at);
            return Err(BearerRefused::Used { at });
        }
        checked.expires_at = session.grant.expires_at;
        self.remember(token, checked);
        Ok(session)
    }

    /// Exchanges a token for a browser session: once for each `jti`.
    pub async fn exchange(
        &self,
        token: &str,
        app: &str,
        starter: Starter,
    ) -> Result<Exchanged, BearerRefused> {
        let (verified, checked) = self.verify(token, app).await?;
        let cookie = Secret::fresh().map_err(|source| {
            BearerRefused::Store(StoreError::Failed {
                doing: "drawing random bytes for a cookie",
                source: Box::new(source),
            })
        })?;
        let using = ExternalUse::Exchange(cookie.hash());
        let session = self.admit(&verified, &checked, using, starter).await?;
        Ok(Exchanged { session, cookie })
    }

    /// Fetches again whatever keys are due. Run it every few seconds, so that a key that its issuer
    /// withdrew is withdrawn here within its refresh interval.
    pub async fn refresh(&self) {
        for issuer in &self.issuers {
            issuer.refresh(false).await;
        }
    }

    /// Drops what was remembered, so that a test sees each token checked anew.
    #[cfg(test)]
    pub(super) fn forget(&self) {
        self.checked.clear();
    }

    async fn verify(&self, token: &str, app: &str) -> Result<(Verified, Checked), BearerRefused> {
        let parsed = Token::parse(token, self.settings.max_token_bytes)?;
        let claimed = parsed.claimed_issuer();
        let named = |trusted: &Trusted| Some(trusted.issuer.issuer.as_str()) == claimed;
        let at = self.issuers.iter().position(named);
        let Some((at, trusted)) = at.and_then(|at| Some((at, self.issuers.get(at)?))) else {
            return Err(BearerRefused::UnknownIssuer);
        };
        let algorithm = parsed.check_header(&trusted.issuer)?;
        // Read before the keys: keys that change in between only cost another check.
        let generation = trusted.generation();
        let key = trusted.key(algorithm, parsed.key_id()?).await?;
        // The key is of the algorithm's own kind, so no key can be read as another's secret.
        let holds = jsonwebtoken::crypto::verify(
            parsed.signature,
            parsed.message.as_bytes(),
            &key.public,
            key.algorithm.wire(),
        );
        if !holds.unwrap_or(false) {
            return Err(BearerRefused::Signature);
        }
        let now = self.live.clock().now();
        let verified = claims::read(&parsed.claims, &trusted.issuer, app, now)?;
        let checked = Checked {
            session: verified.session,
            issuer: at,
            generation,
            expires_at: verified.grant.expires_at,
        };
        Ok((verified, checked))
    }

    async fn admit(
        &self,
        verified: &Verified,
        checked: &Checked,
        using: ExternalUse,
        starter: Starter,
    ) -> Result<Arc<LiveSession>, BearerRefused> {
        let issuer = self.issuers.get(checked.issuer);
        let issuer = issuer.map(|trusted| trusted.issuer.issuer.clone());
        let admission = Admission {
            grant: verified.grant.clone(),
            session: verified.session,
            issuer: issuer.unwrap_or_default(),
            external_id: verified.external_id.clone(),
            using,
            binding: starter.binding,
            now: self.live.clock().now(),
            // A restart with a larger leeway must still find the token used.
            forget_after: verified.grant.expires_at.plus(Duration::from_secs(3600)),
        };
        let refused = |ended: Ended| {
            BearerRefused::Ended(Arc::new(Tombstone {
                session: verified.session,
                grant: Arc::new(verified.grant.clone()),
                started_at: None,
                ended,
            }))
        };
        self.live
            .admit(admission, starter.client)
            .await
            .map_err(|error| match error {
                AdmitError::Refused(AdmitRefused::Revoked { at, by }) => {
                    BearerRefused::Revoked { at, by }
                }
                AdmitError::Refused(AdmitRefused::Used { at }) => BearerRefused::Used { at },
                AdmitError::Refused(AdmitRefused::Ended(ended)) => refused(ended),
                AdmitError::Refused(AdmitRefused::Locked { key }) => BearerRefused::Locked { key },
                AdmitError::Stale(why) => BearerRefused::Stale(why),
                AdmitError::Full => BearerRefused::Full,
                AdmitError::Store(why) => BearerRefused::Store(why),
            })
    }

    fn remember(&self, token: &str, checked: Checked) {
        if self.checked.len() >= self.settings.cache_entries {
            let now = self.live.clock().now();
            self.checked.retain(|_, known| known.expires_at > now);
            if self.checked.len() >= self.settings.cache_entries {
                self.checked.clear();
            }
        }
        self.checked.insert(hash(token), checked);
    }
}

impl fmt::Debug for Bearers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearers")
            .field("issuers", &self.issuers.len())
            .field("checked", &self.checked.len())
            .finish_non_exhaustive()
    }
}

/// Whether two tokens of one id say the same. An issuer that used an id twice gets one grant, not two.
fn is_same_authority(one: &Grant, other: &Grant) -> bool {
    one.app == other.app
        && one.operator.id == other.operator.id
        && one.subject.id == other.subject.id
        && one.tenant.id == other.tenant.id
        && one.scopes == other.scopes
        && one.ticket == other.ticket
        && one.break_glass == other.break_glass
}

fn hash(token: &str) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    let mut out = [0; 32];
    out.copy_from_slice(digest.as_ref());
    out
}
