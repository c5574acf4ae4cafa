//! What an end leaves behind: the app told once, its cookies and tokens gone, and a summary on record.

use super::sessions::{is, refused};
use crate::support::locum::{Agent, Locum, POLICY, Plan, free_port};
use crate::support::upstream::{Heard, Upstream};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use locum::model::{Binding, EndCause, Secret, SessionId, Timestamp};
use locum::store::{Issue, StoreError};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The claims of a JWT; its signature is other tests' matter.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap_or_default();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// A shop whose sessions are minted, and run out when `stale` says so.
async fn shop(stale: &Arc<AtomicUsize>, logout: &'static str) -> Upstream {
    let (stale, minted) = (Arc::clone(stale), Arc::new(AtomicUsize::new(0)));
    Upstream::start(move |heard, wire| {
        let (stale, minted) = (Arc::clone(&stale), Arc::clone(&minted));
        Box::pin(async move {
            match heard.target() {
                "/mint" => {
                    let n = minted.fetch_add(1, Ordering::SeqCst);
                    let cookie = format!("Set-Cookie: shop=minted{n}; Path=/\r\n");
                    wire.ok(&cookie, "").await;
                }
                "/session/logout" => wire.send(logout).await,
                _ if stale.swap(0, Ordering::SeqCst) > 0 => {
                    wire.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nold")
                        .await;
                }
                _ => wire.ok("", "seen").await,
            }
        })
    })
    .await
}

const DONE: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";

fn minting(app: &Upstream) -> Plan {
    Plan::new("").upstream(&format!(
        "addresses = [\"{}\"]\n[upstreams.identity]\nmode = \"mint\"\nmint_path = \"/mint\"\n\
         logout = {{ path = \"/session/logout\", method = \"POST\" }}\n",
        app.address
    ))
}

async fn logged_out(locum: &Locum, app: &Upstream, code: &str) -> (Heard, Value) {
    let record = locum.record(|one| is(one, code)).await;
    let all = app.heard();
    let found = all
        .into_iter()
        .find(|one| one.target() == "/session/logout");
    (found.expect("the logout"), record)
}

#[tokio::test]
async fn the_app_is_told_once_with_the_sessions_own_cookies() {
    let stale = Arc::new(AtomicUsize::new(0));
    let app = shop(&stale, DONE).await;
    let locum = Locum::start(&minting(&app)).await;
    let (agent, idle) = (locum.agent().await, locum.agent().await);
    assert_eq!(locum.get(&agent, "/one").await.status, 200);
    // A session that the app never saw is none of the app's business.
    locum.revoked(&idle.grant).await;
    assert_eq!(app.saw("/session/logout"), 0);
    locum.revoked(&agent.grant).await;
    let (logout, record) = logged_out(&locum, &app, "app.logged-out").await;
    assert_eq!(logout.method(), "POST");
    assert_eq!(logout.field("cookie"), "shop=minted0");
    let said = claims(&logout.field("locum-assertion"));
    assert_eq!(
        (said["sub"].as_str(), said["scope"].as_str()),
        (Some("kim"), None),
        "{said}"
    );
    assert_eq!(said["session"], agent.session.as_str(), "{said}");
    assert!(
        said["events"]["urn:locum:session-ended"].is_object(),
        "{said}"
    );
    assert_eq!(
        record["locum"]["session"],
        agent.session.as_str(),
        "{record}"
    );
    assert_eq!(record["locum"]["status"], "204", "{record}");
    assert!(!record.to_string().contains("minted0"), "{record}");
    let done = "locum_ends_at_app_total{what=\"logout\",result=\"done\"}";
    locum.until(done, 1.0).await;
    assert_eq!(app.saw("/session/logout"), 1);
}

#[tokio::test]
async fn the_end_buttons_logout_has_the_cookies_too_and_a_failure_is_on_record() {
    let stale = Arc::new(AtomicUsize::new(0));
    let app = shop(&stale, BROKEN).await;
    let locum = Locum::start(&minting(&app)).await;
    let agent = locum.agent().await;
    assert_eq!(locum.get(&agent, "/one").await.status, 200);
    let origin = format!(
        "Origin: https://{}\r\nSec-Fetch-Site: same-origin\r\n",
        agent.host
    );
    let ended = locum
        .ask(&agent, &agent.post("/.locum/end", &origin, ""))
        .await;
    assert_eq!(ended.status, 200);
    assert!(
        ended.field("clear-site-data").contains("cookies"),
        "{ended:?}"
    );
    let (logout, record) = logged_out(&locum, &app, "app.not-logged-out").await;
    assert_eq!(logout.field("cookie"), "shop=minted0");
    assert!(record.to_string().contains("500"), "{record}");
    let failed = "locum_ends_at_app_total{what=\"logout\",result=\"failed\"}";
    locum.until(failed, 1.0).await;
    assert_eq!(app.saw("/session/logout"), 1, "never tried again");
}

