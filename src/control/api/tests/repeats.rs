//! Calls that are sent again, and calls on what has changed meanwhile.

use super::fixture::{MINUTE, Stage, person};
use super::things;
use crate::model::Role;
use serde_json::{Value, json};

const KEY: (&str, &str) = ("idempotency-key", "0b6a-1");

#[tokio::test]
async fn a_lock_is_set_once_for_its_key() {
    let stage = Stage::new();
    let sam = person("sam", &[(Role::Security, "*")]);
    let body = json!({"key": "ticket:SUP-1", "reason": "Under suspicion"});
    let first = stage.post_with(&sam, "/api/v1/locks", &[KEY], &body).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let location = first.header("location").to_owned();
    assert!(location.starts_with("/api/v1/locks/k"), "{location}");
    let again = stage.post_with(&sam, "/api/v1/locks", &[KEY], &body).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(again.header("location"), location);
    let locks = stage.get(&sam, "/api/v1/locks").await;
    assert_eq!(locks.json()["items"].as_array().map(Vec::len), Some(1));

    let other = json!({"key": "ticket:SUP-2", "reason": "Under suspicion"});
    let answer = stage.post_with(&sam, "/api/v1/locks", &[KEY], &other).await;
    assert_eq!(
        (answer.status.as_u16(), answer.reason().as_str()),
        (422, "idempotency.other-call")
    );
    let tom = person("tom", &[(Role::Security, "*")]);
    let answer = stage.post_with(&tom, "/api/v1/locks", &[KEY], &body).await;
    assert_eq!(answer.status, 201, "another person's key is another key");
}

#[tokio::test]
async fn a_refused_call_may_be_sent_again() {
    let stage = Stage::new();
    let bo = person("bo", &[(Role::Approver, "*")]);
    let body = json!({"key": "ticket:SUP-1", "reason": "Under suspicion"});
    for _ in 0..2 {
        let answer = stage.post_with(&bo, "/api/v1/locks", &[KEY], &body).await;
        assert_eq!(answer.reason(), "duty.not-security");
    }
    let bo = person("bo", &[(Role::Security, "*")]);
    let answer = stage.post_with(&bo, "/api/v1/locks", &[KEY], &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

#[tokio::test]
async fn the_same_call_at_once_is_done_once() {
    let stage = Stage::new();
    let sam = person("sam", &[(Role::Security, "*")]);
    let body = json!({"key": "all", "reason": "Everything is on fire"});
    let call = || stage.post_with(&sam, "/api/v1/locks", &[KEY], &body);
    let (one, two, three) = tokio::join!(call(), call(), call());
    let locks = stage.get(&sam, "/api/v1/locks").await;
    assert_eq!(locks.json()["items"].as_array().map(Vec::len), Some(1));
    for answer in [one, two, three] {
        let fine = answer.status == 201 || answer.reason() == "idempotency.in-progress";
        assert!(fine, "{}", answer.text);
    }
}

#[tokio::test]
async fn a_start_link_is_never_kept() {
    let stage = Stage::new();
    let request = things::approved(&stage);
    let ada = person("ada", &[(Role::Operator, "*")]);
    let path = format!("/api/v1/requests/{}/activate", request.id);
    let first = stage.post_with(&ada, &path, &[KEY], &Value::Null).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let link = first.json()["start_url"].as_str().map(str::to_owned);
    let link = link.expect("a link");
    let code = link.rsplit('=').next().expect("a code").to_owned();
    assert_eq!(code.len(), 43, "{link}");
    let again = stage.post_with(&ada, &path, &[KEY], &Value::Null).await;
    let reason = (again.status.as_u16(), again.reason());
    assert_eq!(reason, (409, "idempotency.secret-answer".to_owned()));
    assert!(again.text.contains("start-link"), "{}", again.text);
    assert!(!again.text.contains(&code));
    let noted = format!("{:?}", stage.happened(100));
    assert!(!noted.contains(&code), "nor is it in any record");

    let path = format!("/api/v1/requests/{}/start-link", request.id);
    let fresh = stage.post(&ada, &path, &Value::Null).await;
    assert_eq!(fresh.status, 200, "{}", fresh.text);
    assert_ne!(fresh.json()["start_url"], link);
}

#[tokio::test]
async fn a_change_is_made_only_to_the_version_that_was_seen() {
    let stage = Stage::new();
    let (request, lock, review) = (
        things::approved(&stage),
        things::lock(&stage),
        things::review(&stage),
    );
    stage.put(|tx| {
        let mut lock = lock.clone();
        lock.lifted_at = Some(stage.control.now());
        tx.update(&mut lock)
    });
    let ada = person("ada", &[(Role::Operator, "*")]);
    let sam = person("sam", &[(Role::Security, "*"), (Role::Approver, "*")]);
    let why = json!({"reason": "Because"});
    let found = json!({"justified": true, "findings": "Fine"});
    let on = |verb: &str| format!("/api/v1/requests/{}/{verb}", request.id);
    let cases = [
        (&ada, on("activate"), &Value::Null),
        (&ada, on("cancel"), &Value::Null),
        (&sam, format!("/api/v1/locks/{}/lift", lock.id), &why),
        (
            &sam,
            format!("/api/v1/reviews/{}/verdict", review.id),
            &found,
        ),
    ];
    for (who, path, body) in &cases {
        for tag in ["\"99\"", "W/\"2\"", "\"abc\""] {
            let answer = stage.post_with(who, path, &[("if-match", tag)], body).await;
            assert_eq!(answer.status, 412, "{path} {tag}: {}", answer.text);
        }
        let answer = stage
            .post_with(who, path, &[("if-match", "99")], body)
            .await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text);
    }
    let seen = stage
        .get(&ada, &format!("/api/v1/requests/{}", request.id))
        .await;
    let tag = seen.header("etag").to_owned();
    let cancelled = stage
        .post_with(&ada, &on("cancel"), &[("if-match", &tag)], &Value::Null)
        .await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.text);
    assert_ne!(cancelled.header("etag"), tag);
}

