//! Tests of the admin's tool, on a real store.

use super::*;
use crate::model::EndCause;
use crate::store::sqlite::{Settings, Sqlite};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn store() -> Result<(tempfile::TempDir, Sqlite), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let store = Sqlite::open(&Settings {
        path: dir.path().join("locum.db"),
        ..Settings::default()
    })?;
    Ok((dir, store))
}

fn request() -> IssueRequest {
    IssueRequest {
        app: "shop".into(),
        operator: "ada@support.example".into(),
        subject: "kim@acme.example".into(),
        tenant: "acme".into(),
        scopes: vec!["view".into(), "orders".into(), "view".into()],
        ticket: "SUP-1042".into(),
        reason: "Cannot see an invoice".into(),
        ttl: Duration::from_secs(1800),
        issued_by: "cli:root".into(),
        ..IssueRequest::default()
    }
}

fn problems(change: impl FnOnce(&mut IssueRequest), limits: &Limits) -> Vec<&'static str> {
    let mut asked = request();
    change(&mut asked);
    match validate(&asked, limits, NOW) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|p| p.field).collect(),
    }
}

#[test]
fn a_good_request_becomes_a_grant_that_can_be_shown_and_revoked() -> Outcome {
    let (_dir, store) = store()?;
    let limits = Limits::default();
    let issued = issue(&store, &request(), &limits, NOW)?;
    let names: Vec<&str> = issued.grant.scopes.iter().map(Scope::as_str).collect();
    assert_eq!(names, ["orders", "view"]);
    assert_eq!(issued.code_expires, NOW.plus(Duration::from_secs(30)));
    let shown = show(&store, &issued.grant.id.to_string())?;
    assert_eq!(*shown.grant, issued.grant);
    assert_eq!(show(&store, &issued.session.to_string())?, shown);
    let id = issued.grant.id.to_string();
    let done = revoke(&store, &Which::Id(&id), "cli:root", &limits, NOW)?;
    assert_eq!(done.ended, [issued.session]);
    let ended = show(&store, &id)?.session.ended.ok_or("not ended")?;
    assert_eq!(
        (ended.cause, ended.by.as_str()),
        (EndCause::Revoked, "cli:root")
    );
    let again = revoke(&store, &Which::Id(&id), "cli:other", &limits, NOW)?;
    assert_eq!(again.already, [(issued.session, ended)]);
    Ok(())
}

/// Breaks one thing.
type Change = fn(&mut IssueRequest);

#[test]
fn each_mistake_is_named() {
    let limits = Limits {
        apps: Some(vec!["shop".into()]),
        scopes: ["view", "orders"]
            .iter()
            .filter_map(|s| s.parse().ok())
            .map(Some)
            .collect(),
        ..Limits::default()
    };
    let table: &[(&'static str, Change)] = &[
        ("ticket", |r| r.ticket = "  ".into()),
        ("ticket", |r| r.ticket = "x".repeat(129)),
        ("reason", |r| r.reason = "line\nbreak".into()),
        ("reason", |r| r.reason = "a\u{202e}b".into()),
        ("operator", |r| r.operator = "KIM@acme.example".into()),
        ("operator name", |r| {
            r.operator_name = Some("\u{1b}[2J".into());
        }),
        ("app", |r| r.app = "other".into()),
        ("scope", |r| r.scopes = vec!["payouts".into()]),
        ("scope", |r| {
            r.scopes = vec!["No Scope".into(), "view".into()];
        }),
        ("scope", |r| r.scopes.clear()),
        ("ttl", |r| r.ttl = Duration::from_secs(3601)),
        ("ttl", |r| r.ttl = Duration::ZERO),
        ("ttl", |r| {
            r.break_glass = true;
            r.ttl = Duration::from_secs(901);
        }),
        ("not before", |r| {
            r.not_before = Some(Timestamp::from_millis(0));
        }),
        ("not before", |r| {
            r.not_before = Some(NOW.plus(Duration::from_secs(8 * 86_400)));
        }),
        ("certificate", |r| r.binding.certificate = Some("ab".into())),
        ("network", |r| {
            r.binding.network = Some(([10, 0, 0, 0].into(), 33));
        }),
    ];
    assert_eq!(problems(|_| {}, &limits), [""; 0]);
    for (field, change) in table {
        assert_eq!(problems(*change, &limits), [*field]);
    }
}

#[test]
fn all_mistakes_come_at_once() {
    let empty = IssueRequest::default();
    let Err(problems) = validate(&empty, &Limits::default(), NOW) else {
        panic!("an empty request was taken");
    };
    let fields: Vec<&str> = problems.iter().map(|p| p.field).collect();
    let wanted = [
        "app",
        "operator",
        "subject",
        "tenant",
        "ticket",
        "reason",
        "issued by",
        "ttl",
        "scope",
    ];
    assert_eq!(fields, wanted);
}

#[test]
fn a_fresh_code_voids_the_old_one_until_the_session_starts() -> Outcome {
    use crate::store::{RedeemRefused, Redemption};
    let (_dir, store) = store()?;
    let limits = Limits::default();
    let first = issue(&store, &request(), &limits, NOW)?;
    let second = reissue_code(&store, first.grant.id, &limits, NOW)?;
    let redeem = |code: &Secret| {
        store.redeem(&Redemption {
            session: first.session,
            code: code.hash(),
            cookie: code.hash(),
            binding: Binding::default(),
            now: NOW,
        })
    };
    assert_eq!(redeem(&first.code)?.err(), Some(RedeemRefused::Unknown));
    assert!(redeem(&second.code)?.is_ok());
    let third = reissue_code(&store, first.grant.id, &limits, NOW);
    assert!(matches!(
        third,
        Err(Error::Reissue(ReissueRefused::Started { .. }))
    ));
    let gone = reissue_code(&store, GrantId::fresh(), &limits, NOW);
    assert!(matches!(gone, Err(Error::NotFound)));
    Ok(())
}

#[test]
fn what_does_not_exist_is_not_found() -> Outcome {
    let (_dir, store) = store()?;
    let limits = Limits::default();
    for id in [
        "",
        "nonsense",
        &GrantId::fresh().to_string(),
        &SessionId::fresh().to_string(),
    ] {
        assert!(matches!(show(&store, id), Err(Error::NotFound)), "{id}");
        let revoked = revoke(&store, &Which::Id(id), "cli:root", &limits, NOW);
        assert!(matches!(revoked, Err(Error::NotFound)), "{id}");
    }
    Ok(())
}
