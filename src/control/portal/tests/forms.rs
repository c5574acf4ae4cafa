//! Every form, without the proof that it is our own page's: refused before anything is read.

use super::stage::{Stage, ada, person, request};
use crate::model::{RequestState, Role};
use crate::store::control::Query;
use axum::body::Body;
use http::StatusCode;

#[tokio::test]
async fn a_form_without_its_proof_is_refused_and_changes_nothing() {
    let stage = Stage::new();
    let (asked, used, review) = (stage.asked(), stage.used(|_| {}), stage.broken());
    let session = used.session.expect("used");
    let all = [
        Role::Operator,
        Role::Approver,
        Role::Security,
        Role::Auditor,
        Role::Admin,
        Role::TenantAuditor,
        Role::BreakGlass,
    ];
    let seats: Vec<(Role, &str)> = all.into_iter().map(|role| (role, "*")).collect();
    let everything = person("zoe", &seats);
    let paths = [
        "/requests/new".to_owned(),
        "/requests/check".to_owned(),
        format!("/requests/{}/cancel", asked.id),
        format!("/requests/{}/consent", asked.id),
        format!("/requests/{}/activate", asked.id),
        format!("/requests/{}/start-link", used.id),
        format!("/requests/{}/consent-link", asked.id),
        format!("/approvals/{}", asked.id),
        "/live".to_owned(),
        format!("/sessions/{session}/end"),
        "/break-glass".to_owned(),
        format!("/reviews/{}", review.id),
        "/workloads/new".to_owned(),
        "/workloads/disable".to_owned(),
        "/locks".to_owned(),
        format!("/locks/{}/lift", crate::model::LockId::fresh()),
    ];
    for path in paths {
        for proof in [
            "",
            "csrf=",
            "csrf=another",
            "csrf=proof-of-https%3A%2F%2Fid.example%7Cada",
        ] {
            let body =
                format!("{proof}&key=all&reason=x&do=lock&verdict=approve&name=kim@acme.example");
            let seen = stage
                .send(request("POST", &path, Some(&everything), Body::from(body)))
                .await;
            assert_eq!(seen.status, StatusCode::FORBIDDEN, "{path} with {proof:?}");
            assert_eq!(seen.reasons(), ["csrf"], "{path}");
            let happened = &stage.happened()[0].happened;
            assert!(
                happened.details.contains(&("reason".into(), "csrf".into())),
                "{path}"
            );
        }
    }
    assert_eq!(stage.stored(asked.id), asked);
    assert_eq!(
        stage.put(|tx| tx.count::<crate::model::Lock>(&Query::default())),
        0
    );
}

#[tokio::test]
async fn a_form_that_is_too_long_is_refused() {
    let stage = Stage::new();
    let body = Body::from("reason=".to_owned() + &"x".repeat(4 * 1024 * 1024));
    let seen = stage
        .send(request("POST", "/requests/new", Some(&ada()), body))
        .await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn what_was_typed_stays_in_the_form_and_each_field_says_what_is_wrong() {
    let stage = Stage::new();
    let fields = [
        ("app", "shop"),
        ("tenant", "Acme"),
        ("subject", "kim@acme.example"),
        ("ticket", "SUP-1042"),
        ("scopes", "orders"),
        ("minutes", "6000"),
        ("reason_code", "customer-request"),
        ("reason", "Address\r\nis wrong"),
        ("do", "send"),
    ];
    let seen = stage.post(&ada(), "/requests/new", &fields).await;
    assert_eq!(
        (seen.status, seen.reasons()),
        (StatusCode::UNPROCESSABLE_ENTITY, vec!["invalid"])
    );
    seen.shows("at most 60 are possible");
    seen.shows("value=\"acme\"");
    seen.shows("value=\"kim@acme.example\"");
    seen.shows("Address is wrong</textarea>");
    assert!(
        seen.text.contains("id=\"scope-orders\" checked"),
        "{}",
        seen.text
    );
}

#[tokio::test]
async fn the_form_offers_the_shortest_time_first_and_scopes_as_sentences() {
    let stage = Stage::new();
    let seen = stage.get(&ada(), "/requests/new").await;
    seen.shows("value=\"15\" id=\"minutes-15\" checked");
    seen.shows("Change a delivery address");
    seen.shows("Privileged: two approvals");
    seen.hides("value=\"120\"");
}

#[tokio::test]
async fn a_refusal_page_fills_the_form_in() {
    let stage = Stage::new();
    let exchange = crate::model::ExchangeId::fresh().to_string();
    let link = format!(
        "/requests/new?from={exchange}&app=shop&tenant=acme&subject=kim@acme.example&ticket=SUP-1042&action=mfa.reset"
    );
    let seen = stage.get(&ada(), &link).await;
    seen.shows("You were refused “mfa.reset”");
    seen.shows(&format!("name=\"exchange\" value=\"{exchange}\""));
    seen.shows("value=\"SUP-1042\"");
    let forged = stage
        .get(&ada(), "/requests/new?exchange=%22%3E%3Cscript%3E")
        .await;
    forged.hides("name=\"exchange\"");
}

#[tokio::test]
async fn the_check_tells_what_is_missing_and_finds_the_ticket_before_all_is_typed() {
    let stage = Stage::new();
    let fields = [("app", "shop"), ("tenant", "acme"), ("ticket", "SUP-1042")];
    let seen = stage.post(&ada(), "/requests/check", &fields).await;
    assert_eq!(seen.status, StatusCode::OK);
    seen.shows("Still needed");
    seen.shows("SUP-1042: Invoice missing");
    seen.hides("<html");
    let none = stage.happened();
    assert!(none.is_empty(), "a check is no step: {none:?}");
    let denied = [
        ("app", "shop"),
        ("tenant", "acme"),
        ("subject", "kim@acme.example"),
        ("ticket", "SUP-1042"),
        ("scopes", "view"),
        ("minutes", "15"),
        ("reason_code", "customer-request"),
        ("reason", "Invoice"),
    ];
    let seen = stage.post(&ada(), "/requests/new", &denied).await;
    seen.shows("data-reason=\"policy.denied\"");
}

#[tokio::test]
async fn an_unknown_request_of_the_shape_of_ours_is_not_found() {
    let stage = Stage::new();
    for path in [
        "/requests/qnonsense",
        "/requests/q00000000000000000000000001",
        "/sessions/x",
        "/nothing",
    ] {
        assert_eq!(
            stage.get(&ada(), path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let asked = stage.asked();
    assert_eq!(asked.state, RequestState::Pending);
}
