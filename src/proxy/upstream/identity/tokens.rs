//! One session's exchanged tokens: asked for once for all requests that come at the same time, renewed before their end,
//! and all revoked when the session is over, also those that were still on their way.

use super::exchange::{ExchangeError, Exchanger, Held};
use super::mint::Renewed;
use super::{Identity, IdentityError, Live};
use crate::model::Timestamp;
use http::HeaderValue;
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Tokens that were replaced before their end; beyond that the oldest is left to expire.
const MAX_FORMER: usize = 8;

/// What is told of tokens as it happens. Never the token.
#[derive(Debug)]
pub enum TokenNews {
    Issued { until: Timestamp },
    Revoked,
    NotRevoked(ExchangeError),
}

#[derive(Default)]
struct Kept {
    current: Option<Arc<Held>>,
    former: Vec<Arc<Held>>,
    is_over: bool,
}

/// The state of one session's exchange.
#[derive(Default)]
pub(super) struct Tokens {
    kept: Mutex<Kept>,
    /// Held while the server is asked: everybody else of the session waits for that one answer.
    asking: tokio::sync::Mutex<()>,
    failed: Mutex<Option<Instant>>,
    renewed: Mutex<Option<Instant>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    fn current(&self, is_good: impl Fn(&Held) -> bool) -> Option<Arc<Held>> {
        let kept = self.kept.lock();
        let held = kept.current.as_ref().filter(|held| is_good(held))?;
        Some(Arc::clone(held))
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.current(|held| now < held.fresh_until).is_some()
    }

    /// Takes a new token in, or gives it back where the session is over.
    fn put(&self, held: Held) -> Result<(), Held> {
        let mut kept = self.kept.lock();
        if kept.is_over {
            return Err(held);
        }
        let before = kept.current.replace(Arc::new(held));
        kept.former.extend(before);
        let excess = kept.former.len().saturating_sub(MAX_FORMER);
        kept.former.drain(..excess);
        Ok(())
    }

    fn drop_current(&self) {
        let mut kept = self.kept.lock();
        let before = kept.current.take();
        kept.former.extend(before);
    }

    /// The session is over: nothing is taken in any more, and all that is left is handed out.
    fn close(&self) -> Vec<Arc<Held>> {
        let mut kept = self.kept.lock();
        kept.is_over = true;
        let mut all = std::mem::take(&mut kept.former);
        all.extend(kept.current.take());
        all
    }
}

fn within(since: &Mutex<Option<Instant>>, span: Duration) -> bool {
    since.lock().is_some_and(|at| at.elapsed() < span)
}

/// What revokes the tokens of a session that is over.
#[derive(Debug)]
pub struct Leftover {
    exchanger: Arc<Exchanger>,
    held: Arc<Held>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

impl Leftover {
    pub fn upstream(&self) -> &str {
        &self.exchanger.upstream
    }

    /// `None`: there is nothing to revoke it with, or it is over by itself.
    pub async fn revoke(&self, now: Timestamp) -> Option<TokenNews> {
        if self.held.until <= now {
            return None;
        }
        told(self.exchanger.revoke(&self.held).await)
    }
}

fn told(revoked: Result<bool, ExchangeError>) -> Option<TokenNews> {
    match revoked {
        Ok(true) => Some(TokenNews::Revoked),
        Ok(false) => None,
        Err(why) => Some(TokenNews::NotRevoked(why)),
    }
}

impl super::IdentityCache {
    /// Closes every exchange of the session; returns the tokens that are left.
    pub fn close(&self) -> Vec<Leftover> {
        let mut left = Vec::new();
        for (exchanger, tokens) in self.all_tokens() {
            left.extend(tokens.close().into_iter().map(|held| Leftover {
                exchanger: Arc::clone(&exchanger),
                held,
            }));
        }
        left
    }
}

impl Identity {
    /// Whether tokens are exchanged: then [`Identity::obtain`] comes before each request.
    pub fn exchanges(&self) -> bool {
        self.exchanger.is_some()
    }