#[tokio::test]
async fn an_app_session_that_ran_out_is_minted_again() {
    let stale = Arc::new(AtomicUsize::new(0));
    let app = shop(&stale, DONE).await;
    let locum = Locum::start(&minting(&app)).await;
    let agent = locum.agent().await;
    assert_eq!(locum.get(&agent, "/one").await.status, 200);
    stale.store(1, Ordering::SeqCst);
    let answer = locum.get(&agent, "/two").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "seen"));
    assert_eq!((app.saw("/mint"), app.saw("/two")), (2, 2));
    assert_eq!(app.last().field("cookie"), "shop=minted1");
    let renewed = locum.record(|one| is(one, "app.session-renewed")).await;
    assert_eq!(
        renewed["locum"]["session"],
        agent.session.as_str(),
        "{renewed}"
    );
    // Again at once is no cure, and what may have acted is never sent twice: the app's own answer passes.
    stale.store(1, Ordering::SeqCst);
    assert_eq!(locum.get(&agent, "/three").await.status, 401);
    stale.store(1, Ordering::SeqCst);
    assert_eq!(
        locum
            .ask(&agent, &agent.post("/four", "", "x"))
            .await
            .status,
        401
    );
    assert_eq!(
        (app.saw("/mint"), app.saw("/three"), app.saw("/four")),
        (2, 1, 1)
    );
}

/// An authorization server that issues `token0`, `token1`, …
async fn authority() -> Upstream {
    let issued = Arc::new(AtomicUsize::new(0));
    Upstream::start(move |heard, wire| {
        let issued = Arc::clone(&issued);
        Box::pin(async move {
            if heard.target() != "/token" {
                return wire.ok("", "").await;
            }
            let n = issued.fetch_add(1, Ordering::SeqCst);
            let body = format!(
                "{{\"access_token\":\"secret-token{n}\",\"token_type\":\"Bearer\",\"expires_in\":600,\
                 \"issued_token_type\":\"urn:ietf:params:oauth:token-type:access_token\"}}"
            );
            wire.ok("Content-Type: application/json\r\n", &body).await;
        })
    })
    .await
}

fn exchanging(app: &Upstream, authority: &Upstream, dir: &tempfile::TempDir) -> Plan {
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "hush hush\n").unwrap();
    Plan::new("").upstream(&format!(
        "addresses = [\"{}\"]\n[upstreams.identity]\nmode = \"exchange\"\naudience = \"https://as.example\"\n\
         [upstreams.identity.exchange]\ntoken_endpoint = \"http://{at}/token\"\n\
         revocation_endpoint = \"http://{at}/revoke\"\nclient_id = \"locum\"\nclient_secret_file = \"{}\"\n\
         resource = \"https://shop.example\"\n",
        app.address,
        secret.display(),
        at = authority.address,
    ))
}

fn form(heard: &Heard, name: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(&heard.body);
    let found = pairs.find(|(key, _)| key == name);
    found.map_or_else(String::new, |(_, value)| value.into_owned())
}

