//! The JSON API: `/api/v1/…`, described by the document that it serves. Each operation is thin over
//! [`crate::control::desk::Control`], which decides; the gate knows, bounds and records every call.

mod calls;
mod document;
mod door;
mod input;
mod limits;
mod once;
mod problem;
mod reply;
mod state;
#[cfg(test)]
mod tests;
mod text;
mod view;

pub use limits::Rate;
pub use problem::Problem;
pub use state::{Api, Settings};

use super::desk::Control;
use super::evidence::Evidence;
use super::gate::Gate;
use super::identity;
use super::recordings::Recordings;
use crate::config::Config;
use crate::telemetry::metrics::Metrics;
use axum::Router;
use axum::middleware::from_fn_with_state;
use calls::{
    agreeing, alerts, asking, changes, exports, happenings, holds, locks, log, recordings, records,
    reviews, sessions, who, workloads,
};
use std::sync::Arc;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let api = &config.api;
        Self {
            person: Rate {
                per_minute: api.person_rate,
                burst: api.person_burst,
            },
            address: Rate {
                per_minute: api.address_rate,
                burst: api.address_burst,
            },
            max_body: usize::try_from(api.max_body.bytes()).unwrap_or(usize::MAX),
            body_timeout: api.body_timeout,
            max_callers: api.max_callers,
        }
    }
}

/// Makes the API's state.
pub fn new(
    control: Arc<Control>,
    evidence: Arc<Evidence>,
    recordings: Arc<Recordings>,
    gate: Arc<dyn Gate>,
    metrics: Arc<Metrics>,
    settings: Settings,
) -> Arc<Api> {
    Arc::new(Api::new(
        control,
        evidence,
        recordings,
        gate,
        metrics,
        settings,
        document_text().into(),
    ))
}

/// All paths below `/api`, to be merged with the portal's.
pub fn router<S: Clone + Send + Sync + 'static>(api: Arc<Api>) -> Router<S> {
    let signed = Router::from(signed())
        .route("/api", axum::routing::any(door::nowhere))
        .route("/api/{*rest}", axum::routing::any(door::nowhere))
        .layer(from_fn_with_state(Arc::clone(&api), door::signed));
    signed
        .merge(Router::from(open()))
        .layer(from_fn_with_state(Arc::clone(&api), door::surface))
        .with_state(api)
}

/// The document, as it is served and checked in.
pub fn document_text() -> String {
    let mut text = serde_json::to_string_pretty(&openapi()).unwrap_or_default();
    text.push('\n');
    text
}

fn openapi() -> OpenApi {
    let mut whole = open().merge(signed()).into_openapi();
    whole.merge(identity::document());
    document::complete(whole)
}

/// What needs nobody.
fn open() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::default().routes(routes!(calls::document::openapi))
}

/// What needs somebody.
fn signed() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::default()
        .routes(routes!(who::whoami))
        .routes(routes!(who::apps))
        .routes(routes!(asking::preview))
        .routes(routes!(asking::list, asking::ask))
        .routes(routes!(asking::one))
        .routes(routes!(asking::cancel))
        .routes(routes!(asking::emergency))
        .routes(routes!(agreeing::vote))
        .routes(routes!(agreeing::activate))
        .routes(routes!(agreeing::start_link))
        .routes(routes!(agreeing::consent_link))
        .routes(routes!(agreeing::consent))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::one))
        .routes(routes!(sessions::end))
        .routes(routes!(exports::export))
        .routes(routes!(sessions::end_all))
        .routes(routes!(locks::list, locks::set))
        .routes(routes!(locks::lift))
        .routes(routes!(alerts::test))
        .routes(routes!(changes::list))
        .routes(routes!(changes::one))
        .routes(routes!(changes::vote))
        .routes(routes!(reviews::list))
        .routes(routes!(reviews::one))
        .routes(routes!(reviews::verdict))
        .routes(routes!(workloads::list, workloads::register))
        .routes(routes!(workloads::disable))
        .routes(routes!(happenings::list))
        .routes(routes!(records::list))
        .routes(routes!(records::export))
        .routes(routes!(recordings::list))
        .routes(routes!(recordings::one))
        .routes(routes!(recordings::erase))
        .routes(routes!(recordings::vote))
        .routes(routes!(holds::list, holds::place))
        .routes(routes!(holds::release))
        .routes(routes!(log::inclusion))
        .routes(routes!(log::consistency))
}
