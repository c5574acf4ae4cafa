//! Ways around the rules: another spelling, a seat lost since, a neighbour's records.

use super::{Outcome, reason, vote};
use crate::control::refusal::Refusal;
use crate::control::testing::{Bench, ask};
use crate::model::{
    Binding, Caller, EndCause, LockKey, OperatorKind, Reach, Role, Scope, Workload,
};
use std::time::Duration;

#[tokio::test]
async fn a_lock_holds_however_its_name_is_typed() -> Outcome {
    for key in [
        LockKey::Operator(" Ada@Support.EXAMPLE".into()),
        LockKey::Subject("KIM@acme.example ".into()),
        LockKey::Ticket("sup-1042".into()),
        LockKey::Tenant("Acme".into()),
    ] {
        let bench = Bench::new();
        let (ada, sam) = (bench.operator("ada"), bench.security("sam"));
        let request = bench.control.ask(&ada, &ask("view")).await?;
        let active = bench
            .control
            .activate(&ada, request.id, Binding::default())
            .await?;
        let (_, over) = bench.control.lock(&sam, key.clone(), "Look", None).await?;
        assert_eq!(over, 1, "{key}");
        let (stored, _) = bench.control.session(&ada, active.session).await?;
        let cause = stored.session.ended.map(|it| it.cause);
        assert_eq!(cause, Some(EndCause::Locked), "{key}");
        let again = bench.control.ask(&ada, &ask("view")).await;
        assert_eq!(reason(again), "locked", "{key}");
    }
    Ok(())
}

#[tokio::test]
async fn nobody_evades_a_lock_by_another_spelling() -> Outcome {
    let bench = Bench::new();
    let (ada, sam) = (bench.operator("ada"), bench.security("sam"));
    let mut loud = ask("view");
    loud.subject = "Änne@ACME.example".into();
    let request = bench.control.ask(&ada, &loud).await?;
    bench
        .control
        .activate(&ada, request.id, Binding::default())
        .await?;
    let key = LockKey::Subject("änne@acme.example".into());
    let (_, over) = bench.control.lock(&sam, key, "Look", None).await?;
    assert_eq!(over, 1, "other letters than ASCII's have capitals, too");
    assert_eq!(reason(bench.control.ask(&ada, &loud).await), "locked");
    loud.subject = "other@acme.example".into();
    assert_eq!(reason(bench.control.ask(&ada, &loud).await), "-");
    Ok(())
}

#[tokio::test]
async fn whoever_lost_their_seat_since_uses_nothing() -> Outcome {
    let bench = Bench::new();
    let (ada, bo) = (bench.operator("ada"), bench.approver("bo"));
    let request = bench.control.ask(&ada, &ask("orders")).await?;
    vote(&bench, &bo, &request).await?;
    // They left the team after the vote; their account still signs in.
    for seats in [
        &[][..],
        &[(Role::Operator, "globex")],
        &[(Role::BreakGlass, "*")],
        &[(Role::Approver, "*")],
    ] {
        let left = bench.person("ada", seats);
        let done = bench
            .control
            .activate(&left, request.id, Binding::default());
        assert_eq!(reason(done.await), "duty.not-operator", "{seats:?}");
    }
    bench
        .control
        .activate(&ada, request.id, Binding::default())
        .await?;
    let left = bench.person("ada", &[]);
    let link = bench.control.start_again(&left, request.id).await;
    assert_eq!(reason(link), "duty.not-operator");
    bench.control.start_again(&ada, request.id).await?;
    Ok(())
}

#[tokio::test]
async fn a_workload_uses_no_more_than_it_is_registered_for_by_then() -> Outcome {
    let bench = Bench::new();
    let bot = Caller {
        kind: OperatorKind::Workload,
        ..bench.person("bot", &[])
    };
    let now = bench.control.now();
    let mut workload = Workload {
        id: bot.person.clone(),
        owner: "bo@support.example".into(),
        system: "triage".into(),
        purpose: "reads orders".into(),
        scopes: "view".parse::<Scope>().into_iter().collect(),
        apps: vec!["shop".into()],
        tenants: vec!["acme".into()],
        budget: 100,
        renew_by: now.plus(Duration::from_secs(86_400)),
        registered_at: now,
        registered_by: "sam@support.example".into(),
        last_used: None,
        places: Vec::new(),
        disabled: false,
        version: 0,
    };
    let mut stored = workload.clone();
    let put = bench.control.run("registering", move |tx| {
        tx.insert(&mut stored)?;
        Ok(stored)
    });
    workload = put.await?;
    let request = bench.control.ask(&bot, &ask("view")).await?;
    // Where policy wants people to agree, they did.
    vote(&bench, &bench.approver("bo"), &request).await.ok();
    vote(&bench, &bench.approver("cy"), &request).await.ok();
    workload.tenants = vec!["globex".into()];
    let put = bench.control.run("narrowing", move |tx| {
        tx.update(&mut workload)?;
        Ok(())
    });
    put.await?;
    let done = bench.control.activate(&bot, request.id, Binding::default());
    assert_eq!(reason(done.await), "workload.elsewhere");
    Ok(())
}

#[tokio::test]
async fn whoever_watches_one_app_sees_nothing_of_another() -> Result<(), Refusal> {
    let bench = Bench::new();
    let ada = bench.operator("ada");
    let mut other = ask("view");
    other.app = "desk".into();
    bench.control.ask(&ada, &ask("view")).await?;
    bench.control.ask(&ada, &other).await?;
    for tenant in ["acme", "*"] {
        let mut sam = bench.person("sam", &[(Role::Security, tenant)]);
        for seat in &mut sam.seats {
            seat.apps = Reach::Only(vec!["shop".into()]);
        }
        let seen = bench.control.happenings(&sam, None, 100).await?;
        let apps: Vec<_> = seen.iter().map(|it| it.happened.app.as_deref()).collect();
        assert_eq!(apps, [Some("shop")], "{tenant}");
    }
    let sam = bench.security("sam");
    let all = bench.control.happenings(&sam, None, 100).await?;
    assert_eq!(all.len(), 2);
    assert!(bench.control.happenings(&ada, None, 100).await?.is_empty());
    Ok(())
}
