//! Asking: what goes out, what comes of each kind of answer, and where tokens go.

use super::stand_in::{Portal, answer, json_of, problem_of};
use super::{Client, Credentials, SignedIn, Token, text};
use crate::cli::{Exit, Failure};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

type Tested = Result<(), Box<dyn std::error::Error>>;

fn client(portal: &Portal) -> Result<Client, Failure> {
    let nowhere = Err(Failure::cannot("no home", ""));
    portal.remote().client_of(nowhere, Some("t-1".into()))
}

fn header<'r>(request: &'r str, name: &str) -> Option<&'r str> {
    request
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn a_step_carries_the_token_json_and_a_key() -> Tested {
    let portal = Portal::answering([json_of(201, r#"{"id":"a\u001b[2J"}"#)])?;
    let made = client(&portal)?.post(
        &["reviews", "../x/y", "verdict"],
        &json!({ "justified": true }),
    )?;
    assert_eq!(
        text(&made, "/id"),
        "a\u{fffd}[2J",
        "nothing commands the terminal"
    );
    let seen = portal.seen();
    let request = seen.first().ok_or("no request")?;
    assert!(
        request.starts_with("POST /api/v1/reviews/..%2Fx%2Fy/verdict HTTP/1.1\r\n"),
        "{request}"
    );
    assert_eq!(header(request, "authorization"), Some("Bearer t-1"));
    assert_eq!(header(request, "content-type"), Some("application/json"));
    assert!(header(request, "idempotency-key").is_some_and(|key| key.len() == 43));
    assert!(request.ends_with(r#"{"justified":true}"#));
    Ok(())
}

#[test]
fn a_lost_answer_is_asked_for_again_under_the_same_key() -> Tested {
    let portal = Portal::answering([String::new(), json_of(200, "{}")])?;
    client(&portal)?.act(&["requests", "r1", "cancel"])?;
    let keys: Vec<_> = portal
        .seen()
        .iter()
        .map(|it| header(it, "idempotency-key").map(str::to_owned))
        .collect();
    assert_eq!(keys.len(), 2);
    assert!(keys.first().is_some_and(Option::is_some) && keys.first() == keys.last());
    Ok(())
}

#[test]
fn a_poll_that_got_lost_is_not_sent_twice() -> Tested {
    let portal = Portal::answering([String::new(), json_of(200, "{}")])?;
    let lost = client(&portal)?
        .ask(&["login/device"], &json!({}))
        .err()
        .ok_or("an answer")?;
    assert_eq!(lost.exit(), Exit::Cannot);
    assert_eq!(portal.seen().len(), 1);
    Ok(())
}

#[test]
fn each_kind_of_no_has_its_exit_code_and_remedy() -> Tested {
    let no = |reason: &str| format!(r#"{{"detail":"No.","reason":"{reason}","problems":[]}}"#);
    for (status, reason, exit, remedy) in [
        (403, "duty.requester", Exit::No, "ask somebody else"),
        (409, "request.used", Exit::No, "locum request create"),
        (404, "not-found", Exit::No, "id"),
        (
            401,
            "login.needed",
            Exit::SignIn,
            "locum login --url http://127.0.0.1:",
        ),
        (401, "step-up.stale", Exit::SignIn, "locum login --fresh"),
        (429, "rate.person", Exit::Cannot, "again in 7 s"),
        (503, "store", Exit::Cannot, "try again"),
    ] {
        let portal = Portal::answering([problem_of(status, &no(reason))])?;
        let failure = client(&portal)?
            .act(&["requests", "r", "cancel"])
            .err()
            .ok_or("a yes")?;
        assert_eq!(failure.exit(), exit, "{reason}");
        assert_eq!(failure.message(), format!("No. ({reason})"));
        assert!(
            failure.remedy().contains(remedy),
            "{reason}: {}",
            failure.remedy()
        );
    }
    Ok(())
}

#[test]
fn fields_that_need_another_look_are_named() -> Tested {
    let body = r#"{"detail":"One field needs another look.","reason":"invalid","problems":[{"field":"tenant","message":"is nobody"}]}"#;
    let portal = Portal::answering([problem_of(422, body)])?;
    let failure = client(&portal)?
        .post(&["requests"], &json!({}))
        .err()
        .ok_or("a yes")?;
    assert_eq!(
        failure.message(),
        "One field needs another look. (invalid)\n  tenant: is nobody"
    );
    Ok(())
}

#[test]
fn what_is_no_answer_of_the_api_is_not_believed() -> Tested {
    let large = "x".repeat(9 * 1024 * 1024);
    for spoken in [
        answer(200, "content-type: text/html\r\n", "<h1>Welcome</h1>"),
        answer(302, "location: http://127.0.0.1:1/\r\n", ""),
        json_of(200, "{"),
        answer(403, "content-type: text/plain\r\n", "no"),
        json_of(200, &large),
    ] {
        let portal = Portal::answering([spoken, String::new()])?;
        let failure = client(&portal)?.get("whoami", &[]).err().ok_or("a yes")?;
        assert_eq!(failure.exit(), Exit::Cannot, "{failure}");
        assert_eq!(portal.seen().len(), 1, "{failure}");
    }
    Ok(())
}

#[test]
fn credentials_are_their_owners_only_and_go_to_their_own_portal() -> Tested {
    let dir = tempfile::tempdir()?;
    let kept = Credentials::within(dir.path());
    let token = Token::parse("t-1").ok_or("a token")?;
    let portal = Portal::answering([json_of(200, "{}")])?;
    kept.keep(
        &portal.url(),
        SignedIn::new(&token, "2999-01-01T00:00:00Z", None),
    )?;
    let mode =
        |path: &std::path::Path| fs::metadata(path).map(|it| it.permissions().mode() & 0o777);
    assert_eq!(mode(kept.path())?, 0o600);
    assert_eq!(mode(kept.path().parent().ok_or("a parent")?)?, 0o700);

    let remote = super::Remote {
        url: None,
        ..portal.remote()
    };
    remote
        .client_of(Ok(kept.clone()), None)?
        .get("whoami", &[])?;
    assert_eq!(
        portal
            .seen()
            .first()
            .and_then(|it| header(it, "authorization")),
        Some("Bearer t-1")
    );

    let other = super::Remote {
        url: Some("http://localhost:1".into()),
        ..portal.remote()
    };
    let refused = other
        .client_of(Ok(kept.clone()), None)
        .err()
        .ok_or("a client")?;
    assert_eq!(refused.exit(), Exit::SignIn);

    fs::set_permissions(kept.path(), fs::Permissions::from_mode(0o640))?;
    let refused = remote
        .client_of(Ok(kept.clone()), None)
        .err()
        .ok_or("a client")?;
    assert!(
        refused.message().ends_with("can be read by others"),
        "{refused}"
    );
    fs::set_permissions(kept.path(), fs::Permissions::from_mode(0o600))?;
    assert_eq!(kept.forget(None)?, Some(portal.url()));
    assert_eq!(kept.forget(None)?, None);
    Ok(())
}

#[test]
fn a_token_whose_time_is_over_is_not_sent() -> Tested {
    let dir = tempfile::tempdir()?;
    let kept = Credentials::within(dir.path());
    let token = Token::parse("t-1").ok_or("a token")?;
    kept.keep(
        "https://portal.example",
        SignedIn::new(&token, "2001-01-01T00:00:00Z", None),
    )?;
    let refused = super::Remote::default()
        .client_of(Ok(kept), None)
        .err()
        .ok_or("a client")?;
    assert_eq!(refused.exit(), Exit::SignIn);
    assert!(
        refused.message().contains("ended at 2001-01-01"),
        "{refused}"
    );
    assert_eq!(format!("{token:?}"), "Token(…)");
    Ok(())
}
