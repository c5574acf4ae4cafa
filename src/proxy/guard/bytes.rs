//! What each byte may be, as tables.

/// `tchar` of RFC 9110 §5.6.2: methods and field names.
pub(super) const TOKEN: [bool; 256] = table(b"!#$%&'*+-.^_`|~");

/// What a path may hold raw. RFC 3986 §3.3, and `[` `]` that browsers leave as they are.
pub(super) const PATH: [bool; 256] = table(b"-._~!$&'()*+,;=:@/%[]");

/// What a query may hold raw. RFC 3986 §3.4, and what the URL Standard's query set leaves as it is, since
/// browsers send it so and the query is forwarded byte for byte.
pub(super) const QUERY: [bool; 256] = table(b"-._~!$&'()*+,;=:@/?%[]\\^`{|}");

const fn table(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256 by the loop")]
        let is_alphanumeric = (byte as u8).is_ascii_alphanumeric();
        table[byte] = is_alphanumeric;
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}

/// Whether a byte is in a table.
#[inline]
pub(super) fn is_in(table: &[bool; 256], byte: u8) -> bool {
    table[usize::from(byte)]
}

/// RFC 9110 §5.5: a field value has no control byte but HTAB.
#[inline]
pub(super) fn has_control(line: &[u8]) -> bool {
    let (words, rest) = line.as_chunks::<8>();
    let suspect = words.iter().fold(0, |found, word| found | suspect(*word));
    let is_suspect = match line.last_chunk::<8>() {
        Some(last) => suspect | self::suspect(*last) != 0,
        None => !rest.is_empty(),
    };
    let is_control = |&byte: &u8| (byte < 0x20 && byte != b'\t') || byte == 0x7F;
    is_suspect && line.iter().any(is_control)
}

/// Not zero if any of eight bytes is below 0x20 or is 0x7F: a byte wraps on subtraction only if it is below, and
/// on subtracting one only if it is zero.
#[inline]
const fn suspect(bytes: [u8; 8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(bytes);
    let low = word.wrapping_sub(ONES * 0x20) & !word;
    let delete = word ^ (ONES * 0x7F);
    let delete = delete.wrapping_sub(ONES) & !delete;
    (low | delete) & (ONES * 0x80)
}

/// `bytes` as readable text of at most `limit` bytes, with everything but printable ASCII escaped.
pub(super) fn escaped(bytes: &[u8], limit: usize) -> Box<str> {
    let mut text = String::new();
    for &byte in bytes {
        let part = std::ascii::escape_default(byte);
        if text.len() + part.len() > limit {
            break;
        }
        text.extend(part.map(char::from));
    }
    text.into_boxed_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_byte_is_found_at_every_place() {
        for byte in 0..=255_u8 {
            let is_control = (byte < 0x20 && byte != b'\t') || byte == 0x7F;
            for length in 1..20 {
                for at in 0..length {
                    let mut line = vec![b'a'; length];
                    line[at] = byte;
                    assert_eq!(has_control(&line), is_control, "{byte} at {at} of {length}");
                }
            }
        }
        assert!(!has_control(b""));
    }

    #[test]
    fn an_excerpt_is_bounded_and_printable() {
        assert_eq!(&*escaped(b"a\x00\xFF\"b", 100), "a\\x00\\xff\\\"b");
        assert_eq!(&*escaped(b"abc\x00", 5), "abc");
    }
}
