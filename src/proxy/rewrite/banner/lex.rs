//! Cuts the start of an HTML document into tokens, by the tokenizer of the HTML standard (§13.2.5) as far as it
//! decides where a token ends. It never needs more than one token at a time, and none of a text's bytes.
//!
//! Every encoding that reaches it is ASCII-compatible: no byte of a longer character is `<`, `>`, `-`, a quote or a
//! blank, so bytes can be looked at one by one.

use std::ops::Range;

/// The blanks of the HTML standard.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0c | b'\r')
}

/// An attribute: where its name and its value are in the tag's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) name: Range<usize>,
    /// Without quotes. Empty where there is none.
    pub(super) value: Range<usize>,
    /// Value with its quotes.
    pub(super) quoted: Range<usize>,
}

/// A start or end tag, with places relative to its `<`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) name: Range<usize>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) is_self_closed: bool,
    /// One past its `>`.
    pub(super) end: usize,
}

impl Tag {
    /// The name in lower case.
    pub(super) fn name(&self, bytes: &[u8]) -> Vec<u8> {
        bytes
            .get(self.name.clone())
            .unwrap_or_default()
            .to_ascii_lowercase()
    }

    /// The first attribute of this name; `name` in lower case. Later ones are ignored by browsers.
    pub(super) fn attribute(&self, bytes: &[u8], name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| {
            bytes
                .get(attribute.name.clone())
                .is_some_and(|have| have.eq_ignore_ascii_case(name.as_bytes()))
        })
    }
}

/// What the bytes start with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Blanks only: this many bytes.
    Blank(usize),
    /// Something visible, at the start of the bytes.
    Text,
    /// A comment, a bogus comment or a processing instruction of this length.
    Comment(usize),
    /// `<!…>` that is no comment, of this length.
    Doctype(usize),
    Start(Tag),
    End(Tag),
    /// The token's end is not here yet.
    Partial(Partial),
}

/// What kind of token is not whole yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Partial {
    Comment,
    Other,
}

/// The token at the start of `bytes`, which must not be empty.
pub(super) fn token(bytes: &[u8]) -> Token {
    match bytes {
        [b'<', b'!', b'-', b'-', ..] => match comment_end(bytes) {
            Some(end) => Token::Comment(end),
            None => Token::Partial(Partial::Comment),
        },
        [b'<'] | [b'<', b'!' | b'/'] | [b'<', b'!', b'-'] => Token::Partial(Partial::Other),
        [b'<', b'!', ..] => bogus_end(bytes).map_or(Token::Partial(Partial::Other), Token::Doctype),
        [b'<', b'/', next, ..] if next.is_ascii_alphabetic() => match tag(bytes, 2) {
            Some(tag) => Token::End(tag),
            None => Token::Partial(Partial::Other),
        },
        [b'<', b'/' | b'?', ..] => bogus(bytes),
        [b'<', next, ..] if next.is_ascii_alphabetic() => match tag(bytes, 1) {
            Some(tag) => Token::Start(tag),
            None => Token::Partial(Partial::Other),
        },
        _ => match bytes.iter().position(|byte| !is_blank(*byte)) {
            Some(0) => Token::Text,
            Some(blanks) => Token::Blank(blanks),
            None => Token::Blank(bytes.len()),
        },
    }
}

fn bogus_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'>', bytes).map(|at| at + 1)
}

fn bogus(bytes: &[u8]) -> Token {
    bogus_end(bytes).map_or(Token::Partial(Partial::Comment), Token::Comment)
}

/// One past the end of the comment that starts at `<!--`: `-->` may overlap its start, `--!>` may not.
pub(super) fn comment_end(bytes: &[u8]) -> Option<usize> {
    let plain = bytes
        .get(2..)
        .and_then(|rest| memchr::memmem::find(rest, b"-->"))
        .map(|at| at + 5);
    let within = bytes
        .get(..plain.unwrap_or(bytes.len()))
        .unwrap_or_default();
    let bang = within
        .get(4..)
        .and_then(|rest| memchr::memmem::find(rest, b"--!>"))
        .map(|at| at + 8);
    bang.or(plain)
}

