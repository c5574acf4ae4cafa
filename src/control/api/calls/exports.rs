//! A session given out as a file.

use crate::audit::export::Format;
use crate::control::api::input::{Asked, Named, Signed};
use crate::control::api::problem::Problem;
use crate::control::api::state::Api;
use crate::control::api::text::{Sentence, SessionRef};
use crate::control::recordings::Purpose;
use crate::control::replay::sent;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// How, and why.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct Wish {
    #[param(inline)]
    format: Form,
    /// Why it is looked at: it goes on record.
    #[param(inline)]
    reason: Sentence,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Form {
    Har,
    Warc,
    Package,
}

/// The session's evidence as a file: HAR 1.2, WARC 1.1, or a package that proves itself.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{id}/export",
    operation_id = "export-session",
    tag = "sessions",
    params(("id" = inline(SessionRef), Path, description = "The session"), Wish),
    responses((status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"))
)]
pub(in crate::control::api) async fn export(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(SessionRef(id)): Named<SessionRef>,
    Asked(wish): Asked<Wish>,
) -> Result<Response, Problem> {
    let format = match wish.format {
        Form::Har => Format::Har,
        Form::Warc => Format::Warc,
        Form::Package => Format::Package,
    };
    let purpose = Purpose {
        reason: wish.reason.0,
        over: "api",
        doing: format!("export {format}"),
    };
    let export = api
        .recordings
        .export(&api.control, &who, id, format, purpose);
    let (ready, permit) = export.await?;
    Ok(sent(ready, permit, id, format))
}
