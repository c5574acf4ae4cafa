//! JSON text by hand, straight into a buffer: strings from outside bounded, escaped and on one line.

/// What replaces the end of a text that was too long begins like this.
const CUT: &str = "…[cut ";

/// Bytes that stand for themselves inside a JSON string: printable ASCII without `"` and `\`.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x20;
    while byte < 0x7f {
        plain[byte] = byte != b'"' as usize && byte != b'\\' as usize;
        byte += 1;
    }
    plain
};

/// Writes `text` as a JSON string with quotes. At most `max` bytes of it are kept; a mark says how many were cut.
pub(super) fn string(out: &mut Vec<u8>, text: &[u8], max: usize) {
    out.push(b'"');
    content(out, text, max);
    out.push(b'"');
}

/// [`string`] without the quotes.
pub(super) fn content(out: &mut Vec<u8>, text: &[u8], max: usize) {
    if text.len() <= max {
        return escape(out, text);
    }
    let keep = (max.saturating_sub(3)..=max)
        .rev()
        .find(|at| text.get(*at).is_none_or(|b| b & 0xC0 != 0x80))
        .unwrap_or(max);
    let (kept, cut) = text.split_at(keep);
    escape(out, kept);
    out.extend_from_slice(CUT.as_bytes());
    number(out, cut.len() as u64);
    out.extend_from_slice(b" bytes]");
}

/// Escapes all of `text`. Bytes that are no UTF-8 become `%XX`, as a URL would have them.
pub(super) fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(plain) = rest.iter().position(|b| !PLAIN[*b as usize]) {
        let (head, tail) = rest.split_at(plain);
        out.extend_from_slice(head);
        let special = tail
            .iter()
            .position(|b| PLAIN[*b as usize])
            .unwrap_or(tail.len());
        let (special, after) = tail.split_at(special);
        for chunk in special.utf8_chunks() {
            chunk.valid().chars().for_each(|c| character(out, c));
            for byte in chunk.invalid() {
                out.push(b'%');
                hex(out, &[*byte], b"0123456789ABCDEF");
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest);
}

fn character(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        c if is_unfit(c) => {
            out.extend_from_slice(b"\\u");
            // All of them lie below U+FFFF.
            hex(
                out,
                &(u16::try_from(u32::from(c)).unwrap_or(0xFFFD)).to_be_bytes(),
                LOWER,
            );
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Controls, what some readers take for a line's end, and marks that reorder what a person reads.
pub(super) fn is_unfit(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

const LOWER: &[u8; 16] = b"0123456789abcdef";

fn hex(out: &mut Vec<u8>, bytes: &[u8], digits: &[u8; 16]) {
    for byte in bytes {
        out.push(digits[usize::from(byte >> 4)]);
        out.push(digits[usize::from(byte & 15)]);
    }
}

/// Lower-case hexadecimal of `bytes`.
pub(super) fn lower_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    hex(out, bytes, LOWER);
}

/// Decimal digits of `n`.
pub(super) fn number(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// Writes a member's name and the colon after it.
pub(super) fn key(out: &mut Vec<u8>, key: &str) {
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(text: &[u8], max: usize) -> Vec<u8> {
        let mut out = Vec::new();
        string(&mut out, text, max);
        out
    }

    proptest! {
        #[test]
        fn any_bytes_give_one_line_of_json(bytes: Vec<u8>, max in 0usize..64) {
            let out = written(&bytes, max);
            let text = std::str::from_utf8(&out).expect("UTF-8");
            prop_assert_eq!(text.lines().count(), 1);
            prop_assert!(!text.chars().any(is_unfit));
            prop_assert!(serde_json::from_str::<String>(text).is_ok());
        }

        #[test]
        fn any_text_comes_back_whole(text: String) {
            let out = written(text.as_bytes(), usize::MAX);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), text);
        }

        #[test]
        fn a_cut_text_is_a_prefix_with_a_mark(text in "\\PC{20,60}", max in 0usize..20) {
            let out: String = serde_json::from_slice(&written(text.as_bytes(), max)).expect("JSON");
            let (kept, mark) = out.split_once("…[cut ").expect("mark");
            prop_assert!(text.starts_with(kept));
            prop_assert_eq!(mark, format!("{} bytes]", text.len() - kept.len()));
        }

        #[test]
        fn numbers_are_decimal(n: u64) {
            let mut out = Vec::new();
            number(&mut out, n);
            prop_assert_eq!(String::from_utf8(out).expect("ASCII"), n.to_string());
        }
    }

    #[test]
    fn broken_utf_8_is_percent_encoded() {
        assert_eq!(written(b"caf\xE9\x00", 99), b"\"caf%E9\\u0000\"");
    }

    #[test]
    fn reordering_marks_are_visible() {
        assert_eq!(written("a\u{202E}b".as_bytes(), 99), b"\"a\\u202eb\"");
    }
}
