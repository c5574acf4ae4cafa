//! What every [`GrantStore`] must do, written once. An implementation calls [`conformance_suite!`]
//! with a function that makes two handles on one empty store.

use super::{
    Admission, AdmitRefused, ExternalUse, Filter, GrantStore, Issue, Mark, RedeemRefused,
    Redemption, ReissueRefused, State, Target, Use,
};
use crate::model::{
    Binding, EndCause, Ended, Grant, GrantId, Operator, OperatorKind, SecretHash, SessionId,
    Subject, Tenant, Timestamp, Used,
};
use std::any::Any;
use std::error::Error;
use std::time::Duration;

mod pages;

pub(crate) use pages::{ended_ones_come_in_pages_newest_first, open_ones_come_in_pages_each_once};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// Two handles on one store, as two processes have them, and what keeps it alive.
pub(crate) struct Pair {
    pub(crate) one: Box<dyn GrantStore>,
    pub(crate) other: Box<dyn GrantStore>,
    pub(crate) _guard: Box<dyn Any>,
}

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub(crate) fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

/// A hash that tests can name.
pub(crate) fn hash(n: u8) -> SecretHash {
    SecretHash::from_bytes([n; 32])
}

/// A grant from `NOW` for an hour.
pub(crate) fn grant() -> Grant {
    Grant {
        id: GrantId::fresh(),
        app: "shop".into(),
        operator: Operator {
            id: "ada@support.example".into(),
            name: Some("Ada Byron".into()),
            kind: OperatorKind::Human,
        },
        subject: Subject {
            id: "kim@acme.example".into(),
            name: None,
        },
        tenant: Tenant {
            id: "acme".into(),
            name: Some("Acme".into()),
        },
        scopes: "view".parse().into_iter().collect(),
        ticket: "SUP-1042".into(),
        reason: "Cannot see an invoice".into(),
        approvals: Vec::new(),
        break_glass: false,
        not_before: NOW,
        expires_at: after(3600),
        issued_at: NOW,
        issued_by: "cli:root".into(),
        external_id: None,
        budget: None,
    }
}

/// An issue whose code is `hash(code)`, good for 30 s.
pub(crate) fn issue(code: u8) -> Issue {
    Issue {
        grant: grant(),
        session: SessionId::fresh(),
        binding: Binding::default(),
        code: hash(code),
        code_expires: after(30),
    }
}

pub(crate) fn redemption(of: &Issue) -> Redemption {
    Redemption {
        session: of.session,
        code: of.code,
        cookie: hash(200),
        binding: Binding::default(),
        now: after(1),
    }
}

pub(crate) fn admission(jti: &str, using: ExternalUse) -> Admission {
    Admission {
        grant: Grant {
            external_id: Some(jti.to_owned()),
            ..grant()
        },
        session: SessionId::from_bits(u128::from(jti.len() as u64)),
        issuer: "https://issuer.example".into(),
        external_id: jti.to_owned(),
        using,
        binding: Binding::default(),
        now: NOW,
        forget_after: after(7200),
    }
}

fn ended(cause: EndCause, seconds: u64) -> Ended {
    Ended {
        cause,
        at: after(seconds),
        by: format!("test:{seconds}"),
    }
}

pub(crate) fn a_code_starts_a_session_once(pair: &Pair) -> Outcome {
    let issued = issue(1);
    pair.one.issue(&issued)?;
    let before = pair.other.find_session(issued.session)?.ok_or("lost")?;
    assert_eq!(before.state(), State::Pending);
    assert_eq!(*before.grant, issued.grant);
    let started = pair.other.redeem(&redemption(&issued))??;
    assert_eq!(started.session.cookie, Some(hash(200)));
    assert_eq!(started.session.started_at, Some(after(1)));
    assert_eq!(started.state(), State::Live);
    let mut second = redemption(&issued);
    second.cookie = hash(201);
    let refused = pair.one.redeem(&second)?;
    assert_eq!(refused, Err(RedeemRefused::Used { at: after(1) }));
    let kept = pair.one.find_grant(issued.grant.id)?.ok_or("lost")?;
    assert_eq!(kept.session.cookie, Some(hash(200)));
    Ok(())
}

