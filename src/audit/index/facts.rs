//! What a record says that one can search by: named values, and the words of all its texts.

use super::hash::hash;
use serde_json::Value;

/// A named value of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    Operator,
    Subject,
    Tenant,
    App,
    Ticket,
    Session,
    Grant,
    Request,
    Exchange,
    Action,
    Resource,
    Decision,
    Outcome,
    Rule,
    Event,
    Method,
    Status,
}

/// A path of member names.
type Path = &'static [&'static str];

impl Field {
    pub const ALL: [Self; 17] = [
        Self::Operator,
        Self::Subject,
        Self::Tenant,
        Self::App,
        Self::Ticket,
        Self::Session,
        Self::Grant,
        Self::Request,
        Self::Exchange,
        Self::Action,
        Self::Resource,
        Self::Decision,
        Self::Outcome,
        Self::Rule,
        Self::Event,
        Self::Method,
        Self::Status,
    ];

    /// The name that the command line, the API and forms use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Subject => "subject",
            Self::Tenant => "tenant",
            Self::App => "app",
            Self::Ticket => "ticket",
            Self::Session => "session",
            Self::Grant => "grant",
            Self::Request => "request",
            Self::Exchange => "exchange",
            Self::Action => "action",
            Self::Resource => "resource",
            Self::Decision => "decision",
            Self::Outcome => "outcome",
            Self::Rule => "rule",
            Self::Event => "event",
            Self::Method => "method",
            Self::Status => "status",
        }
    }

    /// Steps of the control plane name things by themselves, where no session does.
    pub(super) const fn paths(self) -> &'static [Path] {
        match self {
            Self::Operator => &[&["actor", "user", "uid"], &["locum", "operator"]],
            Self::Subject => &[&["locum", "subject", "uid"], &["locum", "subject_id"]],
            Self::Tenant => &[&["locum", "tenant", "uid"], &["locum", "tenant_id"]],
            Self::App => &[&["locum", "app"], &["api", "service", "name"]],
            Self::Ticket => &[&["locum", "ticket"]],
            Self::Session => &[&["locum", "session"]],
            Self::Grant => &[&["locum", "grant"]],
            Self::Request => &[&["locum", "request"]],
            Self::Exchange => &[&["metadata", "correlation_uid"]],
            Self::Action => &[&["locum", "action"], &["api", "operation"]],
            Self::Resource => &[&["locum", "resource"]],
            Self::Decision => &[&["locum", "decision"]],
            Self::Outcome => &[&["locum", "outcome"]],
            Self::Rule => &[&["locum", "rule"]],
            Self::Event => &[&["metadata", "event_code"]],
            Self::Method => &[&["http_request", "http_method"], &["locum", "method"]],
            Self::Status => &[&["status_code"], &["locum", "status"]],
        }
    }

    /// The record's values, each once, as they are written.
    pub fn values(self, record: &Value) -> impl Iterator<Item = &str> {
        let paths = self.paths();
        let text = move |path: &Path| at(record, path);
        let first = paths.first().and_then(text);
        let second = paths.get(1).and_then(text);
        // In a step of the control plane the service is Locum itself.
        let is_settled = self == Self::App && first.is_some();
        let second = second.filter(|it| !is_settled && Some(*it) != first);
        first.into_iter().chain(second)
    }

    /// Whether the record has this value, or is of this kind: `exchange` is the kind of `exchange.opened`, `order` that
    /// of `order:17`, `4xx` that of `403`. Case does not count.
    pub fn is(self, record: &Value, wanted: &str) -> bool {
        let wanted = wanted.to_lowercase();
        self.values(record)
            .any(|value| self.kinds(&value.to_lowercase()).any(|kind| kind == wanted))
    }

    /// The value itself and the kinds that it belongs to.
    fn kinds(self, value: &str) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
        let ends: Vec<usize> = match self {
            Self::Event | Self::Action | Self::Rule => {
                value.match_indices('.').map(|(at, _)| at).collect()
            }
            Self::Resource => value.find(':').into_iter().collect(),
            _ => Vec::new(),
        };
        let kinds = ends
            .into_iter()
            .filter_map(|end| value.get(..end))
            .map(std::borrow::Cow::Borrowed);
        let class = value
            .get(..1)
            .filter(|_| self == Self::Status && value.len() == 3)
            .map(|first| std::borrow::Cow::Owned(format!("{first}xx")));
        std::iter::once(std::borrow::Cow::Borrowed(value))
            .chain(kinds)
            .chain(class)
    }
}

impl std::str::FromStr for Field {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let mut all = Self::ALL.into_iter();
        all.find(|field| field.name() == name).ok_or(())
    }
}

