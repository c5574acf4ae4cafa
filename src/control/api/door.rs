//! The way in: how fast, who, and that it was. Every call is counted, known and recorded before its answer leaves.

use super::problem::{Problem, Why};
use super::state::Api;
use crate::control::network::network;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{Caller, Happened};
use crate::telemetry::metrics::Limit;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// For every call, signed in or not: the address's rate, and a form of answer that no browser misreads.
pub(super) async fn surface(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let (settings, address) = (api.settings.load_full(), Api::address(&parts));
    let taken = api.addresses.take(
        network(address),
        settings.address,
        settings.max_callers,
        Instant::now(),
    );
    let mut response = match taken {
        Ok(()) => in_our_form(next.run(Request::from_parts(parts, body)).await),
        Err(wait) => {
            api.metrics.hit(Limit::ApiAddressRate);
            Problem::too_fast("rate.address", wait).into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// axum refuses in plain text: unknown paths, wrong methods. Here all is a problem.
fn in_our_form(response: Response) -> Response {
    let status = response.status();
    let is_problem = response.extensions().get::<Why>().is_some();
    if is_problem || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let mut ours = Problem::of_status(status).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        ours.headers_mut().insert(header::ALLOW, allow.clone());
    }
    ours
}

/// What is recorded of a call.
struct Call {
    method: Method,
    /// The template: `/api/v1/requests/{id}`.
    path: String,
    /// What stands where the template has a hole.
    id: Option<String>,
    address: IpAddr,
}

impl Call {
    fn of(parts: &Parts) -> Self {
        let template = parts.extensions.get::<MatchedPath>();
        let path = template.map_or("unknown", MatchedPath::as_str).to_owned();
        let id = path.split_once("/{id}").and_then(|(before, _)| {
            let rest = parts.uri.path().strip_prefix(before)?;
            rest.split('/').nth(1)
        });
        Self {
            method: parts.method.clone(),
            id: id.map(|id| id.chars().take(64).collect()),
            path,
            address: Api::address(parts),
        }
    }
}

/// For every call that needs somebody: who it is, their rate, and the record.
pub(super) async fn signed(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let call = Call::of(&parts);
    match admitted(&api, &parts).await {
        Ok(caller) => {
            parts.extensions.insert(caller.clone());
            let answer = in_our_form(next.run(Request::from_parts(parts, body)).await);
            recorded(&api, &call, Some(&caller), answer).await
        }
        // Whoever is beyond their rate costs nothing more than this.
        Err(problem) if problem.reason() == "rate.person" => problem.into_response(),
        Err(problem) => {
            let mut answer = problem.into_response();
            challenge(&api, &mut answer);
            recorded(&api, &call, None, answer).await
        }
    }
}

async fn admitted(api: &Api, parts: &Parts) -> Result<Caller, Problem> {
    let caller = api.gate.caller(parts).await?;
    let settings = api.settings.load();
    let person = caller.person.clone();
    let taken = api.people.take(
        person,
        settings.person,
        settings.max_callers,
        Instant::now(),
    );
    match taken {
        Ok(()) => Ok(caller),
        Err(wait) => {
            api.metrics.hit(Limit::ApiPersonRate);
            Err(Problem::too_fast("rate.person", wait))
        }
    }
}

/// Writes down that the call was made. What only read is not handed out where that fails; what changed something has
/// its own record, in the transaction of the change.
async fn recorded(
    api: &Api,
    call: &Call,
    caller: Option<&Caller>,
    mut answer: Response,
) -> Response {
    let mut happened = match caller {
        Some(caller) => {
            challenge(api, &mut answer);
            Happened::by("api.call", caller)
        }
        None => Happened::new("api.call", "unknown"),
    };
    happened = happened
        .with("method", &call.method)
        .with("path", &call.path)
        .with("status", answer.status().as_u16())
        .with("address", call.address);
    if let Some(id) = &call.id {
        happened = happened.with("id", id);
    }
    if let Some(Why(reason)) = answer.extensions().get::<Why>() {
        happened = happened.with("reason", reason);
    }
    let now = api.control.now();
    let noted = api
        .control
        .run("recording a call", move |tx| Ok(tx.note(happened, now)?))
        .await;
    match noted {
        Ok(()) => answer,
        Err(why) if call.method.is_safe() => Problem::from(why).into_response(),
        Err(error) => {
            tracing::error!(%error, path = call.path, "a call could not be recorded");
            answer
        }
    }
}

/// Says how to sign in (RFC 6750 §3), or how to prove it again (RFC 9470 §3).
fn challenge(api: &Api, answer: &mut Response) {
    if answer.status() != StatusCode::UNAUTHORIZED {
        return;
    }
    let why = answer.extensions().get::<Why>().map_or("", |why| why.0);
    let step_up = &api.control.settings.load().step_up;
    let mut words = "Bearer realm=\"locum\"".to_owned();
    if why.starts_with("step-up") {
        let age = step_up.max_age.as_secs();
        let _ = write!(
            words,
            ", error=\"insufficient_user_authentication\", max_age={age}"
        );
        if !step_up.acr_values.is_empty() {
            let values = step_up.acr_values.join(" ");
            let _ = write!(words, ", acr_values=\"{values}\"");
        }
    }
    if let Ok(words) = HeaderValue::try_from(words) {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, words);
    }
}

/// A refusal for what no path names.
pub(super) async fn nowhere() -> Problem {
    let refusal = Refusal::new(Kind::NotFound, "no-such-path", "The API has no such path.");
    Problem::from(refusal)
}
