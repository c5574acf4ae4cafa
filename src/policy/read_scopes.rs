//! How scopes are read: a list of actions, or a table with a sentence for people beside them.

use super::reader::Keys;
use super::scopes::Scopes;
use crate::model::Scope;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Longest sentence of a scope, in characters: it stands beside a box to tick.
const MAX_SENTENCE: usize = 160;
const HOW: &str =
    "Write view = [\"orders.read\", \"profile.*\"], or a table with actions and sentence";

/// Reads `[scopes]`.
pub(super) fn read_scopes(keys: &Keys<'_, '_>, scopes: &mut Scopes) {
    let Some((table, _)) = keys.table("scopes") else {
        return;
    };
    for (name, value) in table {
        let scope: &str = name.get_ref();
        if scope.parse::<Scope>().is_err() {
            keys.fault(
                name.span(),
                "scopes",
                format!("{scope:?} is no scope"),
                "Use 1 to 64 of a-z 0-9 - _ . :",
            );
        }
        match value.get_ref() {
            DeValue::Table(inner) => read_table(keys, scope, inner, value, scopes),
            other => match patterns(other) {
                Some(patterns) => scopes.add(scope, patterns),
                None => keys.fault(value.span(), "scopes", "is no list of strings", HOW),
            },
        }
    }
}

fn patterns(value: &DeValue<'_>) -> Option<Vec<String>> {
    let list = value.as_array()?;
    list.iter()
        .map(|one| one.get_ref().as_str().map(str::to_owned))
        .collect()
}

fn read_table(
    keys: &Keys<'_, '_>,
    scope: &str,
    table: &DeTable<'_>,
    value: &Spanned<DeValue<'_>>,
    scopes: &mut Scopes,
) {
    let inner = Keys::new(keys.sheet, table, value.span(), "scopes");
    if table.get("actions").is_none() {
        inner.fault(value.span(), "actions", "is missing", HOW);
    }
    let actions = inner.texts("actions").into_iter();
    scopes.add(scope, actions.map(|text| text.text.to_owned()));
    if let Some(text) = inner.text("sentence") {
        let length = text.text.chars().count();
        if text.text.trim().is_empty() || length > MAX_SENTENCE {
            inner.fault(
                text.at,
                "sentence",
                format!("has {length} characters"),
                format!("Say in 1 to {MAX_SENTENCE} what it lets people do, as in \"See orders\""),
            );
        } else if !scopes.describe(scope, text.text) {
            let what = format!("{scope} has another sentence already");
            inner.fault(text.at, "sentence", what, "Keep one of them");
        }
    }
    if inner.flag("break_glass") {
        scopes.only_break_glass(scope);
    }
    inner.done();
}
