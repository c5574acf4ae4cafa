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

/// RFC 9110 §5.5: a field value has no control byte but HTAB. Written without a branch in the loop, so that
/// it is vectorised.
#[inline]
pub(super) fn has_control(line: &[u8]) -> bool {
    let found = line.iter().fold(0, |found, &byte| {
        let is_low = u8::from(byte < 0x20) & u8::from(byte != b'\t');
        found | is_low | u8::from(byte == 0x7F)
    });
    found != 0
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
