//! Changes of Locum's own rules: who may agree, to what exactly, and how they come into force.

use super::{Outcome, reason};
use crate::control::changes::{Cause, Rules, Way, offer, take};
use crate::control::refusal::Refusal;
use crate::control::testing::Bench;
use crate::model::{Caller, Change, ChangeState, Manifest, OperatorKind, Role, Verdict};
use crate::store::control::Query;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// Rules of one row, which ask so many votes for the next change.
fn rules(row: &str, votes: u8) -> Rules {
    let mut manifest = Manifest::default();
    manifest.put("route-policy", "orders", row);
    manifest.put("configuration", "access.reload_votes", votes.to_string());
    Rules {
        manifest,
        votes,
        authors: vec!["Hal@support.example".into()],
        ttl: HOUR,
    }
}

/// As a start or a reload does it. `true`: in force now.
fn bring(bench: &Bench, rules: &Rules, cause: Cause) -> Result<bool, Refusal> {
    let (book, now) = (&bench.control.book, bench.control.now());
    Ok(match offer(book, rules, cause, now)? {
        Way::Free(by) => {
            take(book, rules, by.as_deref(), now)?;
            true
        }
        Way::Waits(_) | Way::Others => false,
    })
}

async fn newest(bench: &Bench) -> Result<Change, Refusal> {
    let sam = bench.security("sam");
    let page = bench.control.changes(&sam, Query::default()).await?;
    page.items.into_iter().next().ok_or_else(Refusal::not_found)
}

async fn approve(bench: &Bench, who: &Caller, change: &Change) -> Result<Change, Refusal> {
    let control = &bench.control;
    control
        .answer_change(who, change.id, &change.digest, Verdict::Approve, None)
        .await
}

#[tokio::test]
async fn without_votes_a_reload_takes_effect_and_is_on_record() -> Outcome {
    let bench = Bench::new();
    assert!(bring(&bench, &rules("GET", 0), Cause::Start)?);
    assert!(bring(&bench, &rules("GET", 0), Cause::Told)?, "the same");
    assert!(bring(&bench, &rules("POST", 0), Cause::Told)?);
    assert!(bring(&bench, &rules("PUT", 0), Cause::Start)?);
    assert_eq!(
        bench.codes(),
        ["change.taken", "change.taken", "change.taken"]
    );
    Ok(())
}

#[tokio::test]
async fn a_reload_waits_for_a_second_persons_vote_on_that_digest() -> Outcome {
    let bench = Bench::new();
    let (before, after) = (rules("GET", 1), rules("POST", 0));
    bring(&bench, &before, Cause::Start)?;
    assert!(!bring(&bench, &after, Cause::Told)?, "nobody agreed");
    assert!(
        !bring(&bench, &after, Cause::Told)?,
        "asking twice is asking once"
    );
    let change = newest(&bench).await?;
    assert_eq!(change.digest, after.manifest.digest());
    assert_eq!(change.kinds, ["configuration", "route-policy"]);
    assert!(
        change
            .differs
            .contains(&"route-policy: orders: GET → POST".to_owned())
    );
    let agreed = approve(&bench, &bench.security("sam"), &change).await?;
    assert_eq!(agreed.state, ChangeState::Agreed);
    // Rung once, for whoever reads everything again.
    bench.control.agreed.notified().await;
    assert!(bring(&bench, &after, Cause::Agreed)?);
    assert_eq!(newest(&bench).await?.state, ChangeState::Taken);
    assert_eq!(
        bench.codes(),
        [
            "change.taken",
            "change.asked",
            "change.approve",
            "change.agreed",
            "change.taken"
        ]
    );
    // The rules that were agreed to ask for none any more.
    assert!(bring(&bench, &rules("PUT", 0), Cause::Told)?);
    Ok(())
}

