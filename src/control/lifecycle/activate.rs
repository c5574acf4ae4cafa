//! Activating: what was agreed becomes a grant, its session and a one-time link, in one transaction.

use super::ask::{keys, locked, words};
use super::at::At;
use super::vote::{about, visible};
use super::workload::registered;
use crate::control::desk::{Control, Settings, TicketRefused};
use crate::control::duties;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{
    AccessRequest, Binding, Caller, Grant, GrantId, Happened, LockKey, OperatorKind, RequestState,
    Secret, SessionId, Timestamp, Workload,
};
use crate::store::Issue;
use crate::store::control::Tx;

/// A session that waits for its operator's browser.
#[derive(Debug)]
pub struct Activated {
    pub request: AccessRequest,
    pub grant: Grant,
    pub session: SessionId,
    /// Good once, and briefly: `https://<session>.<app>.<suffix>/.locum/start?code=…`.
    pub start_url: String,
    pub code_expires: Timestamp,
}

/// The secret parts of an activation, made before the transaction.
struct Fresh {
    code: Secret,
    grant: GrantId,
    session: SessionId,
}

impl Control {
    /// Turns an approved request into a session. `binding` ties it to the client where the caller knows one.
    pub async fn activate(
        &self,
        caller: &Caller,
        at: impl Into<At>,
        binding: Binding,
    ) -> Result<Activated, Refusal> {
        let at = at.into();
        let done = self.try_activate(caller, at, binding).await;
        if let Err(refusal) = &done {
            self.refused(caller, "activate", about(at.id), refusal)
                .await;
        }
        done
    }

    async fn try_activate(
        &self,
        caller: &Caller,
        at: At,
        binding: Binding,
    ) -> Result<Activated, Refusal> {
        let request = self.check_activation(caller, at).await?;
        if request.emergency.is_some() {
            return self.break_the_glass(caller, at, request, binding).await;
        }
        self.ticket_still_open(&request).await?;
        self.open(caller, at, binding, |_, _, _| Ok(())).await
    }

    /// The cheap checks, before anybody outside is asked. All are made again where the grant is.
    async fn check_activation(&self, caller: &Caller, at: At) -> Result<AccessRequest, Refusal> {
        let (who, now, settings) = (caller.clone(), self.now(), self.settings.load_full());
        self.run("reading a request", move |tx| {
            let request = visible(tx, at.id, &who)?;
            duties::may_activate(&who, &request, &tx.votes(at.id)?, &settings.step_up, now)?;
            at.holds(&request)?;
            Ok(request)
        })
        .await
    }

    /// A ticket that was closed while people voted gives nothing.
    async fn ticket_still_open(&self, request: &AccessRequest) -> Result<(), Refusal> {
        if request.ticket.is_empty() {
            return Ok(());
        }
        let refused = |reason, detail: &str| Err(Refusal::conflict(reason, detail));
        match self
            .tickets
            .check(&request.ticket, &request.tenant.id)
            .await
        {
            Ok(_) => Ok(()),
            Err(TicketRefused::Unknown) => refused("ticket.unknown", "The ticket is gone."),
            Err(TicketRefused::Closed) => refused("ticket.closed", "The ticket has been closed."),
            Err(TicketRefused::Foreign) => {
                refused("ticket.foreign", "The ticket is another customer's now.")
            }
            Err(TicketRefused::Unavailable(why)) => {
                tracing::warn!(%why, "the ticket system could not be asked");
                Err(Refusal::new(
                    Kind::Unavailable,
                    "ticket.unavailable",
                    "The ticket system cannot be asked now. Try again in a moment.",
                ))
            }
        }
    }

