//! Header values made of a grant: text with placeholders, encoded so that no value can end its header or
//! pass for another one.

use crate::model::{Grant, OperatorKind, SessionId};
use http::HeaderValue;

/// Longest value of one header, in bytes; apps commonly refuse a head beyond 8 KiB.
const MAX_VALUE: usize = 4096;

/// A compiled template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

macro_rules! fields {
    ($($variant:ident = $name:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Field { $($variant,)* }

        impl Field {
            const NAMES: &'static [&'static str] = &[$($name,)*];

            const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

fields! {
    SubjectId = "subject.id",
    SubjectName = "subject.name",
    TenantId = "tenant.id",
    TenantName = "tenant.name",
    OperatorId = "operator.id",
    OperatorName = "operator.name",
    OperatorKind = "operator.kind",
    Session = "session",
    Grant = "grant",
    App = "app",
    Scopes = "scopes",
    Ticket = "ticket",
    Reason = "reason",
    ExpiresAt = "expires_at",
    BreakGlass = "break_glass",
}

impl Template {
    /// Reads `text`; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.bytes().any(|b| !matches!(b, b' '..=b'~')) {
            return Err("a template is plain ASCII without control characters".to_owned());
        }
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                plain.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                plain.push('}');
                rest = after;
            } else {
                let named = from
                    .strip_prefix('{')
                    .and_then(|inner| inner.split_once('}'));
                let (name, after) = named.ok_or("a brace stands alone: write {{ or }} for one")?;
                let field = Field::named(name).ok_or_else(|| {
                    format!(
                        "there is no {{{name}}}; there are {}",
                        Field::NAMES.join(", ")
                    )
                })?;
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(Part::Field(field));
                rest = after;
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// The value for a grant; the error names the placeholder whose value cannot stand in a header.
    pub(super) fn fill(
        &self,
        session: SessionId,
        grant: &Grant,
    ) -> Result<HeaderValue, &'static str> {
        let mut out = String::new();
        let mut last = "";
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Field(field) => {
                    last = field.name();
                    encode(&field.of(session, grant), &mut out).map_err(|()| last)?;
                }
            }
            if out.len() > MAX_VALUE {
                return Err(last);
            }
        }
        HeaderValue::from_str(&out).map_err(|_| last)
    }
}

impl Field {
    fn of(self, session: SessionId, grant: &Grant) -> String {
        let optional = |text: &Option<String>| text.clone().unwrap_or_default();
        match self {
            Self::SubjectId => grant.subject.id.clone(),
            Self::SubjectName => optional(&grant.subject.name),
            Self::TenantId => grant.tenant.id.clone(),
            Self::TenantName => optional(&grant.tenant.name),
            Self::OperatorId => grant.operator.id.clone(),
            Self::OperatorName => optional(&grant.operator.name),
            Self::OperatorKind => kind(grant.operator.kind).to_owned(),
            Self::Session => session.to_string(),
            Self::Grant => grant.id.to_string(),
            Self::App => grant.app.clone(),
            Self::Scopes => scopes(grant),
            Self::Ticket => grant.ticket.clone(),
            Self::Reason => grant.reason.clone(),
            Self::ExpiresAt => grant.expires_at.to_string(),
            Self::BreakGlass => grant.break_glass.to_string(),
        }
    }
}

/// `human` or `workload`.
pub(super) const fn kind(kind: OperatorKind) -> &'static str {
    match kind {
        OperatorKind::Human => "human",
        OperatorKind::Workload => "workload",
    }
}

/// Scopes as RFC 8693 §4.2 writes them: one string, separated by spaces.
pub(super) fn scopes(grant: &Grant) -> String {
    let names: Vec<_> = grant
        .scopes
        .iter()
        .map(crate::model::Scope::as_str)
        .collect();
    names.join(" ")
}

/// Percent-encodes (RFC 3986 §2.1, UTF-8) what is not ASCII, the percent sign itself so that decoding is
/// unambiguous, and spaces at either end, which parsers trim: `"root "` must not become `root`. Control
/// characters are refused, since no honest value has them.
fn encode(value: &str, out: &mut String) -> Result<(), ()> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let inner =
        value.len() - value.trim_start_matches(' ').len()..value.trim_end_matches(' ').len();
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            0..=0x1f | 0x7f => return Err(()),
            b'%' | 0x80.. => {}
            b' ' if !inner.contains(&at) => {}
            _ => {
                out.push(char::from(byte));
                continue;
            }
        }
        out.push('%');
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from(HEX[usize::from(nibble)]));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::grant;
    use super::*;
    use proptest::prelude::*;

    fn filled(text: &str, grant: &Grant) -> Result<String, &'static str> {
        let template = Template::parse(text).expect(text);
        let value = template.fill(SessionId::fresh(), grant)?;
        Ok(value.to_str().expect("ASCII").to_owned())
    }

    #[test]
    fn placeholders_are_filled() {
        let grant = grant();
        assert_eq!(filled("{subject.id}", &grant), Ok("u-17".into()));
        assert_eq!(
            filled("acting={operator.id};for={tenant.id}; {{x}}", &grant),
            Ok("acting=ann@example.com;for=acme; {x}".into())
        );
        assert_eq!(filled("{scopes}", &grant), Ok("orders view".into()));
    }

    #[test]
    fn what_is_not_a_template_is_refused() {
        for text in ["{", "}", "{subject}", "{subject.id", "a\r\nb", "ä"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
        let said = Template::parse("{nobody}").expect_err("unknown");
        assert!(said.contains("subject.id"), "{said}");
    }

    #[test]
    fn values_are_encoded_or_refused() {
        let mut grant = grant();
        for (name, want) in [
            ("Zoë", "Zo%C3%AB"),
            ("100%", "100%25"),
            (" root  ", "%20root%20%20"),
            ("a b", "a b"),
            ("  ", "%20%20"),
        ] {
            grant.subject.name = Some(name.to_owned());
            assert_eq!(filled("{subject.name}", &grant), Ok(want.into()), "{name}");
        }
        for bad in ["a\r\nX-Admin: 1", "a\0", "\t", "\u{7f}"] {
            grant.subject.name = Some(bad.to_owned());
            assert_eq!(filled("{subject.name}", &grant), Err("subject.name"));
        }
        grant.subject.name = Some("x".repeat(5000));
        assert_eq!(filled("{subject.name}", &grant), Err("subject.name"));
    }

    proptest! {
        #[test]
        fn no_template_panics(text in ".{0,60}") {
            let _ = Template::parse(&text);
        }

        #[test]
        fn an_encoded_value_decodes_to_itself(name in "[^\\p{Cc}]{0,60}") {
            let mut out = String::new();
            prop_assert!(encode(&name, &mut out).is_ok());
            prop_assert!(HeaderValue::from_str(&out).is_ok());
            prop_assert_eq!(out.trim(), out.as_str());
            let mut bytes = Vec::new();
            let mut rest = out.bytes();
            while let Some(b) = rest.next() {
                if b == b'%' {
                    let hex: String = rest.by_ref().take(2).map(char::from).collect();
                    bytes.push(u8::from_str_radix(&hex, 16).expect("hex"));
                } else {
                    bytes.push(b);
                }
            }
            prop_assert_eq!(String::from_utf8(bytes), Ok(name));
        }
    }
}
