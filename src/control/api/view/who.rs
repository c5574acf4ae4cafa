//! The caller, and what they may choose from.

use super::word::{Kind, Method, Role, Tier};
use crate::control::api::text::Moment;
use crate::control::desk::ScopeChoice;
use crate::model::{Caller, Reach, Seat};
use serde::Serialize;
use utoipa::ToSchema;

/// Who the caller is, as their proof of identity and the configuration say.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct Whoami {
    /// The same for every account of one human being.
    person: String,
    name: Option<String>,
    kind: Kind,
    seats: Vec<SeatView>,
    proof: ProofView,
}

/// A role, and where it is good.
#[derive(Serialize, ToSchema)]
#[schema(as = Seat)]
struct SeatView {
    role: Role,
    /// `null`: all.
    tenants: Option<Vec<String>>,
    /// `null`: all.
    apps: Option<Vec<String>>,
    /// The group that gave it.
    group: String,
}

/// How they proved who they are.
#[derive(Serialize, ToSchema)]
#[schema(as = Proof)]
struct ProofView {
    method: Method,
    /// When they authenticated.
    at: Moment,
    acr: Option<String>,
    amr: Vec<String>,
}

/// An app, and what can be asked for in it.
#[derive(Serialize, ToSchema)]
#[schema(as = App)]
pub(in crate::control::api) struct AppView {
    pub name: String,
    pub scopes: Vec<ScopeView>,
}

/// A scope as people choose it.
#[derive(Serialize, ToSchema)]
#[schema(as = Scope)]
pub(in crate::control::api) struct ScopeView {
    name: String,
    /// "See orders and invoices".
    sentence: String,
    tier: Tier,
}

/// The apps that the caller's seats reach.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct Apps {
    pub items: Vec<AppView>,
    /// Always `null`: there is one page.
    pub next: Option<String>,
    /// The reason codes that a request may name.
    pub reason_codes: Vec<String>,
}

impl From<&Caller> for Whoami {
    fn from(caller: &Caller) -> Self {
        Self {
            person: caller.person.clone(),
            name: caller.name.clone(),
            kind: Kind::of(caller.kind),
            seats: caller.seats.iter().map(SeatView::from).collect(),
            proof: ProofView {
                method: Method::of(caller.proof.method),
                at: Moment(caller.proof.at),
                acr: caller.proof.acr.clone(),
                amr: caller.proof.amr.clone(),
            },
        }
    }
}

impl From<&Seat> for SeatView {
    fn from(seat: &Seat) -> Self {
        let names = |reach: &Reach| match reach {
            Reach::All => None,
            Reach::Only(names) => Some(names.clone()),
        };
        Self {
            role: Role(seat.role.as_str()),
            tenants: names(&seat.tenants),
            apps: names(&seat.apps),
            group: seat.group.clone(),
        }
    }
}

impl From<&ScopeChoice> for ScopeView {
    fn from(it: &ScopeChoice) -> Self {
        Self {
            name: it.name.to_string(),
            sentence: it.sentence.clone(),
            tier: Tier(it.tier.as_str()),
        }
    }
}