    /// Makes sure that the session has a token that is good for a while; `news` is told of one that was issued, also
    /// when whoever waits for it has gone. Without the mode `exchange` this is nothing.
    pub async fn obtain(
        &self,
        live: Live<'_>,
        news: impl Fn(TokenNews) + Send + Sync + 'static,
    ) -> Result<(), IdentityError> {
        let Some(exchanger) = &self.exchanger else {
            return Ok(());
        };
        let tokens = live.cache.tokens(self.id, exchanger);
        let now = self.clock.now();
        if tokens.is_fresh(now) {
            return Ok(());
        }
        let assertions = self
            .assertions
            .as_ref()
            .ok_or_else(|| IdentityError::Settings {
                upstream: self.upstream.clone(),
                what: "exchange needs assertion".to_owned(),
            })?;
        let signed = assertions.sign(live.session, live.grant, now)?.value;
        let filling = fill(
            Arc::clone(exchanger),
            tokens,
            signed,
            (now, live.grant.expires_at),
            news,
        );
        // On a task of its own: a token that comes after its request broke off must still be known, to be revoked.
        let filled = tokio::spawn(filling).await;
        filled
            .unwrap_or(Err(ExchangeError::Recently))
            .map_err(|error| IdentityError::Exchange {
                upstream: self.upstream.clone(),
                error,
            })
    }

    /// After the app answered 401 to `sent`: gives that token up, unless it was replaced meanwhile or one was given up a
    /// moment ago.
    pub fn give_up(&self, live: Live<'_>, sent: Option<&HeaderValue>) -> Renewed {
        let Some(exchanger) = &self.exchanger else {
            return Renewed::No;
        };
        let tokens = live.cache.tokens(self.id, exchanger);
        let is_sent = |held: &Held| Some(&held.field) == sent;
        if tokens.current(is_sent).is_some() {
            if within(&tokens.renewed, exchanger.settings.pause) {
                return Renewed::No;
            }
            *tokens.renewed.lock() = Some(Instant::now());
            tokens.drop_current();
        }
        Renewed::Yes
    }

    /// The token's field for a request; an error where there is none that is good.
    pub(super) fn token_field(&self, live: Live<'_>) -> Result<Option<HeaderValue>, IdentityError> {
        let Some(exchanger) = &self.exchanger else {
            return Ok(None);
        };
        let tokens = live.cache.tokens(self.id, exchanger);
        let now = self.clock.now();
        let held = tokens.current(|held| now < held.until);
        let held = held.ok_or_else(|| IdentityError::Exchange {
            upstream: self.upstream.clone(),
            error: ExchangeError::Unusable("there is no token"),
        })?;
        Ok(Some(held.field.clone()))
    }
}

async fn fill(
    exchanger: Arc<Exchanger>,
    tokens: Arc<Tokens>,
    assertion: HeaderValue,
    (now, end): (Timestamp, Timestamp),
    news: impl Fn(TokenNews) + Send + Sync + 'static,
) -> Result<(), ExchangeError> {
    let _asking = tokens.asking.lock().await;
    let given = &exchanger.settings;
    if tokens.is_fresh(now) {
        return Ok(());
    }
    if within(&tokens.failed, given.pause) {
        return Err(ExchangeError::Recently);
    }
    let assertion = assertion.to_str().unwrap_or_default();
    let held = match exchanger.ask(assertion, now, end).await {
        Ok(held) => held,
        Err(why) => {
            *tokens.failed.lock() = Some(Instant::now());
            return Err(why);
        }
    };
    *tokens.failed.lock() = None;
    news(TokenNews::Issued { until: held.until });
    let Err(late) = tokens.put(held) else {
        return Ok(());
    };
    if let Some(done) = told(exchanger.revoke(&late).await) {
        news(done);
    }
    Err(ExchangeError::Ended)
}
