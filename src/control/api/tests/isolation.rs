//! Every role × every operation, with another tenant's things: refused, nothing of them in the answer, and on record.

use super::fixture::{Stage, person};
use super::things;
use crate::control::api::document_text;
use crate::model::{Caller, Role};
use serde_json::{Value, json};

/// Words that stand only in acme's things.
const MARKS: [&str; 8] = [
    "acme", "Acme", "kim@", "Kim", "zebra", "Zebra", "SUP-1042", "INC-77",
];

/// What is acme's, by kind.
struct Acme {
    request: String,
    session: String,
    review: String,
    lock: String,
    workload: String,
    change: String,
    hold: String,
}

impl Acme {
    async fn new(stage: &Stage) -> Self {
        let session = things::session(stage);
        stage.record(session);
        let root = person("root", &[(Role::Security, "*")]);
        let hold = json!({"key": "tenant:acme", "reason": "zebra case"});
        let hold = stage.post(&root, "/api/v1/holds", &hold).await;
        Self {
            hold: hold.json()["id"].as_str().expect("a hold").to_owned(),
            request: things::approved(stage).id.to_string(),
            session: session.to_string(),
            review: things::review(stage).id.to_string(),
            lock: things::lock(stage).id.to_string(),
            workload: things::workload(stage).id,
            change: things::change(stage).id.to_string(),
        }
    }

    /// The path of an operation on acme's thing.
    fn path(&self, template: &str) -> String {
        let id = match template {
            it if it.starts_with("/api/v1/requests/") => &self.request,
            it if it.starts_with("/api/v1/sessions/") => &self.session,
            it if it.starts_with("/api/v1/recordings/") => &self.session,
            it if it.starts_with("/api/v1/holds/") => &self.hold,
            it if it.starts_with("/api/v1/reviews/") => &self.review,
            it if it.starts_with("/api/v1/changes/") => &self.change,
            _ => &self.lock,
        };
        let path = template.replace("{id}", id);
        if template == "/api/v1/sessions/{id}/export" {
            format!("{path}?format=har&reason=Curious")
        } else if template.ends_with("/inclusion") {
            format!("{path}?seq=1&tenant=acme")
        } else if template.ends_with("/consistency") {
            format!("{path}?from=1&tenant=acme")
        } else {
            path
        }
    }
}

/// What each operation with a body is sent; a new one must be added here.
fn body(operation: &str, acme: &Acme) -> Value {
    let ask = json!({
        "app": "shop", "tenant": "acme", "subject": "kim@acme.example", "scopes": ["view"],
        "ticket": "SUP-1042", "reason_code": "customer-request", "reason": "Help",
    });
    match operation {
        "preview-request" | "ask" => ask,
        "break-glass" => json!({
            "app": "shop", "tenant": "acme", "subject": "kim@acme.example", "incident": "INC-77",
            "reason_code": "outage", "reason": "Help",
        }),
        "vote" | "vote-change" => json!({"digest": "0".repeat(64), "verdict": "approve"}),
        "consent" => json!({"agrees": true}),
        "end-session" | "lift-lock" | "erase-recording" | "release-hold" => {
            json!({"reason": "Because"})
        }
        "end-sessions" | "lock" | "hold-recordings" => {
            json!({"key": "tenant:acme", "reason": "Because"})
        }
        "vote-erase-recording" => json!({"verdict": "approve", "reason": "Because"}),
        "review-verdict" => json!({"justified": true, "findings": "Fine"}),
        "register-workload" => json!({
            "id": acme.workload, "owner": "me", "system": "mine", "purpose": "Mine now",
            "scopes": ["view"], "apps": ["shop"], "tenants": ["acme"], "budget": 1,
            "renew_by": "2030-01-01T00:00:00Z",
        }),
        "test-alerts" => json!({}),
        "disable-workload" => json!({"id": acme.workload}),
        other => panic!("{other} is new: say what it is sent"),
    }
}

/// Operations that say something to everybody, of themselves or of nobody.
const LISTS: [&str; 14] = [
    "recordings",
    "holds",
    "changes",
    "whoami",
    "apps",
    "requests",
    "sessions",
    "locks",
    "reviews",
    "workloads",
    "happenings",
    "records",
    "export-records",
    "openapi",
];

