//! One answer of a replay: the recorded bytes, as far as they are there, made fit for where they are shown.

use super::headers;
use super::index::{Asked, Fit};
use super::settings::Settings;
use super::view::Frame;
use super::{html, live, pipe};
use crate::audit::export::decode::{self, NotPlain};
use crate::audit::export::events::{Pieces, is_stream};
use crate::audit::export::exchange::{is_text, media};
use crate::audit::recording::{Body as Taken, Side, Taped};
use crate::telemetry::metrics::Limit;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::sync::Arc;

/// Says of an answer whether it is what was recorded for exactly this request.
const FIT: &str = "locum-replay";

/// The answer to what the page asks.
pub(super) async fn answer(
    frame: &Arc<Frame>,
    settings: &Settings,
    asked: &Asked,
    is_page: bool,
) -> Response {
    let taped = frame.view.tape.exchanges();
    let found = {
        let mut state = frame.state.lock();
        let index = &frame.view.index;
        if is_page {
            let found = index.page(taped, asked, &mut state.cursor);
            state.page = found.map(|(at, _)| at);
            found
        } else {
            index.part(taped, asked, &mut state.cursor)
        }
    };
    let Some((place, fit)) = found else {
        return absent(asked, is_page);
    };
    let Some(one) = taped.get(place) else {
        return absent(asked, is_page);
    };
    let Some((status, side)) = side(frame, asked, one) else {
        return absent(asked, is_page);
    };
    let mut answered = headers::recorded(side, frame);
    let word = match fit {
        Fit::Exact => "exact",
        Fit::Alike => "alike",
    };
    answered.insert(FIT, HeaderValue::from_static(word));
    let began = one.opened_at.millis();
    let body = body(frame, settings, side, &mut answered, began).await;
    let mut response = (status, body).into_response();
    *response.headers_mut() = answered;
    response
}

/// What the operator saw. Where their browser had it already (304), the answer that it had.
fn side<'f>(frame: &'f Frame, asked: &Asked, one: &'f Taped) -> Option<(StatusCode, &'f Side)> {
    let shown = one.shown.as_ref()?;
    if shown.status != Some(304) {
        let status = StatusCode::from_u16(shown.status?).ok()?;
        // What no HTTP answer can be: the switch to another protocol.
        return Some((status, shown)).filter(|_| !status.is_informational());
    }
    let (places, _) = frame.view.index.places(asked)?;
    let all = places
        .iter()
        .filter_map(|at| frame.view.tape.exchanges().get(*at));
    let full = all.filter(|it| it.shown.as_ref().is_some_and(|it| it.status == Some(200)));
    let nearest = full.min_by_key(|it| {
        let (at, then) = (it.opened_at.millis(), one.opened_at.millis());
        (at > then, at.abs_diff(then))
    });
    Some((StatusCode::OK, nearest?.shown.as_ref()?))
}

async fn body(
    frame: &Arc<Frame>,
    settings: &Settings,
    side: &Side,
    headers: &mut HeaderMap,
    began: i64,
) -> Body {
    let media = media(side);
    let Some(taken) = side.body.as_ref() else {
        return Body::empty();
    };
    if let Some(why) = &taken.withheld {
        headers.remove(header::CONTENT_ENCODING);
        let is_html = media == "text/html";
        return Body::from(if is_html {
            format!(
                "<!doctype html><title>Not recorded</title><p>This page was not recorded: {}.",
                escape(why)
            )
        } else {
            String::new()
        });
    }
    if taken.decoded {
        headers.remove(header::CONTENT_ENCODING);
    }
    if is_stream(side) {
        return live::events(Pieces::of(&frame.view.tape, taken), began);
    }
    if is_text(&media)
        && let Some(text) = mapped(frame, settings, side, taken, &media, began).await
    {
        headers.remove(header::CONTENT_ENCODING);
        return Body::from(text);
    }
    pipe::reading(frame.view.tape.read(taken))
}

/// A text with the frame's addresses; `None` where it is too long or no text: then it goes as it is.
async fn mapped(
    frame: &Arc<Frame>,
    settings: &Settings,
    side: &Side,
    taken: &Taken,
    media: &str,
    began: i64,
) -> Option<Vec<u8>> {
    let (frame, side, taken) = (Arc::clone(frame), side.clone(), taken.clone());
    let most = settings.max_text;
    let is_html = matches!(media, "text/html" | "application/xhtml+xml");
    let work = tokio::task::spawn_blocking(move || {
        let stored = frame.view.tape.read(&taken);
        let plain = decode::plain(&side, &taken, stored, most);
        if matches!(plain, Err(NotPlain::TooLong(_))) {
            frame.metrics.hit(Limit::ReplayText);
        }
        let plain = plain.ok()?;
        let text = frame.mapping.bytes(&plain);
        Some(if is_html {
            html::prepared(&text, began)
        } else {
            text
        })
    });
    work.await.ok().flatten()
}

fn absent(asked: &Asked, is_page: bool) -> Response {
    let mut response = if is_page {
        let page = format!(
            "<!doctype html><meta charset=\"utf-8\"><title>Not in the recording</title><body style=\"font:16px/1.5 system-ui,sans-serif;margin:3rem auto;max-width:40rem;padding:0 1rem\">\
             <h1>Not in the recording</h1><p>Nobody opened <code>{} {}</code> in this session, so there is nothing to show.</p>",
            escape(&asked.method),
            escape(&asked.target)
        );
        let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
        (StatusCode::NOT_FOUND, kind, page).into_response()
    } else {
        StatusCode::NOT_FOUND.into_response()
    };
    let headers = response.headers_mut();
    headers.insert(FIT, HeaderValue::from_static("absent"));
    response
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