#[tokio::test]
async fn any_edit_voids_the_votes() -> Outcome {
    let bench = Bench::new();
    bring(&bench, &rules("GET", 2), Cause::Start)?;
    bring(&bench, &rules("POST", 2), Cause::Told)?;
    let first = newest(&bench).await?;
    approve(&bench, &bench.security("sam"), &first).await?;
    bring(&bench, &rules("PUT", 2), Cause::Told)?;
    let second = newest(&bench).await?;
    assert_ne!(second.id, first.id);
    let late = approve(&bench, &bench.security("una"), &first).await;
    assert_eq!(reason(late), "change.closed");
    let other = bench
        .control
        .answer_change(
            &bench.security("una"),
            second.id,
            &first.digest,
            Verdict::Approve,
            None,
        )
        .await;
    assert_eq!(reason(other), "vote.changed");
    assert_eq!(
        approve(&bench, &bench.security("sam"), &second)
            .await?
            .state,
        ChangeState::Pending
    );
    assert_eq!(
        approve(&bench, &bench.security("una"), &second)
            .await?
            .state,
        ChangeState::Agreed
    );
    // Between the last vote and the reload somebody edits the files once more.
    let now = bench.control.now();
    let way = offer(&bench.control.book, &rules("DELETE", 2), Cause::Agreed, now)?;
    assert_eq!(way, Way::Others);
    assert_eq!(newest(&bench).await?.state, ChangeState::Void);
    assert!(
        !bring(&bench, &rules("PUT", 2), Cause::Told)?,
        "its votes are void"
    );
    // Back to what is in force: nothing waits any more.
    assert!(bring(&bench, &rules("GET", 2), Cause::Told)?);
    assert_eq!(newest(&bench).await?.state, ChangeState::Void);
    Ok(())
}

#[tokio::test]
async fn who_may_agree_to_other_rules() -> Outcome {
    let bench = Bench::new();
    bring(&bench, &rules("GET", 2), Cause::Start)?;
    bring(&bench, &rules("POST", 2), Cause::Told)?;
    let change = newest(&bench).await?;
    let refused = |who: Caller| {
        let (bench, change) = (&bench, &change);
        async move { reason(approve(bench, &who, change).await) }
    };
    for stranger in [
        bench.operator("ada"),
        bench.approver("bo"),
        bench.person("tia", &[(Role::TenantAuditor, "acme")]),
        bench.person("eve", &[(Role::Security, "acme")]),
    ] {
        assert_eq!(
            refused(stranger.clone()).await,
            "not-found",
            "{}",
            stranger.person
        );
        assert!(
            bench
                .control
                .changes(&stranger, Query::default())
                .await?
                .items
                .is_empty()
        );
    }
    let una = bench.person("una", &[(Role::Auditor, "*")]);
    assert_eq!(refused(una).await, "duty.not-security");
    let mut bot = bench.security("bot");
    bot.kind = OperatorKind::Workload;
    assert_eq!(refused(bot).await, "not-found");
    assert_eq!(refused(bench.security("hal")).await, "duty.author");
    let sam = bench.security("sam");
    let bare = bench
        .control
        .answer_change(&sam, change.id, &change.digest, Verdict::Deny, Some(" "))
        .await;
    assert_eq!(reason(bare), "vote.reason");
    assert_eq!(refused(sam.clone()).await, "-");
    let mut other = sam;
    other.account = "https://id.example|sam-admin".into();
    other.person = "SAM@support.example".into();
    assert_eq!(refused(other).await, "duty.twice");
    let max = bench.person("max", &[(Role::Admin, "*")]);
    let denied = bench
        .control
        .answer_change(
            &max,
            change.id,
            &change.digest,
            Verdict::Deny,
            Some("Not tested"),
        )
        .await?;
    assert_eq!(denied.state, ChangeState::Denied);
    assert_eq!(denied.closed_why.as_deref(), Some("Not tested"));
    assert_eq!(refused(bench.security("liz")).await, "change.closed");
    Ok(())
}

#[tokio::test]
async fn a_start_is_no_way_around_the_votes() -> Outcome {
    let bench = Bench::new();
    let after = rules("POST", 1);
    bring(&bench, &rules("GET", 1), Cause::Start)?;
    assert!(!bring(&bench, &after, Cause::Start)?, "nobody agreed");
    assert!(bring(&bench, &rules("GET", 1), Cause::Start)?, "as it was");
    let change = newest(&bench).await?;
    assert_eq!(change.state, ChangeState::Pending, "it waits still");
    approve(&bench, &bench.security("sam"), &change).await?;
    assert!(
        bring(&bench, &after, Cause::Start)?,
        "with that digest alone"
    );
    assert_eq!(newest(&bench).await?.state, ChangeState::Taken);
    Ok(())
}

#[tokio::test]
async fn a_change_that_nobody_finishes_expires() -> Outcome {
    let bench = Bench::new();
    bring(&bench, &rules("GET", 1), Cause::Start)?;
    bring(&bench, &rules("POST", 1), Cause::Told)?;
    bench.pass(HOUR);
    let sam = bench.security("sam");
    let change = newest(&bench).await?;
    assert_eq!(
        reason(approve(&bench, &sam, &change).await),
        "change.closed"
    );
    bench.control.sweep().await?;
    assert_eq!(newest(&bench).await?.state, ChangeState::Expired);
    Ok(())
}