pub(crate) fn a_code_is_refused_for_each_reason(pair: &Pair) -> Outcome {
    let mut issued = issue(1);
    issued.grant.not_before = after(10);
    pair.one.issue(&issued)?;
    let other = issue(2);
    pair.one.issue(&other)?;
    let ask = |change: &dyn Fn(&mut Redemption)| {
        let mut with = redemption(&issued);
        change(&mut with);
        pair.one.redeem(&with).map(Result::err)
    };
    let unknown = Some(RedeemRefused::Unknown);
    assert_eq!(ask(&|with| with.code = hash(99))?, unknown);
    assert_eq!(ask(&|with| with.session = other.session)?, unknown);
    let not_yet = RedeemRefused::NotYet { at: after(10) };
    assert_eq!(ask(&|_| {})?, Some(not_yet));
    let expired = RedeemRefused::Expired { at: after(30) };
    assert_eq!(ask(&|with| with.now = after(30))?, Some(expired));
    let over = ended(EndCause::Revoked, 5);
    pair.other.end(&[(issued.session, over.clone())])?;
    let late = ask(&|with| with.now = after(12))?;
    assert_eq!(late, Some(RedeemRefused::Ended(over)));
    Ok(())
}

pub(crate) fn an_issue_is_all_or_nothing(pair: &Pair) -> Outcome {
    let first = issue(1);
    pair.one.issue(&first)?;
    // The same code hash: its last insert fails, so nothing of it may stay.
    let clash = issue(1);
    assert!(pair.one.issue(&clash).is_err());
    assert_eq!(pair.one.find_grant(clash.grant.id)?, None);
    assert_eq!(pair.one.find_session(clash.session)?, None);
    assert_eq!(pair.one.load_open()?.rows.len(), 1);
    Ok(())
}

pub(crate) fn a_new_code_voids_the_old(pair: &Pair) -> Outcome {
    let issued = issue(1);
    pair.one.issue(&issued)?;
    let id = issued.grant.id;
    let session = pair.other.reissue_code(id, hash(2), after(60))??;
    assert_eq!(session, issued.session);
    let old = pair.one.redeem(&redemption(&issued))?;
    assert_eq!(old.err(), Some(RedeemRefused::Unknown));
    let mut with = redemption(&issued);
    with.code = hash(2);
    assert!(pair.one.redeem(&with)?.is_ok());
    let late = pair.one.reissue_code(id, hash(3), after(60))?;
    assert_eq!(late, Err(ReissueRefused::Started { at: after(1) }));
    let nobody = pair
        .one
        .reissue_code(GrantId::fresh(), hash(4), after(60))?;
    assert_eq!(nobody, Err(ReissueRefused::Unknown));
    Ok(())
}

pub(crate) fn the_first_cause_stands(pair: &Pair) -> Outcome {
    let issued = issue(1);
    pair.one.issue(&issued)?;
    let first = ended(EndCause::Operator, 5);
    let second = ended(EndCause::Idle, 6);
    let unknown = SessionId::fresh();
    let answer = pair
        .one
        .end(&[(issued.session, first.clone()), (unknown, first.clone())])?;
    assert_eq!(answer, [Some(first.clone()), None]);
    let answer = pair.other.end(&[(issued.session, second)])?;
    assert_eq!(answer, [Some(first.clone())]);
    let target = Target::Grant(issued.grant.id);
    let done = pair.one.revoke(&target, "cli:root", after(7))?;
    assert_eq!(done.already, [(issued.session, first)]);
    assert!(done.ended.is_empty());
    Ok(())
}

pub(crate) fn readers_see_only_what_changed(pair: &Pair) -> Outcome {
    let (a, b) = (issue(1), issue(2));
    pair.one.issue(&a)?;
    pair.one.issue(&b)?;
    let open = pair.other.load_open()?;
    assert_eq!(open.rows.len(), 2);
    let version = pair.other.version()?;
    assert_eq!(pair.other.version()?, version);
    assert!(pair.other.changes_since(open.revision)?.rows.is_empty());
    let revoked = pair
        .one
        .revoke(&Target::Session(b.session), "cli:root", after(9))?;
    assert_eq!(revoked.ended, [b.session]);
    assert_ne!(
        pair.other.version()?,
        version,
        "another handle's write shows"
    );
    let changes = pair.other.changes_since(open.revision)?;
    let ids: Vec<SessionId> = changes.rows.iter().map(|row| row.session.id).collect();
    assert_eq!(ids, [b.session]);
    assert!(changes.revision > open.revision);
    assert!(pair.other.changes_since(changes.revision)?.rows.is_empty());
    let version = pair.one.version()?;
    pair.one.redeem(&redemption(&a))??;
    assert_ne!(pair.one.version()?, version, "one's own write shows too");
    Ok(())
}

