//! An answer that is a yes: its status, its version and its JSON, in one value that can also be kept and sent again.

use super::problem::Problem;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

/// What every operation comes to.
pub(super) type Outcome = Result<Reply, Problem>;

/// A yes.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Reply {
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    body: Value,
    #[serde(skip)]
    again: bool,
}

impl Reply {
    /// 200 with this.
    pub(super) fn ok(view: &impl Serialize) -> Outcome {
        let body = serde_json::to_value(view).map_err(|error| {
            tracing::error!(%error, "an answer could not be written");
            Problem::of_status(StatusCode::SERVICE_UNAVAILABLE)
        })?;
        Ok(Self {
            status: 200,
            version: None,
            location: None,
            body,
            again: false,
        })
    }

    /// 201 with this, which is to be found there.
    pub(super) fn created(view: &impl Serialize, location: String) -> Outcome {
        Ok(Self {
            status: 201,
            location: Some(location),
            ..Self::ok(view)?
        })
    }

    /// Says which version this is.
    pub(super) fn at(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }

    /// Marks it as one that was given before.
    pub(super) fn again(mut self) -> Self {
        self.again = true;
        self
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = (status, self.body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if let Some(version) = self.version
            && let Ok(tag) = HeaderValue::try_from(format!("\"{version}\""))
        {
            headers.insert(header::ETAG, tag);
        }
        if let Some(location) = self.location
            && let Ok(location) = HeaderValue::try_from(location)
        {
            headers.insert(header::LOCATION, location);
        }
        if self.again {
            headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
        }
        response
    }
}
