//! What does not fit is refused as a problem, whatever is wrong with it; what fits has the promised form.

use super::fixture::{Answered, Stage, person, request};
use super::things;
use crate::control::api::{Rate, Settings};
use crate::model::Role;
use axum::body::Body;
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

async fn raw(stage: &Stage, method: Method, path: &str, media: &str, body: &str) -> Answered {
    let who = person("sam", &[(Role::Security, "*")]);
    let mut request = request(method, path, Some(&who));
    if !media.is_empty() {
        request = request.header("content-type", media);
    }
    let request = request.body(Body::from(body.to_owned()));
    stage.send(request.expect("a request")).await
}

#[track_caller]
fn is_problem(case: &str, answer: &Answered, status: u16, reason: &str) {
    let case = format!("{case}: {}", answer.text);
    assert_eq!(answer.status, status, "{case}");
    assert_eq!(answer.reason(), reason, "{case}");
    assert_eq!(answer.json()["status"], status, "{case}");
    for (name, value) in [
        ("content-type", "application/problem+json"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.header(name), value, "{case}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_a_problem() {
    let stage = Stage::new();
    let (json, long) = ("application/json", format!("\"{}\"", "x".repeat(70_000)));
    let cases = [
        (json, "{", 400, "unreadable"),
        (json, r#"{"key":"all","reason":"x"} {}"#, 400, "unreadable"),
        ("text/plain", "{}", 415, "media-type"),
        ("", "{}", 415, "media-type"),
        (json, &long, 413, "body-too-large"),
        (json, "{}", 422, "invalid"),
        (json, r#"{"key":"all","reason":"x","no":1}"#, 422, "invalid"),
        (json, r#"{"key":"all","reason":"a\u202eb"}"#, 422, "invalid"),
    ];
    for (media, body, status, reason) in cases {
        let answer = raw(&stage, Method::POST, "/api/v1/locks", media, body).await;
        is_problem(body.get(..40).unwrap_or(body), &answer, status, reason);
    }
}

#[tokio::test]
async fn a_path_query_or_method_that_does_not_fit_is_a_problem() {
    let stage = Stage::new();
    let get = Method::GET;
    let cases = [
        (&get, "/api/v1/locks?limit=201", 400, "unreadable"),
        (&get, "/api/v1/locks?limit=0", 400, "unreadable"),
        (&get, "/api/v1/locks?after=x", 400, "unreadable"),
        (&get, "/api/v1/locks?no=1", 400, "unreadable"),
        (&get, "/api/v1/locks?limit=1&limit=2", 400, "unreadable"),
        (&get, "/api/v1/requests/x", 404, "not-found"),
        (&get, "/api/v1/planets", 404, "no-such-path"),
        (&get, "/api", 404, "no-such-path"),
        (&Method::DELETE, "/api/v1/locks", 405, "method"),
        (&Method::TRACE, "/api/v1/whoami", 405, "method"),
    ];
    for (method, path, status, reason) in cases {
        let answer = raw(&stage, method.clone(), path, "", "").await;
        is_problem(path, &answer, status, reason);
        if status == 405 {
            let allow = answer.header("allow");
            assert!(allow.contains("GET,HEAD"), "{path}: {allow}");
        }
    }
}

#[tokio::test]
async fn a_wrong_field_is_named() {
    let stage = Stage::new();
    let body = json!({
        "app": "shop", "tenant": "acme", "subject": "kim", "scopes": ["view", "NO!"],
        "reason_code": "x", "reason": "y",
    });
    let ann = person("ann", &[(Role::Operator, "*")]);
    let answer = stage.post(&ann, "/api/v1/requests", &body).await;
    assert_eq!(
        answer.json()["problems"][0]["field"],
        "scopes[1]",
        "{}",
        answer.text
    );
    let body = json!({
        "app": "barn", "tenant": "acme", "subject": "kim", "scopes": ["view"],
        "reason_code": "x", "reason": "y",
    });
    let answer = stage.post(&ann, "/api/v1/requests/preview", &body).await;
    let problems = answer.json()["problems"].as_array().map_or(0, Vec::len);
    assert!(
        problems >= 3,
        "app, reason code and ticket at once: {}",
        answer.text
    );
}

#[tokio::test]
async fn an_answer_has_its_form() {
    let stage = Stage::new();
    let asked = things::request(&stage);
    let bo = person("bo", &[(Role::Approver, "*")]);
    let path = format!("/api/v1/requests/{}", asked.id);
    let answer = stage.get(&bo, &path).await;
    let json = answer.json();
    assert_eq!(answer.header("etag"), "\"1\"");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(json["digest"], asked.digest());
    assert_eq!(json["created_at"], "2027-01-15T08:00:00.000Z");
    assert_eq!(json["minutes"], 15);
    assert_eq!(json["votes"], json!([]));
    assert!(
        json.get("account").is_none(),
        "accounts are nobody's business"
    );

    let head = request(Method::HEAD, &path, Some(&bo)).body(Body::empty());
    let head = stage.send(head.expect("a request")).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    assert_eq!(head.header("etag"), "\"1\"");
    let length = answer.text.len().to_string();
    assert_eq!(head.header("content-length"), length);
}

#[tokio::test]
async fn lists_are_pages() {
    let stage = Stage::new();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(things::request(&stage).id.to_string());
        things::session(&stage);
        things::lock(&stage);
    }
    let sam = person("sam", &[(Role::Security, "*")]);
    for list in ["requests", "sessions", "locks"] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let answer = stage
                .get(&sam, &format!("/api/v1/{list}?limit=2{after}"))
                .await;
            let json = answer.json();
            let items = json["items"].as_array().expect("a list");
            assert!((1..=2).contains(&items.len()), "{}", answer.text);
            seen.extend(items.iter().map(|it| it["id"].as_str().map(str::to_owned)));
            match json["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        let count = if list == "requests" { 10 } else { 5 };
        assert_eq!(seen.len(), count, "{list}");
        assert!(
            seen.windows(2).all(|pair| pair[0] > pair[1]),
            "{list}: newest first"
        );
    }
    let answer = stage.get(&sam, "/api/v1/requests?state=pending").await;
    assert_eq!(answer.json()["items"].as_array().map(Vec::len), Some(5));
    let answer = stage.get(&sam, "/api/v1/requests?mine=true").await;
    assert_eq!(answer.json()["items"], json!([]));
    let answer = stage.get(&sam, "/api/v1/happenings?limit=3").await;
    let next = answer.json()["next"].as_str().map(str::to_owned);
    let path = format!("/api/v1/happenings?limit=3&before={}", next.expect("more"));
    let older = stage.get(&sam, &path).await.json();
    assert!(
        older["items"][0]["sequence"].as_i64() < answer.json()["items"][2]["sequence"].as_i64()
    );
}

#[tokio::test]
async fn who_calls_too_fast_waits() {
    let loose = super::fixture::LOOSE;
    let tight = Rate {
        per_minute: 60,
        burst: 2,
    };
    let settings = |person, address| Settings {
        person,
        address,
        max_body: 1024,
        body_timeout: Duration::from_secs(1),
        max_callers: 10,
    };
    let (ann, bo) = (person("ann", &[]), person("bo", &[]));
    for (settings, reason, limit, others) in [
        (settings(tight, loose), "rate.person", "ApiPersonRate", 200),
        (
            settings(loose, tight),
            "rate.address",
            "ApiAddressRate",
            429,
        ),
    ] {
        let stage = Stage::with(settings);
        for _ in 0..2 {
            assert_eq!(stage.get(&ann, "/api/v1/whoami").await.status, 200);
        }
        let answer = stage.get(&ann, "/api/v1/whoami").await;
        assert_eq!(
            (answer.status.as_u16(), answer.reason().as_str()),
            (429, reason)
        );
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(stage.get(&bo, "/api/v1/whoami").await.status, others);
        assert!(
            stage
                .metrics
                .expose()
                .contains(&format!("limit=\"{limit}\""))
        );
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let stage = Stage::with(Settings {
        person: super::fixture::LOOSE,
        address: super::fixture::LOOSE,
        max_body: 1024,
        body_timeout: Duration::from_millis(50),
        max_callers: 10,
    });
    let sam = person("sam", &[(Role::Security, "*")]);
    let never = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    let request = request(Method::POST, "/api/v1/locks", Some(&sam))
        .header("content-type", "application/json")
        .body(Body::from_stream(never));
    let answer = stage.send(request.expect("a request")).await;
    assert_eq!(answer.status, 408, "{}", answer.text);
    assert!(stage.metrics.expose().contains("limit=\"ApiBodyTimeout\""));
}

#[tokio::test]
async fn the_document_needs_nobody() {
    let stage = Stage::new();
    let request = request(Method::GET, "/api/v1/openapi.json", None).body(Body::empty());
    let answer = stage.send(request.expect("a request")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["openapi"], "3.1.0");
    assert_eq!(stage.happened(10).len(), 0);
    assert_ne!(answer.json()["paths"], Value::Null);
}
