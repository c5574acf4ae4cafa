//! Records as rows of a table, for spreadsheets (RFC 4180).

use super::facts::{Field, at};
use crate::audit::tail::Entry;
use crate::model::Timestamp;
use serde_json::Value;

/// The columns, in order.
const COLUMNS: [(&str, Column); 24] = [
    ("sequence", Column::Sequence),
    ("time", Column::Time),
    ("event", Column::Of(Field::Event)),
    ("operator", Column::Of(Field::Operator)),
    ("subject", Column::Of(Field::Subject)),
    ("tenant", Column::Of(Field::Tenant)),
    ("app", Column::Of(Field::App)),
    ("ticket", Column::Of(Field::Ticket)),
    ("request", Column::Of(Field::Request)),
    ("grant", Column::Of(Field::Grant)),
    ("session", Column::Of(Field::Session)),
    ("exchange", Column::Of(Field::Exchange)),
    ("method", Column::Of(Field::Method)),
    ("host", Column::At(&["http_request", "url", "hostname"])),
    ("path", Column::At(&["http_request", "url", "path"])),
    (
        "query",
        Column::At(&["http_request", "url", "query_string"]),
    ),
    ("status", Column::Of(Field::Status)),
    ("action", Column::Of(Field::Action)),
    ("resource", Column::Of(Field::Resource)),
    ("decision", Column::Of(Field::Decision)),
    ("rule", Column::Of(Field::Rule)),
    ("outcome", Column::Of(Field::Outcome)),
    ("detail", Column::At(&["status_detail"])),
    ("hash", Column::At(&["hash"])),
];

enum Column {
    Sequence,
    Time,
    Of(Field),
    At(&'static [&'static str]),
}

/// The first line, with its end.
pub fn head() -> String {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    names.join(",") + "\r\n"
}

/// One record's line, with its end.
pub fn row(entry: &Entry) -> String {
    let cells = COLUMNS.iter().map(|(_, column)| match column {
        Column::Sequence => entry.sequence.to_string(),
        Column::Time => time(&entry.json),
        Column::Of(field) => cell(field.values(&entry.json).next().unwrap_or_default()),
        Column::At(path) => cell(at(&entry.json, path).unwrap_or_default()),
    });
    cells.collect::<Vec<_>>().join(",") + "\r\n"
}

fn time(record: &Value) -> String {
    let millis = record.get("time").and_then(Value::as_i64).unwrap_or(0);
    Timestamp::from_millis(millis).to_string()
}

/// Quoted where it must be. A text that a spreadsheet would take for a formula gets an apostrophe before it.
/// <https://owasp.org/www-community/attacks/CSV_Injection>
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    if guard.is_empty() && !text.contains(['"', ',', '\n', '\r']) {
        return text.to_owned();
    }
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        for (text, expected) in [
            ("a", "a"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("=1+1", "\"'=1+1\""),
            ("@x", "\"'@x\""),
            ("", ""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
