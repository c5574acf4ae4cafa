//! Reading: each list and each thing only as far as the caller's seats reach.

use super::vote::visible;
use crate::control::desk::Control;
use crate::control::duties;
use crate::control::refusal::Refusal;
use crate::model::{
    AccessRequest, Caller, Lock, LockKey, Reach, RequestId, Review, ReviewId, Role, SessionId, Vote,
};
use crate::store::Stored;
use crate::store::control::{Noted, Page, Query};

/// A request with the votes on it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub request: AccessRequest,
    pub votes: Vec<Vote>,
}

/// Which of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The caller's own.
    Own,
    /// What the caller's seats reach.
    Reached,
}

/// Seats that let their holder look beyond their own things.
const LOOKS: [Role; 5] = [
    Role::Approver,
    Role::Security,
    Role::Auditor,
    Role::Admin,
    Role::TenantAuditor,
];

/// Seats that let their holder watch what happens.
const WATCHES: [Role; 4] = [
    Role::Security,
    Role::Auditor,
    Role::Admin,
    Role::TenantAuditor,
];

/// The tenants that any of these roles of the caller reach, and whether that is all of them.
pub(in crate::control) fn reach(caller: &Caller, roles: &[Role]) -> Reach {
    let mut names: Vec<String> = Vec::new();
    for seat in caller
        .seats
        .iter()
        .filter(|seat| roles.contains(&seat.role))
    {
        match &seat.tenants {
            Reach::All => return Reach::All,
            Reach::Only(some) => names.extend(some.iter().cloned()),
        }
    }
    names.sort();
    names.dedup();
    Reach::Only(names)
}

impl Control {
    /// Requests, newest first.
    pub async fn requests(
        &self,
        caller: &Caller,
        which: Which,
        mut query: Query,
    ) -> Result<Page<AccessRequest>, Refusal> {
        let who = caller.clone();
        match which {
            Which::Own => query.person = Some(who.person.clone()),
            Which::Reached => query.tenants = reach(&who, &LOOKS),
        }
        self.run("listing requests", move |tx| {
            let mut page = tx.list::<AccessRequest>(&query)?;
            // The columns know tenants; a seat may reach only some apps of one.
            page.items.retain(|it| {
                duties::same(&it.operator.id, &who.person) || who.sees(&it.tenant.id, &it.app)
            });
            Ok(page)
        })
        .await
    }

    /// One request with its votes.
    pub async fn request(&self, caller: &Caller, id: RequestId) -> Result<Seen, Refusal> {
        let who = caller.clone();
        self.run("reading a request", move |tx| {
            let request = visible(tx, id, &who)?;
            Ok(Seen {
                votes: tx.votes(id)?,
                request,
            })
        })
        .await
    }

    /// Requests that this caller could answer now.
    pub async fn to_answer(&self, caller: &Caller) -> Result<Vec<Seen>, Refusal> {
        let (who, now) = (caller.clone(), self.now());
        self.run("listing requests", move |tx| {
            let query = Query {
                states: vec!["pending"],
                tenants: reach(&who, &[Role::Approver]),
                limit: 200,
                ..Query::default()
            };
            let mut out = Vec::new();
            for request in tx.list::<AccessRequest>(&query)?.items {
                let votes = tx.votes(request.id)?;
                let verdict = crate::model::Verdict::Approve;
                if duties::may_vote(&who, &request, &votes, verdict, None, now).is_ok() {
                    out.push(Seen { request, votes });
                }
            }
            Ok(out)
        })
        .await
    }

    /// Sessions that are not over: the caller's own, or those that their seats reach.
    pub async fn sessions(&self, caller: &Caller, which: Which) -> Result<Vec<Stored>, Refusal> {
        let who = caller.clone();
        self.run("listing sessions", move |tx| {
            let key = match which {
                Which::Own => LockKey::Operator(who.person.clone()),
                Which::Reached => LockKey::All,
            };
            let mut open = tx.open_sessions(&key, 10_000)?;
            if which == Which::Reached {
                open.retain(|it| who.sees(&it.grant.tenant.id, &it.grant.app));
            }
            Ok(open)
        })
        .await
    }

    /// One session, and what happened to it in the control plane.
    pub async fn session(
        &self,
        caller: &Caller,
        id: SessionId,
    ) -> Result<(Stored, Vec<Noted>), Refusal> {
        let who = caller.clone();
        self.run("reading a session", move |tx| {
            let stored = tx.session(id)?.ok_or_else(Refusal::not_found)?;
            let own = duties::same(&stored.grant.operator.id, &who.person);
            if !own && !who.sees(&stored.grant.tenant.id, &stored.grant.app) {
                return Err(Refusal::not_found());
            }
            let mut history = tx.history(&id.to_string())?;
            if let Some(request) = stored.grant.issued_by.strip_prefix("request:") {
                history.extend(tx.history(request)?);
                history.sort_by_key(|noted| noted.sequence);
                history.dedup_by_key(|noted| noted.sequence);
            }
            Ok((stored, history))
        })
        .await
    }

    /// Reviews, newest first: the caller's own and those that their seats reach.
    pub async fn reviews(
        &self,
        caller: &Caller,
        mut query: Query,
    ) -> Result<Page<Review>, Refusal> {
        let who = caller.clone();
        self.run("listing reviews", move |tx| {
            let reached = reach(&who, &LOOKS);
            if reached == Reach::Only(Vec::new()) {
                query.person = Some(who.person.clone());
            } else {
                query.tenants = reached;
            }
            let mut page = tx.list::<Review>(&query)?;
            page.items.retain(|it| {
                duties::same(&it.operator, &who.person) || who.sees(&it.tenant, &it.app)
            });
            Ok(page)
        })
        .await
    }

    /// One review.
    pub async fn one_review(&self, caller: &Caller, id: ReviewId) -> Result<Review, Refusal> {
        let who = caller.clone();
        self.run("reading a review", move |tx| {
            let review: Review = tx.find(&id.to_string())?.ok_or_else(Refusal::not_found)?;
            let own = duties::same(&review.operator, &who.person);
            if own || who.sees(&review.tenant, &review.app) {
                return Ok(review);
            }
            Err(Refusal::not_found())
        })
        .await
    }

    /// Locks, newest first, for those who may set some.
    pub async fn locks(&self, caller: &Caller, query: Query) -> Result<Page<Lock>, Refusal> {
        let who = caller.clone();
        self.run("listing locks", move |tx| {
            let mut page = tx.list::<Lock>(&query)?;
            let auditor = reach(&who, &[Role::Auditor, Role::Admin]) == Reach::All;
            page.items
                .retain(|lock| auditor || duties::may_lock(&who, &lock.key).is_ok());
            Ok(page)
        })
        .await
    }

    /// What happened in the control plane lately, in the tenants and apps that the caller may watch. `before`: for the next page.
    pub async fn happenings(
        &self,
        caller: &Caller,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Noted>, Refusal> {
        let watched: Vec<(Reach, Reach)> = caller
            .seats
            .iter()
            .filter(|seat| WATCHES.contains(&seat.role))
            .map(|seat| (seat.tenants.clone(), seat.apps.clone()))
            .collect();
        self.run("reading what happened", move |tx| {
            Ok(tx.lately(&watched, before, limit)?)
        })
        .await
    }
}
