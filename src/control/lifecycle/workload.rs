//! Workloads: registered with an owner and an end, held to exact scopes, watched for shared use.

use super::ask::{Ask, words};
use super::look::reach;
use crate::control::desk::Control;
use crate::control::duties;
use crate::control::refusal::{Problem, Refusal};
use crate::model::workload::Place;
use crate::model::{
    Alert, AlertId, AlertState, Caller, Happened, OperatorKind, Reach, Role, Scope, Timestamp,
    Workload,
};
use crate::store::control::{Page, Query, Tx};
use crate::store::text;
use std::time::Duration;

/// What an admin registers.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Registration {
    pub id: String,
    pub owner: String,
    pub system: String,
    pub purpose: String,
    pub scopes: Vec<Scope>,
    pub apps: Vec<String>,
    pub tenants: Vec<String>,
    pub budget: u64,
    pub renew_by: Timestamp,
}

impl Control {
    /// Registers a workload, or renews what is registered.
    pub async fn register(&self, caller: &Caller, it: Registration) -> Result<Workload, Refusal> {
        let (who, now, settings) = (caller.clone(), self.now(), self.settings.load_full());
        let about = Happened::default().with("workload", &it.id);
        let done = self
            .run("registering a workload", move |tx| {
                duties::may_register(&who, &it.tenants, &it.apps)?;
                checked(&it, settings.max_text, now)?;
                let before: Option<Workload> = tx.find(&it.id)?;
                if let Some(before) = &before {
                    duties::may_register(&who, &before.tenants, &before.apps)?;
                }
                let mut workload = Workload {
                    id: it.id,
                    owner: it.owner,
                    system: it.system,
                    purpose: it.purpose,
                    scopes: it.scopes,
                    apps: it.apps,
                    tenants: it.tenants,
                    budget: it.budget,
                    renew_by: it.renew_by,
                    registered_at: before.as_ref().map_or(now, |it| it.registered_at),
                    registered_by: who.person.clone(),
                    last_used: before.as_ref().and_then(|it| it.last_used),
                    places: before
                        .as_ref()
                        .map(|it| it.places.clone())
                        .unwrap_or_default(),
                    disabled: false,
                    version: before.as_ref().map_or(0, |it| it.version),
                };
                let code = if before.is_some() {
                    tx.update(&mut workload)?;
                    "workload.renewed"
                } else {
                    tx.insert(&mut workload)?;
                    "workload.registered"
                };
                let happened = Happened::by(code, &who)
                    .severe(2)
                    .with("workload", &workload.id)
                    .with("owner", &workload.owner)
                    .with("scopes", words(&workload.scopes))
                    .with("renew_by", workload.renew_by);
                tx.note(happened, now)?;
                Ok(workload)
            })
            .await;
        if let Err(refusal) = &done {
            self.refused(caller, "workload", about, refusal).await;
        }
        done
    }

    /// Switches a workload off: what it has open ends.
    pub async fn disable(&self, caller: &Caller, id: &str) -> Result<Workload, Refusal> {
        let (who, now, id) = (caller.clone(), self.now(), id.to_owned());
        let about = Happened::default().with("workload", &id);
        let done = self
            .run("disabling a workload", move |tx| {
                duties::may_register(&who, &[], &[])?;
                let mut workload: Workload = tx.find(&id)?.ok_or_else(Refusal::not_found)?;
                duties::may_register(&who, &workload.tenants, &workload.apps)
                    .map_err(|_| Refusal::not_found())?;
                workload.disabled = true;
                tx.update(&mut workload)?;
                let ended = crate::model::Ended {
                    cause: crate::model::EndCause::Revoked,
                    at: now,
                    by: who.person.clone(),
                };
                let over = tx
                    .end_all(&crate::model::LockKey::Operator(id.clone()), &ended)?
                    .len();
                let happened = Happened::by("workload.disabled", &who).severe(3);
                tx.note(happened.with("workload", &id).with("sessions", over), now)?;
                Ok(workload)
            })
            .await;
        if let Err(refusal) = &done {
            self.refused(caller, "workload", about, refusal).await;
        }
        done
    }

    /// The inventory: admins, security and auditors read it.
    pub async fn workloads(
        &self,
        caller: &Caller,
        query: Query,
    ) -> Result<Page<Workload>, Refusal> {
        let reads = [Role::Admin, Role::Security, Role::Auditor];
        if !reads.iter().any(|role| caller.is(*role)) {
            return Err(Refusal::forbidden(
                "duty.not-admin",
                "The inventory is for admins, security and auditors.",
            ));
        }
        let reached = reach(caller, &reads);
        self.run("listing workloads", move |tx| {
            let mut page = tx.list::<Workload>(&query)?;
            if reached == Reach::All {
                return Ok(page);
            }
            // Whoever watches some customers sees what may act there, and no other customer's name.
            for workload in &mut page.items {
                workload
                    .tenants
                    .retain(|it| it == "*" || reached.covers(it));
            }
            page.items.retain(|it| !it.tenants.is_empty());
            Ok(page)
        })
        .await
    }

