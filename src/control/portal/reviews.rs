//! Reviews of break-glass: what is due, and one review with what was touched, to certify or reject.

use super::answer::{Shown, back_to, render};
use super::ask::one_line;
use super::call::Call;
use super::frame::Frame;
use super::nav::Here;
use super::parts::{Id, Pill, When};
use super::summary::summary;
use crate::control::duties;
use crate::control::lifecycle::Finding;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{Review, ReviewId, ReviewState};
use crate::store::control::Query;
use askama::Template;

struct Row {
    id: String,
    incident: String,
    who: String,
    subject: String,
    opened: When,
    due: When,
    pill: Pill,
    mine: bool,
}

#[derive(Template)]
#[template(path = "reviews.html")]
struct List {
    frame: Frame,
    due: Vec<Row>,
    past: Vec<Row>,
}

pub(super) async fn list(call: Call) -> Shown {
    call.needs(Here::Reviews)?;
    let control = call.control();
    let reviews = control
        .reviews(call.caller(), Query::default())
        .await?
        .items;
    let (due, past): (Vec<&Review>, Vec<&Review>) = reviews.iter().partition(|it| it.bars());
    let rows = |reviews: Vec<&Review>| reviews.into_iter().map(|it| row(&call, it)).collect();
    let page = List {
        frame: call.frame("Reviews", Here::Reviews).await,
        due: rows(due),
        past: rows(past),
    };
    render(None, &page)
}

fn row(call: &Call, review: &Review) -> Row {
    let now = call.control().now();
    Row {
        id: review.id.to_string(),
        incident: review.incident.clone(),
        who: review.operator.clone(),
        subject: format!("{} in {}", review.subject, review.tenant),
        opened: When::at(review.opened_at),
        due: When::at(review.due_at),
        pill: Pill::review(review, now),
        mine: review.state != ReviewState::Certified
            && duties::may_review(call.caller(), review).is_ok(),
    }
}

#[derive(Template)]
#[template(path = "review.html")]
struct One {
    frame: Frame,
    id: String,
    short: Id,
    review: Row,
    app: String,
    reason: String,
    session: String,
    version: i64,
    summary: Option<String>,
    /// What was found, by whom and when.
    written: Option<(String, String, When)>,
    follow_ups: Vec<String>,
    cannot: Option<(String, &'static str)>,
    is_certified: bool,
    findings: String,
    todo: String,
}

pub(super) async fn one(call: Call) -> Shown {
    let id = call.id()?;
    show(&call, id, None).await
}

async fn show(call: &Call, id: ReviewId, trouble: Option<&Refusal>) -> Shown {
    let control = call.control();
    let review = control.one_review(call.caller(), id).await?;
    let told = match control.session(call.caller(), review.session).await {
        Ok((stored, _)) => {
            let session = review.session.to_string();
            let since = stored.grant.issued_at;
            let recorded = call.web.views.records.of(&session, since).await;
            Some(summary(
                &stored,
                &control.routes.scopes(&review.app),
                recorded.as_ref().ok(),
                control.now(),
            ))
        }
        Err(_) => None,
    };
    let cannot = duties::may_review(call.caller(), &review).err();
    let mut frame = call.frame("Review", Here::Reviews).await;
    frame.trouble(trouble, &format!("/reviews/{id}"));
    let written = review.reviewer.clone().zip(review.findings.clone());
    let page = One {
        frame,
        id: id.to_string(),
        short: Id::of(id),
        app: review.app.clone(),
        reason: review.reason.clone(),
        session: review.session.to_string(),
        version: review.version,
        summary: told,
        written: written
            .zip(review.reviewed_at)
            .map(|((who, found), at)| (who, found, When::at(at))),
        follow_ups: review.follow_ups.clone(),
        cannot: cannot.map(|why| (why.detail, why.reason)),
        is_certified: review.state == ReviewState::Certified,
        findings: call.form.get("findings").to_owned(),
        todo: call.form.get("follow_ups").to_owned(),
        review: row(call, &review),
    };
    render(trouble, &page)
}

pub(super) async fn write(call: Call) -> Shown {
    let id: ReviewId = call.id()?;
    let justified = match call.form.get("verdict") {
        "certify" => true,
        "reject" => false,
        _ => {
            let refusal = Refusal::new(Kind::Invalid, "review.verdict", "Certify or reject.");
            return show(&call, id, Some(&refusal)).await;
        }
    };
    let follow_ups = call.form.get("follow_ups").lines().map(str::trim);
    let found = Finding {
        justified,
        findings: one_line(call.form.get("findings")),
        follow_ups: follow_ups
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect(),
    };
    let version = call.form.get("version").parse().ok();
    match call
        .control()
        .review(call.caller(), id, found, version)
        .await
    {
        Ok(_) => Ok(back_to(
            &format!("/reviews/{id}"),
            if justified { "certified" } else { "rejected" },
        )),
        Err(refusal) => show(&call, id, Some(&refusal)).await,
    }
}
