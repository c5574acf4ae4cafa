//! What people do on the pages, and what they then see.

use super::stage::{MINUTE, Stage, ada, asked, person, request};
use crate::model::{LockKey, RequestState, Role};
use axum::body::Body;
use http::StatusCode;

#[tokio::test]
async fn an_approver_reads_the_question_in_one_sentence_with_what_is_unusual() {
    let stage = Stage::new();
    let mut other = asked();
    other.tier = crate::model::Tier::Privileged;
    other.class = crate::model::SubjectClass::Vip;
    let other = stage.insert(other);
    let bo = person("bo", &[(Role::Approver, "*")]);
    let page = stage.get(&bo, &format!("/approvals/{}", other.id)).await;
    page.shows("May Ada Byron act as kim@acme.example in Acme for 30 minutes to fix SUP-1042, able to change a delivery address?");
    page.shows("The account is marked VIP.");
    page.shows("security settings, export data or reset factors");
    page.shows("It asks for 30 minutes; usual are 15 minutes.");
    page.shows("first request for this customer");
    page.shows("One other person must agree as well.");
    page.shows(&format!("name=\"digest\" value=\"{}\"", other.digest()));
    let list = stage.get(&bo, "/approvals").await;
    list.shows("May Ada Byron act as kim@acme.example");
    list.shows("<span class=\"count\">1");
}

#[tokio::test]
async fn ending_anothers_session_asks_for_the_name_and_ones_own_does_not() {
    let stage = Stage::new();
    let session = stage.used(|_| {}).session.expect("used");
    let path = format!("/sessions/{session}/end");
    let sam = person("sam", &[(Role::Security, "*")]);
    stage
        .get(&sam, &path)
        .await
        .shows("Write <span class=\"wrap\">kim@acme.example</span> to end it");
    for name in ["", "lee@acme.example"] {
        let seen = stage
            .post(&sam, &path, &[("name", name), ("from", "live")])
            .await;
        assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY, "{name:?}");
    }
    assert_eq!(stage.put(|tx| tx.open_sessions(&LockKey::All, 9)).len(), 1);
    let done = stage
        .post(
            &sam,
            &path,
            &[
                ("name", "Kim@acme.example"),
                ("from", "live"),
                ("reason", "Wrong account"),
            ],
        )
        .await;
    assert_eq!(done.header("location"), "/live?done=ended");
    assert_eq!(stage.put(|tx| tx.open_sessions(&LockKey::All, 9)).len(), 0);
    let own = stage.used(|_| {}).session.expect("used");
    let done = stage
        .post(
            &ada(),
            &format!("/sessions/{own}/end"),
            &[("from", "https://evil.example")],
        )
        .await;
    assert_eq!(
        (done.status, done.header("location")),
        (StatusCode::SEE_OTHER, "/?done=ended")
    );
    let auditor = person("una", &[(Role::Auditor, "*")]);
    let open = stage.used(|_| {}).session.expect("used");
    let refused = stage
        .post(
            &auditor,
            &format!("/sessions/{open}/end"),
            &[("name", "kim@acme.example")],
        )
        .await;
    assert_eq!(
        (refused.status, refused.reasons()),
        (StatusCode::FORBIDDEN, vec!["duty.not-yours-to-end"])
    );
}

#[tokio::test]
async fn live_sessions_are_searched_and_ended_by_key() {
    let stage = Stage::new();
    stage.used(|_| {});
    stage.used(|it| it.ticket = "SUP-2000".into());
    let sam = person("sam", &[(Role::Security, "*")]);
    let found = stage.get(&sam, "/parts/live?search=sup-2000").await;
    found.shows("SUP-2000");
    found.hides("SUP-1042");
    found.hides("<html");
    let wrong = stage
        .post(
            &sam,
            "/live",
            &[("key", "acme"), ("reason", "x"), ("do", "end")],
        )
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    wrong.shows("is a kind and a name");
    wrong.shows("value=\"acme\"");
    let silent = stage
        .post(&sam, "/live", &[("key", "tenant:acme"), ("do", "end")])
        .await;
    assert_eq!(silent.reasons(), ["reason.missing"]);
    let done = stage
        .post(
            &sam,
            "/live",
            &[("key", "ticket:SUP-2000"), ("reason", "x"), ("do", "end")],
        )
        .await;
    assert_eq!(done.header("location"), "/live?done=ended-all");
    let none = stage
        .post(
            &sam,
            "/live",
            &[("key", "ticket:SUP-2000"), ("reason", "x"), ("do", "end")],
        )
        .await;
    assert_eq!(none.header("location"), "/live?done=none-ended");
    assert_eq!(stage.put(|tx| tx.open_sessions(&LockKey::All, 9)).len(), 1);
}

