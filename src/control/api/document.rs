//! What every operation has in common is added to the document here, by rule: the ways to sign in, and each no.

use super::problem::ProblemView;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, OpenApi, Ref, RefOr, ResponseBuilder,
};
use utoipa::{PartialSchema as _, ToSchema as _};

/// The portal's cookie, as identity names it.
const COOKIE: &str = "__Host-locum-portal";

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
    for (status, name, about) in PROBLEMS {
        let response = problem(status, about);
        components.responses.insert(name.to_owned(), response);
    }
    for (name, scheme) in schemes() {
        components.add_security_scheme(name, scheme);
    }
    let none: [&str; 0] = [];
    let any = schemes().map(|(name, _)| SecurityRequirement::new(name, none));
    document.security = Some(any.to_vec());
    for (path, item) in &mut document.paths.paths {
        if let Some(operation) = &mut item.get {
            add_headers(operation);
            add_problems(path, true, operation);
        }
        if let Some(operation) = &mut item.post {
            add_headers(operation);
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

/// The noes of all operations: status, name in the document, and words.
const PROBLEMS: [(u16, &str, &str); 12] = [
    (400, "Unreadable", "It cannot be read"),
    (401, "SignIn", "Sign in, or prove once more who you are"),
    (403, "NotForYou", "Not for you, by duty or by policy"),
    (404, "NotFound", "No such thing, or none that you may see"),
    (408, "TooSlow", "The body took too long to come"),
    (409, "NotNow", "Not in a state for this"),
    (412, "Changed", "It changed since you read it"),
    (413, "TooLarge", "The body is too large"),
    (415, "NotJson", "The body is not JSON"),
    (422, "Unfit", "Fields need another look"),
    (429, "TooMany", "Too many calls, or too much of something"),
    (
        503,
        "OutOfReach",
        "A system that this depends on cannot be reached now",
    ),
];

/// What an operation takes decides which noes it can say.
fn add_problems(path: &str, is_get: bool, operation: &mut Operation) {
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
    let (has_body, is_open) = (operation.request_body.is_some(), id == "openapi");
    let changes = !is_get && id != "preview-request";
    for (status, name, _) in PROBLEMS {
        let is_possible = match status {
            400 => by_query || by_header || has_body,
            404 => {
                path.contains('{') || id == "disable-workload" || path.starts_with("/api/v1/log/")
            }
            409 => changes,
            412 => changes && by_header && path.contains('{'),
            408 | 413 | 415 => has_body,
            422 => has_body || (changes && by_header),
            429 => true,
            _ => !is_open,
        };
        if is_possible {
            let response = RefOr::Ref(Ref::from_response_name(name));
            let responses = &mut operation.responses.responses;
            responses.insert(status.to_string(), response);
        }
    }
}

/// The headers of a yes: the version of what has one, the place of what was made.
fn add_headers(operation: &mut Operation) {
    let by_key = operation.parameters.iter().flatten().any(|it| match it {
        RefOr::T(it) => it.name == "Idempotency-Key",
        RefOr::Ref(_) => false,
    });
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else {
            continue;
        };
        let mut add = |name: &str, about: &str| {
            let header = text_header(about);
            response
                .headers
                .insert(name.to_owned(), RefOr::T(header.build()));
        };
        if status == "201" {
            add("Location", "Where it is to be found");
        }
        if by_key {
            add(
                "Idempotency-Replayed",
                "`true`: this is the answer given before",
            );
        }
        let has_version = response.content.values().any(|it| match it {
            RefOr::T(content) => content.schema.as_ref().is_some_and(has_version),
            RefOr::Ref(_) => false,
        });
        if has_version {
            let header = text_header("Its version, for `If-Match`");
            response
                .headers
                .insert("ETag".to_owned(), RefOr::T(header.build()));
        }
    }
}

/// What is shown with an `ETag`.
fn has_version(schema: &RefOr<utoipa::openapi::Schema>) -> bool {
    const SHOWN: [&str; 5] = [
        "AccessRequestWithVotes",
        "Lock",
        "LockSet",
        "Recording",
        "Review",
    ];
    match schema {
        RefOr::Ref(it) => it
            .ref_location
            .rsplit('/')
            .next()
            .is_some_and(|name| SHOWN.contains(&name)),
        RefOr::T(_) => false,
    }
}

fn text_header(about: &str) -> HeaderBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    HeaderBuilder::new()
        .schema(Some(text))
        .description(Some(about))
}

fn problem(status: u16, about: &str) -> RefOr<utoipa::openapi::Response> {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(ProblemView::name())))
        .build();
    let response = ResponseBuilder::new()
        .description(about)
        .content("application/problem+json", content);
    RefOr::T(match status {
        401 => {
            let header = text_header("RFC 6750 §3, RFC 9470 §3");
            response.header("WWW-Authenticate", header.build()).build()
        }
        429 => {
            let number = ObjectBuilder::new().schema_type(Type::Integer);
            let header = HeaderBuilder::new()
                .schema(Some(number))
                .description(Some("Seconds, where waiting helps"));
            response.header("Retry-After", header.build()).build()
        }
        _ => response.build(),
    })
}
