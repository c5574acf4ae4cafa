//! Requests that come before all that was stored is read.

use super::*;
use crate::model::{
    Binding, Clock, EndCause, Ended, GrantId, Secret, SecretHash, SessionId, Timestamp, Used,
};
use crate::store::conformance::{NOW, Outcome, grant};
use crate::store::sqlite::{self, Sqlite};
use crate::store::{
    Admission, AdmitRefused, Changes, Filter, GrantStore, Issue, Mark, RedeemRefused, Redemption,
    ReissueRefused, Revocation, StoreError, Stored, Target, Use, Version,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

const COUNT: u32 = 3_000;

/// Far beyond what anything here should take, for machines that do much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// When all sessions began and were used last.
const BEGAN: i64 = NOW.millis();

type Failure = Box<dyn std::error::Error>;

/// A real store whose reading at the start never comes to its end while it is held, and that answers nothing where it is broken.
struct Held {
    inner: Sqlite,
    stuck: AtomicBool,
    broken: AtomicBool,
}

impl Held {
    fn works(&self) -> Result<&Sqlite, StoreError> {
        let is_broken = self.broken.load(Ordering::Relaxed);
        let broken = StoreError::Corrupt {
            what: "disk",
            detail: "broken on purpose".into(),
        };
        (!is_broken).then_some(&self.inner).ok_or(broken)
    }
}

impl GrantStore for Held {
    fn issue(&self, issue: &Issue) -> Result<(), StoreError> {
        self.works()?.issue(issue)
    }

    fn reissue_code(
        &self,
        grant: GrantId,
        code: SecretHash,
        code_expires: Timestamp,
    ) -> Result<Result<SessionId, ReissueRefused>, StoreError> {
        self.works()?.reissue_code(grant, code, code_expires)
    }

    fn redeem(&self, with: &Redemption) -> Result<Result<Stored, RedeemRefused>, StoreError> {
        self.works()?.redeem(with)
    }

    fn admit(&self, admission: &Admission) -> Result<Result<Stored, AdmitRefused>, StoreError> {
        self.works()?.admit(admission)
    }

    fn end(&self, ends: &[(SessionId, Ended)]) -> Result<Vec<Option<Ended>>, StoreError> {
        self.works()?.end(ends)
    }

    fn revoke(&self, target: &Target, by: &str, at: Timestamp) -> Result<Revocation, StoreError> {
        self.works()?.revoke(target, by, at)
    }

    fn find_grant(&self, id: GrantId) -> Result<Option<Stored>, StoreError> {
        self.works()?.find_grant(id)
    }

    fn find_session(&self, id: SessionId) -> Result<Option<Stored>, StoreError> {
        self.works()?.find_session(id)
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Stored>, StoreError> {
        self.works()?.list(filter)
    }

    fn revision(&self) -> Result<i64, StoreError> {
        self.works()?.revision()
    }

    fn open_after(
        &self,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        if self.stuck.load(Ordering::Relaxed) {
            // The first one over and over.
            return self.works()?.open_after(None, 1);
        }
        self.works()?.open_after(after, limit)
    }

    fn open_count(&self) -> Result<usize, StoreError> {
        self.works()?.open_count()
    }

    fn ended_before(
        &self,
        before: Option<(Timestamp, SessionId)>,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        self.works()?.ended_before(before, limit)
    }

    fn version(&self) -> Result<Version, StoreError> {
        // What watches is well: it is the reading that fails.
        self.inner.version()
    }

    fn changes_since(&self, revision: i64) -> Result<Changes, StoreError> {
        self.works()?.changes_since(revision)
    }

    fn touch(&self, uses: &[Use]) -> Result<(), StoreError> {
        self.works()?.touch(uses)
    }

    fn mark_recorded(&self, marks: &[(SessionId, Mark)]) -> Result<(), StoreError> {
        self.works()?.mark_recorded(marks)
    }

    fn unrecorded(&self, limit: usize) -> Result<Vec<Stored>, StoreError> {
        self.works()?.unrecorded(limit)
    }

    fn purge(&self, now: Timestamp, ended_before: Timestamp) -> Result<usize, StoreError> {
        self.works()?.purge(now, ended_before)
    }
}

struct Bench {
    live: Arc<Live>,
    store: Arc<Held>,
    events: tokio::sync::mpsc::Receiver<SessionEvent>,
    /// Another process.
    cli: Sqlite,
    cookie: Secret,
    _dir: tempfile::TempDir,
}

/// The `n`th session in the order in which they are read.
fn session(n: u32) -> SessionId {
    SessionId::from_bits(n.into())
}

/// `COUNT` sessions that have begun, all with one cookie.
fn fill(dir: &tempfile::TempDir, cookie: &Secret) -> Outcome {
    let sample = grant();
    let body = serde_json::to_value(&sample)?;
    let mut conn = rusqlite::Connection::open(dir.path().join("locum.db"))?;
    let tx = conn.transaction()?;
    for n in 1..=COUNT {
        let id = GrantId::from_bits(n.into()).to_string();
        let mut body = body.clone();
        if let Some(field) = body.get_mut("id") {
            *field = id.clone().into();
        }
        tx.execute(
            "INSERT INTO grants VALUES (?1, 'shop', 'o', 's', 't', 'k', 0, ?2, ?3)",
            rusqlite::params![id, sample.expires_at.millis(), body.to_string()],
        )?;
        tx.execute(
            "INSERT INTO sessions (id, grant_id, cookie, binding, started_at, recorded, revision)
             VALUES (?1, ?2, ?3, '{}', ?4, 3, ?5)",
            rusqlite::params![
                session(n).to_string(),
                id,
                cookie.hash().as_bytes(),
                BEGAN,
                n
            ],
        )?;
    }
    tx.execute("UPDATE counter SET revision = ?1", [COUNT])?;
    Ok(tx.commit()?)
}

impl Bench {
    /// Held, with all sessions but the first unread, `later` than they began.
    fn new(later: Duration, settings: Settings) -> Result<Self, Failure> {
        let dir = tempfile::tempdir()?;
        let file = sqlite::Settings {
            path: dir.path().join("locum.db"),
            ..sqlite::Settings::default()
        };
        let cli = Sqlite::open(&file)?;
        let cookie = Secret::fresh()?;
        fill(&dir, &cookie)?;
        let store = Arc::new(Held {
            inner: Sqlite::open(&file)?,
            stuck: AtomicBool::new(true),
            broken: AtomicBool::new(false),
        });
        let clock = Clock::Fixed(Arc::new(AtomicI64::new(NOW.plus(later).millis())));
        let (live, events) = Live::open(Arc::clone(&store) as _, clock, settings)?;
        Ok(Self {
            live,
            store,
            events,
            cli,
            cookie,
            _dir: dir,
        })
    }

    fn held() -> Result<Self, Failure> {
        Self::new(Duration::from_secs(1), Settings::default())
    }

    fn hold(&self, on: bool) {
        self.store.stuck.store(on, Ordering::Relaxed);
    }

    async fn until(&self, what: impl Fn(&Live) -> bool) -> Outcome {
        let begun = Instant::now();
        while !what(&self.live) {
            if begun.elapsed() > PATIENCE {
                return Err(format!("it never came about: {:?}", self.live.stats()).into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Lets it read on until all is read.
    async fn read_all(&self) -> Outcome {
        self.hold(false);
        self.until(|live| !live.is_reading()).await
    }
}

fn cause(found: &Found) -> Option<EndCause> {
    match found {
        Found::Ended(stone) => Some(stone.ended.cause),
        _ => None,
    }
}

#[tokio::test]
async fn who_comes_early_is_found_and_all_are_in_the_end() -> Outcome {
    let bench = Bench::held()?;
    let id = session(COUNT);
    assert!(matches!(bench.live.find(id), Found::Unknown), "not read");
    let Found::Live(early) = bench.live.find_or_read(id).await else {
        return Err("a stored session was not found".into());
    };
    assert!(early.cookie_matches(&bench.cookie));
    let nobody = bench.live.find_or_read(SessionId::fresh()).await;
    assert!(matches!(nobody, Found::Unknown));
    bench.until(|live| live.stats().unread > 0).await?;
    let stats = bench.live.stats();
    assert_eq!(stats.open, COUNT as usize, "whoever counts counts all");
    assert!(stats.unread > 1 && stats.stale.is_none(), "{stats:?}");
    bench.read_all().await?;
    let stats = bench.live.stats();
    assert_eq!((stats.open, stats.unread), (COUNT as usize, 0));
    for n in 1..=COUNT {
        assert!(matches!(bench.live.find(session(n)), Found::Live(_)), "{n}");
    }
    let Found::Live(late) = bench.live.find(id) else {
        return Err("it was lost".into());
    };
    assert!(Arc::ptr_eq(&early, &late), "one session, one state");
    let nobody = bench.live.find_or_read(SessionId::fresh()).await;
    assert!(matches!(nobody, Found::Unknown));
    Ok(())
}

#[tokio::test]
async fn what_ends_elsewhere_meanwhile_is_over() -> Outcome {
    let mut bench = Bench::held()?;
    let (early, unread) = (session(COUNT), session(COUNT - 1));
    let Found::Live(early_session) = bench.live.find_or_read(early).await else {
        return Err("not found".into());
    };
    let used = Used {
        requests: 7,
        ..Used::default()
    };
    bench.cli.touch(&[Use {
        session: unread,
        at: NOW,
        used: Some(used),
    }])?;
    for id in [early, unread] {
        bench.cli.revoke(&Target::Session(id), "cli:root", NOW)?;
    }
    tokio::time::timeout(PATIENCE, early_session.ended().cancelled()).await?;
    for id in [early, unread] {
        let found = bench.live.find_or_read(id).await;
        assert_eq!(cause(&found), Some(EndCause::Revoked));
    }
    // What it was used for before the start is summed up, though it never was in memory.
    while tokio::time::timeout(PATIENCE, bench.events.recv())
        .await?
        .is_none_or(|event| event.session != unread)
    {}
    let remains = bench.live.take_remains(unread).ok_or("no remains")?;
    assert_eq!(remains.usage().so_far().requests, 7);
    bench.read_all().await?;
    for id in [early, unread] {
        assert_eq!(cause(&bench.live.find(id)), Some(EndCause::Revoked));
    }
    assert!(bench.live.take_remains(unread).is_none());
    assert_eq!(bench.live.stats().open, COUNT as usize - 2);
    Ok(())
}

#[tokio::test]
async fn nobody_gets_in_whose_time_is_up() -> Outcome {
    let idle = Settings::default().idle;
    let bench = Bench::new(idle, Settings::default())?;
    let found = bench.live.find_or_read(session(COUNT)).await;
    assert_eq!(cause(&found), Some(EndCause::Idle));
    bench.read_all().await?;
    bench.until(|live| live.stats().unwritten_ends == 0).await?;
    assert_eq!(bench.live.stats().open, 0);
    let stored = bench.cli.find_session(session(COUNT))?.ok_or("lost")?;
    assert_eq!(
        stored.session.ended.map(|ended| ended.cause),
        Some(EndCause::Idle)
    );
    Ok(())
}

#[tokio::test]
async fn a_store_that_does_not_answer_permits_nothing() -> Outcome {
    let bench = Bench::held()?;
    bench.store.broken.store(true, Ordering::Relaxed);
    let found = bench.live.find_or_read(session(COUNT)).await;
    assert!(
        matches!(found, Found::Stale(Staleness::Unread)),
        "{found:?}"
    );
    let failing = |live: &Live| live.staleness() == Some(Staleness::Unread);
    bench.until(failing).await?;
    bench.store.broken.store(false, Ordering::Relaxed);
    let found = bench.live.find_or_read(session(COUNT)).await;
    assert!(matches!(found, Found::Live(_)), "{found:?}");
    bench.read_all().await?;
    assert_eq!(bench.live.staleness(), None);
    bench.live.stop();
    Ok(())
}

#[tokio::test]
async fn lookups_are_bounded() -> Outcome {
    let settings = Settings {
        lookups: 2,
        ..Settings::default()
    };
    let bench = Bench::new(Duration::from_secs(1), settings)?;
    let ask = |n| bench.live.find_or_read(session(COUNT - n));
    let answers = futures_util::future::join_all((0..5).map(ask)).await;
    let refused = |found: &&Found| matches!(found, Found::Stale(Staleness::Crowded));
    assert_eq!(answers.iter().filter(refused).count(), 3, "{answers:?}");
    let live = |found: &&Found| matches!(found, Found::Live(_));
    assert_eq!(answers.iter().filter(live).count(), 2);
    assert!(
        matches!(ask(4).await, Found::Live(_)),
        "there is room again"
    );
    Ok(())
}

#[tokio::test]
async fn sessions_that_are_not_read_count_towards_their_limit() -> Outcome {
    let settings = Settings {
        max_sessions: COUNT as usize,
        ..Settings::default()
    };
    let bench = Bench::new(Duration::from_secs(1), settings)?;
    let (code, id) = (Secret::fresh()?, SessionId::fresh());
    bench.cli.issue(&Issue {
        grant: grant(),
        session: id,
        binding: Binding::default(),
        code: code.hash(),
        code_expires: NOW.plus(Duration::from_secs(30)),
    })?;
    let full = bench.live.redeem(id, &code, Starter::default()).await;
    assert!(matches!(full, Err(RedeemError::Full)), "{full:?}");
    let first = Target::Session(session(COUNT));
    bench.cli.revoke(&first, "cli:root", NOW)?;
    let started = bench.live.redeem(id, &code, Starter::default()).await;
    assert!(started.is_ok(), "{started:?}");
    Ok(())
}
