//! The registry on a real store, with a clock that the test moves and a second handle that plays the
//! command line.

use super::*;
use crate::model::{Binding, Clock, EndCause, Secret, SessionId, Timestamp};
use crate::store::conformance::{NOW, Outcome, grant};
use crate::store::sqlite::{self, Sqlite};
use crate::store::{GrantStore, Issue, RedeemRefused, StoreError, Target};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;

/// Far beyond what anything here should take, for machines that do much else.
const PATIENCE: Duration = Duration::from_secs(20);

/// From where sessions are started here.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

struct Bench {
    live: Arc<Live>,
    events: Receiver<SessionEvent>,
    /// Another process.
    cli: Sqlite,
    clock: Arc<AtomicI64>,
    dir: tempfile::TempDir,
}

fn file(dir: &tempfile::TempDir) -> sqlite::Settings {
    sqlite::Settings {
        path: dir.path().join("locum.db"),
        ..sqlite::Settings::default()
    }
}

impl Bench {
    fn new(settings: Settings) -> Result<Self, Box<dyn std::error::Error>> {
        Self::on(tempfile::tempdir()?, settings)
    }

    fn on(dir: tempfile::TempDir, settings: Settings) -> Result<Self, Box<dyn std::error::Error>> {
        let clock = Arc::new(AtomicI64::new(NOW.millis() + 1000));
        let store = Arc::new(Sqlite::open(&file(&dir))?);
        let cli = Sqlite::open(&file(&dir))?;
        let (live, events) = Live::open(store, Clock::Fixed(Arc::clone(&clock)), settings)?;
        Ok(Self {
            live,
            events,
            cli,
            clock,
            dir,
        })
    }

    fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or_default();
        self.clock.fetch_add(millis, Ordering::Relaxed);
    }

    fn issue(&self) -> Result<(Issue, Secret), Box<dyn std::error::Error>> {
        let code = Secret::fresh()?;
        let issue = Issue {
            grant: grant(),
            session: SessionId::fresh(),
            binding: Binding::default(),
            code: code.hash(),
            code_expires: self.live.clock().now().plus(Duration::from_secs(30)),
        };
        self.cli.issue(&issue)?;
        Ok((issue, code))
    }

    async fn start(&self) -> Result<(Redeemed, Issue), Box<dyn std::error::Error>> {
        let (issue, code) = self.issue()?;
        let starter = Starter {
            client: Some(CLIENT),
            ..Starter::default()
        };
        let redeemed = self.live.redeem(issue.session, &code, starter);
        Ok((redeemed.await?, issue))
    }

    async fn until(&self, what: impl Fn(&Live) -> bool) -> Outcome {
        let begun = Instant::now();
        while !what(&self.live) {
            if begun.elapsed() > PATIENCE {
                return Err("it never came about".into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    async fn event(&mut self) -> Result<SessionEvent, Box<dyn std::error::Error>> {
        let next = tokio::time::timeout(PATIENCE, self.events.recv()).await?;
        Ok(next.ok_or("no more events")?)
    }
}

fn is_live(found: &Found) -> bool {
    matches!(found, Found::Live(_))
}

fn cause(found: &Found) -> Option<EndCause> {
    match found {
        Found::Ended(stone) => Some(stone.ended.cause),
        _ => None,
    }
}

#[tokio::test]
async fn a_session_is_pending_then_live_with_its_own_cookie() -> Outcome {
    let bench = Bench::new(Settings::default())?;
    let (issue, code) = bench.issue()?;
    let id = issue.session;
    assert!(matches!(
        bench.live.find(SessionId::fresh()),
        Found::Unknown
    ));
    bench
        .until(|live| matches!(live.find(id), Found::Pending(_)))
        .await?;
    let Redeemed { session, cookie } = bench.live.redeem(id, &code, Starter::default()).await?;
    assert!(is_live(&bench.live.find(id)));
    assert!(session.cookie_matches(&cookie) && !session.is_bearer());
    assert!(!session.cookie_matches(&code) && !session.cookie_matches(&Secret::fresh()?));
    let again = bench.live.redeem(id, &code, Starter::default()).await;
    assert!(matches!(
        again,
        Err(RedeemError::Refused(RedeemRefused::Used { .. }))
    ));
    Ok(())
}

#[tokio::test]
async fn a_revocation_in_another_process_cuts() -> Outcome {
    let bench = Bench::new(Settings::default())?;
    let (started, issue) = bench.start().await?;
    let cut = started.session.ended().clone();
    let watch = tokio::spawn(async move {
        cut.cancelled().await;
        Instant::now()
    });
    bench
        .cli
        .revoke(&Target::Grant(issue.grant.id), "cli:root", NOW)?;
    let revoked = Instant::now();
    let seen = tokio::time::timeout(PATIENCE, watch).await??;
    println!(
        "revoked in another process, cut after {:?}",
        seen.saturating_duration_since(revoked)
    );
    assert_eq!(
        cause(&bench.live.find(issue.session)),
        Some(EndCause::Revoked)
    );
    let ending = started.session.ending().ok_or("no ending")?;
    assert_eq!(ending.by, "cli:root");
    Ok(())
}

#[tokio::test]
async fn an_end_here_cuts_before_it_returns_and_is_durable_after() -> Outcome {
    let bench = Bench::new(Settings::default())?;
    let (started, issue) = bench.start().await?;
    let durable = bench
        .live
        .end(issue.session, EndCause::Operator, "operator:ada");
    assert!(started.session.ended().is_cancelled());
    assert_eq!(
        cause(&bench.live.find(issue.session)),
        Some(EndCause::Operator)
    );
    let first = durable.wait().await?.ok_or("unknown session")?;
    let stored = bench.cli.find_session(issue.session)?.ok_or("lost")?;
    assert_eq!(stored.session.ended, Some(first.clone()));
    let second = bench
        .live
        .end(issue.session, EndCause::Idle, "locum")
        .wait()
        .await?;
    assert_eq!(second, Some(first));
    assert_eq!(
        bench
            .live
            .end(SessionId::fresh(), EndCause::Idle, "x")
            .wait()
            .await?,
        None
    );
    Ok(())
}

#[tokio::test]
async fn time_ends_sessions() -> Outcome {
    let idle = Duration::from_secs(600);
    let bench = Bench::new(Settings {
        idle,
        ..Settings::default()
    })?;
    let (busy, busy_issue) = bench.start().await?;
    let (quiet, quiet_issue) = bench.start().await?;
    bench.advance(Duration::from_secs(590));
    busy.session.touch(bench.live.clock().now());
    bench.advance(Duration::from_secs(20));
    tokio::time::timeout(PATIENCE, quiet.session.ended().cancelled()).await?;
    assert_eq!(
        cause(&bench.live.find(quiet_issue.session)),
        Some(EndCause::Idle)
    );
    assert!(is_live(&bench.live.find(busy_issue.session)));
    let last = busy_issue.grant.expires_at.millis() - 1;
    busy.session.touch(Timestamp::from_millis(last));
    bench.clock.store(last, Ordering::Relaxed);
    bench.advance(Duration::from_millis(1));
    // Refused at once, whether or not the timer has come round.
    assert_eq!(
        cause(&bench.live.find(busy_issue.session)),
        Some(EndCause::Expired)
    );
    tokio::time::timeout(PATIENCE, busy.session.ended().cancelled()).await?;
    bench.until(|live| live.stats().unwritten_ends == 0).await?;
    bench.live.stop();
    let stored = bench.cli.find_session(busy_issue.session)?.ok_or("lost")?;
    let ended = stored.session.ended.ok_or("not written")?;
    assert_eq!(
        (ended.cause, ended.at),
        (EndCause::Expired, busy_issue.grant.expires_at)
    );
    Ok(())
}

/// Takes the sessions' table away from under the store, as a broken disk would.
fn sabotage(bench: &Bench, broken: bool) -> Outcome {
    let sql = if broken {
        "ALTER TABLE sessions RENAME TO elsewhere"
    } else {
        "ALTER TABLE elsewhere RENAME TO sessions"
    };
    rusqlite::Connection::open(bench.dir.path().join("locum.db"))?.execute_batch(sql)?;
    Ok(())
}

#[tokio::test]
async fn a_store_that_fails_longer_than_the_lease_fails_closed_until_it_works() -> Outcome {
    let lease = Duration::from_millis(150);
    let bench = Bench::new(Settings {
        lease,
        ..Settings::default()
    })?;
    let (one, one_issue) = bench.start().await?;
    let (_two, two_issue) = bench.start().await?;
    sabotage(&bench, true)?;
    let unwritten = bench
        .live
        .end(one_issue.session, EndCause::Operator, "operator:ada");
    assert!(unwritten.wait().await.is_err());
    assert!(
        one.session.ended().is_cancelled(),
        "over here, whatever the disk says"
    );
    bench
        .until(|live| {
            matches!(
                live.find(two_issue.session),
                Found::Stale(Staleness::Store { .. })
            )
        })
        .await?;
    sabotage(&bench, false)?;
    bench
        .until(|live| is_live(&live.find(two_issue.session)))
        .await?;
    assert_eq!(
        cause(&bench.live.find(one_issue.session)),
        Some(EndCause::Operator)
    );
    bench.until(|live| live.stats().unwritten_ends == 0).await?;
    bench.live.stop();
    let stored = bench.cli.find_session(one_issue.session)?.ok_or("lost")?;
    assert!(stored.session.ended.is_some(), "written once it could be");
    Ok(())
}

#[tokio::test]
async fn a_clock_that_steps_back_fails_closed_until_it_is_sane() -> Outcome {
    let bench = Bench::new(Settings::default())?;
    let (_started, issue) = bench.start().await?;
    bench.clock.fetch_sub(30_000, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(
        bench.live.staleness().is_none(),
        "a small step is tolerated"
    );
    bench.clock.fetch_sub(3_600_000, Ordering::Relaxed);
    bench
        .until(|live| {
            matches!(
                live.find(issue.session),
                Found::Stale(Staleness::Clock { .. })
            )
        })
        .await?;
    bench.clock.fetch_add(3_630_000, Ordering::Relaxed);
    bench.until(|live| is_live(&live.find(issue.session))).await
}

#[tokio::test]
async fn each_event_comes_once_until_it_is_recorded() -> Outcome {
    let mut bench = Bench::new(Settings::default())?;
    let (_started, issue) = bench.start().await?;
    bench
        .cli
        .revoke(&Target::Grant(issue.grant.id), "cli:root", NOW)?;
    let issued = bench.event().await?;
    assert_eq!(issued.event, Event::Issued);
    assert_eq!(
        (issued.session, &*issued.grant),
        (issue.session, &issue.grant)
    );
    bench.live.recorded(&issued);
    let started = bench.event().await?;
    let client = Some(CLIENT);
    assert!(matches!(started.event, Event::Started { client: at, .. } if at == client));
    bench.live.recorded(&started);
    let ended = bench.event().await?;
    let Event::Ended {
        started_at: Some(_),
        ended: why,
    } = &ended.event
    else {
        return Err(format!("{ended:?}").into());
    };
    assert_eq!(why.cause, EndCause::Revoked);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(bench.events.try_recv().is_err());
    // Not recorded: it comes again after a restart, the others do not.
    bench.live.stop();
    let mut bench = Bench::on(bench.dir, Settings::default())?;
    let again = bench.event().await?;
    assert_eq!(again, ended);
    bench.live.recorded(&again);
    bench.live.stop();
    let mut bench = Bench::on(bench.dir, Settings::default())?;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(bench.events.try_recv().is_err());
    assert_eq!(
        cause(&bench.live.find(issue.session)),
        Some(EndCause::Revoked)
    );
    Ok(())
}

#[tokio::test]
async fn events_wait_in_the_store_when_nobody_takes_them() -> Outcome {
    let mut bench = Bench::new(Settings {
        events: 2,
        ..Settings::default()
    })?;
    let mut wanted = std::collections::BTreeSet::new();
    for _ in 0..20 {
        wanted.insert(bench.issue()?.0.session);
    }
    bench.until(|live| live.stats().open == 20).await?;
    while !wanted.is_empty() {
        let event = bench.event().await?;
        assert!(wanted.remove(&event.session), "twice: {event:?}");
        bench.live.recorded(&event);
    }
    Ok(())
}

#[tokio::test]
async fn sessions_survive_a_restart_with_their_last_use() -> Outcome {
    let bench = Bench::new(Settings::default())?;
    let (started, issue) = bench.start().await?;
    bench.advance(Duration::from_secs(100));
    let used = bench.live.clock().now();
    started.session.touch(used);
    bench.live.stop();
    let bench = Bench::on(bench.dir, Settings::default())?;
    let Found::Live(session) = bench.live.find_or_read(issue.session).await else {
        return Err("not live after the restart".into());
    };
    assert_eq!(session.last_used(), used);
    assert!(session.cookie_matches(&started.cookie));
    Ok(())
}

#[tokio::test]
async fn limits_hold() -> Outcome {
    let settings = Settings {
        max_sessions: 2,
        tombstones: 3,
        ..Settings::default()
    };
    let bench = Bench::new(settings)?;
    let mut issues = Vec::new();
    for _ in 0..3 {
        issues.push(bench.issue()?);
    }
    bench.until(|live| live.stats().open == 3).await?;
    let (first, code) = issues.first().cloned().ok_or("none")?;
    let full = bench
        .live
        .redeem(first.session, &code, Starter::default())
        .await;
    assert!(matches!(full, Err(RedeemError::Full)));
    for _ in 0..3 {
        issues.push(bench.issue()?);
    }
    for (issue, _) in &issues {
        bench
            .cli
            .revoke(&Target::Session(issue.session), "cli:root", NOW)?;
    }
    bench.until(|live| live.stats().open == 0).await?;
    assert_eq!(bench.live.stats().tombstones, 3);
    assert!(matches!(bench.live.find(first.session), Found::Unknown));
    Ok(())
}

#[tokio::test]
async fn calls_are_answered_in_numbers_and_survive_one_that_panics() -> Outcome {
    let bench = Bench::new(Settings::default())?;
    let broken = bench.live.with_store(|_| -> () { panic!("a mistake") });
    assert!(matches!(broken.await, Err(StoreError::Stopped)));
    let calls = (0..300u32).map(|n| bench.live.with_store(move |_| n));
    let answers = futures_util::future::join_all(calls).await;
    let answers: Result<Vec<u32>, StoreError> = answers.into_iter().collect();
    assert_eq!(answers?, (0..300).collect::<Vec<_>>());
    bench.live.stop();
    let late = bench.live.with_store(|_| ()).await;
    assert!(matches!(late, Err(StoreError::Stopped)));
    Ok(())
}

#[tokio::test]
async fn an_end_that_races_with_a_start_wins() -> Outcome {
    let bench = Bench::new(Settings::default())?;
    let mut started = 0;
    for round in 0..60u64 {
        let (issue, code) = bench.issue()?;
        let id = issue.session;
        bench
            .until(|live| matches!(live.find(id), Found::Pending(_)))
            .await?;
        let redeem = bench.live.redeem(id, &code, Starter::default());
        let end = async {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_micros(round * 100) {
                tokio::task::yield_now().await;
            }
            bench
                .live
                .end(id, EndCause::Operator, "operator:ada")
                .wait()
                .await
        };
        let (redeemed, ended) = tokio::join!(redeem, end);
        assert!(ended?.is_some());
        assert_eq!(cause(&bench.live.find(id)), Some(EndCause::Operator));
        if let Ok(redeemed) = redeemed {
            started += 1;
            assert!(
                redeemed.session.ended().is_cancelled(),
                "no session outlives its end"
            );
        }
    }
    println!("{started} of 60 had started before their end");
    Ok(())
}

#[tokio::test]
async fn neighbours_keep_things_in_a_session() -> Outcome {
    let bench = Bench::new(Settings::default())?;
    let (started, _) = bench.start().await?;
    let jar = started
        .session
        .keep(Slot::Jar, || String::from("jar"))
        .ok_or("none")?;
    let same = started
        .session
        .keep(Slot::Jar, || String::from("other"))
        .ok_or("none")?;
    assert!(Arc::ptr_eq(&jar, &same));
    assert!(started.session.kept::<u8>(Slot::Jar).is_none());
    assert!(started.session.kept::<String>(Slot::Banner).is_none());
    Ok(())
}
