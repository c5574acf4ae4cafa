//! Each page for each role: who gets it, what their navigation holds, and the headers that every page bears.

use super::stage::{Stage, ada, person, request};
use crate::model::{Caller, Role};
use axum::body::Body;
use http::StatusCode;

/// One person of each role.
fn everybody() -> Vec<(Caller, Vec<&'static str>)> {
    let one = |name: &str, role, tenants: &str| person(name, &[(role, tenants)]);
    let watch = [
        "/requests",
        "/live",
        "/break-glass",
        "/reviews",
        "/policy",
        "/workloads",
        "/locks",
        "/evidence",
    ];
    vec![
        (ada(), vec!["/", "/requests"]),
        (
            one("bo", Role::Approver, "*"),
            vec!["/requests", "/approvals", "/live", "/policy"],
        ),
        (one("sam", Role::Security, "*"), watch.to_vec()),
        (one("una", Role::Auditor, "*"), watch.to_vec()),
        (
            one("max", Role::Admin, "*"),
            vec![
                "/requests",
                "/live",
                "/reviews",
                "/policy",
                "/workloads",
                "/locks",
                "/evidence",
            ],
        ),
        (
            one("tia", Role::TenantAuditor, "acme"),
            vec!["/customer", "/evidence"],
        ),
        (
            one("ben", Role::BreakGlass, "*"),
            vec!["/", "/requests", "/break-glass", "/reviews"],
        ),
        (person("nil", &[]), vec![]),
    ]
}

const PAGES: [&str; 11] = [
    "/requests",
    "/approvals",
    "/live",
    "/break-glass",
    "/reviews",
    "/customer",
    "/policy",
    "/workloads",
    "/locks",
    "/evidence",
    "/requests/new",
];

#[tokio::test]
async fn each_role_gets_its_own_pages_and_sees_no_other_in_the_navigation() {
    let stage = Stage::new();
    stage.asked();
    stage.used(|_| {});
    stage.broken();
    for (who, own) in everybody() {
        for page in PAGES {
            let seen = stage.get(&who, page).await;
            let is_own = match page {
                "/requests/new" => who.is(Role::Operator),
                page => own.contains(&page),
            };
            let expected = if is_own {
                StatusCode::OK
            } else {
                StatusCode::FORBIDDEN
            };
            assert_eq!(
                seen.status, expected,
                "{} at {page}: {}",
                who.person, seen.text
            );
            assert_eq!(seen.links(), own, "{} at {page}", who.person);
            if !is_own {
                seen.hides("kim@acme.example");
                seen.hides("INC-7");
            }
        }
    }
}

#[tokio::test]
async fn a_refused_look_is_on_record() {
    let stage = Stage::new();
    let seen = stage.get(&ada(), "/evidence").await;
    assert_eq!(
        (seen.status, seen.reasons()),
        (StatusCode::FORBIDDEN, vec!["portal.role"])
    );
    let happened = &stage.happened()[0].happened;
    assert_eq!(
        (happened.code.as_str(), happened.actor.as_str()),
        ("control.refused", "ada@support.example")
    );
    assert!(
        happened
            .details
            .contains(&("path".into(), "/evidence".into()))
    );
    assert!(
        happened
            .details
            .contains(&("reason".into(), "portal.role".into()))
    );
}

#[tokio::test]
async fn who_has_no_sessions_begins_at_their_own_work() {
    let stage = Stage::new();
    let starts = [
        ("bo", Role::Approver, "/approvals"),
        ("sam", Role::Security, "/live"),
        ("tia", Role::TenantAuditor, "/customer"),
    ];
    for (name, role, to) in starts {
        let seen = stage.get(&person(name, &[(role, "*")]), "/").await;
        assert_eq!(
            (seen.status, seen.header("location")),
            (StatusCode::SEE_OTHER, to)
        );
    }
    let nobody = stage.get(&person("nil", &[]), "/").await;
    assert_eq!(nobody.status, StatusCode::OK);
    nobody.shows("You have no role here yet");
}