    /// The transaction that makes authority: every check once more, on what is stored, then the grant.
    pub(super) async fn open(
        &self,
        caller: &Caller,
        at: At,
        binding: Binding,
        also: impl FnOnce(&Tx<'_>, &Grant, SessionId) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<Activated, Refusal> {
        let (who, now, settings) = (caller.clone(), self.now(), self.settings.load_full());
        let fresh = Fresh {
            code: Secret::fresh()?,
            grant: GrantId::fresh(),
            session: SessionId::fresh(),
        };
        let code = fresh.code.clone();
        let code_expires = now.plus(settings.code_ttl);
        let (request, grant) = self
            .run("activating a grant", move |tx| {
                let mut request = visible(tx, at.id, &who)?;
                let votes = tx.votes(at.id)?;
                duties::may_activate(&who, &request, &votes, &settings.step_up, now)?;
                at.holds(&request)?;
                usable(tx, &who, &request, now)?;
                ceiling(tx, &who, &settings)?;
                let agreed = duties::agreed(&request, &votes, now);
                let approvals = agreed.iter().map(|vote| vote.person.clone()).collect();
                let budget = budget(tx, &request, now)?;
                let grant = Grant {
                    budget,
                    ..grant_of(&request, &fresh, approvals, now)
                };
                let session = fresh.session;
                let code = fresh.code.hash();
                tx.issue(&Issue {
                    grant: grant.clone(),
                    session,
                    binding,
                    code,
                    code_expires,
                })?;
                request.state = RequestState::Activated;
                request.grant = Some(grant.id);
                request.session = Some(session);
                tx.update(&mut request)?;
                let happened = Happened::by("session.activated", &who)
                    .about(&request)
                    .with("approved_by", grant.approvals.join(" "))
                    .with("scopes", words(&grant.scopes))
                    .with("expires_at", grant.expires_at)
                    .with("break_glass", grant.break_glass)
                    .with("proof_at", who.proof.at)
                    .with("acr", who.proof.acr.as_deref().unwrap_or(""));
                tx.note(happened, now)?;
                also(tx, &grant, session)?;
                Ok((request, grant))
            })
            .await?;
        let session = request.session.ok_or_else(Refusal::not_found)?;
        let origin = self.routes.origin(&session.to_string(), &grant.app);
        let start_url = format!("{origin}/.locum/start?code={}", code.reveal());
        Ok(Activated {
            request,
            grant,
            session,
            start_url,
            code_expires,
        })
    }

    /// A fresh link for a session that nobody has started yet: the last one is void.
    pub async fn start_again(
        &self,
        caller: &Caller,
        at: impl Into<At>,
    ) -> Result<Activated, Refusal> {
        let at = at.into();
        let id = at.id;
        let (who, now, settings) = (caller.clone(), self.now(), self.settings.load_full());
        let code = Secret::fresh()?;
        let (hash, code_expires) = (code.hash(), now.plus(settings.code_ttl));
        let done = self
            .run("making a start link", move |tx| {
                let request = visible(tx, id, &who)?;
                if !duties::same(&who.person, &request.operator.id)
                    || who.account != request.account
                {
                    return Err(Refusal::forbidden(
                        "duty.not-requester",
                        "Only the person who asked may use what was granted.",
                    ));
                }
                at.holds(&request)?;
                duties::is_fresh(&who, &settings.step_up, now)?;
                let id = request.grant.ok_or_else(|| {
                    Refusal::conflict("request.not-activated", "This request was not activated.")
                })?;
                usable(tx, &who, &request, now)?;
                let stored = tx.grant(id)?.ok_or_else(Refusal::not_found)?;
                let session = tx.reissue(id, hash, code_expires)?.map_err(|why| {
                    Refusal::conflict("session.started", format!("No new link: {why}."))
                })?;
                tx.note(
                    Happened::by("session.link-renewed", &who).about(&request),
                    now,
                )?;
                Ok((request, (*stored.grant).clone(), session))
            })
            .await;
        match done {
            Ok((request, grant, session)) => {
                let origin = self.routes.origin(&session.to_string(), &grant.app);
                let start_url = format!("{origin}/.locum/start?code={}", code.reveal());
                Ok(Activated {
                    request,
                    grant,
                    session,
                    start_url,
                    code_expires,
                })
            }
            Err(refusal) => {
                self.refused(caller, "start-again", about(id), &refusal)
                    .await;
                Err(refusal)
            }
        }
    }
}

/// Whether what was agreed to may still be used: by this caller's seats or registration as they are now, and unlocked.
fn usable(
    tx: &Tx<'_>,
    who: &Caller,
    request: &AccessRequest,
    now: Timestamp,
) -> Result<(), Refusal> {
    duties::may_use(who, request)?;
    let (tenant, app) = (&request.tenant.id, &request.app);
    registered(tx, who, tenant, app, &request.scopes, now)?;
    match tx.locked(&keys(request), now)? {
        Some(lock) => Err(locked(&lock.key)),
        None => Ok(()),
    }
}

/// Nobody has more sessions open than allowed.
fn ceiling(tx: &Tx<'_>, who: &Caller, settings: &Settings) -> Result<(), Refusal> {
    let key = LockKey::Operator(who.person.clone());
    let open = tx.open_sessions(&key, settings.max_sessions.saturating_add(1))?;
    if open.len() < settings.max_sessions {
        return Ok(());
    }
    Err(Refusal::new(
        Kind::TooMany,
        "sessions.ceiling",
        format!(
            "You have {} sessions open, the most that one person may: end one.",
            open.len()
        ),
    ))
}

/// What a workload's registration lets one session send. Without one in force there is no session either.
fn budget(tx: &Tx<'_>, request: &AccessRequest, now: Timestamp) -> Result<Option<u64>, Refusal> {
    if request.operator.kind != OperatorKind::Workload {
        return Ok(None);
    }
    let found: Option<Workload> = tx.find(&request.operator.id)?;
    let refused = found
        .as_ref()
        .map_or(Some("workload.unregistered"), |it| it.lapsed(now));
    match (refused, found) {
        (None, Some(workload)) => Ok(Some(workload.budget)),
        (reason, _) => Err(Refusal::forbidden(
            reason.unwrap_or("workload.unregistered"),
            "This workload's registration is not in force: its owner must renew it.",
        )),
    }
}

fn grant_of(
    request: &AccessRequest,
    fresh: &Fresh,
    approvals: Vec<String>,
    now: Timestamp,
) -> Grant {
    Grant {
        id: fresh.grant,
        app: request.app.clone(),
        operator: request.operator.clone(),
        subject: request.subject.clone(),
        tenant: request.tenant.clone(),
        scopes: request.scopes.clone(),
        ticket: match (&request.emergency, request.ticket.is_empty()) {
            (Some(emergency), true) => emergency.incident.clone(),
            _ => request.ticket.clone(),
        },
        reason: format!("{}: {}", request.reason_code, request.reason),
        approvals,
        break_glass: request.emergency.is_some(),
        not_before: now,
        expires_at: now.plus(request.duration),
        issued_at: now,
        issued_by: format!("request:{}", request.id),
        external_id: None,
        budget: None,
    }
}
