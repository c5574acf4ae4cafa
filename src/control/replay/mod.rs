//! A recorded page shown again as the operator saw it, on an origin of its own with no network: served from the recording only.
//!
//! ```text
//! portal's page ─ frame ─ door ─ index ─ answer ─ recording
//! ```
//!
//! The portal and the replay share nothing but a listener. A frame's host name is a secret, its cookie another one that only the
//! browser of the viewer has; both end with the view, and with the viewer's login.

mod answer;
pub(super) mod door;
mod headers;
mod html;
mod index;
mod live;
mod mapping;
mod pipe;
mod settings;
mod view;

pub(super) use pipe::reading;
pub use settings::Settings;
pub use view::{Framed, View, Viewer, Views};

use crate::audit::export::{Format, Ready};
use crate::model::SessionId;
use axum::response::{IntoResponse as _, Response};
use http::header;
use tokio::sync::OwnedSemaphorePermit;

/// An export as an answer, sent while it is made. The permit goes when it is over.
pub(super) fn sent(
    ready: Ready,
    permit: OwnedSemaphorePermit,
    session: SessionId,
    format: Format,
) -> Response {
    let body = pipe::writing(move |out| {
        let _permit = permit;
        let written = ready.write(out);
        if let Err(why) = &written {
            tracing::error!(error = %why, "an export broke off");
        }
        written
    });
    let name = format!("{session}.{}", format.ending());
    let headers = [
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, body).into_response()
}
