//! What templates must not hold: unescaped texts, inline code or style, addresses of others.

use std::fs;
use std::path::Path;

fn templates() -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/control/portal/templates");
    let files = fs::read_dir(dir).expect("the templates").flatten();
    let all = files.map(|file| {
        let text = fs::read_to_string(file.path()).expect("a text");
        (file.file_name().to_string_lossy().into_owned(), text)
    });
    let all: Vec<_> = all.collect();
    assert!(all.len() > 30, "{} templates", all.len());
    all
}

#[test]
fn nothing_is_put_in_unescaped_or_inline() {
    for (name, text) in templates() {
        for forbidden in [
            "|safe",
            "| safe",
            " style=",
            "<style",
            "onclick",
            "onload",
            "javascript:",
            "http://",
            "https://",
        ] {
            assert!(!text.contains(forbidden), "{name} has {forbidden}");
        }
        for script in text.match_indices("<script").map(|(at, _)| &text[at..]) {
            assert!(script.starts_with("<script src=\"{{"), "{name}");
        }
    }
}

#[test]
fn every_form_that_acts_carries_its_proof() {
    for (name, text) in templates() {
        for form in text.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap_or_default();
            // The customer's consent is proved by the secret of the link itself; there is no cookie.
            let proved = form.contains("name=\"csrf\"") || form.contains("action=\"/consent\"");
            assert!(
                !form.contains("method=\"post\"") || proved,
                "{name}: {form}"
            );
        }
    }
}

#[test]
fn every_field_has_a_label_and_every_table_a_caption() {
    for (name, text) in templates() {
        for (at, _) in text.match_indices("<table>") {
            assert!(
                text[at..]
                    .trim_start_matches("<table>")
                    .trim_start()
                    .starts_with("<caption"),
                "{name}"
            );
        }
        for field in [
            "<input type=\"text\"",
            "<input type=\"search\"",
            "<select",
            "<textarea",
        ] {
            for (at, _) in text.match_indices(field) {
                let tag = text[at..].split('>').next().unwrap_or_default();
                let id = tag
                    .split(" id=\"")
                    .nth(1)
                    .and_then(|it| it.split('"').next());
                let id = id.unwrap_or_else(|| panic!("{name}: a field without an id: {tag}"));
                assert!(
                    text.contains(&format!("for=\"{id}\"")),
                    "{name}: no label for {id}"
                );
            }
        }
    }
}
