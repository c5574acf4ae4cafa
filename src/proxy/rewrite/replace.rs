//! Declared origins replaced in text bodies (HTML, JS, JSON, CSS) while they stream. Memory is one
//! origin's length: what could be the beginning of one is held back until the next bytes decide.

use super::origins::{Origins, ends_origin};
use bytes::{Bytes, BytesMut};

/// What is looked for, and what stands in its place. JSON escapes slashes in either of two ways.
#[derive(Clone, Debug)]
struct Needle {
    from: Vec<u8>,
    to: Vec<u8>,
}

/// Replaces while streaming; one for each body.
#[derive(Clone, Debug)]
pub struct Replacer {
    needles: Vec<Needle>,
    held: BytesMut,
    longest: usize,
}

/// Content types whose text is searched.
pub fn applies(content_type: &str) -> bool {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    matches!(
        essence.as_str(),
        "text/html"
            | "application/xhtml+xml"
            | "text/css"
            | "text/javascript"
            | "application/javascript"
            | "application/json"
    ) || essence.ends_with("+json")
}

impl Replacer {
    /// `None` where no origin differs.
    pub fn new(origins: &Origins) -> Option<Self> {
        let mut needles = Vec::new();
        for pair in origins
            .pairs()
            .iter()
            .filter(|pair| pair.app != pair.session)
        {
            for escape in ["/", "\\/"] {
                let form = |origin: &str| origin.replace('/', escape).into_bytes();
                needles.push(Needle {
                    from: form(&pair.app),
                    to: form(&pair.session),
                });
            }
        }
        let longest = needles.iter().map(|needle| needle.from.len()).max()?;
        // Longest first, so that one that begins with another is not cut short.
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.from.len()));
        Some(Self {
            needles,
            held: BytesMut::new(),
            longest,
        })
    }

    /// Takes the next bytes and returns what is decided.
    pub fn push(&mut self, chunk: &[u8]) -> Bytes {
        self.held.extend_from_slice(chunk);
        self.drain(false)
    }

    /// The rest, at the end of the body.
    pub fn finish(&mut self) -> Bytes {
        self.drain(true)
    }

    fn drain(&mut self, is_last: bool) -> Bytes {
        let text = self.held.split();
        let mut out = BytesMut::with_capacity(text.len() + 64);
        let mut rest: &[u8] = &text;
        // Every needle begins with `h` of `http`: skip to the next one.
        while let Some(at) = memchr::memchr2(b'h', b'H', rest) {
            let (before, candidate) = rest.split_at(at);
            out.extend_from_slice(before);
            rest = candidate;
            // One byte more than the longest needle decides where the origin ends.
            if !is_last && candidate.len() <= self.longest && self.may_begin(candidate) {
                self.held.extend_from_slice(candidate);
                return out.freeze();
            }
            let taken = self.replace_at(candidate, &mut out);
            rest = rest.get(taken..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
        out.freeze()
    }

    fn may_begin(&self, text: &[u8]) -> bool {
        let same = |needle: &Needle| {
            let n = text.len().min(needle.from.len());
            needle
                .from
                .get(..n)
                .is_some_and(|head| head.eq_ignore_ascii_case(text.get(..n).unwrap_or_default()))
        };
        self.needles.iter().any(same)
    }

    /// Writes the replacement of the needle that `text` begins with, or its first byte; returns the bytes taken.
    fn replace_at(&self, text: &[u8], out: &mut BytesMut) -> usize {
        for needle in &self.needles {
            let n = needle.from.len();
            let is_same = text
                .get(..n)
                .is_some_and(|head| head.eq_ignore_ascii_case(&needle.from));
            if is_same && ends_origin(text.get(n).copied()) {
                out.extend_from_slice(&needle.to);
                return n;
            }
        }
        out.extend_from_slice(text.get(..1).unwrap_or_default());
        1
    }
}

#[cfg(test)]
mod tests {
    use super::super::origins::Pair;
    use super::*;
    use proptest::prelude::*;

    fn replacer() -> Option<Replacer> {
        let pair = |app: &str, session: &str| Pair {
            app: app.into(),
            session: session.into(),
        };
        Replacer::new(&Origins::new(vec![
            pair("https://shop.example", "https://s1.shop.localhost:8443"),
            pair(
                "https://shop.example:9000",
                "https://s1--api.shop.localhost:8443",
            ),
        ]))
    }

    fn run(chunks: &[&[u8]]) -> String {
        let Some(mut replacer) = replacer() else {
            return String::new();
        };
        let mut out = Vec::new();
        for chunk in chunks {
            out.extend_from_slice(&replacer.push(chunk));
        }
        out.extend_from_slice(&replacer.finish());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn replaces_plain_and_json_escaped() {
        let text = br#"{"a":"https:\/\/shop.example\/x","b":"https://shop.example:9000","c":"https://shop.example.org"} h"#;
        let want = r#"{"a":"https:\/\/s1.shop.localhost:8443\/x","b":"https://s1--api.shop.localhost:8443","c":"https://shop.example.org"} h"#;
        assert_eq!(run(&[text]), want);
    }

    proptest! {
        #[test]
        fn does_not_depend_on_chunks(cuts in prop::collection::vec(0usize..120, 0..6)) {
            let text = b"<a href=https://shop.example/a>h</a> HTTPS://SHOP.EXAMPLE:9000/b https://shop.example.evil https://shop.exampl";
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&text[from..cut]);
                from = cut;
            }
            chunks.push(&text[from..]);
            prop_assert_eq!(run(&chunks), run(&[text]));
        }
    }
}
