//! Free text that will be shown in a banner, a record and a terminal: what it must not contain.

use std::fmt;

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextProblem {
    Empty,
    /// Longer than so many bytes.
    TooLong(usize),
    /// A control character, or one that is invisible or changes the direction of the text around it.
    Character(char),
}

impl fmt::Display for TextProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::TooLong(max) => write!(f, "is longer than {max} bytes"),
            Self::Character(c) => {
                write!(f, "has the character {:?}", c.escape_unicode().to_string())
            }
        }
    }
}

/// Checks that `text` is something between one and `max` bytes, printable and in plain order.
///
/// Control, bidirectional-format and zero-width characters could make a banner or a log line say
/// something else than what was approved (CVE-2021-42574).
pub fn check(text: &str, max: usize) -> Result<(), TextProblem> {
    if text.trim().is_empty() {
        return Err(TextProblem::Empty);
    }
    if text.len() > max {
        return Err(TextProblem::TooLong(max));
    }
    match text.chars().find(|c| is_misleading(*c)) {
        Some(c) => Err(TextProblem::Character(c)),
        None => Ok(()),
    }
}

fn is_misleading(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties.txt), but for U+FE0F, which emoji have.
            | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0e}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}'
            | '\u{061c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_mislead_is_named() {
        assert_eq!(check("SUP-1042 · Größe", 64), Ok(()));
        assert_eq!(check("  ", 64), Err(TextProblem::Empty));
        assert_eq!(check("abc", 2), Err(TextProblem::TooLong(2)));
        for c in [
            '\n',
            '\u{1b}',
            '\u{202e}',
            '\u{200b}',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{3164}',
            '\u{e0100}',
        ] {
            assert_eq!(check(&format!("a{c}b"), 64), Err(TextProblem::Character(c)));
        }
    }
}
