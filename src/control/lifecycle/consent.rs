//! The customer's consent: by a link that their contact is mailed, or an approver sends on; or by somebody of theirs who is
//! signed in.

use super::at::At;
use super::vote::{about, settle, visible};
use crate::control::courier::Unsent;
use crate::control::desk::{Control, Settings};
use crate::control::duties;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{AccessRequest, Caller, Happened, RequestId, RequestState, Secret, Timestamp};
use crate::store::control::Tx;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Limit;
use std::fmt;
use std::sync::Arc;

/// What became of the link that the customer answers by.
#[derive(Clone, PartialEq, Eq)]
pub enum ConsentLink {
    /// It was mailed to the customer's contact; nobody here sees it.
    Mailed(String),
    /// The customer has no contact here: whoever made it sends it on.
    Shown(String),
}

/// Shows no secret.
impl fmt::Debug for ConsentLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailed(to) => write!(f, "Mailed({to})"),
            Self::Shown(_) => f.write_str("Shown"),
        }
    }
}

impl Control {
    /// Makes the signed link by which the customer is asked, and mails it to their contact; where they have none, whoever
    /// makes it gets the text and sends it on, and the record says so. Only its hash is kept.
    pub async fn consent_link(
        &self,
        caller: &Caller,
        at: impl Into<At>,
    ) -> Result<ConsentLink, Refusal> {
        let at = at.into();
        let made = self.make_consent_link(caller, at).await;
        if let Err(refusal) = &made {
            self.refused(caller, "consent-link", about(at.id), refusal)
                .await;
        }
        made
    }

    async fn make_consent_link(&self, caller: &Caller, at: At) -> Result<ConsentLink, Refusal> {
        let (who, now, settings) = (caller.clone(), self.now(), self.settings.load_full());
        let secret = Secret::fresh()?;
        let hash = *secret.hash().as_bytes();
        let (rules, metrics) = (Arc::clone(&settings), Arc::clone(&self.metrics));
        let request = self
            .run("making a consent link", move |tx| {
                let request = visible(tx, at.id, &who)?;
                at.holds(&request)?;
                if !request.needs.consent || request.state != RequestState::Pending {
                    return Err(Refusal::conflict(
                        "consent.not-needed",
                        "This request waits for no consent.",
                    ));
                }
                duties::may_ask_the_customer(&who, &request)?;
                let contact = contact(&rules, &request);
                if contact.is_some() {
                    paced(&rules, &metrics, request.id, now)?;
                }
                tx.put_consent(&hash, at.id, &request.digest(), request.expires_at)?;
                let happened = Happened::by("consent.asked", &who).about(&request);
                let happened = match contact {
                    Some(to) => happened.with("link", "mailed").with("to", to),
                    None => happened.with("link", "shown").with("to", &who.person),
                };
                tx.note(happened, now)?;
                Ok(request)
            })
            .await?;
        let link = format!("{}/consent#{}", settings.portal, secret.reveal());
        let Some(to) = contact(&settings, &request) else {
            return Ok(ConsentLink::Shown(link));
        };
        let to = to.to_owned();
        self.mail_consent(&settings, &request, (&to, &link), hash)
            .await?;
        Ok(ConsentLink::Mailed(to))
    }

    /// Mails the link. One that did not leave is void.
    async fn mail_consent(
        &self,
        settings: &Settings,
        request: &AccessRequest,
        (to, link): (&str, &str),
        hash: [u8; 32],
    ) -> Result<(), Refusal> {
        let now = self.now();
        let sent = match &settings.courier {
            Some(courier) => courier.ask(to, request, link, now).await,
            None => Err(Unsent::Form("no mail server is configured".to_owned())),
        };
        let happened = match &sent {
            Ok(()) => Happened::new("consent.mailed", "locum"),
            Err(why) => Happened::new("consent.unsent", "locum")
                .severe(3)
                .with("why", why),
        };
        let (happened, failed) = (happened.about(request).with("to", to), sent.is_err());
        self.run("noting a letter to a customer", move |tx| {
            if failed {
                tx.drop_consent(&hash)?;
            }
            Ok(tx.note(happened, now)?)
        })
        .await?;
        sent.map_err(|why| {
            tracing::error!(%why, request = %request.id, "a letter to a customer was not taken");
            Refusal::new(
                Kind::Unavailable,
                "consent.unsent",
                "The mail server did not take the letter to the customer's contact, so no link is good. Why is on record. Try again later.",
            )
        })
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
                    duties::may_answer_by_link(who, &request, &tx.votes(request.id)?)?;
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

/// The customer's contact, who alone gets the link.
fn contact<'s>(settings: &'s Settings, request: &AccessRequest) -> Option<&'s str> {
    let tenant = settings.tenants.get(&request.tenant.id)?;
    tenant.contact.as_deref()
}

/// Nobody's letters fill a customer's inbox.
fn paced(
    settings: &Settings,
    metrics: &Metrics,
    about: RequestId,
    now: Timestamp,
) -> Result<(), Refusal> {
    let Some(courier) = &settings.courier else {
        return Ok(());
    };
    courier.may_send(about, now).map_err(|wait| {
        metrics.hit(Limit::ConsentMails);
        let minutes = wait.as_secs().div_ceil(60);
        Refusal::new(
            Kind::TooMany,
            "consent.mail-rate",
            format!(
                "The customer's contact has a letter about this request already. Another one can go in {minutes} min."
            ),
        )
    })
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
