//! How a row's matchers are read from their tables.

use super::field_rule::FieldRule;
use super::graphql;
use super::matchers::Matchers;
use super::reader::Keys;
use super::row::RowEffect;
use super::values::Value;
use super::websocket::{WsMode, WsRules};
use http::HeaderName;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A row that denies `WebSocket`s denies; one that only reads lets the client say nothing.
pub(super) fn websocket_effect(
    keys: &Keys<'_, '_>,
    matchers: &mut Matchers,
    effect: &mut RowEffect,
) {
    let Some(rules) = matchers.websocket.take() else {
        return;
    };
    let mut rules = Arc::unwrap_or_clone(rules);
    match (rules.mode, *effect) {
        (WsMode::Deny, _) => *effect = RowEffect::Deny,
        (WsMode::Allow, RowEffect::Deny) => rules.mode = WsMode::Deny,
        (WsMode::Allow, RowEffect::ReadOnly) => rules.mode = WsMode::ReceiveOnly,
        (WsMode::ReceiveOnly, RowEffect::Deny) => {
            keys.fault(
                keys.at.clone(),
                "websocket.mode",
                "is receive-only on a deny row",
                "Write effect = \"allow\"",
            );
        }
        _ => {}
    }
    // The handshake is a GET, so a row that only reads allows it and denies nothing.
    if *effect == RowEffect::ReadOnly {
        *effect = RowEffect::Allow;
    }
    matchers.websocket = Some(Arc::new(rules));
}

/// Reads the keys `query`, `form`, `json`, `headers`, `graphql` and `websocket`.
pub(super) fn read_matchers(keys: &Keys<'_, '_>) -> Matchers {
    Matchers {
        query: fields(keys, "query", false),
        form: fields(keys, "form", false),
        json: fields(keys, "json", true),
        headers: read_headers(keys),
        graphql: keys
            .table("graphql")
            .map(|(table, at)| read_graphql(keys, table, at)),
        websocket: keys
            .table("websocket")
            .map(|(table, at)| Arc::new(read_websocket(keys, table, at))),
    }
}

fn fields(keys: &Keys<'_, '_>, key: &'static str, nested: bool) -> Vec<FieldRule> {
    let Some((table, at)) = keys.table(key) else {
        return Vec::new();
    };
    if table.is_empty() {
        keys.fault(
            at,
            key,
            "is empty",
            "Name at least one, as {export = \"*\"}",
        );
    }
    let mut rules = Vec::new();
    for (name, value) in table {
        if name.get_ref().is_empty() || (nested && name.get_ref().split('.').any(str::is_empty)) {
            keys.fault(
                name.span(),
                key,
                "has an empty name",
                "Write a name, or names joined by dots",
            );
        }
        rules.extend(
            read_value(keys, key, value).map(|value| FieldRule::new(name.get_ref(), value, nested)),
        );
    }
    rules
}

/// A string, a number, a flag, or a list of them.
fn read_value(keys: &Keys<'_, '_>, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Value> {
    fn scalar(value: &DeValue<'_>) -> Option<Box<str>> {
        match value {
            DeValue::String(text) => Some((**text).into()),
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().into()),
            DeValue::Float(number) => Some(number.as_str().into()),
            DeValue::Boolean(flag) => Some(if *flag { "true" } else { "false" }.into()),
            _ => None,
        }
    }
    let read = match value.get_ref() {
        DeValue::Array(list) if !list.is_empty() => {
            list.iter().map(|one| scalar(one.get_ref())).collect()
        }
        one => scalar(one).map(|one| vec![one]),
    };
    if read.is_none() {
        keys.fault(
            value.span(),
            key,
            "has a value that is no pattern",
            "Write a string in which * stands for anything, or a list of strings",
        );
    }
    read.map(Value::new)
}

fn read_headers(keys: &Keys<'_, '_>) -> Vec<(HeaderName, Value)> {
    let mut headers = Vec::new();
    for rule in fields(keys, "headers", false) {
        match HeaderName::from_bytes(rule.name.to_ascii_lowercase().as_bytes()) {
            Ok(name) => headers.push((name, rule.value)),
            Err(_) => keys.fault(
                keys.at.clone(),
                "headers",
                format!("{:?} is no header name", rule.name),
                "Write a name as next-action",
            ),
        }
    }
    headers
}

fn read_graphql(outer: &Keys<'_, '_>, table: &DeTable<'_>, at: Range<usize>) -> graphql::Rule {
    let keys = Keys::new(outer.sheet, table, at, "rows.graphql");
    let kind = keys.text("type").and_then(|text| {
        let kind = graphql::Kind::parse(text.text);
        if kind.is_none() {
            keys.fault(
                text.at,
                "type",
                format!("{:?} is no operation type", text.text),
                "Write \"query\", \"mutation\" or \"subscription\"",
            );
        }
        kind
    });
    let fields: Vec<Box<str>> = keys
        .texts("fields")
        .iter()
        .map(|text| text.text.into())
        .collect();
    if fields.is_empty() && table.contains_key("fields") {
        keys.fault(
            keys.at.clone(),
            "fields",
            "names no field",
            "Name root fields, or leave it out for all",
        );
    }
    keys.done();
    graphql::Rule {
        kind,
        fields: (!fields.is_empty()).then(|| Value::new(fields)),
    }
}

fn read_websocket(outer: &Keys<'_, '_>, table: &DeTable<'_>, at: Range<usize>) -> WsRules {
    let keys = Keys::new(outer.sheet, table, at, "rows.websocket");
    let mode = keys.text("mode").and_then(|text| {
        let mode = match text.text {
            "allow" => Some(WsMode::Allow),
            "deny" => Some(WsMode::Deny),
            "receive-only" => Some(WsMode::ReceiveOnly),
            _ => None,
        };
        if mode.is_none() {
            keys.fault(
                text.at,
                "mode",
                format!("{:?} is no mode", text.text),
                "Write \"allow\", \"deny\" or \"receive-only\"",
            );
        }
        mode
    });
    let rules = WsRules {
        mode: mode.unwrap_or_default(),
        max_message: keys.count("max_message", 1).unwrap_or(WsRules::MAX_MESSAGE),
        max_rate: keys
            .count("max_rate", 1)
            .map(|rate| u32::try_from(rate).unwrap_or(u32::MAX)),
        deny_message: fields(&keys, "deny_message", true),
    };
    keys.done();
    rules
}
