//! A recorded page in a frame of this page, which lets it be nowhere but on its own origins.

use super::super::answer::{Shown, render};
use super::super::call::Call;
use super::super::frame::Frame;
use super::super::parts::{Left, When};
use super::view::{exchanged, here};
use crate::control::refusal::{Kind, Refusal};
use askama::Template;
use http::{HeaderValue, header};

#[derive(Template)]
#[template(path = "recording_page.html")]
struct Page {
    frame: Frame,
    id: String,
    exchange: String,
    address: String,
    at: When,
    left: Left,
    source: String,
}

pub(crate) async fn page(call: Call) -> Shown {
    let (view, id) = match exchanged(&call).await? {
        Ok(found) => found,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let recordings = &call.web.recordings;
    let settings = recordings.replay.load_full();
    if !settings.enabled {
        let detail = "Replays are off here: set replay.enabled, and replay.host where the portal has no name.";
        return Err(Refusal::new(Kind::Conflict, "replay.off", detail));
    }
    let now = call.control().now();
    let framed = recordings.views.frame(&settings, &view, id, now)?;
    let taped = view.exchange(id).ok_or_else(Refusal::not_found)?;
    let page = Page {
        frame: call.frame("Replay", here(&call)).await,
        id: view.session.to_string(),
        exchange: id.to_string(),
        address: crate::audit::export::exchange::url(taped),
        at: When::exact(taped.opened_at),
        left: Left::until(view.until, now),
        source: framed.address,
    };
    let mut response = render(None, &page)?;
    // As every other page, and the frame's own origins in the frame: wherever its scripts send it, it gets no further.
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'; frame-src {}",
        framed.origins.join(" ")
    );
    if let Ok(policy) = HeaderValue::try_from(policy) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}
