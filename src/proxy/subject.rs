//! What the app itself gives for the subject: a session of its own (`mint`), or a token of its authorization server
//! (`exchange`). Got before the first request goes out, renewed when the app no longer takes it, and each on record.

use super::authenticate::Authenticated;
use super::inbound::Inbound;
use super::refusal::Refusal;
use super::rewrite::jar::Place;
use super::upstream::forward::host_value;
use super::upstream::identity::{
    Generation, Identity, IdentityError, Live, Renewed, TokenNews, Way as To,
};
use super::way::Way;
use super::worker::Plane;
use crate::audit::Event;
use crate::model::{Grant, Happened, SessionId};
use http::{HeaderValue, StatusCode};
use std::sync::Arc;

/// The subject of one request, as its upstream knows them.
pub struct Subject<'s> {
    way: &'s Way<'s>,
    authenticated: &'s Authenticated,
    host: Option<HeaderValue>,
}

impl<'s> Subject<'s> {
    pub fn new(way: &'s Way<'s>, inbound: &Inbound, authenticated: &'s Authenticated) -> Self {
        let host = way.origin.identity.mints().then(|| {
            let host = String::from_utf8_lossy(inbound.host());
            host_value(&way.origin.forward.host, &host)
        });
        Self {
            way,
            authenticated,
            host: host.flatten(),
        }
    }

    fn identity(&self) -> &Identity {
        &self.way.origin.identity
    }

    fn live(&self) -> Live<'_> {
        Live {
            session: self.authenticated.session.id,
            grant: &self.authenticated.session.grant,
            cache: &self.authenticated.state.identity,
        }
    }

    fn to(&self) -> To<'_> {
        To {
            upstream: &self.way.origin.upstream,
            lane: self.way.worker.lane(),
            host: self.host.as_ref(),
        }
    }

    fn keep(&self, lines: &[HeaderValue]) {
        let now = self.way.worker.plane().clock.now();
        let place = Place {
            host: &self.way.origin.host,
            path: "/",
            is_https: self.way.origin.is_https,
        };
        for line in lines {
            let line = String::from_utf8_lossy(line.as_bytes());
            self.authenticated.state.jar.store(&line, place, now);
        }
    }

    /// Makes sure that the subject has what the app wants of them. Without `mint` and `exchange` this is nothing.
    pub async fn prepare(&self) -> Result<Generation, Refusal> {
        if self.identity().exchanges() {
            self.obtain().await?;
        }
        if !self.identity().mints() {
            return Ok(Generation::default());
        }
        let keep = |lines: &[HeaderValue]| self.keep(lines);
        let prepared = self.identity().prepare(self.to(), self.live(), keep).await;
        prepared.map_err(|error| self.failed("mint", "It gave no session", &error))
    }

    /// After a 401 to a request that went out under `seen` and bore `field`.
    pub async fn renew(
        &self,
        seen: Generation,
        bore: Option<&HeaderValue>,
    ) -> Result<Renewed, Refusal> {
        if self.identity().exchanges() {
            let given_up = self.identity().give_up(self.live(), bore);
            if given_up == Renewed::Yes {
                self.obtain().await?;
            }
            return Ok(given_up);
        }
        if !self.identity().mints() {
            return Ok(Renewed::No);
        }
        let keep = |lines: &[HeaderValue]| self.keep(lines);
        let renewed = self.identity().renew(seen, self.to(), self.live(), keep);
        let renewed = renewed
            .await
            .map_err(|error| self.failed("mint", "It gave no new session", &error))?;
        if renewed == Renewed::Yes {
            let grant = &self.authenticated.session.grant;
            let about = about(grant, self.live().session, &self.way.origin.upstream_name);
            note(self.way.worker.plane(), &about("app.session-renewed"));
        }
        Ok(renewed)
    }

    async fn obtain(&self) -> Result<(), Refusal> {
        let plane = Arc::clone(self.way.worker.plane());
        let grant = Arc::clone(&self.authenticated.session.grant);
        let (session, upstream) = (self.live().session, self.way.origin.upstream_name.clone());
        let news = move |news| tell(&plane, &grant, session, &upstream, &news);
        let obtained = self.identity().obtain(self.live(), news).await;
        obtained.map_err(|error| self.failed("exchange", "There is no token", &error))
    }

    fn failed(&self, reason: &'static str, what: &str, error: &IdentityError) -> Refusal {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(%error, cause, upstream = self.way.origin.upstream_name, "the app gave nothing for the subject; the request was refused");
        let detail =
            format!("{what} for the customer. The exchange number finds the cause in the log.");
        Refusal::upstream(StatusCode::BAD_GATEWAY, reason, detail)
    }
}

/// Records what became of a token, never the token.
pub(super) fn tell(
    plane: &Plane,
    grant: &Grant,
    session: SessionId,
    upstream: &str,
    news: &TokenNews,
) {
    let about = about(grant, session, upstream);
    let happened = match news {
        TokenNews::Issued { until } => about("token.issued").with("expires_at", until),
        TokenNews::Revoked => {
            plane.metrics.ended_at_app("revocation", "done");
            about("token.revoked")
        }
        TokenNews::NotRevoked(why) => {
            plane.metrics.ended_at_app("revocation", "failed");
            tracing::warn!(error = %why, upstream, "a token could not be revoked; it ends by itself");
            about("token.not-revoked").severe(3).with("problem", why)
        }
    };
    note(plane, &happened);
}

/// The beginning of a record about what the app has of a session.
pub(super) fn about(
    grant: &Grant,
    session: SessionId,
    upstream: &str,
) -> impl Fn(&str) -> Happened {
    move |code| {
        let happened = Happened::new(code, "locum").about_grant(grant);
        Happened {
            session: Some(session.to_string()),
            ..happened
        }
        .with("upstream", upstream)
    }
}

pub(super) fn note(plane: &Plane, happened: &Happened) {
    plane.journal.note(&Event::Control(happened));
}