#[tokio::test]
async fn the_whole_way_by_the_api() {
    let stage = Stage::new();
    let request = things::request(&stage);
    let (ada, bo) = (
        person("ada", &[(Role::Operator, "*")]),
        person("bo", &[(Role::Approver, "acme")]),
    );
    let path = format!("/api/v1/requests/{}", request.id);
    let seen = stage.get(&bo, &path).await.json();
    let vote = json!({"digest": seen["digest"], "verdict": "approve"});
    let answer = stage.post(&bo, &format!("{path}/votes"), &vote).await;
    assert_eq!(answer.json()["state"], "approved", "{}", answer.text);
    assert_eq!(answer.json()["votes"][0]["counts"], true);
    let answer = stage
        .post(&ada, &format!("{path}/activate"), &Value::Null)
        .await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let session = answer.header("location").to_owned();
    let seen = stage.get(&ada, &session).await.json();
    assert_eq!(seen["state"], "pending");
    assert_eq!(seen["approvals"], json!(["bo@support.example"]));
    let codes: Vec<_> = seen["history"].as_array().into_iter().flatten().collect();
    let codes: Vec<_> = codes.iter().filter_map(|it| it["code"].as_str()).collect();
    assert_eq!(
        codes,
        [
            "request.created",
            "vote.approve",
            "request.approved",
            "session.activated"
        ]
    );
    stage.pass(MINUTE);
    let why = json!({"reason": "Done"});
    let ended = stage.post(&ada, &format!("{session}/end"), &why).await;
    assert_eq!(ended.json()["ended"]["cause"], "operator", "{}", ended.text);
    let mine = stage.get(&ada, "/api/v1/sessions?mine=true").await;
    assert_eq!(mine.json()["items"], json!([]));
}

#[tokio::test]
async fn who_asks_twice_with_one_key_has_asked_once() {
    let stage = Stage::new();
    let ann = person("ann", &[(Role::Operator, "*"), (Role::BreakGlass, "*")]);
    let ask = json!({
        "app": "shop", "tenant": "acme", "subject": "kim@acme.example", "scopes": ["export"],
        "ticket": "SUP-1042", "reason_code": "customer-request", "reason": "Help", "minutes": 20,
    });
    let preview = stage.post(&ann, "/api/v1/requests/preview", &ask).await;
    assert_eq!(preview.json()["needs"]["approvals"], 2, "{}", preview.text);
    assert_eq!(preview.json()["ticket"]["title"], "Invoice missing");
    let mut first = None;
    for _ in 0..2 {
        let made = stage
            .post_with(&ann, "/api/v1/requests", &[KEY], &ask)
            .await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!(made.json()["state"], "pending");
        assert_eq!(made.json()["needs"]["rules"], json!(["export"]));
        let location = made.header("location").to_owned();
        assert_eq!(*first.get_or_insert(location.clone()), location);
        let seen = stage.get(&ann, &location).await;
        assert_eq!(seen.json()["id"], made.json()["id"], "{}", seen.text);
    }
    let mine = stage.get(&ann, "/api/v1/requests?mine=true").await;
    assert_eq!(mine.json()["items"].as_array().map(Vec::len), Some(1));

    let urgent = json!({
        "app": "shop", "tenant": "acme", "subject": "kim@acme.example", "incident": "INC-7",
        "reason_code": "outage", "reason": "Everything is down",
    });
    let made = stage.post(&ann, "/api/v1/break-glass", &urgent).await;
    assert_eq!(made.json()["state"], "approved", "{}", made.text);
    let path = format!("{}/activate", made.header("location"));
    let opened = stage.post(&ann, &path, &Value::Null).await;
    assert_eq!(opened.status, 201, "{}", opened.text);
    let due = stage.get(&ann, "/api/v1/reviews?state=due").await;
    assert_eq!(due.json()["items"][0]["incident"], "INC-7", "{}", due.text);
}
