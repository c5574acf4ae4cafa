//! Breaking the glass, and the review that comes after.

use super::{Outcome, reason};
use crate::control::lifecycle::{Ask, Finding, Which};
use crate::control::refusal::Refusal;
use crate::control::testing::{Bench, ask};
use crate::model::{Binding, Review, ReviewState, Role};
use crate::store::control::Query;
use std::time::Duration;

fn emergency() -> Ask {
    Ask {
        scopes: Vec::new(),
        minutes: 0,
        ticket: String::new(),
        reason_code: "outage".into(),
        incident: Some("INC-7".into()),
        ..ask("view")
    }
}

#[tokio::test]
async fn breaking_the_glass_needs_its_criteria_and_somebody_who_hears() -> Outcome {
    let bench = Bench::new();
    let oz = bench.person("oz", &[(Role::BreakGlass, "*")]);
    let plain = bench
        .control
        .ask_in_emergency(&bench.operator("ada"), &emergency())
        .await;
    assert_eq!(reason(plain), "duty.not-pre-authorised");
    let routine = bench.control.ask(&oz, &ask("view")).await;
    assert_eq!(reason(routine), "duty.not-operator");
    let mut vague = emergency();
    vague.incident = Some("something".into());
    assert_eq!(
        reason(bench.control.ask_in_emergency(&oz, &vague).await),
        "invalid"
    );
    let request = bench.control.ask_in_emergency(&oz, &emergency()).await?;
    for deaf in ["refused", "hang"] {
        *bench.around.deaf.lock() = Some(deaf.to_owned());
        let shut = bench
            .control
            .activate(&oz, request.id, Binding::default())
            .await;
        assert_eq!(reason(shut), "break-glass.unalerted", "{deaf}");
        assert!(bench.control.sessions(&oz, Which::Own).await?.is_empty());
    }
    *bench.around.deaf.lock() = None;
    let active = bench
        .control
        .activate(&oz, request.id, Binding::default())
        .await?;
    assert!(active.grant.break_glass);
    assert_eq!(bench.around.alerts.lock().len(), 3, "each attempt was told");
    let noted = bench.control.book.unrecorded(1000).expect("what happened");
    let opened = noted
        .iter()
        .find(|it| it.happened.code == "break-glass.opened");
    let opened = &opened.expect("the glass was broken").happened;
    let ids = (&opened.request, &opened.grant, &opened.session);
    let wanted = (
        &Some(request.id.to_string()),
        &Some(active.grant.id.to_string()),
        &Some(active.session.to_string()),
    );
    assert_eq!(ids, wanted, "whoever searches by any of them finds it");
    let again = bench.control.ask_in_emergency(&oz, &emergency()).await;
    assert_eq!(reason(again), "break-glass.barred");
    Ok(())
}

#[tokio::test]
async fn a_review_is_somebody_elses_and_frees_its_operator() -> Outcome {
    let bench = Bench::new();
    let seats = [(Role::BreakGlass, "*"), (Role::Security, "*")];
    let oz = bench.person("oz", &seats);
    let request = bench.control.ask_in_emergency(&oz, &emergency()).await?;
    let active = bench
        .control
        .activate(&oz, request.id, Binding::default())
        .await?;
    let due = bench.control.reviews(&oz, Query::default()).await?;
    let review: &Review = due.items.first().ok_or_else(Refusal::not_found)?;
    assert_eq!(
        (review.session, review.state),
        (active.session, ReviewState::Due)
    );
    let found = |justified| Finding {
        justified,
        findings: "Restarted the checkout; three orders were looked at".into(),
        follow_ups: vec!["Add an alert for the queue".into()],
    };
    let own = bench
        .control
        .review(&oz, review.id, found(true), None)
        .await;
    assert_eq!(reason(own), "duty.reviews-own");
    let approver = bench
        .control
        .review(&bench.approver("bo"), review.id, found(true), None)
        .await;
    assert_eq!(reason(approver), "duty.not-security");
    let sam = bench.security("sam");
    let early = bench
        .control
        .review(&sam, review.id, found(true), None)
        .await;
    assert_eq!(reason(early), "review.too-early");
    bench.control.end(&oz, active.session, "done").await?;
    let rejected = bench
        .control
        .review(&sam, review.id, found(false), None)
        .await?;
    assert_eq!(rejected.state, ReviewState::Rejected);
    assert_eq!(
        reason(bench.control.ask_in_emergency(&oz, &emergency()).await),
        "break-glass.barred"
    );
    let same = bench
        .control
        .review(&sam, review.id, found(true), None)
        .await;
    assert_eq!(reason(same), "duty.twice");
    let stale = bench
        .control
        .review(&bench.security("tess"), review.id, found(true), Some(1))
        .await;
    assert_eq!(reason(stale), "stale");
    bench
        .control
        .review(&bench.security("tess"), review.id, found(true), None)
        .await?;
    bench.control.ask_in_emergency(&oz, &emergency()).await?;
    Ok(())
}

#[tokio::test]
async fn an_overdue_review_escalates_once() -> Outcome {
    let bench = Bench::new();
    let oz = bench.person("oz", &[(Role::BreakGlass, "*")]);
    let request = bench.control.ask_in_emergency(&oz, &emergency()).await?;
    bench
        .control
        .activate(&oz, request.id, Binding::default())
        .await?;
    bench.pass(Duration::from_secs(25 * 3600));
    bench.control.sweep().await?;
    bench.control.sweep().await?;
    let codes = bench.codes();
    assert_eq!(codes.iter().filter(|it| *it == "review.overdue").count(), 1);
    Ok(())
}