    /// Whether a workload may ask for these scopes here. People are not held to this.
    pub(super) async fn may_use_scopes(
        &self,
        caller: &Caller,
        ask: &Ask,
        scopes: &[Scope],
    ) -> Result<(), Refusal> {
        let (who, now, scopes) = (caller.clone(), self.now(), scopes.to_vec());
        let (tenant, app) = (ask.tenant.trim().to_owned(), ask.app.trim().to_owned());
        self.run("reading a workload", move |tx| {
            registered(tx, &who, &tenant, &app, &scopes, now)
        })
        .await
    }

    /// Notes where a workload called from. Two networks at once raise an alert: a shared identity.
    pub async fn workload_used(&self, id: &str, network: &str) -> Result<(), Refusal> {
        let (id, network, now) = (id.to_owned(), network.to_owned(), self.now());
        let bounds = self.settings.load().bounds;
        self.run("noting a workload's use", move |tx| {
            let Some(mut workload) = tx.find::<Workload>(&id)? else {
                return Ok(());
            };
            let known = workload.places.iter().any(|place| {
                place.network == network && now < place.at.plus(Duration::from_secs(60))
            });
            if known {
                return Ok(());
            }
            let shared = workload
                .places
                .iter()
                .any(|place| place.network != network && now < place.at.plus(bounds.at_once));
            workload.last_used = Some(now);
            workload.places.retain(|place| place.network != network);
            workload.places.insert(
                0,
                Place {
                    network: network.clone(),
                    at: now,
                },
            );
            workload.places.truncate(bounds.places);
            tx.update(&mut workload)?;
            if shared {
                let mut alert = shared_use(&workload, now);
                tx.insert(&mut alert)?;
                let happened = Happened::new("workload.shared", "locum").severe(4);
                tx.note(
                    happened.with("workload", &id).with("network", &network),
                    now,
                )?;
            }
            Ok(())
        })
        .await
    }
}

/// Whether a workload is registered for these scopes here, now. People are not held to this.
pub(super) fn registered(
    tx: &Tx<'_>,
    caller: &Caller,
    tenant: &str,
    app: &str,
    scopes: &[Scope],
    now: Timestamp,
) -> Result<(), Refusal> {
    if caller.kind != OperatorKind::Workload {
        return Ok(());
    }
    let Some(workload) = tx.find::<Workload>(&caller.person)? else {
        return Err(Refusal::forbidden(
            "workload.unregistered",
            "This workload is not registered.",
        ));
    };
    if let Some(reason) = workload.lapsed(now) {
        return Err(Refusal::forbidden(
            reason,
            "This workload's registration has ended: its owner must renew it.",
        ));
    }
    let within = workload.apps.iter().any(|it| it == app)
        && workload.tenants.iter().any(|it| it == tenant || it == "*");
    if !within {
        return Err(Refusal::forbidden(
            "workload.elsewhere",
            "This workload is not registered for this app and customer.",
        ));
    }
    match scopes.iter().find(|scope| !workload.scopes.contains(scope)) {
        Some(scope) => Err(Refusal::forbidden(
            "workload.scope",
            format!("This workload may not ask for {scope}."),
        )),
        None => Ok(()),
    }
}

fn checked(it: &Registration, max: usize, now: Timestamp) -> Result<(), Refusal> {
    let mut problems = Vec::new();
    for (field, value) in [
        ("id", &it.id),
        ("owner", &it.owner),
        ("system", &it.system),
        ("purpose", &it.purpose),
    ] {
        if let Err(problem) = text::check(value, max) {
            problems.push(Problem {
                field: field.to_owned(),
                message: problem.to_string(),
            });
        }
    }
    for (field, is_empty) in [
        ("scopes", it.scopes.is_empty()),
        ("apps", it.apps.is_empty()),
        ("tenants", it.tenants.is_empty()),
        ("budget", it.budget == 0),
    ] {
        if is_empty {
            problems.push(Problem {
                field: field.to_owned(),
                message: "is missing: workloads get exact authority".to_owned(),
            });
        }
    }
    if it.renew_by <= now {
        problems.push(Problem {
            field: "renew_by".to_owned(),
            message: "must be in the future".to_owned(),
        });
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid(problems))
    }
}

fn shared_use(workload: &Workload, now: Timestamp) -> Alert {
    let places: Vec<&str> = workload
        .places
        .iter()
        .take(4)
        .map(|it| it.network.as_str())
        .collect();
    Alert {
        id: AlertId::fresh(),
        kind: "workload.shared".to_owned(),
        severity: "error".to_owned(),
        summary: format!(
            "{} is used from several places at once: {}",
            workload.id,
            places.join(", ")
        ),
        app: String::new(),
        tenant: String::new(),
        operator: workload.id.clone(),
        details: vec![("owner".to_owned(), workload.owner.clone())],
        at: now,
        state: AlertState::Waiting,
        taken_by: Vec::new(),
        attempts: 0,
        next_at: now,
        version: 0,
    }
}
