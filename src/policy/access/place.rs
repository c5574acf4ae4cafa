//! Lines of a Cedar text: where an offset is, and where each policy begins.

use std::ops::Range;

/// The line of an offset, from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + memchr::memchr_iter(b'\n', before).count()
}

/// Where each policy of the text is, its annotations included and comments before it not. A policy ends at its
/// semicolon; semicolons stand nowhere else in Cedar but in strings and comments.
pub(super) fn policies(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut found, mut start, mut at) = (Vec::new(), None, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                let rest = bytes.get(at..).unwrap_or_default();
                at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                continue;
            }
            b'"' => {
                start.get_or_insert(at);
                at = end_of_string(bytes, at);
                continue;
            }
            b';' => found.extend(start.take().map(|start| start..at + 1)),
            byte if byte.is_ascii_whitespace() => {}
            _ => {
                start.get_or_insert(at);
            }
        }
        at += 1;
    }
    found
}

/// Behind the closing quote of the string that opens at `at`.
fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_found_whatever_strings_and_comments_hold() {
        let text = "// first; \"\n@id(\"a;\\\"//\")\npermit(principal, action, resource); forbid(\n  principal, // ;\n  action, resource);\n";
        let found: Vec<(usize, &str)> = policies(text)
            .into_iter()
            .map(|range| {
                let text = text.get(range.clone()).unwrap_or_default();
                (range.start, text)
            })
            .collect();
        assert_eq!(found.len(), 2);
        assert!(found.iter().any(|(_, text)| text.starts_with("@id(")));
        assert!(found.iter().any(|(_, text)| text.starts_with("forbid(")));
        let lines: Vec<usize> = found.iter().map(|(at, _)| line_of(text, *at)).collect();
        assert_eq!(lines, [2, 3]);
    }
}