pub(super) fn at<'a>(record: &'a Value, path: &[&str]) -> Option<&'a str> {
    let found = path.iter().try_fold(record, |at, key| at.get(key))?;
    found.as_str().filter(|text| !text.is_empty())
}

/// What marks a word of the index that stands for a named value. Texts never have such a character there: a record
/// could say of itself what it is not.
const MARK: char = '\u{E000}';

/// A character that texts in the index do not keep.
pub(super) fn is_private(c: char) -> bool {
    matches!(c, '\u{E000}'..='\u{F8FF}')
}

/// What stands for "this field has this value": a hash, so that a search hit is checked at the record itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tag(pub(super) u64);

impl Tag {
    /// `value` is in lower case.
    pub(super) fn new(field: Field, value: &str) -> Self {
        Self(hash(hash(0, field.name().as_bytes()), value.as_bytes()))
    }

    /// Writes it as a word.
    pub(super) fn write(self, out: &mut String) {
        const DIGITS: [char; 32] = [
            'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q',
            'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', '2', '3', '4', '5', '6', '7',
        ];
        out.push(MARK);
        for nth in 0..13 {
            let digit = self.0 >> (5 * nth) & 31;
            out.extend(usize::try_from(digit).ok().and_then(|at| DIGITS.get(at)));
        }
    }
}

/// The tags of a value, its kinds' too.
pub(super) fn tags(field: Field, value: &str) -> Vec<Tag> {
    let value = value.to_lowercase();
    let kinds = field.kinds(&value);
    kinds.map(|kind| Tag::new(field, &kind)).collect()
}

/// Writes a text for the index.
pub(super) fn write_text(text: &str, out: &mut String) {
    if text.is_ascii() {
        out.push_str(text);
    } else {
        out.extend(text.chars().map(|c| if is_private(c) { ' ' } else { c }));
    }
    out.push('\n');
}

/// Members whose texts nobody looks for: digests, and what each record has.
pub(super) const SKIPPED: [&str; 8] = [
    "request_sha256",
    "response_sha256",
    "cut_sha256",
    "policy",
    "shadow_policy",
    "config",
    "protocol",
    "first",
];

/// Members of a record with texts.
pub(super) const TEXTS: [&str; 7] = [
    "status_detail",
    "actor",
    "api",
    "src_endpoint",
    "dst_endpoint",
    "http_request",
    "locum",
];

/// All texts of a record whose words are looked for, in their order: a row of words may go on from one to the next.
pub(super) fn said(record: &Value) -> String {
    let mut out = String::with_capacity(1024);
    for (name, value) in record.as_object().into_iter().flatten() {
        if TEXTS.contains(&name.as_str()) {
            texts(value, &mut out);
        }
    }
    let event = at(record, &["metadata", "event_code"]);
    write_text(event.unwrap_or_default(), &mut out);
    out
}

fn texts(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => write_text(text, out),
        Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Object(members) => {
            for (name, value) in members {
                if !SKIPPED.contains(&name.as_str()) {
                    texts(value, out);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_found_wherever_a_record_names_them() {
        let exchange = json!({
            "actor": { "user": { "uid": "Ada@x.example" } }, "status_code": "403",
            "api": { "operation": "orders.read", "service": { "name": "shop" } },
            "metadata": { "event_code": "exchange.refused" },
            "locum": { "tenant": { "uid": "acme" }, "resource": "order:17", "action": "orders.read" }
        });
        let step = json!({
            "api": { "operation": "vote.approve", "service": { "name": "Locum" } },
            "locum": { "tenant_id": "acme", "operator": "ada@x.example", "app": "shop" }
        });
        assert!(!Field::App.is(&step, "Locum"));
        assert!(Field::Operator.is(&exchange, "ada@x.example"));
        assert!(Field::Tenant.is(&exchange, "acme") && Field::Tenant.is(&step, "acme"));
        assert!(Field::App.is(&exchange, "shop") && Field::App.is(&step, "shop"));
        for (field, value) in [
            (Field::Event, "exchange"),
            (Field::Event, "exchange.refused"),
            (Field::Action, "orders"),
            (Field::Resource, "order"),
            (Field::Resource, "order:17"),
            (Field::Status, "403"),
            (Field::Status, "4xx"),
        ] {
            assert!(field.is(&exchange, value), "{value}");
        }
        assert!(!Field::Event.is(&exchange, "exch"));
        assert!(!Field::Resource.is(&exchange, "order:1"));
    }

    #[test]
    fn a_text_cannot_pass_for_a_value() {
        let mut forged = String::new();
        Tag::new(Field::Tenant, "globex").write(&mut forged);
        let mut out = String::new();
        write_text(&format!("x {forged}"), &mut out);
        assert!(!out.contains(&forged) && out.starts_with("x "));
    }
}