/// The tag whose name starts at `at`; `None` while its `>` is missing.
pub(super) fn tag(bytes: &[u8], at: usize) -> Option<Tag> {
    let ends_name = |byte: u8| is_blank(byte) || byte == b'/' || byte == b'>';
    let mut cursor = Cursor { bytes, at };
    let name = cursor.until(ends_name)?;
    let mut attributes = Vec::new();
    let mut is_self_closed = false;
    loop {
        match cursor.peek()? {
            b'>' => {
                let end = cursor.at + 1;
                return Some(Tag {
                    name,
                    attributes,
                    is_self_closed,
                    end,
                });
            }
            b'/' => {
                is_self_closed = true;
                cursor.at += 1;
            }
            byte if is_blank(byte) => cursor.at += 1,
            _ => {
                is_self_closed = false;
                attributes.push(cursor.attribute()?);
            }
        }
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Goes to the first byte that `stops`; `None` if there is none yet.
    fn until(&mut self, stops: impl Fn(u8) -> bool) -> Option<Range<usize>> {
        let start = self.at;
        let found = self
            .bytes
            .get(start..)?
            .iter()
            .position(|byte| stops(*byte))?;
        self.at = start + found;
        Some(start..self.at)
    }

    fn skip_blanks(&mut self) -> Option<u8> {
        self.until(|byte| !is_blank(byte))?;
        self.peek()
    }

    fn attribute(&mut self) -> Option<Attribute> {
        let start = self.at;
        // A `=` in the first place belongs to the name (§13.2.5.32).
        self.at += 1;
        self.until(|byte| is_blank(byte) || matches!(byte, b'/' | b'>' | b'='))?;
        let name = start..self.at;
        let after = self.at;
        if self.skip_blanks()? != b'=' {
            return Some(Attribute {
                name,
                value: after..after,
                quoted: after..after,
            });
        }
        self.at += 1;
        let (value, quoted) = match self.skip_blanks()? {
            b'>' => (self.at..self.at, self.at..self.at),
            quote @ (b'"' | b'\'') => {
                self.at += 1;
                let value = self.until(|byte| byte == quote)?;
                self.at += 1;
                (value.clone(), value.start - 1..value.end + 1)
            }
            _ => {
                let value = self.until(|byte| is_blank(byte) || byte == b'>')?;
                (value.clone(), value)
            }
        };
        Some(Attribute {
            name,
            value,
            quoted,
        })
    }
}

/// Text that ends only at its own end tag: RCDATA, RAWTEXT and script data (§13.2.5.2 to .4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawText {
    /// The element's name in lower case.
    name: Vec<u8>,
    escape: Escape,
}

/// Script data's memory of `<!--` and of `<script>` inside it (§13.2.5.15 to .31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    Once,
    Twice,
}

/// How far raw text reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// This many bytes are text, and after them comes its end tag.
    Ends(usize),
    /// This many bytes are text; what follows them needs more bytes to tell.
    Unsure(usize),
}

impl RawText {
    pub(super) fn new(name: &[u8]) -> Self {
        Self {
            name: name.to_vec(),
            escape: Escape::None,
        }
    }

