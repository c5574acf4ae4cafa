//! `<meta>`: the policy and the encoding that a document gives itself.

use super::csp::{self, Needs};
use super::lex::{Attribute, Tag};
use encoding_rs::Encoding;

/// The text of an attribute's value, its character references undone as far as a policy or a charset needs them.
fn text(bytes: &[u8], attribute: &Attribute) -> String {
    let raw = String::from_utf8_lossy(bytes.get(attribute.value.clone()).unwrap_or_default());
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw.as_ref();
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some((c, length)) = reference(from) {
            out.push(c);
            rest = from.get(length..).unwrap_or_default();
        } else {
            out.push('&');
            rest = from.get(1..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

/// The character reference at the start of `from`, and its length.
fn reference(from: &str) -> Option<(char, usize)> {
    for (name, c) in [
        ("&apos;", '\''),
        ("&quot;", '"'),
        ("&quot", '"'),
        ("&amp;", '&'),
        ("&amp", '&'),
        ("&semi;", ';'),
        ("&comma;", ','),
        ("&colon;", ':'),
        ("&sol;", '/'),
        ("&ast;", '*'),
        ("&Tab;", '\t'),
        ("&NewLine;", '\n'),
        ("&nbsp;", '\u{a0}'),
    ] {
        if from.starts_with(name) {
            return Some((c, name.len()));
        }
    }
    let digits = from.strip_prefix("&#")?;
    let (digits, radix, start) = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => (hex, 16, 3),
        None => (digits, 10, 2),
    };
    let length = digits
        .find(|c: char| !c.is_digit(radix))
        .unwrap_or(digits.len());
    let code = u32::from_str_radix(digits.get(..length)?, radix).ok()?;
    let ends = usize::from(digits.get(length..)?.starts_with(';'));
    Some((char::from_u32(code)?, start + length + ends))
}

fn http_equiv(bytes: &[u8], tag: &Tag, want: &str) -> Option<String> {
    let equiv = text(bytes, tag.attribute(bytes, "http-equiv")?);
    if !equiv.trim().eq_ignore_ascii_case(want) {
        return None;
    }
    Some(text(bytes, tag.attribute(bytes, "content")?))
}

/// The tag with its policy extended; `None` where it holds none, or one that needs no change.
pub(super) fn policy(bytes: &[u8], tag: &Tag, needs: &Needs) -> Option<Vec<u8>> {
    let content = http_equiv(bytes, tag, "content-security-policy")?;
    let extended = csp::extend(&content, needs)?;
    let place = &tag.attribute(bytes, "content")?.quoted;
    let mut out = bytes.get(..place.start)?.to_vec();
    out.push(b'"');
    out.extend_from_slice(super::escape::escape(&extended).as_bytes());
    out.push(b'"');
    out.extend_from_slice(bytes.get(place.end..)?);
    Some(out)
}

/// The encoding that the tag declares (HTML standard §13.2.3.2): `charset`, or `http-equiv=content-type`.
pub(super) fn encoding(bytes: &[u8], tag: &Tag) -> Option<&'static Encoding> {
    let label = if let Some(attribute) = tag.attribute(bytes, "charset") {
        text(bytes, attribute)
    } else {
        let content = http_equiv(bytes, tag, "content-type")?.to_ascii_lowercase();
        let (_, after) = content.split_once("charset")?;
        let value = after.trim_start().strip_prefix('=')?.trim_start();
        let value = value.trim_start_matches(['"', '\'']);
        let end = value.find(|c: char| c.is_ascii_whitespace() || matches!(c, ';' | '"' | '\''));
        value.get(..end.unwrap_or(value.len()))?.to_owned()
    };
    let encoding = Encoding::for_label(label.as_bytes())?;
    // A document that could say so in ASCII is not in UTF-16.
    if encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE {
        return Some(encoding_rs::UTF_8);
    }
    Some(encoding)
}
