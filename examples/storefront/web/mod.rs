//! What happens to every request before and after its page: log, identity, origin check, headers.

pub(crate) mod compress;
pub(crate) mod form;
pub(crate) mod log;
pub(crate) mod problem;
pub(crate) mod visitor;

use crate::server::Shop;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use problem::Problem;
use std::sync::Arc;
use visitor::Visitor;

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'";

/// `routes` behind the checks that each request passes.
pub(crate) fn guarded(routes: Router<Arc<Shop>>, shop: &Arc<Shop>) -> Router<Arc<Shop>> {
    routes.layer(from_fn_with_state(Arc::clone(shop), admit))
}

async fn admit(State(shop): State<Arc<Shop>>, mut request: Request, next: Next) -> Response {
    let visitor = visitor::identify(&shop, request.headers()).await;
    // On record before anything else happens: tests count what reached the app.
    if let Err(why) = shop.log.write(&request, visitor.as_ref().ok()) {
        return finish(&shop, Problem::Internal(why.into()).into_response());
    }
    let visitor = match visitor {
        Ok(visitor) => visitor,
        Err(problem) => return finish(&shop, problem.into_response()),
    };
    if let Some(problem) = foreign(&shop, &request) {
        return finish(&shop, problem.into_response());
    }
    let csrf = visitor.csrf_cookie(&shop.public);
    request.extensions_mut().insert::<Visitor>(visitor);
    let mut response = next.run(request).await;
    if let Some(cookie) = csrf.filter(|_| is_html(&response)) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    finish(&shop, response)
}

/// A request that changes something comes from the shop's own pages, or names no origin at all.
fn foreign(shop: &Shop, request: &Request) -> Option<Problem> {
    let is_upgrade = request
        .headers()
        .contains_key(header::SEC_WEBSOCKET_VERSION);
    let is_safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    let origin = request.headers().get(header::ORIGIN)?;
    let is_foreign = origin.as_bytes() != shop.public.origin.as_bytes();
    (is_foreign && (is_upgrade || !is_safe)).then_some(Problem::Forbidden(
        "This request came from another site, so it was not carried out.",
    ))
}

fn is_html(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

fn finish(shop: &Shop, mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, CSP);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(header::CACHE_CONTROL, "private, no-cache");
    if shop.public.is_secure() {
        set(
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=31536000; includeSubDomains",
        );
    }
    response
}