    /// Looks at `bytes`, which follow what was looked at before.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Reach {
        let is_script = self.name == b"script";
        let mut at = 0;
        while let Some(found) = bytes
            .get(at..)
            .and_then(|rest| memchr::memchr2(b'<', b'-', rest))
        {
            at += found;
            let rest = bytes.get(at..).unwrap_or_default();
            if rest.first() == Some(&b'-') {
                if !is_script || self.escape == Escape::None {
                    at += 1;
                    continue;
                }
                let dashes = rest.iter().take_while(|byte| **byte == b'-').count();
                match rest.get(dashes) {
                    None => return Reach::Unsure(at),
                    Some(b'>') if dashes >= 2 => self.escape = Escape::None,
                    Some(_) => {}
                }
                at += dashes;
                continue;
            }
            match self.at_open(rest, is_script) {
                Open::Ends => return Reach::Ends(at),
                Open::Unsure => return Reach::Unsure(at),
                Open::Goes(length) => at += length,
            }
        }
        Reach::Unsure(bytes.len())
    }

    fn at_open(&mut self, rest: &[u8], is_script: bool) -> Open {
        if is_script && self.escape == Escape::None {
            match named(rest, b"<!--") {
                Named::Unsure => return Open::Unsure,
                Named::Yes => {
                    self.escape = Escape::Once;
                    return Open::Goes(2);
                }
                Named::No => {}
            }
        }
        let close = [b"</", self.name.as_slice()].concat();
        match (delimited(rest, &close), self.escape) {
            (Named::Unsure, _) => return Open::Unsure,
            (Named::Yes, Escape::Twice) => {
                self.escape = Escape::Once;
                return Open::Goes(close.len());
            }
            (Named::Yes, _) => return Open::Ends,
            (Named::No, _) => {}
        }
        if self.escape == Escape::Once {
            match delimited(rest, b"<script") {
                Named::Unsure => return Open::Unsure,
                Named::Yes => self.escape = Escape::Twice,
                Named::No => {}
            }
        }
        Open::Goes(1)
    }
}

enum Open {
    Ends,
    Unsure,
    Goes(usize),
}

enum Named {
    Yes,
    No,
    Unsure,
}

/// Whether `bytes` start with `want`, in any case.
fn named(bytes: &[u8], want: &[u8]) -> Named {
    let have = bytes.get(..want.len().min(bytes.len())).unwrap_or_default();
    match want.get(..have.len()) {
        Some(start) if start.eq_ignore_ascii_case(have) && have.len() == want.len() => Named::Yes,
        Some(start) if start.eq_ignore_ascii_case(have) => Named::Unsure,
        _ => Named::No,
    }
}

/// The same, with a byte behind it that ends a tag name.
fn delimited(bytes: &[u8], want: &[u8]) -> Named {
    match (named(bytes, want), bytes.get(want.len())) {
        (Named::Yes, Some(&next)) if is_blank(next) || next == b'/' || next == b'>' => Named::Yes,
        (Named::Yes, None) | (Named::Unsure, _) => Named::Unsure,
        _ => Named::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_where_comments_end() {
        for (text, end) in [
            ("<!---->x", Some(7)),
            ("<!-->x", Some(5)),
            ("<!--->x", Some(6)),
            ("<!--!>x-->y", Some(10)),
            ("<!-- a --!> b -->", Some(11)),
            ("<!-- <body> --x", None),
        ] {
            assert_eq!(comment_end(text.as_bytes()), end, "{text}");
        }
    }

    #[test]
    fn finds_where_tags_end() {
        let text = b"<a href='>' b=\">\" c=d/e f =g =h i>text";
        let Token::Start(tag) = token(text) else {
            panic!()
        };
        assert_eq!(tag.end, text.len() - 4);
        let value = |name| tag.attribute(text, name).map(|a| &text[a.value.clone()]);
        assert_eq!(value("c"), Some(&b"d/e"[..]));
        assert_eq!(value("f"), Some(&b"g"[..]));
        assert_eq!(value("=h"), Some(&b""[..]));
        assert!(matches!(
            token(b"<a href='>"),
            Token::Partial(Partial::Other)
        ));
        assert!(matches!(token(b"</3>"), Token::Comment(4)));
        assert!(matches!(token(b"< a>"), Token::Text));
    }

    #[test]
    fn scripts_hide_their_ends_twice() {
        for (text, end) in [
            ("a</script>", Some(1)),
            ("<!--<script></script></script>", Some(21)),
            ("<!--<script></script>--></script>", Some(24)),
            ("<!--</script>", Some(4)),
            ("<!--><script></script>", Some(13)),
            ("<!--<scripty></script>", Some(13)),
            ("'</scripture>'", None),
        ] {
            let reach = RawText::new(b"script").scan(text.as_bytes());
            match end {
                Some(end) => assert_eq!(reach, Reach::Ends(end), "{text}"),
                None => assert!(matches!(reach, Reach::Unsure(_)), "{text}"),
            }
        }
    }
}
