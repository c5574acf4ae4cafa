//! Finding records of the journal: what was done, by whom, as whom, and why it was let through or refused.

use crate::audit::index::{Order, Query, each_field};
use crate::control::api::input::{Asked, PAGE, PageSize, Signed};
use crate::control::api::problem::Problem;
use crate::control::api::reply::{Outcome, Reply};
use crate::control::api::state::Api;
use crate::control::api::text::{Line, Moment, Sentence, Within};
use crate::control::api::view::record::Records;
use crate::control::evidence::Format;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// The largest number that every JSON reader can hold.
const MOST: u64 = 9_007_199_254_740_991;

/// Which come first.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::control::api) enum First {
    #[default]
    Newest,
    Oldest,
}

/// What an export is written as.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::control::api) enum Written {
    #[default]
    Jsonl,
    Csv,
}

/// What is looked for: all of it must hold. Case does not count.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct Wanted {
    /// Who acted, or whose authority it was.
    operator: Option<Line>,
    /// The customer's user.
    subject: Option<Line>,
    tenant: Option<Line>,
    app: Option<Line>,
    ticket: Option<Line>,
    session: Option<Line>,
    grant: Option<Line>,
    /// A request for access.
    request: Option<Line>,
    exchange: Option<Line>,
    /// `orders.read`, or a kind: `orders`.
    action: Option<Line>,
    /// `order:17`, or a kind: `order`.
    resource: Option<Line>,
    /// `permit` or `deny`.
    decision: Option<Line>,
    /// `done`, `aborted`, `cut`, `refused`, `failed`, `answered`.
    outcome: Option<Line>,
    /// The rule that decided.
    rule: Option<Line>,
    /// `exchange.refused`, or a kind: `exchange`.
    event: Option<Line>,
    method: Option<Line>,
    /// `403`, or a class: `4xx`.
    status: Option<Line>,
    /// Words that all occur: `ord*` is a beginning, `/orders/17` a row of words.
    text: Option<Sentence>,
    /// Not before this moment.
    from: Option<Moment>,
    /// Before this moment.
    to: Option<Moment>,
    /// The newest, unless the oldest are asked for.
    #[serde(default)]
    #[param(inline)]
    order: First,
    /// `next` of the page before.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 9_007_199_254_740_991i64)]
    after: Option<Within<1, MOST>>,
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200)]
    limit: Option<PageSize>,
    /// An export's form.
    #[serde(default)]
    #[param(inline)]
    format: Written,
}

impl Wanted {
    fn query(self) -> Query {
        let given = each_field!(self).into_iter();
        let limit = self.limit.and_then(|it| usize::try_from(it.0).ok());
        Query {
            fields: given
                .filter_map(|(field, value)| Some((field, value?.0)))
                .collect(),
            text: self.text.map(|it| it.0).unwrap_or_default(),
            since: self.from.map(|it| it.0),
            until: self.to.map(|it| it.0),
            order: match self.order {
                First::Newest => Order::Newest,
                First::Oldest => Order::Oldest,
            },
            after: self.after.map(|it| it.0),
            limit: limit.unwrap_or(PAGE),
            reached: None,
        }
    }
}

/// Records of the journal, in the tenants that the caller may watch, each checked against its hash.
#[utoipa::path(
    get,
    path = "/api/v1/records",
    operation_id = "records",
    tag = "records",
    params(Wanted),
    responses((status = 200, description = "What was found", body = Records))
)]
pub(in crate::control::api) async fn list(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Asked(asked): Asked<Wanted>,
) -> Outcome {
    let found = api.evidence.find(&api.control, &who, asked.query()).await?;
    Reply::ok(&Records::from(found))
}

/// All of them as one file: the journal's lines, or a table. The last line says whether it is whole.
#[utoipa::path(
    get,
    path = "/api/v1/records/export",
    operation_id = "export-records",
    tag = "records",
    params(Wanted),
    responses((status = 200, description = "The file", content(
        (String = "application/x-ndjson"), (String = "text/csv"),
    )))
)]
pub(in crate::control::api) async fn export(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Asked(asked): Asked<Wanted>,
) -> Result<Response, Problem> {
    let format = match asked.format {
        Written::Jsonl => Format::Lines,
        Written::Csv => Format::Csv,
    };
    let evidence = Arc::clone(&api.evidence);
    let file = evidence
        .export(&api.control, &who, asked.query(), format)
        .await?;
    let mut response = Body::from_stream(file).into_response();
    let media = HeaderValue::from_static(format.media_type());
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    Ok(response)
}
