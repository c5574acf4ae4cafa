//! `docs/configuration.md`, written from the declaration of the keys.

use super::keys::root::Config;
use super::schema::{Field, Measure, Section as _, Shape};
use super::units::show;
use std::fmt::Write as _;

const INTRODUCTION: &str = "\
# Configuration

<!-- Written by `locum check-config --print-docs`; a test fails where this file differs. -->

Locum reads one TOML file, `config/locum.toml` unless `--config` or `LOCUM_CONFIG` names another. A key that is
not listed here is refused. `locum check-config` says everything that is wrong with a file at once: file, line,
key, value and remedy. SIGHUP reads the file again; a bad one is refused and the old configuration stays.

- A **duration** is a whole number with `ms`, `s`, `m`, `h` or `d`: `\"250ms\"`, `\"30s\"`, `\"5m\"`.
- A **size** is a whole number with `B`, `KiB`, `MiB`, `GiB` or `TiB`: `\"64KiB\"`.
- A relative **path** starts from the directory that Locum is started in.
- Secrets are never written in the file: a key names a file or an environment variable that has them.
- Each key can be overridden from the **environment**, under the name given with it. Write lists with commas
  (`LOCUM_POLICY__PATHS=a,b`) or as TOML. In a list of tables the name of an entry selects it, `-` and `.`
  written as `_` (`LOCUM_APPS__SHOP__CACHE`), or its number from 0. Variables that start with `LOCUM_` and
  have `__` in them, or are a near miss of a key, are refused if no key has that name.

A file needs an upstream, an app, and TLS for the apps listener (or an explicit `plain = true`):

```toml
[listeners.apps]
tls = { cert = \"certs/dev/locum.pem\", key = \"certs/dev/locum.key\" }

[[upstreams]]
name = \"storefront\"
addresses = [\"127.0.0.1:3000\"]

[[apps]]
name = \"shop\"
upstream = \"storefront\"
```
";

/// The whole page.
pub fn markdown() -> String {
    let mut out = String::from(INTRODUCTION);
    out.push_str("\n## Top level\n");
    keys(&mut out, Config::FIELDS, "", "LOCUM_");
    tables(&mut out, Config::FIELDS, "", "LOCUM_");
    out
}

/// One key as `check-config --print-keys` lists it.
#[derive(Debug, serde::Serialize)]
pub struct Key {
    /// `listeners.apps.address`, `apps[].name`.
    pub path: String,
    pub environment: String,
    pub kind: String,
    /// As TOML; none where it is required or unset.
    pub default: Option<&'static str>,
    pub unit: String,
    pub doc: String,
}

/// Every key that takes a value, in the order of the page.
pub fn list() -> Vec<Key> {
    let mut out = Vec::new();
    collect(&mut out, Config::FIELDS, "", "LOCUM_");
    out
}

fn collect(out: &mut Vec<Key>, fields: &'static [Field], path: &str, env: &str) {
    for field in fields {
        let (path, env) = deeper(field, path, env);
        if let Some((_, inner)) = inner_table(field) {
            collect(out, inner, &format!("{path}."), &format!("{env}__"));
        } else {
            out.push(Key {
                path,
                environment: env,
                kind: kind(&field.shape),
                default: (!field.is_required() && !field.is_unset()).then_some(field.default),
                unit: unit(field),
                doc: paragraph(field.doc),
            });
        }
    }
}

fn inner_table(field: &Field) -> Option<(&'static [&'static str], &'static [Field])> {
    match field.shape {
        Shape::Table(about, inner) => Some((about, inner)),
        Shape::List(Shape::Table(about, inner)) => Some((*about, *inner)),
        _ => None,
    }
}

fn deeper(field: &Field, path: &str, env: &str) -> (String, String) {
    let upper = field.name.to_ascii_uppercase();
    match field.shape {
        Shape::List(Shape::Table(..)) => (
            format!("{path}{}[]", field.name),
            format!("{env}{upper}__<NAME>"),
        ),
        _ => (format!("{path}{}", field.name), format!("{env}{upper}")),
    }
}

fn tables(out: &mut String, fields: &'static [Field], path: &str, env: &str) {
    for field in fields {
        let Some((about, inner)) = inner_table(field) else {
            continue;
        };
        let (path, env) = deeper(field, path, env);
        let shown = path.replace("[]", "");
        let heading = if path.ends_with("[]") {
            format!("[[{shown}]]")
        } else {
            format!("[{shown}]")
        };
        let _ = write!(out, "\n## `{heading}`\n\n{}\n", paragraph(about));
        let env = format!("{env}__");
        keys(out, inner, &format!("{path}."), &env);
        tables(out, inner, &format!("{path}."), &env);
    }
}

fn keys(out: &mut String, fields: &'static [Field], path: &str, env: &str) {
    for field in fields.iter().filter(|f| inner_table(f).is_none()) {
        let (path, env) = deeper(field, path, env);
        let mut facts = vec![kind(&field.shape), default(field)];
        facts.extend(Some(unit(field)).filter(|unit| !unit.is_empty()));
        if let Some((low, high)) = field.bounds {
            let (low, high) = (show(low, field.measure), show(high, field.measure));
            facts.push(format!("`{low}` to `{high}`"));
        }
        if !matches!(field.shape, Shape::Map(_)) {
            facts.push(format!("`{env}`"));
        }
        let doc = paragraph(field.doc);
        let _ = write!(out, "\n### `{path}`\n\n{}\n\n{doc}\n", facts.join(" · "));
    }
}

fn default(field: &Field) -> String {
    if field.is_required() {
        "**required**".into()
    } else if field.is_unset() {
        "unset by default".into()
    } else {
        format!("default `{}`", field.default)
    }
}

/// What a number counts; empty for what is not a number.
fn unit(field: &Field) -> String {
    match field.measure {
        Measure::Milliseconds => "with its unit, `ms` to `d`".into(),
        Measure::Bytes => "with its unit, `B` to `TiB`".into(),
        Measure::Count | Measure::None => field.unit.into(),
    }
}

fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Text(words) => (*words).into(),
        Shape::Boolean => "`true` or `false`".into(),
        Shape::Number => "whole number".into(),
        Shape::Choice(words) => {
            let words: Vec<_> = words.iter().map(|w| format!("`\"{w}\"`")).collect();
            words.join(", ")
        }
        Shape::List(inner) => format!("list of {}", kind(inner)),
        Shape::Map(of) => format!("table of {of}"),
        Shape::Table(..) => "table".into(),
    }
}

fn paragraph(lines: &[&str]) -> String {
    lines
        .iter()
        .map(|l| l.trim())
        .collect::<Vec<_>>()
        .join("\n")
}
