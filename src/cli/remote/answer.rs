//! Reading an answer of the API: fields by their JSON pointer, as text that cannot command a terminal.

use crate::cli::output::{Output, printable};
use crate::cli::{Exit, Failure};
use serde_json::Value;

/// A field of an answer, by its JSON pointer (RFC 6901).
type At<'p> = &'p str;

/// The text there; empty where there is none.
pub(in crate::cli) fn text(value: &Value, at: At<'_>) -> String {
    match value.pointer(at) {
        Some(Value::String(text)) => printable(text),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// The texts there, with commas.
pub(in crate::cli) fn texts(value: &Value, at: At<'_>) -> String {
    let all = list(value, at)
        .iter()
        .filter_map(Value::as_str)
        .map(printable);
    all.collect::<Vec<_>>().join(", ")
}

/// The number there, 0 where there is none.
pub(in crate::cli) fn number(value: &Value, at: At<'_>) -> u64 {
    value.pointer(at).and_then(Value::as_u64).unwrap_or(0)
}

/// Whether it is true there.
pub(in crate::cli) fn flag(value: &Value, at: At<'_>) -> bool {
    value.pointer(at).and_then(Value::as_bool).unwrap_or(false)
}

/// The things there.
pub(in crate::cli) fn list<'v>(value: &'v Value, at: At<'_>) -> &'v [Value] {
    value
        .pointer(at)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Prints an answer: as it came, or by `people`.
pub(in crate::cli) fn show(
    out: &mut Output,
    answer: &Value,
    people: impl FnOnce(&mut Output, &Value) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(answer)?;
    } else {
        people(out, answer)?;
    }
    Ok(Exit::Ok)
}