#[tokio::test]
async fn every_page_bears_the_headers_that_keep_others_out() {
    let stage = Stage::new();
    for path in [
        "/",
        "/requests/new",
        "/consent",
        "/evidence",
        "/nothing/here",
    ] {
        let seen = stage.get(&ada(), path).await;
        let policy = seen.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(seen.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(
            seen.header("cross-origin-opener-policy"),
            "same-origin",
            "{path}"
        );
        assert_eq!(seen.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(seen.header("cache-control"), "no-store", "{path}");
        assert!(
            seen.header("permissions-policy").contains("camera=()"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn own_files_have_names_of_their_content_and_are_kept() {
    let stage = Stage::new();
    let page = stage.get(&ada(), "/").await;
    let named: Vec<&str> = page
        .text
        .split('"')
        .filter(|it| it.starts_with("/assets/"))
        .collect();
    assert!(named.len() >= 3, "{named:?}");
    for path in named {
        let seen = stage.send(request("GET", path, None, Body::empty())).await;
        assert_eq!(seen.status, StatusCode::OK, "{path}");
        assert!(seen.header("cache-control").contains("immutable"), "{path}");
    }
    let old = stage
        .send(request(
            "GET",
            "/assets/portal-0000000000000000.css",
            None,
            Body::empty(),
        ))
        .await;
    assert_eq!(old.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn whoever_did_not_sign_in_does_so_and_comes_back_to_our_own_pages_only() {
    let stage = Stage::new();
    let cases = [
        ("/approvals?a=b", "/login?to=%2Fapprovals%3Fa%3Db"),
        (
            "/requests/new?tenant=acme&ticket=SUP-1",
            "/login?to=%2Frequests%2Fnew%3Ftenant%3Dacme%26ticket%3DSUP-1",
        ),
        ("//evil.example/x", "/login?to=%2F"),
        ("/%5Cevil.example", "/login?to=%2F%255Cevil.example"),
    ];
    for (path, to) in cases {
        let seen = stage.send(request("GET", path, None, Body::empty())).await;
        assert_eq!(
            (seen.status, seen.header("location")),
            (StatusCode::SEE_OTHER, to),
            "{path}"
        );
    }
    let form = stage
        .send(request("POST", "/locks", None, Body::from("key=all")))
        .await;
    assert_eq!(
        (form.status, form.header("location")),
        (StatusCode::SEE_OTHER, "/login?to=%2F")
    );
}

#[tokio::test]
async fn workloads_have_no_portal() {
    let stage = Stage::new();
    let mut robot = person("robot", &[(Role::Operator, "*")]);
    robot.kind = crate::model::OperatorKind::Workload;
    let seen = stage.get(&robot, "/").await;
    assert_eq!(
        (seen.status, seen.reasons()),
        (StatusCode::FORBIDDEN, vec!["duty.workload-portal"])
    );
}

#[tokio::test]
async fn what_was_done_is_told_in_our_own_words_only() {
    let stage = Stage::new();
    stage
        .get(&ada(), "/?done=ended")
        .await
        .shows("The session was ended.");
    let forged = stage.get(&ada(), "/?done=%3Cb%3Eyou+won%3C/b%3E").await;
    forged.hides("you won");
    forged.hides("role=\"status\"");
}

#[tokio::test]
async fn texts_from_outside_are_escaped_everywhere() {
    let stage = Stage::new();
    let evil = "<img src=x onerror=alert(1)>";
    let mut request = super::stage::asked();
    request.reason = evil.into();
    request.ticket_title = Some(evil.into());
    request.subject.name = Some(evil.into());
    let request = stage.insert(request);
    let used = stage.used(|it| it.reason = evil.into());
    let bo = person(
        "bo",
        &[
            (Role::Approver, "*"),
            (Role::Auditor, "*"),
            (Role::TenantAuditor, "acme"),
        ],
    );
    let session = used.session.expect("used");
    for path in [
        format!("/requests/{}", request.id),
        format!("/approvals/{}", request.id),
        format!("/sessions/{session}"),
        "/approvals".into(),
        "/customer".into(),
        "/evidence?words=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E".into(),
        "/live?search=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E".into(),
        "/policy?request=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E".into(),
    ] {
        let seen = stage.get(&bo, &path).await;
        assert_eq!(seen.status, StatusCode::OK, "{path}");
        seen.hides("<img src=x");
        assert!(
            seen.text.contains("img src=x") || path == "/approvals",
            "{path} shows it as text"
        );
    }
}
