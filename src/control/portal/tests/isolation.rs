//! Another customer's things: for whom they do not exist, no page says a word of them, and the look is on record.

use super::stage::{Stage, person};
use crate::model::{LockKey, Role};
use http::StatusCode;

/// Words that only somebody of Acme's may read.
const SECRETS: [&str; 6] = [
    "kim@acme.example",
    "SUP-1042",
    "Ada Byron",
    "ada@support.example",
    "Invoice missing",
    "INC-7",
];

#[tokio::test]
async fn another_tenants_ids_are_like_ids_that_do_not_exist() {
    let stage = Stage::new();
    let (asked, used, review) = (stage.asked(), stage.used(|_| {}), stage.broken());
    let session = used.session.expect("used");
    let pages = [
        format!("/requests/{}", asked.id),
        format!("/approvals/{}", asked.id),
        format!("/sessions/{session}"),
        format!("/sessions/{session}/end"),
        format!("/reviews/{}", review.id),
    ];
    let roles = [
        Role::Operator,
        Role::Approver,
        Role::Security,
        Role::Auditor,
        Role::Admin,
        Role::TenantAuditor,
        Role::BreakGlass,
    ];
    for role in roles {
        let stranger = person("eve", &[(role, "globex")]);
        for page in &pages {
            let before = stage.happened().len();
            let seen = stage.get(&stranger, page).await;
            assert_eq!(seen.status, StatusCode::NOT_FOUND, "{role:?} at {page}");
            for secret in SECRETS {
                seen.hides(secret);
            }
            let happened = stage.happened();
            assert_eq!(
                happened.len(),
                before + 1,
                "{role:?} at {page} is on record"
            );
            assert_eq!(happened[0].happened.code, "control.refused");
            assert_eq!(happened[0].happened.actor, "eve@support.example");
        }
    }
}

#[tokio::test]
async fn lists_hold_nothing_of_another_tenant() {
    let stage = Stage::new();
    stage.asked();
    stage.used(|_| {});
    stage.broken();
    stage.archive.take(&stage.control);
    let roles = [
        Role::Approver,
        Role::Security,
        Role::Auditor,
        Role::Admin,
        Role::TenantAuditor,
        Role::BreakGlass,
        Role::Operator,
    ];
    let seats: Vec<(Role, &str)> = roles.into_iter().map(|role| (role, "globex")).collect();
    let stranger = person("eve", &seats);
    for page in [
        "/",
        "/requests",
        "/requests?of=all",
        "/approvals",
        "/live",
        "/parts/live",
        "/break-glass",
        "/reviews",
        "/customer",
        "/evidence",
    ] {
        let seen = stage.get(&stranger, page).await;
        assert_eq!(seen.status, StatusCode::OK, "{page}");
        for secret in SECRETS {
            assert!(
                !seen.text.contains(secret),
                "{page}: {secret} in {}",
                seen.text
            );
        }
    }
    let new = stage.get(&stranger, "/requests/new").await;
    new.shows("value=\"globex\"");
    new.hides("value=\"acme\"");
}

#[tokio::test]
async fn actions_on_another_tenants_things_change_nothing() {
    let stage = Stage::new();
    let (asked, used, review) = (stage.asked(), stage.used(|_| {}), stage.broken());
    let session = used.session.expect("used");
    let digest = asked.digest();
    let forms: [(String, Vec<(&str, &str)>); 8] = [
        (
            format!("/approvals/{}", asked.id),
            vec![("verdict", "approve"), ("digest", &digest)],
        ),
        (format!("/requests/{}/cancel", asked.id), vec![]),
        (format!("/requests/{}/activate", asked.id), vec![]),
        (format!("/requests/{}/start-link", used.id), vec![]),
        (format!("/requests/{}/consent-link", asked.id), vec![]),
        (
            format!("/sessions/{session}/end"),
            vec![("name", "kim@acme.example")],
        ),
        (
            format!("/reviews/{}", review.id),
            vec![("verdict", "certify"), ("findings", "x")],
        ),
        (
            "/live".into(),
            vec![("key", "tenant:acme"), ("reason", "x"), ("do", "lock")],
        ),
    ];
    for role in [
        Role::Operator,
        Role::Approver,
        Role::Security,
        Role::Auditor,
        Role::Admin,
        Role::TenantAuditor,
    ] {
        let stranger = person("eve", &[(role, "globex")]);
        for (path, fields) in &forms {
            let seen = stage.post(&stranger, path, fields).await;
            assert!(
                matches!(seen.status.as_u16(), 403 | 404),
                "{role:?} at {path}: {}",
                seen.status
            );
            for secret in SECRETS {
                seen.hides(secret);
            }
            assert_eq!(
                stage.happened()[0].happened.code,
                "control.refused",
                "{role:?} at {path}"
            );
        }
    }
    assert_eq!(stage.stored(asked.id).version, asked.version);
    assert_eq!(stage.put(|tx| tx.votes(asked.id)).len(), 0);
    let open = stage.put(|tx| tx.open_sessions(&LockKey::Tenant("acme".into()), 10));
    assert_eq!(open.len(), 1, "Ada's is open still");
}
