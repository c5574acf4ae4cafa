//! What happens by itself when its time comes: requests expire, queued ones ask for their ticket again, reviews escalate.

use super::vote::settle;
use crate::control::changes::told;
use crate::control::desk::{Control, TicketRefused};
use crate::control::refusal::Refusal;
use crate::model::{
    AccessRequest, Alert, AlertId, AlertState, Change, ChangeState, Happened, RequestState, Review,
    ReviewState, Timestamp,
};
use crate::store::control::Query;

/// Rows taken up in one go.
const BATCH: usize = 200;

/// Why a queued request was denied.
const NO_TICKET: &str = "The ticket does not do: unknown, closed, or another customer's.";

impl Control {
    /// Does all that is due. Called about once a second.
    pub async fn sweep(&self) -> Result<(), Refusal> {
        self.expire().await?;
        self.expire_changes().await?;
        self.unqueue().await?;
        self.escalate().await
    }

    async fn expire(&self) -> Result<(), Refusal> {
        let now = self.now();
        self.run("expiring requests", move |tx| {
            let due = Query {
                states: vec!["queued", "pending", "approved"],
                due_by: Some(now),
                limit: BATCH,
                ..Query::default()
            };
            for mut request in tx.list::<AccessRequest>(&due)?.items {
                request.state = RequestState::Expired;
                tx.update(&mut request)?;
                tx.note(
                    Happened::new("request.expired", "locum").about(&request),
                    now,
                )?;
            }
            Ok(())
        })
        .await
    }

    /// Changes of Locum's own rules that nobody finished in time.
    async fn expire_changes(&self) -> Result<(), Refusal> {
        let now = self.now();
        self.run("expiring changes", move |tx| {
            let due = Query {
                states: vec!["pending", "agreed"],
                due_by: Some(now),
                limit: BATCH,
                ..Query::default()
            };
            for mut change in tx.list::<Change>(&due)?.items {
                change.state = ChangeState::Expired;
                tx.update(&mut change)?;
                tx.note(told("change.expired", "locum", &change), now)?;
            }
            Ok(())
        })
        .await
    }

    /// Requests that wait for the ticket system.
    async fn unqueue(&self) -> Result<(), Refusal> {
        let now = self.now();
        let waiting = self
            .run("listing requests", move |tx| {
                let waiting = Query {
                    states: vec!["queued"],
                    limit: BATCH,
                    ..Query::default()
                };
                Ok(tx.list::<AccessRequest>(&waiting)?.items)
            })
            .await?;
        // All at once: one system that is down holds up no request of another's. Each bounds its own questions.
        let asked = waiting.into_iter().map(|request| async move {
            let told = self.tickets.check(&request.ticket, &request.tenant.id);
            (told.await, request)
        });
        for (told, request) in futures_util::future::join_all(asked).await {
            if matches!(told, Err(TicketRefused::Unavailable(_))) {
                continue;
            }
            self.run("taking a request from the queue", move |tx| {
                let Some(mut request) = tx.find::<AccessRequest>(&request.id.to_string())? else {
                    return Ok(());
                };
                if request.state != RequestState::Queued {
                    return Ok(());
                }
                if let Ok(ticket) = told {
                    request.ticket = ticket.id;
                    request.ticket_title = ticket.title;
                    request.state = RequestState::Pending;
                    settle(tx, &mut request, now)?;
                } else {
                    request.state = RequestState::Denied;
                    request.closed_by = Some("locum".to_owned());
                    request.closed_why = Some(NO_TICKET.to_owned());
                }
                tx.update(&mut request)?;
                let happened = Happened::new("request.ticket-checked", "locum").about(&request);
                tx.note(happened.with("state", request.state.as_str()), now)?;
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Overdue reviews raise an alert, once.
    async fn escalate(&self) -> Result<(), Refusal> {
        let now = self.now();
        self.run("escalating reviews", move |tx| {
            let due = Query {
                states: vec!["due"],
                due_by: Some(now),
                limit: BATCH,
                ..Query::default()
            };
            for mut review in tx.list::<Review>(&due)?.items {
                if review.escalated_at.is_some() || review.state != ReviewState::Due {
                    continue;
                }
                review.escalated_at = Some(now);
                tx.update(&mut review)?;
                let mut alert = overdue(&review, now);
                tx.insert(&mut alert)?;
                let happened = Happened {
                    tenant: Some(review.tenant.clone()),
                    app: Some(review.app.clone()),
                    operator: Some(review.operator.clone()),
                    session: Some(review.session.to_string()),
                    ..Happened::new("review.overdue", "locum")
                };
                tx.note(happened.severe(4).with("review", review.id), now)?;
            }
            Ok(())
        })
        .await
    }
}

fn overdue(review: &Review, now: Timestamp) -> Alert {
    Alert {
        id: AlertId::fresh(),
        kind: "review.overdue".to_owned(),
        severity: "error".to_owned(),
        summary: format!(
            "The review of {}'s break-glass session for {} is overdue",
            review.operator, review.incident
        ),
        app: review.app.clone(),
        tenant: review.tenant.clone(),
        operator: review.operator.clone(),
        details: vec![("review".to_owned(), review.id.to_string())],
        at: now,
        state: AlertState::Waiting,
        taken_by: Vec::new(),
        attempts: 0,
        next_at: now,
        version: 0,
    }
}
