//! What a ticket's id looks like: `SUP-#`, `INC#`, `*`.

/// No configuration allows a longer id of a ticket (`tickets.max_id_bytes`), in bytes.
const MAX_TICKET: usize = 1024;

/// `#` is one digit or more, `*` one or more of letters, digits, `_`, `.` and `-`; all else is itself. Nothing that a
/// query language could take for an operator passes by `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Box<[u8]>);

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self(text.as_bytes().into())
    }

    pub(super) fn matches(&self, ticket: &str) -> bool {
        ticket.len() <= MAX_TICKET && matches(&self.0, ticket.as_bytes())
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// Keeps every length of the text that a beginning of the pattern can take, so that the work is the product of both
/// lengths at most.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let mut taken = vec![false; text.len() + 1];
    taken[0] = true;
    for &letter in pattern {
        let mut next = vec![false; text.len() + 1];
        for (at, &byte) in text.iter().enumerate() {
            // A run goes on from its own last byte; anything begins where the pattern before it ended.
            let (fits, runs) = match letter {
                b'#' => (byte.is_ascii_digit(), true),
                b'*' => (is_word(byte), true),
                plain => (byte == plain, false),
            };
            next[at + 1] = fits && (taken[at] || (runs && next[at]));
        }
        taken = next;
    }
    taken[text.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_match_whole_or_not_at_all() {
        for (pattern, good, bad) in [
            ("SUP-#", ["SUP-1", "SUP-1042"], ["SUP-", "sup-1"]),
            ("*-#", ["A-1", "TEAM-X-12"], ["-1", "A-1b"]),
            (
                "INC#",
                ["INC0010111", "INC1"],
                ["INC1^ORactive=true", "XINC1"],
            ),
            ("*", ["a.b_c-d", "7"], ["a/b", ""]),
            ("#", ["35436", "0"], ["3 5", "٣"]),
        ] {
            let pattern = Pattern::new(pattern);
            for id in good {
                assert!(pattern.matches(id), "{pattern:?} {id}");
            }
            for id in bad {
                assert!(!pattern.matches(id), "{pattern:?} {id}");
            }
        }
        assert!(!Pattern::new("#").matches(&"1".repeat(MAX_TICKET + 1)));
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        let pattern = Pattern::new(&format!("{}!", "*#".repeat(30)));
        // Trying every way to share the text out would not end within anybody's life.
        assert!(!pattern.matches(&"1".repeat(MAX_TICKET)));
    }
}