#[tokio::test]
async fn a_lock_is_set_shown_and_lifted() {
    let stage = Stage::new();
    stage.used(|_| {});
    let sam = person("sam", &[(Role::Security, "*")]);
    let set = [
        ("key", "operator:ada@support.example"),
        ("reason", "Laptop\nlost"),
        ("hours", "2"),
    ];
    assert_eq!(
        stage.post(&sam, "/locks", &set).await.header("location"),
        "/locks?done=locked"
    );
    assert_eq!(stage.put(|tx| tx.open_sessions(&LockKey::All, 9)).len(), 0);
    let page = stage.get(&sam, "/locks?done=locked").await;
    page.shows("operator:ada@support.example");
    page.shows("Laptop lost");
    let id = page
        .text
        .split("action=\"/locks/")
        .nth(1)
        .and_then(|it| it.split('/').next())
        .expect("a form to lift");
    let stale = stage
        .post(
            &sam,
            &format!("/locks/{id}/lift"),
            &[("reason", "Found"), ("version", "9")],
        )
        .await;
    assert_eq!(
        (stale.status.as_u16(), stale.reasons()),
        (412, vec!["stale"])
    );
    let done = stage
        .post(
            &sam,
            &format!("/locks/{id}/lift"),
            &[("reason", "Found"), ("version", "1")],
        )
        .await;
    assert_eq!(done.header("location"), "/locks?done=unlocked");
    stage.get(&sam, "/locks").await.shows("Nothing is locked");
}

#[tokio::test]
async fn a_workload_is_registered_and_disabled_by_its_name() {
    let stage = Stage::new();
    let max = person("max", &[(Role::Admin, "*")]);
    let id = "spiffe://corp.example/billing/refunds";
    let form = [
        ("id", id),
        ("owner", "dana@corp.example"),
        ("system", "billing"),
        ("purpose", "Refunds that were agreed"),
        ("scopes", "orders.refund, view"),
        ("apps", "shop"),
        ("tenants", "acme globex"),
        ("budget", "20"),
        ("renew_by", "2027-06-01"),
    ];
    let mut wrong = form;
    wrong[8] = ("renew_by", "soon");
    wrong[4] = ("scopes", "Orders!");
    let seen = stage.post(&max, "/workloads/new", &wrong).await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
    seen.shows("is a day, such as 2027-01-31");
    seen.shows("value=\"billing\"");
    assert_eq!(
        stage
            .post(&max, "/workloads/new", &form)
            .await
            .header("location"),
        "/workloads?done=registered"
    );
    let page = stage.get(&max, "/workloads").await;
    page.shows("In order");
    page.shows("orders.refund, view");
    let link = "/workloads/disable?id=spiffe%3A%2F%2Fcorp.example%2Fbilling%2Frefunds";
    page.shows(link);
    stage.get(&max, link).await.shows(&format!("Disable {id}"));
    let hasty = stage
        .post(&max, "/workloads/disable", &[("id", id), ("name", "")])
        .await;
    assert_eq!(hasty.status, StatusCode::UNPROCESSABLE_ENTITY);
    let done = stage
        .post(&max, "/workloads/disable", &[("id", id), ("name", id)])
        .await;
    assert_eq!(done.header("location"), "/workloads?done=disabled");
    stage.get(&max, "/workloads").await.shows("Disabled");
}

#[tokio::test]
async fn the_customers_auditor_sees_who_was_there_and_ends_it() {
    let stage = Stage::new();
    let session = stage.used(|_| {}).session.expect("used");
    let tia = person("tia", &[(Role::TenantAuditor, "acme")]);
    stage.put(|tx| tx.start_for_tests(&session.to_string()));
    let page = stage.get(&tia, "/customer").await;
    page.shows("Support was in your accounts once in the last 30 days");
    page.shows("Ada Byron as kim@acme.example");
    page.shows("bo@support.example and cy@support.example agreed");
    let path = format!("/sessions/{session}/end");
    let done = stage
        .post(
            &tia,
            &path,
            &[("name", "kim@acme.example"), ("from", "customer")],
        )
        .await;
    assert_eq!(done.header("location"), "/customer?done=ended");
    stage
        .get(&tia, "/customer")
        .await
        .shows("was ended by the customer");
    stage
        .get(&tia, &format!("/sessions/{session}"))
        .await
        .shows("was ended by the customer");
}

