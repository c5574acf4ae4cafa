//! The customer's consent: by a link that an approver sends, or by somebody of theirs who is signed in.

use super::at::At;
use super::vote::{about, settle, visible};
use crate::control::desk::Control;
use crate::control::duties;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{AccessRequest, Caller, Happened, RequestState, Secret, Timestamp};
use crate::store::control::Tx;

impl Control {
    /// Makes the signed link by which the customer is asked. Only its hash is kept; whoever gets the text sends it on.
    pub async fn consent_link(
        &self,
        caller: &Caller,
        at: impl Into<At>,
    ) -> Result<String, Refusal> {
        let at = at.into();
        let id = at.id;
        let (who, now, settings) = (caller.clone(), self.now(), self.settings.load_full());
        let secret = Secret::fresh()?;
        let hash = *secret.hash().as_bytes();
        let portal = settings.portal.clone();
        let done = self
            .run("making a consent link", move |tx| {
                let request = visible(tx, id, &who)?;
                at.holds(&request)?;
                if !request.needs.consent || request.state != RequestState::Pending {
                    return Err(Refusal::conflict(
                        "consent.not-needed",
                        "This request waits for no consent.",
                    ));
                }
                duties::may_ask_the_customer(&who, &request)?;
                tx.put_consent(&hash, id, &request.digest(), request.expires_at)?;
                tx.note(Happened::by("consent.asked", &who).about(&request), now)?;
                Ok(())
            })
            .await;
        if let Err(refusal) = done {
            self.refused(caller, "consent-link", about(id), &refusal)
                .await;
            return Err(refusal);
        }
        Ok(format!("{portal}/consent#{}", secret.reveal()))
    }

    /// What a consent link is for, as the customer sees it.
    pub async fn consent_seen(&self, secret: &Secret) -> Result<AccessRequest, Refusal> {
        let (hash, now) = (*secret.hash().as_bytes(), self.now());
        self.run("reading a consent link", move |tx| {
            consented_request(tx, &hash, now)
        })
        .await
    }

    /// The customer's answer by the link: yes, no, or (later) end it. `visitor`: who is signed in at the portal in the same
    /// browser, if somebody is; whoever has a part in the request does not answer it for the customer.
    pub async fn consent(
        &self,
        secret: &Secret,
        agrees: bool,
        visitor: Option<&Caller>,
    ) -> Result<AccessRequest, Refusal> {
        let (hash, now) = (*secret.hash().as_bytes(), self.now());
        let who = visitor.cloned();
        let done = self
            .run("storing a consent", move |tx| {
                let request = consented_request(tx, &hash, now)?;
                if let Some(who) = who.as_ref().filter(|_| agrees) {
                    duties::has_no_part(who, &request, &tx.votes(request.id)?)?;
                }
                let actor = format!("customer:{}", request.tenant.id);
                let by = who.map(|it| it.person);
                answer(tx, request, &actor, by, agrees, now)
            })
            .await;
        if let (Err(refusal), Some(who)) = (&done, visitor) {
            self.refused(who, "consent", Happened::default(), refusal)
                .await;
        }
        done
    }

    /// The customer's answer by somebody of theirs who is signed in.
    pub async fn consent_as(
        &self,
        caller: &Caller,
        at: impl Into<At>,
        agrees: bool,
    ) -> Result<AccessRequest, Refusal> {
        let at = at.into();
        let id = at.id;
        let (who, now) = (caller.clone(), self.now());
        let done = self
            .run("storing a consent", move |tx| {
                let request = visible(tx, id, &who)?;
                duties::may_consent(&who, &request, &tx.votes(id)?)?;
                at.holds(&request)?;
                let by = Some(who.person.clone());
                answer(tx, request, &who.person, by, agrees, now)
            })
            .await;
        if let Err(refusal) = &done {
            self.refused(caller, "consent", about(id), refusal).await;
        }
        done
    }
}

/// Yes, no, or (later) the end of what was agreed to.
fn answer(
    tx: &Tx<'_>,
    mut request: AccessRequest,
    actor: &str,
    by: Option<String>,
    agrees: bool,
    now: Timestamp,
) -> Result<AccessRequest, Refusal> {
    match (request.state, agrees) {
        (RequestState::Pending, true) if request.needs.consent => {
            request.consented = Some(now);
            request.consented_by = by;
            let happened = Happened::new("consent.given", actor).about(&request);
            tx.note(happened.with("digest", request.digest()), now)?;
            settle(tx, &mut request, now)?;
        }
        (RequestState::Pending | RequestState::Approved | RequestState::Queued, false) => {
            request.state = RequestState::Denied;
            request.closed_by = Some(actor.to_owned());
            request.closed_why = Some("The customer did not consent.".to_owned());
            tx.note(Happened::new("consent.refused", actor).about(&request), now)?;
        }
        (RequestState::Activated, false) => {
            super::end::by_customer(tx, &request, actor, now)?;
            return Ok(request);
        }
        _ => {
            let detail = "This request waits for no answer.";
            return Err(Refusal::conflict("request.closed", detail));
        }
    }
    tx.update(&mut request)?;
    Ok(request)
}

/// The request of a consent link, if it is still the one that the customer was asked about.
fn consented_request(
    tx: &Tx<'_>,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<AccessRequest, Refusal> {
    let (id, digest) = tx.consent(hash, now)?.ok_or_else(Refusal::not_found)?;
    let request: AccessRequest = tx.find(&id.to_string())?.ok_or_else(Refusal::not_found)?;
    if request.digest() != digest {
        return Err(Refusal::new(
            Kind::Stale,
            "vote.changed",
            "The request has changed since you were asked.",
        ));
    }
    Ok(request)
}
