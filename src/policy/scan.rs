//! Looks for a `_method` field in a form body that streams by, without buffering it.

/// What several frameworks read as the method of a POST.
const NAME: &[u8] = b"_method";
/// Bytes kept between chunks of a multipart body: longer than any spelling looked for.
const TAIL: usize = 32;

/// Fed with a form body's chunks in order.
#[derive(Debug)]
pub struct OverrideScan {
    state: State,
    found: bool,
}

#[derive(Debug)]
enum State {
    /// `matched`: how many bytes of the name are matched at this place; `None`: in another name or
    /// in a value. `triplet`: digits of a percent-encoding seen so far.
    UrlEncoded {
        matched: Option<usize>,
        triplet: Option<(u8, u8)>,
    },
    Multipart {
        tail: Vec<u8>,
    },
}

impl OverrideScan {
    /// For `application/x-www-form-urlencoded`, and for queries.
    pub(super) fn url_encoded() -> Self {
        Self {
            state: State::UrlEncoded {
                matched: Some(0),
                triplet: None,
            },
            found: false,
        }
    }

    /// For `multipart/form-data`.
    pub(super) fn multipart() -> Self {
        Self {
            state: State::Multipart { tail: Vec::new() },
            found: false,
        }
    }

    /// Whether a `_method` field was seen by now; once true, stays true. On true, cut the upstream
    /// request without sending this chunk: the app has then not got a whole body.
    pub fn feed(&mut self, chunk: &[u8]) -> bool {
        if self.found {
            return true;
        }
        self.found = match &mut self.state {
            State::UrlEncoded { matched, triplet } => url_encoded(chunk, matched, triplet),
            State::Multipart { tail } => multipart(chunk, tail),
        };
        self.found
    }

    /// To be called at the body's end: a name that nothing follows counts too.
    pub fn finish(&self) -> bool {
        let at_end = matches!(
            self.state,
            State::UrlEncoded { matched: Some(n), triplet: None } if n == NAME.len()
        );
        self.found || at_end
    }
}

fn url_encoded(chunk: &[u8], matched: &mut Option<usize>, triplet: &mut Option<(u8, u8)>) -> bool {
    for &byte in chunk {
        let (byte, encoded) = match (*triplet, byte) {
            (None, b'%') => {
                *triplet = Some((0, 0));
                continue;
            }
            (Some((0, _)), digit) => {
                *triplet = Some((1, digit));
                continue;
            }
            (Some((_, high)), low) => {
                *triplet = None;
                let value = super::form::hex(high).zip(super::form::hex(low));
                (value.map_or(0, |(high, low)| high << 4 | low), true)
            }
            (None, plain) => (plain, false),
        };
        let ends = matches!(byte, b'=' | b'[') || (!encoded && matches!(byte, b'&' | b';'));
        if ends && *matched == Some(NAME.len()) {
            return true;
        }
        *matched = match (byte, *matched) {
            (b'&' | b';', _) if !encoded => Some(0),
            // Blanks before a name are dropped by PHP.
            (b'+' | b' ', Some(0)) => Some(0),
            (byte, Some(n))
                if NAME
                    .get(n)
                    .is_some_and(|name| name.eq_ignore_ascii_case(&byte)) =>
            {
                Some(n + 1)
            }
            _ => None,
        };
    }
    false
}

fn multipart(chunk: &[u8], tail: &mut Vec<u8>) -> bool {
    tail.extend(chunk.iter().map(u8::to_ascii_lowercase));
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(&tail[from..], NAME) {
        let at = from + at;
        // `name="_method"`, `name=_method`, `name*=utf-8''_method`, `name = "_method`; a value that
        // holds the word is preceded by something else.
        let before = tail[..at].trim_ascii_end();
        let before = before
            .strip_suffix(b"\"")
            .or_else(|| before.strip_suffix(b"'"))
            .unwrap_or(before);
        if before.trim_ascii_end().ends_with(b"=") || before.ends_with(b"'") {
            return true;
        }
        from = at + NAME.len();
    }
    let keep = tail.len().saturating_sub(TAIL);
    tail.drain(..keep);
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(mut scan: OverrideScan, text: &str, size: usize) -> bool {
        let found = text.as_bytes().chunks(size).any(|chunk| scan.feed(chunk));
        found || scan.finish()
    }

    proptest! {
        #[test]
        fn found_in_any_chunking(size in 1usize..40) {
            for text in ["_method=DELETE", "a=1&_method=PUT", "a&%5Fmethod=x", "a=1&_m%65thod", "_METHOD=x", "+_method=x", "_method[]=x", "a=1;_method=x"] {
                prop_assert!(seen(OverrideScan::url_encoded(), text, size), "{}", text);
            }
            for text in ["", "a=_method", "method=x", "x_method=1", "_methods=1", "a=%26_method=1"] {
                prop_assert!(!seen(OverrideScan::url_encoded(), text, size), "{}", text);
            }
            let part = |header: &str| format!("--b\r\nContent-Disposition: form-data; {header}\r\n\r\nDELETE\r\n--b--");
            for header in ["name=\"_method\"", "name=_method", "Name='_METHOD'", "name = \"_method\"", "name*=utf-8''_method"] {
                prop_assert!(seen(OverrideScan::multipart(), &part(header), size), "{}", header);
            }
            prop_assert!(!seen(OverrideScan::multipart(), &part("name=\"the_method\""), size));
        }

        #[test]
        fn no_input_panics(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6)) {
            let (mut one, mut two) = (OverrideScan::url_encoded(), OverrideScan::multipart());
            for chunk in &chunks {
                one.feed(chunk);
                two.feed(chunk);
            }
            one.finish();
        }
    }
}