pub(crate) fn lists_filter(pair: &Pair) -> Outcome {
    let (mut a, b) = (issue(1), issue(2));
    a.grant.operator.id = "bob@support.example".into();
    a.grant.tenant.id = "globex".into();
    a.grant.ticket = "SUP-7' OR 1=1 --".into();
    pair.one.issue(&a)?;
    pair.one.issue(&b)?;
    pair.one.redeem(&redemption(&b))??;
    let count = |filter: Filter| pair.other.list(&filter).map(|rows| rows.len());
    let none = Filter::default;
    assert_eq!(count(none())?, 2);
    assert_eq!(count(Filter { limit: 1, ..none() })?, 1);
    for (state, n) in [(State::Pending, 1), (State::Live, 1), (State::Ended, 0)] {
        let state = Some(state);
        assert_eq!(count(Filter { state, ..none() })?, n);
    }
    let operator = Some(a.grant.operator.id.clone());
    let ticket = Some(a.grant.ticket.clone());
    let is = |text: &str| Some(text.to_owned());
    #[rustfmt::skip]
    let table = [
        (Filter { app: is("shop"), ..none() }, 2),
        (Filter { operator, ..none() }, 1),
        (Filter { subject: is("kim@acme.example"), ..none() }, 2),
        (Filter { tenant: is("globex"), ..none() }, 1),
        (Filter { ticket, ..none() }, 1),
        (Filter { ticket: is("SUP-7"), ..none() }, 0),
        (Filter { external_id: is("x"), ..none() }, 0),
    ];
    for (filter, n) in table {
        assert_eq!(count(filter.clone())?, n, "{filter:?}");
    }
    Ok(())
}

pub(crate) fn a_bearer_token_finds_its_session_again(pair: &Pair) -> Outcome {
    let asked = admission("jti", ExternalUse::Bearer);
    let first = pair.one.admit(&asked)??;
    let again = pair.other.admit(&asked)??;
    assert_eq!(first, again);
    assert_eq!(first.state(), State::Live);
    let exchange = admission("jti", ExternalUse::Exchange(hash(5)));
    let refused = pair.one.admit(&exchange)?;
    assert_eq!(refused, Err(AdmitRefused::Used { at: NOW }));
    Ok(())
}

pub(crate) fn an_exchange_happens_once(pair: &Pair) -> Outcome {
    let asked = admission("jti-2", ExternalUse::Exchange(hash(5)));
    let first = pair.one.admit(&asked)??;
    assert_eq!(first.session.cookie, Some(hash(5)));
    for using in [ExternalUse::Exchange(hash(6)), ExternalUse::Bearer] {
        let again = pair.other.admit(&admission("jti-2", using))?;
        assert_eq!(again, Err(AdmitRefused::Used { at: NOW }));
    }
    Ok(())
}

pub(crate) fn external_tokens_are_revocable(pair: &Pair) -> Outcome {
    let target = |issuer: Option<&str>, jti: &str| Target::External {
        issuer: issuer.map(str::to_owned),
        external_id: jti.to_owned(),
        remember_until: after(100),
    };
    let seen = admission("seen", ExternalUse::Bearer);
    pair.one.admit(&seen)??;
    let done = pair
        .other
        .revoke(&target(None, "seen"), "cli:root", after(1))?;
    assert_eq!(done.ended, [seen.session]);
    let refused = |by: &str| {
        let (at, by) = (after(1), by.to_owned());
        Err(AdmitRefused::Revoked { at, by })
    };
    assert_eq!(pair.one.admit(&seen)?, refused("cli:root"));
    let done = pair
        .one
        .revoke(&target(None, "unseen"), "cli:a", after(1))?;
    assert!(done.token && done.ended.is_empty());
    let unseen = admission("unseen", ExternalUse::Bearer);
    assert_eq!(pair.other.admit(&unseen)?, refused("cli:a"));
    let elsewhere = Some("https://other.example");
    pair.one
        .revoke(&target(elsewhere, "elsewhere"), "cli:b", after(1))?;
    let fine = admission("elsewhere", ExternalUse::Bearer);
    assert!(pair.one.admit(&fine)?.is_ok());
    Ok(())
}

pub(crate) fn what_is_old_is_forgotten(pair: &Pair) -> Outcome {
    let (old, open) = (issue(1), issue(2));
    pair.one.issue(&old)?;
    pair.one.issue(&open)?;
    pair.one
        .end(&[(old.session, ended(EndCause::Revoked, 5))])?;
    pair.one.admit(&admission("jti", ExternalUse::Bearer))??;
    assert_eq!(pair.one.purge(after(1), after(10))?, 0, "not recorded yet");
    let both = Mark::ISSUED.and(Mark::ENDED);
    pair.one.mark_recorded(&[(old.session, both)])?;
    assert_eq!(pair.one.purge(after(1), after(10))?, 1);
    assert_eq!(pair.one.find_grant(old.grant.id)?, None);
    assert!(pair.one.find_grant(open.grant.id)?.is_some());
    assert_eq!(pair.one.purge(after(7201), after(10))?, 1, "the used jti");
    Ok(())
}

