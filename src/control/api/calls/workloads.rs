//! The inventory of workloads: reading, registering, switching off.

use super::asking::page;
use crate::control::api::input::{Asked, Key, PageSize, Said, Signed};
use crate::control::api::once::{Answers, Doing, once};
use crate::control::api::reply::{Outcome, Reply};
use crate::control::api::state::Api;
use crate::control::api::text::{Few, Line, Moment, ScopeName, Sentence, Within};
use crate::control::api::view::workload::{WorkloadView, Workloads};
use crate::control::lifecycle::Registration;
use crate::store::control::Query;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which workloads.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct Listing {
    /// `next` of the page before.
    #[param(inline)]
    after: Option<Line>,
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200)]
    limit: Option<PageSize>,
}

/// Workloads by id, backwards.
#[utoipa::path(
    get,
    path = "/api/v1/workloads",
    operation_id = "workloads",
    tag = "workloads",
    params(Listing),
    responses((status = 200, description = "Some workloads", body = Workloads))
)]
pub(in crate::control::api) async fn list(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Asked(asked): Asked<Listing>,
) -> Outcome {
    let query = Query {
        after: asked.after.map(|it| it.0),
        limit: page(asked.limit),
        ..Query::default()
    };
    let (page, now) = (api.control.workloads(&who, query).await?, api.control.now());
    Reply::ok(&Workloads {
        items: page
            .items
            .iter()
            .map(|it| WorkloadView::of(it, now))
            .collect(),
        next: page.next,
    })
}

/// What an admin registers.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct RegistrationBody {
    /// Its SPIFFE id, or `<issuer>|<sub>` of its JWT.
    id: Line,
    /// The person who answers for it.
    owner: Line,
    system: Line,
    purpose: Sentence,
    #[schema(value_type = Vec<ScopeName>, min_items = 1, max_items = 64)]
    scopes: Few<ScopeName, 1, 64>,
    #[schema(value_type = Vec<Line>, min_items = 1, max_items = 64)]
    apps: Few<Line, 1, 64>,
    /// `*`: every customer.
    #[schema(value_type = Vec<Line>, min_items = 1, max_items = 256)]
    tenants: Few<Line, 1, 256>,
    /// Requests that it may send in one session.
    #[schema(value_type = u64, minimum = 1, maximum = 1_000_000_000)]
    budget: Within<1, 1_000_000_000>,
    /// Lapsed after this.
    renew_by: Moment,
}

impl From<RegistrationBody> for Registration {
    fn from(it: RegistrationBody) -> Self {
        let lines = |list: Few<Line, 1, 64>| list.0.into_iter().map(|it| it.0).collect();
        Self {
            id: it.id.0,
            owner: it.owner.0,
            system: it.system.0,
            purpose: it.purpose.0,
            scopes: it.scopes.0.into_iter().map(|it| it.0).collect(),
            apps: lines(it.apps),
            tenants: it.tenants.0.into_iter().map(|it| it.0).collect(),
            budget: it.budget.0,
            renew_by: it.renew_by.0,
        }
    }
}

/// Registers a workload, or renews one.
#[utoipa::path(
    post,
    path = "/api/v1/workloads",
    operation_id = "register-workload",
    tag = "workloads",
    params(Key),
    request_body = RegistrationBody,
    responses(
        (status = 200, description = "The workload, renewed", body = WorkloadView),
        (status = 201, description = "The workload, registered", body = WorkloadView),
    )
)]
pub(in crate::control::api) async fn register(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    key: Key,
    said: Said<RegistrationBody>,
) -> Outcome {
    let doing = Doing {
        key,
        what: "register-workload".to_owned(),
        digest: said.digest,
        answers: Answers::Kept,
    };
    let registration = said.value.into();
    once(&api, &who, doing, async {
        let workload = api.control.register(&who, registration).await?;
        let view = WorkloadView::of(&workload, api.control.now());
        match workload.version {
            1 => Reply::created(&view, "/api/v1/workloads".to_owned()),
            _ => Reply::ok(&view),
        }
    })
    .await
}

/// Which workload.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct DisableBody {
    id: Line,
}

/// Switches a workload off: what it has open ends.
#[utoipa::path(
    post,
    path = "/api/v1/workloads/disable",
    operation_id = "disable-workload",
    tag = "workloads",
    request_body = DisableBody,
    responses((status = 200, description = "The workload, off", body = WorkloadView))
)]
pub(in crate::control::api) async fn disable(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    said: Said<DisableBody>,
) -> Outcome {
    let workload = api.control.disable(&who, &said.value.id.0).await?;
    Reply::ok(&WorkloadView::of(&workload, api.control.now()))
}
