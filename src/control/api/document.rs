//! What every operation has in common is added to the document here, by rule: the ways to sign in, and each no.

use super::problem::ProblemView;
use utoipa::{PartialSchema as _, ToSchema as _};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, OpenApi, Ref, RefOr, ResponseBuilder,
};

/// The portal's cookie, as identity names it.
const COOKIE: &str = "__Host-locum";

const ABOUT: &str = "Who may stand in for whom: request, approve, activate, end, review. \
Errors are RFC 9457 problems; `reason` is stable. Lists are pages, newest first: give `next` as `after`. \
Requests, locks and reviews have an ETag; a change with `If-Match` is made only to that version. \
A call that creates something takes an `Idempotency-Key`. Every call is authorised and recorded.";

/// Completes what the operations say of themselves.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("Locum")
        .version("1")
        .description(Some(ABOUT))
        .build();
    let components = document.components.get_or_insert_with(Components::new);
    let mut schemas = Vec::new();
    ProblemView::schemas(&mut schemas);
    schemas.push((ProblemView::name().into_owned(), ProblemView::schema()));
    components.schemas.extend(schemas);
    for (name, scheme) in schemes() {
        components.add_security_scheme(name, scheme);
    }
    let none: [&str; 0] = [];
    let any = schemes().map(|(name, _)| SecurityRequirement::new(name, none));
    document.security = Some(any.to_vec());
    for (path, item) in &mut document.paths.paths {
        if let Some(operation) = &mut item.get {
            add_problems(path, true, operation);
        }
        if let Some(operation) = &mut item.post {
            add_problems(path, false, operation);
        }
    }
    document
}

fn schemes() -> [(&'static str, SecurityScheme); 3] {
    [
        (
            "bearer",
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .description(Some("A token of `locum login`, or a workload's JWT."))
                    .build(),
            ),
        ),
        (
            "cookie",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                COOKIE,
                "The portal's session. Changes need its proof against forged requests, too.",
            ))),
        ),
        (
            "mutualTLS",
            SecurityScheme::MutualTls {
                description: Some("A workload's X.509-SVID.".to_owned()),
                deprecated: None,
                extensions: None,
            },
        ),
    ]
}

/// Each no that this operation can say, by what it takes.
fn add_problems(path: &str, is_get: bool, operation: &mut Operation) {
    let is_open = operation.operation_id.as_deref() == Some("openapi");
    let id = operation.operation_id.clone().unwrap_or_default();
    let takes = |place: &ParameterIn| {
        let parameters = operation.parameters.iter().flatten();
        parameters
            .filter_map(|it| match it {
                RefOr::T(it) => Some(it),
                RefOr::Ref(_) => None,
            })
            .any(|it| it.parameter_in == *place)
    };
    let (by_query, by_header) = (takes(&ParameterIn::Query), takes(&ParameterIn::Header));
    let has_body = operation.request_body.is_some();
    let named = path.contains('{') || id == "disable-workload";
    let changes = !is_get && id != "preview-request";
    let conditional = changes && by_header && path.contains('{');
    let all = [
        (400, "It cannot be read", by_query || by_header || has_body),
        (401, "Sign in, or prove once more who you are", !is_open),
        (403, "Not for you, by duty or by policy", !is_open),
        (404, "No such thing, or none that you may see", named),
        (408, "The body took too long to come", has_body),
        (409, "Not in a state for this", changes),
        (412, "It changed since you read it", conditional),
        (413, "The body is too large", has_body),
        (415, "The body is not JSON", has_body),
        (422, "Fields need another look", has_body || (changes && by_header)),
        (429, "Too many calls, or too much of something", true),
        (503, "Not now: a system that this depends on", !is_open),
    ];
    for (status, about, is_possible) in all {
        if is_possible {
            let response = problem(status, about);
            let responses = &mut operation.responses.responses;
            responses.insert(status.to_string(), response);
        }
    }
}

fn problem(status: u16, about: &str) -> RefOr<utoipa::openapi::Response> {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(ProblemView::name())))
        .build();
    let mut response = ResponseBuilder::new()
        .description(about)
        .content("application/problem+json", content);
    let text = || ObjectBuilder::new().schema_type(Type::String);
    if status == 401 {
        let header = HeaderBuilder::new().schema(Some(text()));
        response = response.header(
            "WWW-Authenticate",
            header.description(Some("RFC 6750 §3, RFC 9470 §3")).build(),
        );
    }
    if status == 429 {
        let number = ObjectBuilder::new().schema_type(Type::Integer);
        let header = HeaderBuilder::new().schema(Some(number));
        response = response.header(
            "Retry-After",
            header
                .description(Some("Seconds, where waiting helps"))
                .build(),
        );
    }
    RefOr::T(response.build())
}
