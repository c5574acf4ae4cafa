//! Recordings in the portal: who may see them, the stated reason, one exchange, and the replay's own host names.

use super::stage::{MINUTE, Seen, Stage, ada, person, request};
use crate::audit::export::{Format, tests::write_journal};
use crate::audit::recording::testing::Sample;
use crate::audit::recording::{From, Kind, Settings, Which};
use crate::control::recordings::{Purpose, Recordings};
use crate::model::{AccessRequest, Caller, ExchangeId, Role};
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use std::sync::Arc;

const HTML: &str = "<!doctype html><html><head><script>if (W.top !== W) {}</script></head><body>Orders of Kim <a href=\"ORIGIN/orders/2\">2</a>";
const FIRST: &[u8] = br#"{"notes":[]}"#;
const THEN: &[u8] = br#"{"notes":["Sent again"]}"#;

/// What was recorded of Ada's session.
struct Taped {
    used: AccessRequest,
    page: ExchangeId,
    note: ExchangeId,
    origin: String,
}

fn tess() -> Caller {
    person("tess", &[(Role::Security, "*")])
}

fn taped(stage: &Stage) -> Taped {
    let used = stage.used(|_| {});
    let session = used.session.expect("used");
    let mut tape = Sample::of(&Settings::new(stage.dir().join("recordings")), session);
    let origin = format!("https://{session}.shop.localhost:8443");
    let ask = [("sec-fetch-dest", "document")];
    let html = [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", "script-src 'none'"),
        ("set-cookie", "session=secret"),
    ];
    let json = [("content-type", "application/json"), ("x-total", "1")];
    let shown = HTML.replace("ORIGIN", &origin);
    let page = tape.exchange("GET", &format!("{origin}/orders"));
    tape.side(page, Which::Request, None, &ask, None);
    tape.side(page, Which::Shown, Some(200), &html, Some(shown.as_bytes()));
    tape.end(page, "done");
    let mut api = |method: &str, body: Option<&[u8]>, answer: &[u8]| {
        let one = tape.exchange(method, &format!("{origin}/api/notes"));
        tape.side(one, Which::Request, None, &json, body);
        tape.side(one, Which::Received, Some(200), &json, Some(answer));
        tape.shown_as_received(one, 200, &json, answer);
        tape.end(one, "done");
        one
    };
    api("GET", None, FIRST);
    let note = api("POST", Some(br#"{"text":"Sent again"}"#), b"{}");
    api("GET", None, THEN);
    let chat = tape.exchange("GET", &format!("{origin}/ws"));
    tape.side(chat, Which::Shown, Some(101), &[], None);
    tape.message(chat, From::App, Kind::Text, b"Hello Kim");
    tape.message(chat, From::Operator, Kind::Text, b"Where is it?");
    tape.end(chat, "done");
    tape.finish();
    Taped {
        used,
        page,
        note,
        origin,
    }
}

impl Taped {
    fn path(&self) -> String {
        format!("/sessions/{}/recording", self.used.session.expect("used"))
    }
}

async fn look(stage: &Stage, taped: &Taped, who: &Caller) -> Seen {
    stage
        .post(who, &taped.path(), &[("reason", "Review of SUP-1042")])
        .await
}

#[tokio::test]
async fn only_security_and_auditors_look_and_only_with_a_reason_on_record() {
    let stage = Stage::new();
    let taped = taped(&stage);
    for (who, status) in [
        (ada(), 403),
        (person("bo", &[(Role::Approver, "*")]), 403),
        (person("max", &[(Role::Admin, "*")]), 403),
        (person("mara", &[(Role::TenantAuditor, "acme")]), 403),
        (person("sid", &[(Role::Security, "globex")]), 404),
        (person("una", &[(Role::Auditor, "acme")]), 303),
        (tess(), 303),
    ] {
        let seen = look(&stage, &taped, &who).await;
        assert_eq!(
            seen.status.as_u16(),
            status,
            "{}: {}",
            who.person,
            seen.text
        );
        let exchange = format!("{}/{}", taped.path(), taped.note);
        let seen = stage.get(&who, &exchange).await;
        // Views are a login's: here all have the same one, so what may be seen is asked again.
        let expected = if status == 303 { 200 } else { status };
        assert_eq!(
            seen.status.as_u16(),
            expected,
            "{}: {}",
            who.person,
            seen.text
        );
    }
    let seen = stage
        .post(&tess(), &taped.path(), &[("reason", "  ")])
        .await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
    let happened = stage.happened();
    let viewed: Vec<_> = happened
        .iter()
        .filter(|it| it.happened.code == "recording.viewed")
        .collect();
    assert_eq!(viewed.len(), 2);
    assert_eq!(viewed[0].happened.actor, "tess@support.example");
    assert!(
        viewed[0]
            .happened
            .details
            .contains(&("why".into(), "Review of SUP-1042".into()))
    );
    let refused = happened
        .iter()
        .filter(|it| it.happened.code == "control.refused");
    // Five who may not, each at the list and at one exchange.
    assert_eq!(refused.count(), 10);
}

#[tokio::test]
async fn a_recording_lists_pages_and_opens_one_exchange() {
    let stage = Stage::new();
    let taped = taped(&stage);
    let asked = stage.get(&tess(), &taped.path()).await;
    asked.shows("go on record");
    asked.shows("name=\"reason\"");
    look(&stage, &taped, &tess()).await;
    let list = stage.get(&tess(), &taped.path()).await;
    list.shows("See the page");
    list.shows("/api/notes");
    let one = stage
        .get(&tess(), &format!("{}/{}", taped.path(), taped.note))
        .await;
    one.shows("&#34;text&#34;: &#34;Sent again&#34;");
    one.shows("x-total");
    let bytes = stage
        .get(&tess(), &format!("{}/{}/request", taped.path(), taped.note))
        .await;
    assert_eq!(bytes.text, r#"{"text":"Sent again"}"#);
    assert_eq!(bytes.header("content-type"), "application/octet-stream");
    assert!(
        bytes
            .header("content-disposition")
            .starts_with("attachment")
    );
    for wrong in ["x00000000000000000000000000", "nonsense"] {
        let seen = stage
            .get(&tess(), &format!("{}/{wrong}", taped.path()))
            .await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND);
    }
    stage.pass(16 * MINUTE);
    let later = stage.get(&tess(), &taped.path()).await;
    later.shows("name=\"reason\"");
}

/// A replay, as the browser in the portal's frame meets it.
struct Replay<'s> {
    stage: &'s Stage,
    host: String,
    way_in: String,
    cookie: String,
}

impl<'s> Replay<'s> {
    async fn open(stage: &'s Stage, taped: &Taped) -> Self {
        look(stage, taped, &tess()).await;
        let page = stage
            .get(&tess(), &format!("{}/{}/page", taped.path(), taped.page))
            .await;
        let source = page.text.split("<iframe").nth(1).expect("a frame");
        let source = source
            .split("src=\"")
            .nth(1)
            .and_then(|it| it.split('"').next());
        let source = source.expect("its source").replace("&amp;", "&");
        let rest = source.strip_prefix("https://").expect("a link");
        let (host, path) = rest.split_once('/').expect("a path");
        let policy = page.header("content-security-policy");
        assert!(
            policy.ends_with(&format!("frame-src https://{host}")),
            "{policy}"
        );
        Self {
            stage,
            host: host.to_owned(),
            way_in: format!("/{path}"),
            cookie: String::new(),
        }
    }

    async fn entered(stage: &'s Stage, taped: &Taped) -> Self {
        let mut replay = Self::open(stage, taped).await;
        let answer = replay.navigate(&replay.way_in.clone()).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        assert_eq!(answer.header("location"), "/orders");
        let cookie = answer.header("set-cookie");
        assert!(
            cookie.contains("; Secure; HttpOnly; SameSite=None; Partitioned"),
            "{cookie}"
        );
        replay.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        replay
    }

    async fn ask(&self, verb: &str, path: &str, fields: &[(&str, &str)]) -> Seen {
        let mut request = Request::builder()
            .method(verb)
            .uri(path)
            .header("host", &self.host);
        if !self.cookie.is_empty() {
            request = request.header("cookie", &self.cookie);
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        self.stage
            .send(request.body(Body::empty()).expect("a request"))
            .await
    }

    async fn navigate(&self, path: &str) -> Seen {
        let fields = [("sec-fetch-dest", "iframe"), ("sec-fetch-mode", "navigate")];
        self.ask("GET", path, &fields).await
    }

    async fn fetch(&self, verb: &str, path: &str) -> Seen {
        let fields = [("sec-fetch-dest", "empty"), ("sec-fetch-mode", "cors")];
        self.ask(verb, path, &fields).await
    }
}

fn guarded(headers: &HeaderMap) -> bool {
    let policy = headers
        .get("content-security-policy")
        .and_then(|it| it.to_str().ok());
    policy.is_some_and(|it| {
        it.starts_with("default-src 'none'")
            && it.contains("sandbox")
            && it.contains("form-action 'none'")
    })
}

#[tokio::test]
async fn a_page_is_replayed_from_the_recording_on_an_origin_of_its_own() {
    let stage = Stage::new();
    let taped = taped(&stage);
    let replay = Replay::entered(&stage, &taped).await;
    let page = replay.navigate("/orders").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    page.shows("<!doctype html><script src=\"/.locum/replay/shim.js\"");
    page.shows(&format!("href=\"https://{}/orders/2\"", replay.host));
    page.hides(&taped.origin);
    page.shows("W.parent !== W.top");
    assert!(guarded(&page.headers), "{:?}", page.headers);
    assert_eq!(page.header("set-cookie"), "");
    assert_eq!(page.header("locum-replay"), "exact");
    assert_eq!(
        replay.fetch("GET", "/api/notes").await.text.as_bytes(),
        FIRST
    );
    assert_eq!(replay.fetch("POST", "/api/notes").await.text, "{}");
    let then = replay.fetch("GET", "/api/notes").await;
    assert_eq!((then.text.as_bytes(), then.header("x-total")), (THEN, "1"));
    for (verb, path) in [
        ("GET", "/live"),
        ("POST", "/locks"),
        ("GET", "/api/v1/whoami"),
        ("GET", "/login"),
    ] {
        let seen = replay.fetch(verb, path).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{path}");
        assert!(
            guarded(&seen.headers) && seen.text.is_empty(),
            "{path}: {}",
            seen.text
        );
    }
    let target = format!("/.locum/replay/socket?host={}&target=/ws", replay.host);
    let socket: serde_json::Value =
        serde_json::from_str(&replay.fetch("GET", &target).await.text).expect("JSON");
    assert_eq!(socket["messages"][0]["text"], "Hello Kim");
    assert_eq!(
        socket["messages"].as_array().map(Vec::len),
        Some(1),
        "only what the app sent"
    );
    assert_eq!(
        replay.fetch("GET", "/.locum/events").await.status,
        StatusCode::NO_CONTENT
    );
    replay
        .navigate("/never")
        .await
        .shows("Not in the recording");
}

#[tokio::test]
async fn a_replay_is_nobody_else_s_and_only_in_the_portal_s_frame() {
    let stage = Stage::new();
    let taped = taped(&stage);
    let mut replay = Replay::open(&stage, &taped).await;
    let way_in = replay.way_in.clone();
    let top = [
        ("sec-fetch-dest", "document"),
        ("sec-fetch-mode", "navigate"),
    ];
    assert_eq!(
        replay.ask("GET", &way_in, &top).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        replay.ask("GET", &way_in, &[]).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        replay.navigate("/orders").await.status,
        StatusCode::FORBIDDEN,
        "no cookie yet"
    );
    let wrong = "/.locum/replay/enter?code=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(replay.navigate(wrong).await.status, StatusCode::FORBIDDEN);
    let first = replay.navigate(&way_in).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER);
    assert_eq!(
        replay.navigate(&way_in).await.status,
        StatusCode::FORBIDDEN,
        "once"
    );
    replay.cookie = "__Host-locum-replay=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into();
    assert_eq!(
        replay.navigate("/orders").await.status,
        StatusCode::FORBIDDEN
    );
    let cookie = first
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap_or_default();
    replay.cookie = cookie.to_owned();
    assert_eq!(replay.navigate("/orders").await.status, StatusCode::OK);
    no_worker(&replay).await;
    for host in [
        "aaaaaaaaaaaaaaaaaaaaaaaaaa.replay.localhost:8444",
        "replay.localhost",
        "a.b.replay.localhost",
        "x-99.replay.localhost",
    ] {
        let mut other = request("GET", "/live", Some(&tess()), Body::empty());
        other
            .headers_mut()
            .insert("host", host.parse().expect("a host"));
        let seen = stage.send(other).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{host}");
        seen.hides("Live sessions");
    }
    stage.pass(16 * MINUTE);
    assert_eq!(
        replay.navigate("/orders").await.status,
        StatusCode::NOT_FOUND,
        "over"
    );
}

async fn no_worker(replay: &Replay<'_>) {
    let worker = [
        ("sec-fetch-dest", "serviceworker"),
        ("service-worker", "script"),
    ];
    assert_eq!(
        replay.ask("GET", "/orders", &worker).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn no_more_recordings_are_open_at_once_than_may_be() {
    let stage = Stage::new();
    let (one, other) = (taped(&stage), taped(&stage));
    let mut settings = (*stage.web.recordings.replay.load_full()).clone();
    settings.max_views = 1;
    settings.max_frames = 1;
    stage.web.recordings.replay.store(Arc::new(settings));
    let seen = look(&stage, &one, &tess()).await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER);
    let refused = look(&stage, &other, &tess()).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.reasons(), ["replay.views"]);
    let first = Replay::entered(&stage, &one).await;
    let second = Replay::entered(&stage, &one).await;
    assert_eq!(
        first.navigate("/orders").await.status,
        StatusCode::NOT_FOUND,
        "it gave way"
    );
    let page = second.navigate("/orders").await;
    assert_eq!(page.status, StatusCode::OK);
    let hit = |limit| stage.web.recordings.was_hit(limit);
    let hits = ["ReplayViews", "ReplayFrames", "ReplayText"].map(hit);
    assert_eq!(hits, [true, false, false]);
    // A text that is too long to have its addresses replaced is shown as it was recorded.
    let mut settings = (*stage.web.recordings.replay.load_full()).clone();
    settings.max_text = 16;
    stage.web.recordings.replay.store(Arc::new(settings));
    let page = second.navigate("/orders").await;
    assert!(page.text.contains(&one.origin), "{}", page.text);
    assert!(hit("ReplayText"));
    // Another page in the same view: one is the most that may be.
    let again = format!("{}/{}/page", one.path(), one.page);
    assert_eq!(stage.get(&tess(), &again).await.status, StatusCode::OK);
    let gone = second.navigate("/orders").await.status;
    assert_eq!((gone, hit("ReplayFrames")), (StatusCode::NOT_FOUND, true));
}

#[tokio::test]
async fn a_session_with_more_records_than_may_be_is_not_exported() {
    let stage = Stage::new();
    let taped = taped(&stage);
    let session = taped.used.session.expect("used");
    write_journal(&stage.dir().join("journal"), session);
    let mut recordings = Recordings::in_dir(stage.dir(), Arc::default());
    recordings.exporter.max_records = 1;
    let purpose = Purpose {
        reason: "Review".into(),
        over: "api",
        doing: "export har".into(),
    };
    let who = tess();
    let export = recordings.export(&stage.control, &who, session, Format::Har, purpose);
    let refused = export.await.expect_err("there are more");
    assert_eq!(refused.reason, "export.bounds");
    assert!(recordings.was_hit("SessionRecords"));
}

#[tokio::test]
async fn a_session_is_exported_for_a_reason_and_not_too_often_at_once() {
    let stage = Stage::new();
    let taped = taped(&stage);
    let session = taped.used.session.expect("used");
    write_journal(&stage.dir().join("journal"), session);
    let path = format!("/sessions/{session}/export");
    stage
        .get(&tess(), &path)
        .await
        .shows("value=\"package\" checked");
    let unsaid = stage.post(&tess(), &path, &[("format", "har")]).await;
    assert_eq!(unsaid.status, StatusCode::UNPROCESSABLE_ENTITY);
    let refused = stage
        .post(&ada(), &path, &[("format", "har"), ("reason", "Mine")])
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let fields = [("format", "har"), ("reason", "Review of SUP-1042")];
    let har = stage.post(&tess(), &path, &fields).await;
    assert_eq!(har.status, StatusCode::OK, "{}", har.text);
    assert_eq!(
        har.header("content-disposition"),
        format!("attachment; filename=\"{session}.har\"")
    );
    let json: serde_json::Value = serde_json::from_str(&har.text).expect("JSON");
    assert_eq!(json["log"]["version"], "1.2");
    let (mut held, who) = (Vec::new(), tess());
    for _ in 0..2 {
        let purpose = Purpose {
            reason: "Review".into(),
            over: "api",
            doing: "export har".into(),
        };
        let recordings = &stage.web.recordings;
        let export = recordings.export(&stage.control, &who, session, Format::Har, purpose);
        held.push(export.await.expect("an export"));
    }
    let busy = stage.post(&tess(), &path, &fields).await;
    assert_eq!(busy.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(busy.reasons(), ["export.busy"]);
    drop(held);
    assert_eq!(
        stage.post(&tess(), &path, &fields).await.status,
        StatusCode::OK
    );
}