#[tokio::test]
async fn a_token_is_exchanged_kept_and_revoked_at_the_end() {
    let (authority, dir) = (authority().await, tempfile::tempdir().unwrap());
    let app = Upstream::start(|heard, wire| {
        Box::pin(async move {
            if heard.target() == "/old" && heard.field("authorization") == "Bearer secret-token0" {
                return wire
                    .send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
                    .await;
            }
            wire.ok("", "seen").await;
        })
    })
    .await;
    let locum = Locum::start(&exchanging(&app, &authority, &dir)).await;
    let agent = locum.agent().await;
    let forged = agent.request("GET", "/one", "Authorization: Bearer forged\r\n");
    assert_eq!(locum.ask(&agent, &forged).await.status, 200);
    assert_eq!(locum.get(&agent, "/two").await.status, 200);
    for one in app.heard() {
        assert_eq!(
            one.field("authorization"),
            "Bearer secret-token0",
            "{}",
            one.head
        );
        assert_eq!(one.field("locum-assertion"), "", "{}", one.head);
    }
    let asked = authority.last();
    assert_eq!(authority.saw("/token"), 1, "one token for a session");
    assert_eq!(
        form(&asked, "grant_type"),
        "urn:ietf:params:oauth:grant-type:token-exchange"
    );
    assert_eq!(form(&asked, "resource"), "https://shop.example");
    // RFC 6749 §2.3.1: form-encoded, then Basic.
    assert_eq!(asked.field("authorization"), "Basic bG9jdW06aHVzaCtodXNo");
    let said = claims(&form(&asked, "subject_token"));
    assert_eq!(said["sub"], "kim", "{said}");
    assert_eq!(said["act"]["sub"], "ada@support.example", "{said}");
    assert_eq!(said["aud"], "https://as.example", "{said}");
    // What the app no longer takes is replaced.
    assert_eq!(locum.get(&agent, "/old").await.status, 200);
    assert_eq!(app.last().field("authorization"), "Bearer secret-token1");
    locum.revoked(&agent.grant).await;
    let revoked = "locum_ends_at_app_total{what=\"revocation\",result=\"done\"}";
    locum.until(revoked, 2.0).await;
    let mut gone: Vec<String> = authority
        .heard()
        .iter()
        .filter(|one| one.target() == "/revoke")
        .map(|one| form(one, "token"))
        .collect();
    gone.sort();
    assert_eq!(gone, ["secret-token0", "secret-token1"]);
    let all: Vec<String> = locum.records().iter().map(Value::to_string).collect();
    let count = |code: &str| all.iter().filter(|one| one.contains(code)).count();
    assert_eq!((count("token.issued"), count("token.revoked")), (2, 2));
    assert_eq!((count("secret-token"), count("hush")), (0, 0));
    assert!(!locum.log().contains("secret-token"));
}

#[tokio::test]
async fn without_a_token_nothing_reaches_the_app() {
    let authority = Upstream::start(|_, wire| {
        let body =
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 27\r\n\r\n{\"error\":\"invalid_request\"}";
        Box::pin(wire.send(body))
    })
    .await;
    let (app, dir) = (Upstream::plain().await, tempfile::tempdir().unwrap());
    let locum = Locum::start(&exchanging(&app, &authority, &dir)).await;
    let agent = locum.agent().await;
    for _ in 0..2 {
        let answer = locum.get(&agent, "/one").await;
        assert_eq!((answer.status, answer.reason().as_str()), (502, "exchange"));
    }
    assert!(app.heard().is_empty());
    assert_eq!(authority.saw("/token"), 1, "not asked again at once");
    assert!(locum.log().contains("invalid_request"), "{}", locum.log());
}

#[tokio::test]
async fn a_summary_is_on_record() {
    let app = Upstream::plain().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let (agent, unused) = (locum.agent().await, locum.agent().await);
    assert_eq!(locum.get(&agent, "/one").await.status, 200);
    assert_eq!(
        locum
            .ask(&agent, &agent.post("/two", "", "12345"))
            .await
            .status,
        200
    );
    assert_eq!(locum.get(&agent, "/secret").await.status, 403);
    locum.revoked(&agent.grant).await;
    let of = |session: &str| {
        let session = session.to_owned();
        move |one: &Value| is(one, "session.ended") && one["locum"]["session"] == session.as_str()
    };
    let ended = locum.record(of(&agent.session)).await;
    for (name, want) in [
        ("requests", 3),
        ("reads", 1),
        ("changes", 1),
        ("refusals", 1),
        ("request_bytes", 5),
        ("response_bytes", 8),
    ] {
        assert_eq!(ended["locum"][name], want, "{name}: {ended}");
    }
    let moment = |name: &str| ended["locum"][name].as_str().unwrap_or_default().to_owned();
    let (first, last) = (moment("first_used"), moment("last_used"));
    assert!(first.ends_with('Z') && first <= last, "{ended}");
    // One that was started and never used says so.
    locum.revoked(&unused.grant).await;
    let ended = locum.record(of(&unused.session)).await;
    assert_eq!(ended["locum"]["requests"], 0, "{ended}");
    assert_eq!(ended["locum"]["first_used"], Value::Null, "{ended}");
}

/// A session with a budget, as the control plane makes them for workloads.
async fn with_budget(locum: &Locum, budget: u64) -> Agent {
    let like = locum.issue(&[]);
    let code = Secret::fresh().unwrap();
    let session = SessionId::fresh();
    let done = locum.book().write::<_, StoreError>("issuing", |tx| {
        let stored = tx.grant(like.grant.parse().unwrap())?.unwrap();
        let mut grant = (*stored.grant).clone();
        grant.id = locum::model::GrantId::fresh();
        grant.budget = Some(budget);
        tx.issue(&Issue {
            grant,
            session,
            binding: Binding::default(),
            code: code.hash(),
            code_expires: Timestamp::now().plus(std::time::Duration::from_secs(30)),
        })
    });
    done.unwrap();
    let url = like
        .url
        .as_str()
        .replace(&like.session, &session.to_string());
    let mut url: url::Url = url.parse().unwrap();
    url.set_query(Some(&format!("code={}", code.reveal())));
    let issued = crate::support::locum::Issued {
        session: session.to_string(),
        url,
        ..like
    };
    let answer = locum.redeem(&issued).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let cookie = answer.field("set-cookie").split(';').next().unwrap();
    Agent {
        cookie: cookie.to_owned(),
        host: issued.host(),
        session: issued.session,
        grant: issued.grant,
    }
}

#[tokio::test]
async fn a_spent_budget_ends_the_session() {
    let app = Upstream::plain().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = with_budget(&locum, 2).await;
    for _ in 0..2 {
        assert_eq!(locum.get(&agent, "/work").await.status, 200);
    }
    let answer = locum.get(&agent, "/work").await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (401, "budget-spent")
    );
    assert_eq!(locum.get(&agent, "/work").await.reason(), "session-ended");
    assert_eq!(app.saw("/work"), 2);
    let ended = locum.record(|one| is(one, "session.ended")).await;
    assert_eq!(
        ended["locum"]["cause"],
        EndCause::Budget.as_str(),
        "{ended}"
    );
    locum.record(|one| refused(one, "budget-spent")).await;
    assert!(locum.hits("RequestBudget").await >= 1.0);
}

