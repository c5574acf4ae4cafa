//! Where classes come from: a file, a system that answers well or badly, and the word for those that nobody knows.

use super::*;
use crate::control::lookup::Proof;
use axum::Router;
use axum::extract::Path as UrlPath;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::json;
use std::time::Duration;

async fn system() -> String {
    let answer = |UrlPath((tenant, subject)): UrlPath<(String, String)>| async move {
        match (tenant.as_str(), subject.as_str()) {
            ("acme", "kim@acme.example") => {
                axum::Json(json!({ "tier": { "class": "gold" } })).into_response()
            }
            ("acme", "root/../../x?y") => {
                axum::Json(json!({ "tier": { "class": "admin" } })).into_response()
            }
            ("acme", "lie") => {
                axum::Json(json!({ "tier": { "class": "platinum" } })).into_response()
            }
            ("acme", "nothing") => axum::Json(json!({})).into_response(),
            ("acme", "broken") => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            ("acme", "hang") => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                StatusCode::OK.into_response()
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    };
    let router = Router::new().route("/class/{tenant}/{subject}", get(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/class/{{tenant}}/{{subject}}")
}

fn hook(url: &str) -> HookSettings {
    HookSettings {
        lookup: lookup::Settings {
            url: url.to_owned(),
            proof: Proof::None,
            ca: None,
            timeout: Duration::from_millis(300),
            max_body: 1024,
            max_concurrent: 2,
        },
        class: "/tier/class".to_owned(),
        classes: [("gold".to_owned(), SubjectClass::Vip)].into(),
    }
}

fn desk(settings: &SubjectSettings) -> SubjectDesk {
    SubjectDesk::new(settings).unwrap_or_else(|why| panic!("{why}"))
}

#[tokio::test]
async fn a_system_is_asked_and_what_it_does_not_say_refuses() {
    let settings = SubjectSettings {
        file: None,
        max_file: 1 << 20,
        hook: Some(hook(&system().await)),
        unknown: Some(SubjectClass::Regulated),
    };
    let desk = desk(&settings);
    for (subject, class) in [
        ("kim@acme.example", SubjectClass::Vip),
        ("root/../../x?y", SubjectClass::Admin),
        ("somebody", SubjectClass::Regulated),
    ] {
        assert_eq!(desk.class("acme", subject).await, Ok(class), "{subject}");
    }
    for subject in ["lie", "nothing", "broken", "hang", ".."] {
        assert!(desk.class("acme", subject).await.is_err(), "{subject}");
    }
}

#[tokio::test]
async fn the_file_speaks_first_and_a_bad_reload_leaves_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("classes.csv");
    std::fs::write(&path, "acme,kim@acme.example,admin\n").expect("written");
    let settings = SubjectSettings {
        file: Some(path.clone()),
        max_file: 1 << 20,
        hook: Some(hook(&system().await)),
        unknown: None,
    };
    let desk = desk(&settings);
    let kim = || desk.class("acme", "Kim@acme.example");
    assert_eq!(kim().await, Ok(SubjectClass::Admin));
    assert!(desk.class("acme", "somebody").await.is_err());
    std::fs::write(&path, "acme,kim@acme.example,vpi\n").expect("written");
    let why = SubjectDesk::prepare(&settings)
        .err()
        .map(|why| why.to_string());
    assert!(why.is_some_and(|why| why.contains("classes.csv") && why.contains("line 1")));
    assert_eq!(kim().await, Ok(SubjectClass::Admin));
    std::fs::write(&path, "acme,kim@acme.example,regulated\n").expect("written");
    let prepared = SubjectDesk::prepare(&settings).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(kim().await, Ok(SubjectClass::Admin));
    desk.put(prepared);
    assert_eq!(kim().await, Ok(SubjectClass::Regulated));
}

#[tokio::test]
async fn unknown_is_never_ordinary_unless_somebody_said_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let classes = folder.path().join("classes.toml");
    std::fs::write(&classes, "[acme]\n'kim@acme.example' = 'vip'\n").expect("written");
    let path = folder.path().join("locum.toml");
    let smallest = include_str!("../../../tests/data/smallest.toml");
    let with = |more: &str| {
        std::fs::write(&path, format!("{smallest}{more}")).expect("written");
        let config = config::Config::load_without_files(&path, Vec::new());
        let config = config.unwrap_or_else(|why| panic!("{why}"));
        desk(&SubjectSettings::from(&config.subjects))
    };
    let file = format!("[subjects]\nfile = '{}'\n", classes.display());
    for (more, expected) in [
        (String::new(), Ok(SubjectClass::Ordinary)),
        (file.clone(), Err(())),
        (
            format!("{file}unknown = 'ordinary'\n"),
            Ok(SubjectClass::Ordinary),
        ),
        (
            format!("{file}unknown = 'regulated'\n"),
            Ok(SubjectClass::Regulated),
        ),
        (format!("{file}unknown = 'refuse'\n"), Err(())),
    ] {
        let class = with(&more).class("acme", "lee@acme.example").await;
        assert_eq!(class.map_err(|_| ()), expected, "{more}");
    }
}

#[test]
fn a_file_beyond_its_limit_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("classes.csv");
    std::fs::write(&path, "acme,kim@acme.example,admin\n").expect("written");
    let settings = SubjectSettings {
        file: Some(path),
        max_file: 8,
        hook: None,
        unknown: None,
    };
    let why = SubjectDesk::prepare(&settings)
        .map(|_| ())
        .expect_err("28 bytes");
    assert!(why.to_string().contains("subjects.max_file_bytes"), "{why}");
}
