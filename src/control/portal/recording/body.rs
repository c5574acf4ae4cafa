//! The recorded bytes of a body, to be kept as a file: never shown by the browser on the portal's origin.

use super::super::answer::Shown;
use super::super::call::Call;
use super::view::exchanged;
use crate::control::refusal::Refusal;
use crate::control::replay::reading;
use axum::response::IntoResponse as _;
use http::header;

pub(crate) async fn download(call: Call) -> Shown {
    let (view, id) = match exchanged(&call).await? {
        Ok(found) => found,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let taped = view.exchange(id).ok_or_else(Refusal::not_found)?;
    let (name, side) = match call.ids.get(2).map(String::as_str) {
        Some("request") => ("request", &taped.request),
        Some("received") => ("received", &taped.received),
        Some("shown") => ("shown", &taped.shown),
        _ => return Err(Refusal::not_found()),
    };
    let body = side.as_ref().and_then(|it| it.body.as_ref());
    let body = body.filter(|it| it.withheld.is_none());
    let body = body.ok_or_else(Refusal::not_found)?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{id}-{name}.bin\""),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; sandbox".to_owned(),
        ),
    ];
    Ok((headers, reading(view.tape.read(body))).into_response())
}