#[tokio::test]
async fn what_a_scope_could_permit_can_be_asked_for() {
    let app = Upstream::plain().await;
    let port = free_port();
    let rest = format!(
        "[listeners.portal]\nenabled = true\naddress = \"127.0.0.1:{port}\"\nplain = true\n\
         public_url = \"https://desk.example\"\n\
         [access]\npolicy = [\"{}/config/policy/access.cedar\"]\n\
         [identity]\ndemo = true\n[[personas]]\nid = \"ada\"\nname = \"Ada\"\n",
        env!("CARGO_MANIFEST_DIR"),
    );
    let rows = "[scopes]\nview = [\"page\"]\nedit = [\"edit\"]\n\n[[rows]]\nid = \"edit\"\nmatch = \"POST /edit\"\n\
                action = \"edit\"\neffect = \"allow\"\n\n\
                [[rows]]\nid = \"nobodys\"\nmatch = \"POST /nobodys\"\naction = \"nobodys\"\neffect = \"allow\"\n";
    let mut plan = Plan::new(&app.address).rest(&rest);
    plan.policy = POLICY.replace("[scopes]\nview = [\"page\"]\n", rows);
    let locum = Locum::start(&plan).await;
    let agent = locum.agent().await;
    let answer = locum.ask(&agent, &agent.post("/edit", "", "")).await;
    let told = answer.json();
    let url: url::Url = told["elevation"].as_str().expect("a link").parse().unwrap();
    assert_eq!(url.origin().ascii_serialization(), "https://desk.example");
    assert_eq!(url.path(), "/requests/new");
    let said: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let exchange = told["exchange"].as_str().unwrap();
    let want = [
        ("app", "shop"),
        ("tenant", "acme"),
        ("subject", "kim"),
        ("ticket", "SUP-1"),
        ("action", "edit"),
        ("rule", "edit"),
        ("exchange", exchange),
    ];
    let want = want.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(said, want);
    let page = "Accept: text/html\r\nSec-Fetch-Dest: document\r\n";
    let shown = locum
        .ask(&agent, &agent.post("/edit", page, ""))
        .await
        .text();
    assert!(
        shown.contains("Ask for elevation")
            && shown.contains("https://desk.example/requests/new?app=shop&amp;"),
        "{shown}"
    );
    // A deny row, and what no scope carries: there is nothing to ask for.
    for (method, target) in [("GET", "/secret"), ("POST", "/nobodys")] {
        let answer = locum.ask(&agent, &agent.request(method, target, "")).await;
        assert_eq!(answer.status, 403, "{target}");
        assert_eq!(answer.json()["elevation"], Value::Null, "{target}");
        let shown = locum
            .ask(&agent, &agent.request(method, target, page))
            .await
            .text();
        assert!(!shown.contains("elevation"), "{target}: {shown}");
    }
    assert_eq!(app.heard().len(), 0);
}
