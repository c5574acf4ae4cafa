//! What is written in the configuration, key by key: for telling how one differs from another.

use super::document::{Item, Table, Value};
use super::schema::join;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Each key that is written, environment included, by its dotted path, with its value as TOML. Layout and comments
/// make no difference; what a URL has beyond its origin is told by its SHA-256 alone, since it may be a secret.
pub type Written = BTreeMap<String, String>;

pub(super) fn of(root: &Table) -> Written {
    let mut all = Written::new();
    table(root, "", &mut all);
    all
}

fn table(from: &Table, at: &str, all: &mut Written) {
    for entry in &from.entries {
        item(&entry.item, &join(at, &entry.name), all);
    }
}

fn item(from: &Item, at: &str, all: &mut Written) {
    match &from.value {
        Value::Table(inner) if !inner.entries.is_empty() => table(inner, at, all),
        Value::List(list) if list.iter().any(|it| matches!(it.value, Value::Table(_))) => {
            for (n, inner) in list.iter().enumerate() {
                item(inner, &format!("{at}[{n}]"), all);
            }
        }
        value => {
            all.insert(at.to_owned(), shown(value));
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => shown_text(text),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        Value::Other(written) => written.clone(),
        Value::List(list) => {
            let inner: Vec<String> = list.iter().map(|it| shown(&it.value)).collect();
            format!("[{}]", inner.join(", "))
        }
        Value::Table(_) => "{}".to_owned(),
    }
}

fn shown_text(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return format!("{text:?}");
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority == rest && !rest.contains('@') {
        return format!("{text:?}");
    }
    let host = authority.rsplit('@').next().unwrap_or_default();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut out = format!("\"{scheme}://{host}/…\" (SHA-256 ");
    for byte in hash.as_ref() {
        let _ = write!(out, "{byte:02x}");
    }
    out.push(')');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document;
    use crate::config::problem::Found;
    use std::path::Path;

    fn written(text: &str) -> Written {
        of(&document::parse(text, &mut Found::new(Path::new("a.toml"))))
    }

    #[test]
    fn each_key_by_its_path_whatever_the_layout() {
        let one = written("a = 1_0\n[b]\nc = ['x', 'y']\n[[d]]\ne = true\n[[d]]\ne = false\n");
        let told: Vec<_> = one
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(
            told,
            ["a=10", "b.c=[\"x\", \"y\"]", "d[0].e=true", "d[1].e=false"]
        );
        let other = "# why\nd = [{ e = true }, { e = false }]\na = 10\nb.c = [ 'x',\n 'y' ]\n";
        assert_eq!(written(other), one);
    }

    #[test]
    fn of_a_url_only_the_origin_is_told_and_yet_each_is_another() {
        let one = written("u = 'https://me:secret@hooks.example/services/T0/B0'");
        let text = one.get("u").cloned().unwrap_or_default();
        assert!(text.starts_with("\"https://hooks.example/…\""), "{text}");
        assert!(
            !text.contains("secret") && !text.contains("services"),
            "{text}"
        );
        assert_ne!(
            one,
            written("u = 'https://me:secret@hooks.example/services/T0/B1'")
        );
        let plain = written("u = 'https://id.example'");
        assert_eq!(
            plain.get("u").map(String::as_str),
            Some("\"https://id.example\"")
        );
    }
}
