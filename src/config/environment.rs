//! Environment variables that override keys: `LOCUM_LISTENERS__APPS__ADDRESS` is
//! `listeners.apps.address`, `LOCUM_APPS__SHOP__CACHE` is `cache` of the app named `shop`.

use super::document::{Item, Table, Value, parse_value};
use super::problem::{Found, Place};
use super::schema::{Field, Shape};
use super::suggest::nearest;

pub(super) const PREFIX: &str = "LOCUM_";
const STEP: &str = "__";
/// Read by the command line, not keys.
const RESERVED: &[&str] = &["LOCUM_CONFIG"];

/// Sets each key that the environment names.
pub(super) fn apply(
    root: &mut Table,
    fields: &'static [Field],
    environment: impl IntoIterator<Item = (String, String)>,
    found: &mut Found,
) {
    let mut all: Vec<_> = environment
        .into_iter()
        .filter(|(name, _)| name.starts_with(PREFIX) && !RESERVED.contains(&name.as_str()))
        .collect();
    all.sort();
    for (name, text) in all {
        let place = Place::Environment(name.as_str().into());
        let path = name.trim_start_matches(PREFIX).to_ascii_lowercase();
        let steps: Vec<&str> = path.split(STEP).collect();
        if let Err((message, remedy)) = set(root, fields, &steps, &text, &place)
            // A variable of one word may be somebody's secret that a key names, not a key.
            && (steps.len() > 1 || remedy.starts_with("did you mean"))
        {
            found.add(&place, "", None, message, remedy);
        }
    }
}

type Wrong = (String, String);

fn set(
    table: &mut Table,
    fields: &'static [Field],
    steps: &[&str],
    text: &str,
    place: &Place,
) -> Result<(), Wrong> {
    let Some((step, rest)) = steps.split_first() else {
        return Err(("names a table".into(), "name a key in it".into()));
    };
    let Some(field) = fields.iter().find(|f| f.name == *step) else {
        return Err(unknown(step, fields.iter().map(|f| f.name)));
    };
    match field.shape {
        Shape::Table(_, inner) => match table.table_mut(field.name, place) {
            Some(table) => set(table, inner, rest, text, place),
            None => Ok(()), // The file has something else there, which is a problem of its own.
        },
        Shape::List(Shape::Table(_, inner)) => {
            let Some((which, rest)) = rest.split_first() else {
                let remedy = format!("go on with {STEP}, a name or number, {STEP} and a key");
                return Err(("names a list of tables".into(), remedy));
            };
            set(one_of(table, field.name, which)?, inner, rest, text, place)
        }
        Shape::Map(_) => {
            let remedy = "write this table in the file";
            Err(("names a table of free keys".into(), remedy.into()))
        }
        _ if !rest.is_empty() => Err((
            format!("{:?} has no keys inside", field.name),
            format!("end the name at {}", field.name.to_ascii_uppercase()),
        )),
        shape => {
            table.set(field.name, value(shape, text, place));
            Ok(())
        }
    }
}

fn unknown<'a>(step: &str, known: impl Iterator<Item = &'a str>) -> Wrong {
    let known: Vec<&str> = known.collect();
    let remedy = match nearest(step, known.iter().copied()) {
        Some(near) => format!("did you mean {}?", near.to_ascii_uppercase()),
        None => format!("known here: {}", known.join(", ").to_ascii_uppercase()),
    };
    let message = format!("{:?} is no key", step.to_ascii_uppercase());
    (message, remedy)
}

/// The table of a list that `which` means: its number from 0, or its `name` with `-` as `_`.
fn one_of<'a>(table: &'a mut Table, list: &str, which: &str) -> Result<&'a mut Table, Wrong> {
    let entries = table.entries.iter_mut().find(|e| e.name == list);
    let mut names = Vec::new();
    let items = match entries.map(|e| &mut e.item.value) {
        Some(Value::List(items)) => items.as_mut_slice(),
        _ => &mut [],
    };
    for (n, item) in items.iter_mut().enumerate() {
        let Value::Table(table) = &mut item.value else {
            continue;
        };
        let name = match table.get("name").or_else(|| table.get("issuer")) {
            Some(Item {
                value: Value::Text(name),
                ..
            }) => name.replace(['-', '.'], "_"),
            _ => String::new(),
        };
        if which == n.to_string() || which == name.to_ascii_lowercase() {
            return Ok(table);
        }
        names.push(name);
    }
    let message = format!("{list} has no {:?}", which.to_ascii_uppercase());
    Err((message, format!("there are: {}", names.join(", "))))
}

/// The text as the key's type has it: only lists, numbers and booleans are read as TOML.
fn value(shape: Shape, text: &str, place: &Place) -> Item {
    let plain = || Item {
        value: Value::Text(text.to_owned()),
        place: place.clone(),
    };
    match shape {
        Shape::Number | Shape::Boolean => parse_value(text.trim(), place).unwrap_or_else(plain),
        Shape::List(_) if text.trim_start().starts_with('[') => {
            parse_value(text.trim(), place).unwrap_or_else(plain)
        }
        Shape::List(_) => {
            let parts = text.split(',').map(str::trim).filter(|p| !p.is_empty());
            let list = parts.map(|part| Item {
                value: Value::Text(part.to_owned()),
                place: place.clone(),
            });
            Item {
                value: Value::List(list.collect()),
                place: place.clone(),
            }
        }
        _ => plain(),
    }
}