pub(crate) fn events_are_due_until_recorded(pair: &Pair) -> Outcome {
    let issued = issue(1);
    pair.one.issue(&issued)?;
    let due = || pair.other.unrecorded(10).map(|rows| rows.len());
    assert_eq!(due()?, 1);
    pair.one.mark_recorded(&[(issued.session, Mark::ISSUED)])?;
    assert_eq!(due()?, 0);
    pair.one.redeem(&redemption(&issued))??;
    assert_eq!(due()?, 1);
    pair.one.mark_recorded(&[(issued.session, Mark::STARTED)])?;
    pair.one
        .end(&[(issued.session, ended(EndCause::Idle, 9))])?;
    assert_eq!(due()?, 1);
    pair.one.mark_recorded(&[(issued.session, Mark::ENDED)])?;
    assert_eq!(due()?, 0);
    Ok(())
}

pub(crate) fn uses_are_noted_quietly(pair: &Pair) -> Outcome {
    let issued = issue(1);
    pair.one.issue(&issued)?;
    pair.one.redeem(&redemption(&issued))??;
    let revision = pair.one.load_open()?.revision;
    pair.one.touch(&[
        used(issued.session, after(50), 7),
        used(SessionId::fresh(), NOW, 1),
    ])?;
    pair.one.touch(&[Use {
        used: None,
        ..used(issued.session, after(40), 0)
    }])?;
    let used = pair.other.find_session(issued.session)?.ok_or("lost")?;
    assert_eq!(used.last_used, Some(after(50)));
    assert_eq!(used.used.map(|it| it.requests), Some(7));
    assert!(pair.other.changes_since(revision)?.rows.is_empty());
    Ok(())
}

fn used(session: SessionId, at: Timestamp, requests: u64) -> Use {
    let used = Used {
        requests,
        ..Used::default()
    };
    Use {
        session,
        at,
        used: Some(used),
    }
}

pub(crate) fn the_binding_at_issue_stands(pair: &Pair) -> Outcome {
    let mut issued = issue(1);
    issued.binding.network = Some(([10, 1, 0, 0].into(), 16));
    pair.one.issue(&issued)?;
    let mut with = redemption(&issued);
    with.binding.network = Some(([192, 168, 0, 0].into(), 16));
    with.binding.certificate = Some("ab".repeat(32));
    let started = pair.one.redeem(&with)??;
    assert_eq!(started.session.binding.network, issued.binding.network);
    assert_eq!(
        started.session.binding.certificate,
        with.binding.certificate
    );
    Ok(())
}

/// Many at once: one wins, the others are told that the code was used.
pub(crate) fn racing_redemptions_have_one_winner(pair: &Pair) -> Outcome {
    let issued = issue(1);
    pair.one.issue(&issued)?;
    let won = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..8u8)
            .map(|n| {
                let store = if n % 2 == 0 { &pair.one } else { &pair.other };
                let mut with = redemption(&issued);
                with.cookie = hash(100 + n);
                scope.spawn(move || matches!(store.redeem(&with), Ok(Ok(_))))
            })
            .collect();
        let won = runs.into_iter().filter_map(|run| run.join().ok());
        won.filter(|won| *won).count()
    });
    assert_eq!(won, 1);
    Ok(())
}

macro_rules! conformance_suite {
    ($make:path: $($case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() -> $crate::store::conformance::Outcome {
                $crate::store::conformance::$case(&$make()?)
            }
        )*
    };
    ($make:path) => {
        $crate::store::conformance::conformance_suite! { $make:
            a_code_starts_a_session_once,
            a_code_is_refused_for_each_reason,
            an_issue_is_all_or_nothing,
            a_new_code_voids_the_old,
            the_first_cause_stands,
            readers_see_only_what_changed,
            open_ones_come_in_pages_each_once,
            ended_ones_come_in_pages_newest_first,
            lists_filter,
            a_bearer_token_finds_its_session_again,
            an_exchange_happens_once,
            external_tokens_are_revocable,
            what_is_old_is_forgotten,
            events_are_due_until_recorded,
            uses_are_noted_quietly,
            the_binding_at_issue_stands,
            racing_redemptions_have_one_winner,
        }
    };
}
pub(crate) use conformance_suite;
