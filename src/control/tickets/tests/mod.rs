//! Ticket systems as they answer and as they must not: real HTTP servers with answers of recorded shape, in this process.

mod hooks;
mod whole;

use super::settings::*;
use super::*;
use crate::config;
use crate::control::desk::{Ticket, TicketRefused, Tickets as _};
use crate::control::lookup::{self, Proof, SecretAt};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Serves `router` on a free port until the test's runtime ends.
async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn secret(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    std::fs::write(&path, text).expect("written");
    (folder, path)
}

fn lookup(url: &str) -> lookup::Settings {
    lookup::Settings {
        url: url.to_owned(),
        proof: Proof::None,
        ca: None,
        timeout: Duration::from_millis(400),
        max_body: 64 * 1024,
        max_concurrent: 4,
    }
}

fn generic(url: &str) -> SystemSettings {
    SystemSettings {
        name: "desk".to_owned(),
        patterns: vec!["*".to_owned()],
        lookup: lookup(url),
        mapping: Mapping {
            id: "/id".into(),
            title: Some("/title".into()),
            state: "/state".into(),
            open: vec!["open".into()],
            tenant: Some("/tenant".into()),
            tenants: HashMap::new().into_iter().collect(),
        },
        hook: None,
    }
}

fn desk(systems: Vec<SystemSettings>) -> TicketDesk {
    desk_with(systems, Duration::ZERO)
}

fn desk_with(systems: Vec<SystemSettings>, cache_ttl: Duration) -> TicketDesk {
    TicketDesk::new(&TicketSettings {
        systems,
        patterns: vec!["SUP-#".to_owned()],
        cache_ttl,
        cache_entries: 2,
    })
    .unwrap_or_else(|why| panic!("{why}"))
}

/// A system of the configuration, as people write it.
fn configured(toml: &str) -> Vec<SystemSettings> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("locum.toml");
    let smallest = include_str!("../../../../tests/data/smallest.toml");
    std::fs::write(&path, format!("{smallest}{toml}")).expect("written");
    let config = config::Config::load_without_files(&path, Vec::new());
    let config = config.unwrap_or_else(|why| panic!("{why}"));
    TicketSettings::from(&config.tickets).systems
}

fn good(id: &str, title: &str) -> Ticket {
    Ticket {
        id: id.to_owned(),
        title: Some(title.to_owned()),
    }
}

/// Jira Cloud's answer to "Get issue" (REST v3), shortened.
fn jira_issue(key: &str, category: &str, customer: &Value) -> Value {
    json!({
        "expand": "renderedFields,names,schema,operations", "id": "10002", "key": key,
        "self": "https://acme.atlassian.net/rest/api/3/issue/10002",
        "fields": {
            "summary": "Invoice is missing",
            "status": { "id": "3", "name": "Waiting for us", "statusCategory": { "id": 4, "key": category, "colorName": "yellow" } },
            "customfield_10050": customer,
        }
    })
}

