//! `POST /signals/events`: a security event token is pushed (RFC 8935 §2). 202 once it was verified, acted on and kept.

use super::act::{self, Source};
use super::event::Event;
use super::hub::{Inner, Signals};
use super::refused::Refused;
use crate::model::Happened;
use crate::store::external::claimed_issuer;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::post;
use serde_json::json;
use std::sync::atomic::Ordering;

/// Where events are pushed to.
pub const PATH: &str = "/signals/events";

/// The route, for whatever state its neighbours have.
pub fn router<S: Clone + Send + Sync + 'static>(signals: Signals) -> axum::Router<S> {
    axum::Router::new()
        .route(PATH, post(pushed))
        .with_state(signals)
}

async fn pushed(State(signals): State<Signals>, request: Request) -> Response {
    let inner = &signals.0;
    if inner.settings.load().transmitters.is_empty() {
        return answer(StatusCode::NOT_FOUND, Body::empty());
    }
    let (head, body) = request.into_parts();
    let heard = match read(inner, &head.headers, body).await {
        Ok(token) => inner.hear(&token, bearer(&head.headers)).await,
        Err(refused) => Err(refused),
    };
    match heard {
        Ok(()) => answer(StatusCode::ACCEPTED, Body::empty()),
        Err(refused) => {
            inner.counts.heard(refused.word());
            if refused.code().is_none() {
                tracing::error!(why = %refused, "a security event could not be taken");
            } else {
                tracing::warn!(why = %refused, "a security event was refused");
            }
            refusal(&refused)
        }
    }
}

/// The token in the body.
async fn read(inner: &Inner, headers: &HeaderMap, body: Body) -> Result<String, Refused> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/secevent+jwt") {
        return Err(Refused::ContentType);
    }
    let most = inner.settings.load().max_token_bytes;
    let bytes = axum::body::to_bytes(body, most).await.map_err(|error| {
        let too_long = std::error::Error::source(&error)
            .is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>);
        if too_long {
            Refused::TooLong(most)
        } else {
            Refused::NotText
        }
    })?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Refused::NotText)?;
    Ok(text.trim().to_owned())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start_matches(' '))
}

impl Inner {
    async fn hear(&self, token: &str, bearer: Option<&str>) -> Result<(), Refused> {
        let settings = self.settings.load_full();
        let _place = self.place(settings.max_under_way).ok_or(Refused::Busy)?;
        let claimed = claimed_issuer(token, settings.max_token_bytes).map_err(Refused::Token)?;
        let from = settings
            .transmitters
            .iter()
            .find(|one| Some(one.signer.issuer()) == claimed.as_deref())
            .ok_or(Refused::Issuer)?;
        if let Some(wanted) = &from.bearer
            && !bearer.is_some_and(|token| wanted.is(token))
        {
            return Err(Refused::Unauthenticated);
        }
        let claims = from.signer.verify(token).await.map_err(Refused::Token)?;
        let now = self.clock.now();
        let source = Source {
            issuer: from.signer.issuer().to_owned(),
            about: from.about,
            tenants: from.tenants.clone(),
        };
        let issuer = source.issuer.clone();
        let done = match Event::read(&claims, from, now) {
            Ok(event) => {
                let acting = self.book.run("acting on a security event", move |tx| {
                    act::act(tx, &event, &source, now)
                });
                acting.await
            }
            Err(refused) => Err(refused),
        };
        match done {
            Ok(_) => {
                self.counts.heard("taken");
                Ok(())
            }
            Err(refused) => {
                self.note_refused(&issuer, &refused).await;
                Err(refused)
            }
        }
    }

    /// Only what somebody known has signed is recorded: a stranger must not be able to fill the journal.
    async fn note_refused(&self, issuer: &str, refused: &Refused) {
        let now = self.clock.now();
        let happened = Happened::new("signal.refused", &format!("signal:{issuer}"))
            .severe(2)
            .with("reason", refused.word())
            .with("detail", refused);
        let noted = self
            .book
            .run("recording a refused security event", move |tx| {
                tx.note(happened, now)
            });
        if let Err(error) = noted.await {
            tracing::error!(%error, "a refused security event could not be recorded");
        }
    }

    fn place(&self, most: usize) -> Option<Place<'_>> {
        let place = Place(self);
        let before = self.hearing.fetch_add(1, Ordering::AcqRel);
        (before < most).then_some(place)
    }
}

/// One of the tokens that are looked at.
struct Place<'a>(&'a Inner);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.hearing.fetch_sub(1, Ordering::AcqRel);
    }
}

fn answer(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// RFC 8935 §2.3.
fn refusal(refused: &Refused) -> Response {
    let status = refused.status();
    let Some(code) = refused.code() else {
        let mut response = answer(status, Body::empty());
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        return response;
    };
    let body = json!({ "err": code, "description": refused.to_string() });
    let mut response = answer(status, Body::from(body.to_string()));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static("en"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