#[tokio::test]
async fn the_customer_consents_by_the_link_alone() {
    let stage = Stage::new();
    let mut wanted = asked();
    wanted.needs.consent = true;
    wanted.needs.approvals = 0;
    let wanted = stage.insert(wanted);
    let path = format!("/requests/{}", wanted.id);
    let own = stage
        .post(&ada(), &format!("{path}/consent-link"), &[])
        .await;
    assert_eq!(
        (own.status, own.reasons()),
        (StatusCode::FORBIDDEN, vec!["duty.requester"])
    );
    let bo = person("bo", &[(Role::Approver, "*")]);
    stage.get(&bo, &path).await.shows("Make the consent link");
    let made = stage.post(&bo, &format!("{path}/consent-link"), &[]).await;
    let link = made
        .text
        .split("<code>")
        .find(|it| it.starts_with("https://portal"))
        .expect("the link");
    let secret = link
        .split('#')
        .nth(1)
        .and_then(|it| it.split('<').next())
        .expect("its secret")
        .to_owned();
    stage
        .get(&ada(), &format!("/requests/{}", wanted.id))
        .await
        .hides(&secret);
    let step = |body: String| stage.send(request("POST", "/consent", None, Body::from(body)));
    let seen = step(format!(
        "token=https%3A%2F%2Fportal.locum.example%2Fconsent%23{secret}"
    ))
    .await;
    assert_eq!(seen.status, StatusCode::OK);
    seen.shows("May Ada Byron act as kim@acme.example");
    let forged = step("token=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned()).await;
    assert_eq!(forged.status, StatusCode::NOT_FOUND);
    forged.hides("kim@acme.example");
    let broken = step("token=hello".to_owned()).await;
    assert_eq!(broken.status, StatusCode::UNPROCESSABLE_ENTITY);
    let done = step(format!("token={secret}&answer=agree")).await;
    assert_eq!(done.header("location"), "/consent?done=consented");
    assert_eq!(stage.stored(wanted.id).state, RequestState::Approved);
    let no = step(format!("token={secret}&answer=refuse")).await;
    assert_eq!(no.header("location"), "/consent?done=declined");
    assert_eq!(stage.stored(wanted.id).state, RequestState::Denied);
}

#[tokio::test]
async fn a_request_is_taken_back_and_an_expired_one_is_not() {
    let stage = Stage::new();
    let asked = stage.asked();
    let path = format!("/requests/{}/cancel", asked.id);
    let done = stage.post(&ada(), &path, &[]).await;
    assert_eq!(
        done.header("location"),
        format!("/requests/{}?done=cancelled", asked.id)
    );
    let again = stage.post(&ada(), &path, &[]).await;
    assert_eq!(
        (again.status, again.reasons()),
        (StatusCode::CONFLICT, vec!["request.closed"])
    );
}

#[tokio::test]
async fn sessions_that_ran_out_are_not_shown_as_open() {
    let stage = Stage::new();
    stage.used(|_| {});
    stage.get(&ada(), "/").await.shows("Get a start link");
    stage.pass(31 * MINUTE);
    stage.get(&ada(), "/").await.shows("Nothing is open");
    stage
        .get(&person("sam", &[(Role::Security, "*")]), "/live")
        .await
        .shows("Nobody is in a customer’s account");
}

#[tokio::test]
async fn the_customers_auditor_consents_signed_in_to_what_they_saw() {
    let stage = Stage::new();
    let mut wanted = asked();
    wanted.needs.consent = true;
    wanted.needs.approvals = 0;
    let wanted = stage.insert(wanted);
    let path = format!("/requests/{}", wanted.id);
    let tia = person("tia", &[(Role::TenantAuditor, "acme")]);
    stage
        .get(&tia, "/customer")
        .await
        .shows("Waits for your consent");
    stage.get(&tia, &path).await.shows("Do not agree");
    let consent = format!("{path}/consent");
    let stale = [("answer", "agree"), ("version", "7")];
    let seen = stage.post(&tia, &consent, &stale).await;
    assert_eq!(seen.status, StatusCode::PRECONDITION_FAILED);
    let bo = person("bo", &[(Role::Approver, "*")]);
    let current = [("answer", "agree"), ("version", "1")];
    let another = stage.post(&bo, &consent, &current).await;
    assert_eq!(another.reasons(), ["duty.not-the-customer"]);
    let done = stage.post(&tia, &consent, &current).await;
    assert_eq!(done.header("location"), format!("{path}?done=consented"));
    assert_eq!(stage.stored(wanted.id).state, RequestState::Approved);
}

#[tokio::test]
async fn the_enter_key_decides_nothing() {
    let stage = Stage::new();
    let asked = stage.asked();
    let bo = person("bo", &[(Role::Approver, "*")]);
    let path = format!("/approvals/{}", asked.id);
    let digest = asked.digest();
    let fields = [("digest", digest.as_str()), ("reason", "Not on a Friday")];
    let seen = stage.post(&bo, &path, &fields).await;
    assert_eq!(seen.reasons(), ["vote.verdict"]);
    seen.shows("value=\"Not on a Friday\"");
    let sam = person("sam", &[(Role::Security, "*")]);
    let fields = [("key", "all"), ("reason", "x")];
    assert_eq!(
        stage.post(&sam, "/live", &fields).await.reasons(),
        ["live.what"]
    );
    for (path, who) in [
        (path.as_str(), &bo),
        ("/live", &sam),
        ("/requests/new", &ada()),
    ] {
        let page = stage.get(who, path).await;
        let main = page.text.split("<main").nth(1).expect("a main part");
        let form = main.split("method=\"post\"").nth(1).expect("a form");
        let first = form.split("<button").nth(1).expect("a button");
        let first = first.split('>').next().expect("a tag");
        assert!(first.ends_with(" hidden"), "{path}: {first}");
    }
}
