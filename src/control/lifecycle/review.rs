//! The after-action review: what was touched, justified or not, what follows; certified or rejected by somebody else.

use crate::control::desk::Control;
use crate::control::duties;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{Caller, Happened, Review, ReviewId, ReviewState};
use crate::store::control::Tx;
use crate::store::text;

/// What a reviewer found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub justified: bool,
    pub findings: String,
    pub follow_ups: Vec<String>,
}

impl Control {
    /// Certifies or rejects. A rejected review may be taken up again by another reviewer.
    pub async fn review(
        &self,
        caller: &Caller,
        id: ReviewId,
        found: Finding,
        version: Option<i64>,
    ) -> Result<Review, Refusal> {
        let (who, now, settings) = (caller.clone(), self.now(), self.settings.load_full());
        let done = self
            .run("storing a review", move |tx| {
                let mut review: Review =
                    tx.find(&id.to_string())?.ok_or_else(Refusal::not_found)?;
                let own = duties::same(&who.person, &review.operator);
                if !own && !who.sees(&review.tenant, &review.app) {
                    return Err(Refusal::not_found());
                }
                may_be_written(tx, &who, &review, &found, version, settings.max_text)?;
                review.state = if found.justified {
                    ReviewState::Certified
                } else {
                    ReviewState::Rejected
                };
                review.reviewer = Some(who.person.clone());
                review.reviewed_at = Some(now);
                review.findings = Some(found.findings.clone());
                review.follow_ups.clone_from(&found.follow_ups);
                tx.update(&mut review)?;
                let happened = written(&who, &review, &found);
                tx.note(happened, now)?;
                Ok(review)
            })
            .await;
        if let Err(refusal) = &done {
            let about = Happened::default().with("review", id);
            self.refused(caller, "review", about, refusal).await;
        }
        done
    }
}

/// Every rule about a review, on what is stored.
fn may_be_written(
    tx: &Tx<'_>,
    who: &Caller,
    review: &Review,
    found: &Finding,
    version: Option<i64>,
    max_text: usize,
) -> Result<(), Refusal> {
    duties::may_review(who, review)?;
    if version.is_some_and(|version| version != review.version) {
        return Err(Refusal::new(
            Kind::Stale,
            "stale",
            "The review has changed since you read it.",
        ));
    }
    if review.state == ReviewState::Certified {
        return Err(Refusal::conflict(
            "review.closed",
            "This review is certified already.",
        ));
    }
    if review
        .reviewer
        .as_deref()
        .is_some_and(|it| duties::same(it, &who.person))
    {
        return Err(Refusal::forbidden(
            "duty.twice",
            "You rejected this yourself: somebody else must take it up again.",
        ));
    }
    for text in std::iter::once(&found.findings).chain(&found.follow_ups) {
        text::check(text, max_text).map_err(|problem| {
            Refusal::new(
                Kind::Invalid,
                "review.text",
                format!("A text of the review {problem}."),
            )
        })?;
    }
    let session = tx.session(review.session)?;
    if session.is_some_and(|stored| stored.session.ended.is_none()) {
        return Err(Refusal::conflict(
            "review.too-early",
            "The session is still open: end it first.",
        ));
    }
    Ok(())
}

fn written(who: &Caller, review: &Review, found: &Finding) -> Happened {
    let code = if found.justified {
        "review.certified"
    } else {
        "review.rejected"
    };
    let happened = Happened {
        app: Some(review.app.clone()),
        tenant: Some(review.tenant.clone()),
        operator: Some(review.operator.clone()),
        session: Some(review.session.to_string()),
        grant: Some(review.grant.to_string()),
        ..Happened::by(code, who)
    };
    happened
        .with("review", review.id)
        .with("findings", &found.findings)
        .with("follow_ups", found.follow_ups.join("; "))
}