#[tokio::test]
async fn jira() {
    let answer = |Path(key): Path<String>, headers: HeaderMap| async move {
        // base64 of bot@acme.example:hunter2
        let proof = headers.get(header::AUTHORIZATION);
        if proof.is_none_or(|it| it != "Basic Ym90QGFjbWUuZXhhbXBsZTpodW50ZXIy") {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let globex = json!({ "self": "…", "value": "Globex", "id": "2" });
        let acme = json!({ "self": "…", "value": "Acme Corp", "id": "1" });
        match key.as_str() {
            "SUP-1" | "sup-1" => {
                axum::Json(jira_issue("SUP-1", "indeterminate", &acme)).into_response()
            }
            "SUP-2" => axum::Json(jira_issue("SUP-2", "done", &acme)).into_response(),
            "SUP-3" => axum::Json(jira_issue("SUP-3", "new", &globex)).into_response(),
            // An issue that was moved answers under its new key.
            "SUP-4" => axum::Json(jira_issue("OPS-9", "new", &acme)).into_response(),
            "SUP-5" => axum::Json(jira_issue("SUP-5", "new", &Value::Null)).into_response(),
            _ => (
                StatusCode::NOT_FOUND,
                axum::Json(json!({ "errorMessages": ["Issue does not exist or you do not have permission to see it."], "errors": {} })),
            )
                .into_response(),
        }
    };
    let site = serve(Router::new().route("/rest/api/3/issue/{key}", get(answer))).await;
    let (_folder, path) = secret("hunter2\n");
    let desk = desk(configured(&format!(
        "[[tickets.systems]]\nname = 'jira'\npreset = 'jira'\nurl = '{site}'\nusername = 'bot@acme.example'\n\
         secret_file = '{}'\ntenant = '/fields/customfield_10050/value'\ntenants = {{ acme = 'Acme Corp' }}\n",
        path.display()
    )));
    assert_eq!(
        desk.check("SUP-1", "acme").await,
        Ok(good("SUP-1", "Invoice is missing"))
    );
    // Jira takes keys in any case; what is kept is the system's own spelling, which its messages use.
    assert_eq!(
        desk.check(" sup-1 ", "acme").await,
        Ok(good("SUP-1", "Invoice is missing"))
    );
    for (ticket, tenant, why) in [
        ("SUP-2", "acme", TicketRefused::Closed),
        ("SUP-3", "acme", TicketRefused::Foreign),
        ("SUP-1", "globex", TicketRefused::Foreign),
        ("SUP-4", "acme", TicketRefused::Unknown),
        ("SUP-5", "acme", TicketRefused::Foreign),
        ("SUP-404", "acme", TicketRefused::Unknown),
        ("../../user", "acme", TicketRefused::Unknown),
        ("..", "acme", TicketRefused::Unknown),
        ("SUP-1/transitions", "acme", TicketRefused::Unknown),
        ("", "acme", TicketRefused::Unknown),
    ] {
        assert_eq!(desk.check(ticket, tenant).await, Err(why), "{ticket}");
    }
}

#[tokio::test]
async fn zendesk() {
    let answer = |Path(file): Path<String>| async move {
        let Some(id) = file
            .strip_suffix(".json")
            .and_then(|id| id.parse::<u64>().ok())
        else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let (status, organization) = match id {
            35_436 => ("pending", json!(509_974)),
            35_437 => ("solved", json!(509_974)),
            35_438 => ("open", json!(null)),
            _ => {
                let told = json!({ "error": "RecordNotFound", "description": "Not found" });
                return (StatusCode::NOT_FOUND, axum::Json(told)).into_response();
            }
        };
        axum::Json(json!({ "ticket": { "id": id, "subject": "Help, my printer is on fire!", "status": status, "organization_id": organization, "tags": [] } }))
            .into_response()
    };
    let site = serve(Router::new().route("/api/v2/tickets/{file}", get(answer))).await;
    let desk = desk(configured(&format!(
        "[[tickets.systems]]\nname = 'zendesk'\npreset = 'zendesk'\nurl = '{site}/'\ntenants = {{ acme = '509974' }}\n"
    )));
    assert_eq!(
        desk.check("35436", "acme").await,
        Ok(good("35436", "Help, my printer is on fire!"))
    );
    for (ticket, why) in [
        ("35437", TicketRefused::Closed),
        ("35438", TicketRefused::Foreign),
        ("1", TicketRefused::Unknown),
        ("SUP-1", TicketRefused::Unknown),
    ] {
        assert_eq!(desk.check(ticket, "acme").await, Err(why), "{ticket}");
    }
}

#[tokio::test]
async fn servicenow() {
    let answer = |Query(query): Query<HashMap<String, String>>| async move {
        let asked = query.get("sysparm_query").cloned().unwrap_or_default();
        let found = match asked.as_str() {
            "number=INC0010111" => {
                json!([{ "number": "INC0010111", "short_description": "Cannot sign in", "state": "2", "company": "227cdfb03710200044e0bfc8bcbe5d6b" }])
            }
            "number=INC0010112" => {
                json!([{ "number": "INC0010112", "short_description": "Done", "state": "7", "company": "227cdfb03710200044e0bfc8bcbe5d6b" }])
            }
            _ => json!([]),
        };
        axum::Json(json!({ "result": found }))
    };
    let site = serve(Router::new().route("/api/now/table/incident", get(answer))).await;
    let desk = desk(configured(&format!(
        "[[tickets.systems]]\nname = 'snow'\npreset = 'servicenow'\nurl = '{site}'\ntenants = {{ acme = '227cdfb03710200044e0bfc8bcbe5d6b' }}\n"
    )));
    assert_eq!(
        desk.check("INC0010111", "acme").await,
        Ok(good("INC0010111", "Cannot sign in"))
    );
    for (ticket, why) in [
        ("INC0010112", TicketRefused::Closed),
        ("INC1", TicketRefused::Unknown),
        ("INC1^ORnumber=INC0010111", TicketRefused::Unknown),
    ] {
        assert_eq!(desk.check(ticket, "acme").await, Err(why), "{ticket}");
    }
}

#[tokio::test]
async fn a_system_that_hangs_floods_redirects_refuses_or_lies_says_nothing() {
    let hang = || async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        "{}"
    };
    let flood = || async { format!("{{\"id\":\"{}\"}}", "x".repeat(200_000)) };
    let drip = || async {
        let parts = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok::<_, std::convert::Infallible>(" "), ()))
        });
        axum::body::Body::from_stream(parts)
    };
    let truth =
        || async { axum::Json(json!({ "id": "redirect", "state": "open", "tenant": "acme" })) };
    let site = serve(
        Router::new()
            .route("/t/hang", get(hang))
            .route("/t/flood", get(flood))
            .route("/t/drip", get(drip))
            .route("/truth", get(truth))
            .route(
                "/t/redirect",
                get(|| async { (StatusCode::FOUND, [(header::LOCATION, "/truth")]) }),
            )
            .route("/t/denied", get(|| async { StatusCode::FORBIDDEN }))
            .route("/t/broken", get(|| async { StatusCode::BAD_GATEWAY }))
            .route("/t/html", get(|| async { "<html>Sign in</html>" }))
            .route("/t/empty", get(|| async { "" }))
            .route(
                "/t/nothing",
                get(|| async { axum::Json(json!({ "id": "nothing" })) }),
            )
            .route(
                "/t/nobody",
                get(|| async { axum::Json(json!({ "id": "nobody", "state": "open" })) }),
            ),
    )
    .await;
    let asked = desk(vec![generic(&format!("{site}/t/{{ticket}}"))]);
    for ticket in [
        "hang", "flood", "drip", "redirect", "denied", "broken", "html", "empty", "nothing",
        "nobody",
    ] {
        let begun = std::time::Instant::now();
        let answer = asked.check(ticket, "acme").await;
        assert!(
            matches!(answer, Err(TicketRefused::Unavailable(_))),
            "{ticket}: {answer:?}"
        );
        assert!(begun.elapsed() < Duration::from_secs(2), "{ticket}");
    }
    let gone = desk(vec![generic("http://127.0.0.1:1/{ticket}")]);
    let answer = gone.check("A-1", "acme").await;
    assert!(
        matches!(&answer, Err(TicketRefused::Unavailable(why)) if !why.contains("A-1")),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_waiting_crowd_is_bounded_by_the_time_of_one() {
    let hang = || async { tokio::time::sleep(Duration::from_secs(60)).await };
    let site = serve(Router::new().route("/{ticket}", get(hang))).await;
    let desk = Arc::new(desk(vec![generic(&format!("{site}/{{ticket}}"))]));
    let begun = std::time::Instant::now();
    let crowd = (0..40).map(|nth| {
        let desk = Arc::clone(&desk);
        tokio::spawn(async move { desk.check(&format!("A-{nth}"), "acme").await.is_err() })
    });
    for one in crowd.collect::<Vec<_>>() {
        assert!(one.await.expect("it ends"));
    }
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}

async fn counted(
    State(asked): State<Arc<AtomicUsize>>,
    Path(id): Path<String>,
) -> axum::Json<Value> {
    asked.fetch_add(1, Ordering::SeqCst);
    axum::Json(json!({ "id": id, "state": "open", "tenant": "acme" }))
}

#[tokio::test]
async fn an_answer_is_good_for_a_moment_and_for_its_own_tenant() {
    let asked = Arc::new(AtomicUsize::new(0));
    let router = Router::new()
        .route("/{ticket}", get(counted))
        .with_state(Arc::clone(&asked));
    let site = serve(router).await;
    let system = || vec![generic(&format!("{site}/{{ticket}}"))];
    let desk = desk_with(system(), Duration::from_millis(300));
    for _ in 0..5 {
        assert!(desk.check("A-1", "acme").await.is_ok());
        assert_eq!(
            desk.check("A-1", "globex").await,
            Err(TicketRefused::Foreign)
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert!(desk.check("A-1", "acme").await.is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let other = desk_with(system(), Duration::ZERO);
    let _ = (
        other.check("A-1", "acme").await,
        other.check("A-1", "acme").await,
    );
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn without_a_system_a_ticket_only_has_to_look_like_one() {
    let desk = desk(Vec::new());
    assert!(desk.check("SUP-1042", "acme").await.is_ok());
    for ticket in ["SUP-", "sup-1", "SUP-1; DROP", "", "SUP-1\u{202e}"] {
        assert_eq!(
            desk.check(ticket, "acme").await,
            Err(TicketRefused::Unknown),
            "{ticket}"
        );
    }
}

#[tokio::test]
async fn a_bad_reload_leaves_what_was_good() {
    let asked = Arc::new(AtomicUsize::new(0));
    let router = Router::new()
        .route("/{ticket}", get(counted))
        .with_state(Arc::clone(&asked));
    let site = serve(router).await;
    let desk = desk(vec![generic(&format!("{site}/{{ticket}}"))]);
    let mut bad = generic(&site);
    bad.lookup.proof = Proof::Basic {
        user: "bot".to_owned(),
        password: SecretAt::File("/nowhere/at/all".into()),
    };
    let settings = TicketSettings {
        systems: vec![bad],
        patterns: Vec::new(),
        cache_ttl: Duration::ZERO,
        cache_entries: 0,
    };
    let why = TicketDesk::prepare(&settings)
        .err()
        .map(|why| why.to_string());
    assert!(
        why.is_some_and(|why| why.contains("tickets.systems.desk") && why.contains("/nowhere"))
    );
    assert!(desk.check("A-1", "acme").await.is_ok());
}
