//! What a browser takes an answer without a usable content type for (WHATWG MIME Sniffing §7.1).

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sniffed {
    Html,
    Xml,
    Other,
    /// More bytes are needed.
    Unsure,
}

/// Browsers look at 1445 bytes at most; blanks beyond that are looked at by none.
const MOST: usize = 1445;

const TAGS: &[&[u8]] = &[
    b"<!DOCTYPE HTML",
    b"<HTML",
    b"<HEAD",
    b"<SCRIPT",
    b"<IFRAME",
    b"<H1",
    b"<DIV",
    b"<FONT",
    b"<TABLE",
    b"<A",
    b"<STYLE",
    b"<TITLE",
    b"<B",
    b"<BODY",
    b"<BR",
    b"<P",
];

/// Looks at the first bytes of a body.
pub(super) fn sniff(bytes: &[u8], at_end: bool) -> Sniffed {
    let bytes = bytes.get(..MOST.min(bytes.len())).unwrap_or_default();
    let blanks = bytes
        .iter()
        .take_while(|byte| super::lex::is_blank(**byte))
        .count();
    let rest = bytes.get(blanks..).unwrap_or_default();
    let unsure = if at_end || bytes.len() >= MOST {
        Sniffed::Other
    } else {
        Sniffed::Unsure
    };
    if rest.is_empty() {
        return unsure;
    }
    let mut is_open = false;
    for tag in TAGS {
        let have = rest.get(..tag.len().min(rest.len())).unwrap_or_default();
        let agrees = tag
            .iter()
            .zip(have)
            .all(|(want, have)| want.eq_ignore_ascii_case(have));
        match rest.get(tag.len()) {
            Some(b' ' | b'>') if agrees => return Sniffed::Html,
            None if agrees => is_open = true,
            _ => {}
        }
    }
    for (mark, found) in [(&b"<!--"[..], Sniffed::Html), (b"<?xml", Sniffed::Xml)] {
        if rest.starts_with(mark) {
            return found;
        }
        is_open |= mark.starts_with(rest);
    }
    if is_open { unsure } else { Sniffed::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard() {
        for (text, want) in [
            (" \n<!doctype html>", Sniffed::Html),
            ("<!doctype htm", Sniffed::Unsure),
            ("<p>", Sniffed::Html),
            ("<pre>", Sniffed::Other),
            ("<!-- x", Sniffed::Html),
            ("<?xml version", Sniffed::Xml),
            ("%PDF-1.7", Sniffed::Other),
            ("  ", Sniffed::Unsure),
        ] {
            assert_eq!(sniff(text.as_bytes(), false), want, "{text}");
        }
        assert_eq!(sniff(b"<ht", true), Sniffed::Other);
    }
}
