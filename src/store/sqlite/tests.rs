//! The conformance suite on `SQLite`, what only a file can get wrong, and a model of sessions' lives.

use super::*;
use crate::model::EndCause;
use crate::store::conformance::{Outcome, Pair, after, conformance_suite, hash, issue, redemption};
use proptest::prelude::*;
use std::os::unix::fs::PermissionsExt as _;

fn settings(dir: &tempfile::TempDir) -> Settings {
    Settings {
        path: dir.path().join("locum.db"),
        ..Settings::default()
    }
}

fn pair() -> Result<Pair, Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    Ok(Pair {
        one: Box::new(Sqlite::open(&settings(&dir))?),
        other: Box::new(Sqlite::open(&settings(&dir))?),
        _guard: Box::new(dir),
    })
}

conformance_suite!(pair);

#[test]
fn only_the_owner_may_read_the_files() -> Outcome {
    let dir = tempfile::tempdir()?;
    let loose = settings(&dir).path;
    std::fs::write(&loose, "")?;
    std::fs::set_permissions(&loose, std::fs::Permissions::from_mode(0o644))?;
    let store = Sqlite::open(&settings(&dir))?;
    store.issue(&issue(1))?;
    let mut seen = 0;
    for entry in std::fs::read_dir(dir.path())? {
        let mode = entry?.metadata()?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        seen += 1;
    }
    assert_eq!(seen, 3, "the file, its log and its index");
    Ok(())
}

#[test]
fn what_was_stored_is_there_after_reopening() -> Outcome {
    let dir = tempfile::tempdir()?;
    let issued = issue(1);
    {
        let store = Sqlite::open(&settings(&dir))?;
        store.issue(&issued)?;
        store.redeem(&redemption(&issued))??;
    }
    let store = Sqlite::open(&settings(&dir))?;
    let open = store.load_open()?;
    assert_eq!(open.rows.len(), 1);
    assert!(open.revision > 0);
    Ok(())
}

#[test]
fn files_that_are_no_store_are_refused_with_a_remedy() -> Outcome {
    let dir = tempfile::tempdir()?;
    let settings = settings(&dir);
    std::fs::write(
        &settings.path,
        "not a database, but long enough to look at".repeat(50),
    )?;
    let Err(error) = Sqlite::open(&settings) else {
        return Err("opened a text file".into());
    };
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    let missing = Settings {
        path: dir.path().join("no/such/folder.db"),
        ..Settings::default()
    };
    let error = Sqlite::open(&missing).err();
    assert!(matches!(error, Some(StoreError::Open { .. })));
    Ok(())
}

#[test]
fn a_newer_schema_is_left_alone() -> Outcome {
    let dir = tempfile::tempdir()?;
    drop(Sqlite::open(&settings(&dir))?);
    Connection::open(settings(&dir).path)?.pragma_update(None, "user_version", 99)?;
    let error = Sqlite::open(&settings(&dir)).err();
    assert!(matches!(
        error,
        Some(StoreError::NewerSchema { found: 99, .. })
    ));
    Ok(())
}

#[test]
fn a_damaged_row_is_an_error_and_not_a_panic() -> Outcome {
    let dir = tempfile::tempdir()?;
    let store = Sqlite::open(&settings(&dir))?;
    store.issue(&issue(1))?;
    Connection::open(settings(&dir).path)?.execute("UPDATE grants SET body = '{}'", [])?;
    let error = store.load_open().err();
    assert!(matches!(
        error,
        Some(StoreError::Corrupt { what: "grant", .. })
    ));
    Ok(())
}

/// One step in the life of one session.
#[derive(Clone, Debug)]
enum Step {
    Redeem { code: u8, second: bool },
    Reissue { code: u8 },
    End(EndCause),
    Revoke,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4u8, any::<bool>()).prop_map(|(code, second)| Step::Redeem { code, second }),
        2 => (0..4u8).prop_map(|code| Step::Reissue { code }),
        1 => prop_oneof![Just(EndCause::Operator), Just(EndCause::Idle)].prop_map(Step::End),
        1 => Just(Step::Revoke),
        2 => (0..40u64).prop_map(Step::Wait),
    ]
}

/// What a session must be like, told without a database.
#[derive(Default)]
struct Expected {
    code: u8,
    code_until: u64,
    used_at: Option<u64>,
    ended: Option<(EndCause, u64)>,
}

impl Expected {
    fn redeem(&mut self, code: u8, now: u64) -> Result<(), RedeemRefused> {
        if code != self.code {
            return Err(RedeemRefused::Unknown);
        }
        if let Some(at) = self.used_at {
            return Err(RedeemRefused::Used { at: after(at) });
        }
        if let Some((cause, at)) = self.ended {
            return Err(RedeemRefused::Ended(ending(cause, at)));
        }
        if now >= self.code_until {
            let at = after(self.code_until);
            return Err(RedeemRefused::Expired { at });
        }
        self.used_at = Some(now);
        Ok(())
    }
}

fn ending(cause: EndCause, at: u64) -> Ended {
    let by = "test".to_owned();
    let at = after(at);
    Ended { cause, at, by }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_sequence_of_steps_does_what_the_model_says(steps in prop::collection::vec(step(), 1..24)) {
        let pair = pair().map_err(|e| TestCaseError::fail(e.to_string()))?;
        check(&pair, &steps).map_err(|e| TestCaseError::fail(e.to_string()))?;
    }
}

fn check(pair: &Pair, steps: &[Step]) -> Outcome {
    let issued = issue(0);
    pair.one.issue(&issued)?;
    let mut expected = Expected {
        code_until: 30,
        ..Expected::default()
    };
    let mut now = 0;
    for step in steps {
        match step {
            Step::Wait(seconds) => now += seconds,
            Step::Redeem { code, second } => {
                let store = if *second { &pair.other } else { &pair.one };
                let mut with = redemption(&issued);
                with.code = hash(*code);
                with.now = after(now);
                let got = store.redeem(&with)?.map(|_| ());
                assert_eq!(got, expected.redeem(*code, now));
            }
            Step::Reissue { code } => {
                let until = now + 30;
                let got = pair
                    .other
                    .reissue_code(issued.grant.id, hash(*code), after(until))?;
                match (expected.ended, expected.used_at) {
                    (Some((cause, at)), _) => {
                        assert_eq!(got, Err(ReissueRefused::Ended(ending(cause, at))));
                    }
                    (None, Some(at)) => {
                        assert_eq!(got, Err(ReissueRefused::Started { at: after(at) }));
                    }
                    (None, None) => {
                        assert_eq!(got, Ok(issued.session));
                        (expected.code, expected.code_until) = (*code, until);
                    }
                }
            }
            Step::End(cause) => {
                let (first, at) = *expected.ended.get_or_insert((*cause, now));
                let got = pair.one.end(&[(issued.session, ending(*cause, now))])?;
                assert_eq!(got, [Some(ending(first, at))]);
            }
            Step::Revoke => {
                let fresh = expected.ended.is_none();
                expected.ended.get_or_insert((EndCause::Revoked, now));
                let target = Target::Grant(issued.grant.id);
                let got = pair.other.revoke(&target, "test", after(now))?;
                assert_eq!(got.ended.len(), usize::from(fresh));
            }
        }
        let stored = pair.one.find_session(issued.session)?.ok_or("lost")?;
        let over = expected.ended.map(|(cause, at)| ending(cause, at));
        assert_eq!(stored.session.ended, over);
        assert_eq!(stored.session.started_at, expected.used_at.map(after));
        assert_eq!(stored.session.cookie.is_some(), expected.used_at.is_some());
    }
    Ok(())
}
