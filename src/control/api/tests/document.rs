//! The document says what is served: `docs/openapi.json` is it, nothing dangles, and every operation is bounded.

use crate::control::api::document_text;
use serde_json::Value;
use std::path::Path;

#[test]
fn the_checked_in_document_is_what_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let text = document_text();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).expect("the docs directory is writable");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "docs/openapi.json is old: run UPDATE_DOCS=1 cargo test"
    );
}

fn each<'v>(value: &'v Value, visit: &mut impl FnMut(&'v Value)) {
    visit(value);
    match value {
        Value::Object(members) => members.values().for_each(|it| each(it, visit)),
        Value::Array(items) => items.iter().for_each(|it| each(it, visit)),
        _ => {}
    }
}

#[test]
fn no_reference_dangles() {
    let document: Value = serde_json::from_str(&document_text()).expect("JSON");
    let mut references = 0;
    each(&document, &mut |value| {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
            return;
        };
        references += 1;
        let pointer = reference.trim_start_matches('#');
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} is nowhere"
        );
    });
    assert!(references > 50, "{references}");
}

#[test]
fn bodies_are_closed_and_problems_documented() {
    let document: Value = serde_json::from_str(&document_text()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let mut operations = 0;
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("operations") {
            operations += 1;
            let case = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{case}");
            assert!(operation["responses"]["429"].is_object(), "{case}");
            if path.ends_with("openapi.json") {
                continue;
            }
            for status in ["401", "403", "503"] {
                let problem = &operation["responses"][status]["$ref"];
                assert!(problem.is_string(), "{case} {status}");
            }
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let Some(reference) = schema["$ref"].as_str() else {
                assert!(operation["requestBody"].is_null(), "{case}");
                continue;
            };
            let body = document.pointer(reference.trim_start_matches('#'));
            let body = body.expect("it is there");
            assert_eq!(body["additionalProperties"], false, "{case}");
        }
    }
    assert_eq!(operations, 47);
}
