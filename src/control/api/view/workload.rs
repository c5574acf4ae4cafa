//! The inventory of workloads.

use super::word::WorkloadState;
use crate::control::api::text::Moment;
use crate::model::workload::Place;
use crate::model::{Timestamp, Workload};
use serde::Serialize;
use utoipa::ToSchema;

/// A registered workload.
#[derive(Serialize, ToSchema)]
#[schema(as = Workload)]
pub(in crate::control::api) struct WorkloadView {
    id: String,
    /// Who answers for it.
    owner: String,
    system: String,
    purpose: String,
    scopes: Vec<String>,
    apps: Vec<String>,
    tenants: Vec<String>,
    /// Requests that it may send in one session.
    budget: u64,
    renew_by: Moment,
    state: WorkloadState,
    registered_at: Moment,
    registered_by: String,
    last_used_at: Option<Moment>,
    /// Networks that it was lately used from: several at once is shared use.
    places: Vec<PlaceView>,
    version: i64,
}

/// Where it was used from.
#[derive(Serialize, ToSchema)]
#[schema(as = Place)]
struct PlaceView {
    network: String,
    at: Moment,
}

/// Some workloads.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct Workloads {
    pub items: Vec<WorkloadView>,
    /// Give it as `after` for the next page; `null`: that was all.
    pub next: Option<String>,
}

impl WorkloadView {
    pub(in crate::control::api) fn of(it: &Workload, now: Timestamp) -> Self {
        Self {
            id: it.id.clone(),
            owner: it.owner.clone(),
            system: it.system.clone(),
            purpose: it.purpose.clone(),
            scopes: it.scopes.iter().map(ToString::to_string).collect(),
            apps: it.apps.clone(),
            tenants: it.tenants.clone(),
            budget: it.budget,
            renew_by: Moment(it.renew_by),
            state: WorkloadState(match it.lapsed(now) {
                None => "registered",
                Some("workload.disabled") => "disabled",
                Some("workload.ownerless") => "ownerless",
                Some(_) => "lapsed",
            }),
            registered_at: Moment(it.registered_at),
            registered_by: it.registered_by.clone(),
            last_used_at: it.last_used.map(Moment),
            places: it.places.iter().map(PlaceView::from).collect(),
            version: it.version,
        }
    }
}

impl From<&Place> for PlaceView {
    fn from(it: &Place) -> Self {
        Self {
            network: it.network.clone(),
            at: Moment(it.at),
        }
    }
}