async fn try_all(stage: &Stage, caller: &Caller, role: Role, acme: &Acme) {
    let document: Value = serde_json::from_str(&document_text()).expect("the document is JSON");
    let paths = document["paths"].as_object().expect("it has paths");
    for (template, item) in paths {
        for (method, operation) in item.as_object().expect("a path has operations") {
            let id = operation["operationId"].as_str().expect("it has an id");
            // Those of signing in are another part's, which has tests of its own (`identity::tests::api`).
            if id == "openapi" || operation["tags"][0] == "sign-in" {
                continue;
            }
            let path = acme.path(template);
            let answer = match method.as_str() {
                "get" => stage.get(caller, &path).await,
                _ if operation["requestBody"].is_null() => {
                    stage.post(caller, &path, &Value::Null).await
                }
                _ => stage.post(caller, &path, &body(id, acme)).await,
            };
            let case = format!("{role:?} {method} {template}: {}", answer.text);
            let status = answer.status.as_u16();
            assert!(
                matches!(status, 403 | 404) || status == 200 && LISTS.contains(&id),
                "{status} {case}"
            );
            for mark in MARKS {
                assert!(!answer.text.contains(mark), "{mark} in {case}");
            }
            let last = stage.happened(1).remove(0).happened;
            let details = |name: &str| {
                let found = last.details.iter().find(|(it, _)| it == name);
                found.map(|(_, value)| value.clone()).unwrap_or_default()
            };
            assert_eq!(last.code, "api.call", "{case}");
            assert_eq!(last.actor, caller.person, "{case}");
            assert_eq!(details("path"), *template, "{case}");
            assert_eq!(details("status"), status.to_string(), "{case}");
        }
    }
}

#[tokio::test]
async fn no_role_in_another_tenant_learns_or_changes_anything() {
    let stage = Stage::new();
    let acme = Acme::new(&stage).await;
    stage.archive.take(&stage.control);
    for role in Role::ALL {
        let caller = person("eve", &[(role, "globex")]);
        try_all(&stage, &caller, role, &acme).await;
    }
    let root = person("root", &[(Role::Admin, "*"), (Role::Security, "*")]);
    let seen = stage
        .get(&root, &format!("/api/v1/requests/{}", acme.request))
        .await;
    assert_eq!(seen.json()["state"], "approved", "{}", seen.text);
    let seen = stage
        .get(&root, &format!("/api/v1/sessions/{}", acme.session))
        .await;
    assert_eq!(seen.json()["state"], "pending", "{}", seen.text);
    let seen = stage
        .get(&root, &format!("/api/v1/recordings/{}", acme.session))
        .await;
    assert_eq!(seen.json()["state"], "held", "{}", seen.text);
    assert_eq!(seen.json()["erasure"], Value::Null, "{}", seen.text);
    let seen = stage.get(&root, "/api/v1/holds").await;
    let holds = seen.json()["items"].as_array().map(Vec::len);
    assert_eq!(holds, Some(1), "{}", seen.text);
    let seen = stage.get(&root, "/api/v1/locks?state=held").await;
    assert_eq!(
        seen.json()["items"][0]["key"],
        "tenant:acme",
        "{}",
        seen.text
    );
    let seen = stage.get(&root, "/api/v1/workloads").await;
    assert_eq!(
        seen.json()["items"][0]["state"],
        "registered",
        "{}",
        seen.text
    );
}

#[tokio::test]
async fn somebody_without_a_seat_sees_nothing() {
    let stage = Stage::new();
    let acme = Acme::new(&stage).await;
    let nobody = person("nobody", &[]);
    try_all(&stage, &nobody, Role::Operator, &acme).await;
}

#[tokio::test]
async fn strangers_are_asked_to_sign_in_and_recorded() {
    let stage = Stage::new();
    let request = super::fixture::request(http::Method::GET, "/api/v1/requests", None);
    let request = request.body(axum::body::Body::empty()).expect("a request");
    let answer = stage.send(request).await;
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"locum\"");
    let last = stage.happened(1).remove(0).happened;
    assert_eq!(
        (last.code.as_str(), last.actor.as_str()),
        ("api.call", "unknown")
    );
}
