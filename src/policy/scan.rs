//! Looks for a `_method` field in a body that streams by, without buffering it.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

/// What several frameworks read as the method of a POST. PHP reads `.method` as the same.
const NAME: &[u8] = b"_method";
/// Bytes kept between chunks of a multipart body: longer than any spelling looked for.
const TAIL: usize = 32;

/// Fed with a body's chunks in order.
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
    Json(Text),
    /// A form or JSON in a coding or charset that cannot be looked into: any byte of it is too much.
    Opaque,
}

/// Where in a JSON text a scan is.
#[allow(clippy::option_option)] // not in a string; in one that cannot match any more; in one that matches so far
#[derive(Debug, Default)]
struct Text {
    /// Inside a string: how many bytes of the name it has been so far; `None`: it is another.
    string: Option<Option<usize>>,
    escape: Escape,
}

#[derive(Clone, Copy, Debug, Default)]
enum Escape {
    #[default]
    None,
    Begun,
    /// `\u`: digits seen, and what they stand for.
    Unicode(u8, u32),
}

/// What a body is to the frameworks that look for `_method` in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    UrlEncoded,
    Multipart,
    Json,
}

impl OverrideScan {
    /// For a body with these headers; `None` where no framework would look into it.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut shapes = headers.get_all(CONTENT_TYPE).iter().filter_map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes());
            shape(&text).map(|shape| (shape, is_ascii_compatible(&text)))
        });
        let (shape, is_plain) = shapes.next()?;
        let is_coded = headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
        let is_one = headers.get_all(CONTENT_TYPE).iter().count() == 1;
        if is_coded || !is_plain || !is_one {
            return Some(Self::with(State::Opaque));
        }
        Some(match shape {
            Shape::UrlEncoded => Self::url_encoded(),
            Shape::Multipart => Self::multipart(),
            Shape::Json => Self::with(State::Json(Text::default())),
        })
    }

    fn with(state: State) -> Self {
        Self {
            state,
            found: false,
        }
    }

    /// For `application/x-www-form-urlencoded`, and for queries.
    pub(super) fn url_encoded() -> Self {
        Self::with(State::UrlEncoded {
            matched: Some(0),
            triplet: None,
        })
    }

    /// For `multipart/form-data`.
    pub(super) fn multipart() -> Self {
        Self::with(State::Multipart { tail: Vec::new() })
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
            State::Json(text) => chunk.iter().any(|byte| text.closes_name(*byte)),
            State::Opaque => !chunk.is_empty(),
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

fn shape(content_type: &str) -> Option<Shape> {
    let essence = content_type.split([';', ',']).next().unwrap_or_default();
    match essence.trim().to_ascii_lowercase().as_str() {
        "application/x-www-form-urlencoded" => Some(Shape::UrlEncoded),
        "multipart/form-data" => Some(Shape::Multipart),
        // Laravel reads JSON members like form fields; Parse sends JSON as plain text, to need no preflight.
        "application/json" | "text/json" | "text/plain" => Some(Shape::Json),
        other if other.ends_with("+json") => Some(Shape::Json),
        _ => None,
    }
}

/// Whether the name is spelt in these bytes under the type's charset, if it has one.
fn is_ascii_compatible(content_type: &str) -> bool {
    content_type.split(';').skip(1).all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"').to_ascii_lowercase();
        !name.trim().eq_ignore_ascii_case("charset")
            || ["utf-8", "utf8", "us-ascii", "ascii", "latin1"].contains(&&*value)
            || value.starts_with("iso-8859-")
            || value.starts_with("windows-125")
    })
}

/// The byte that the name may have at `at`: in any case, and a dot is an underscore to PHP.
fn continues(at: usize, byte: u8) -> bool {
    (at == 0 && byte == b'.')
        || NAME
            .get(at)
            .is_some_and(|name| name.eq_ignore_ascii_case(&byte))
}

impl Text {
    /// Takes one byte of the text; true where it closes a string that is the name. A value of that very text counts
    /// as well: telling it from a member's name would take a parser.
    fn closes_name(&mut self, byte: u8) -> bool {
        let Some(matched) = self.string else {
            if byte == b'"' {
                self.string = Some(Some(0));
            }
            return false;
        };
        let meant = match (self.escape, byte) {
            (Escape::None, b'"') => {
                self.string = None;
                return matched == Some(NAME.len());
            }
            (Escape::None, b'\\') => {
                self.escape = Escape::Begun;
                return false;
            }
            (Escape::Begun, b'u') => {
                self.escape = Escape::Unicode(0, 0);
                return false;
            }
            (Escape::None | Escape::Begun, byte) => u32::from(byte),
            (Escape::Unicode(digits, sum), byte) => {
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                let sum = sum << 4 | digit;
                if digits < 3 {
                    self.escape = Escape::Unicode(digits + 1, sum);
                    return false;
                }
                sum
            }
        };
        self.escape = Escape::None;
        let fits = |at: usize| u8::try_from(meant).is_ok_and(|byte| continues(at, byte));
        self.string = Some(matched.filter(|at| fits(*at)).map(|at| at + 1));
        false
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
        // To PHP a name ends at a NUL.
        let ends = matches!(byte, b'=' | b'[' | 0) || (!encoded && matches!(byte, b'&' | b';'));
        if ends && *matched == Some(NAME.len()) {
            return true;
        }
        *matched = match (byte, *matched) {
            (b'&' | b';', _) if !encoded => Some(0),
            // Blanks before a name are dropped by PHP.
            (b'+' | b' ', Some(0)) => Some(0),
            (byte, Some(at)) if continues(at, byte) => Some(at + 1),
            _ => None,
        };
    }
    false
}

fn multipart(chunk: &[u8], tail: &mut Vec<u8>) -> bool {
    tail.extend(chunk.iter().map(|byte| match byte {
        b'.' => b'_',
        other => other.to_ascii_lowercase(),
    }));
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
            for text in ["_method=DELETE", "a=1&_method=PUT", "a&%5Fmethod=x", "a=1&_m%65thod", "_METHOD=x", "+_method=x", "_method[]=x", "a=1;_method=x", ".method=x", "_method%00x=1"] {
                prop_assert!(seen(OverrideScan::url_encoded(), text, size), "{}", text);
            }
            for text in ["", "a=_method", "method=x", "x_method=1", "_methods=1", "a=%26_method=1"] {
                prop_assert!(!seen(OverrideScan::url_encoded(), text, size), "{}", text);
            }
            let part = |header: &str| format!("--b\r\nContent-Disposition: form-data; {header}\r\n\r\nDELETE\r\n--b--");
            for header in ["name=\"_method\"", "name=_method", "Name='_METHOD'", "name = \"_method\"", "name*=utf-8''_method", "name=\".method\""] {
                prop_assert!(seen(OverrideScan::multipart(), &part(header), size), "{}", header);
            }
            prop_assert!(!seen(OverrideScan::multipart(), &part("name=\"the_method\""), size));
        }

        #[test]
        fn json_is_looked_through_in_any_chunking(size in 1usize..40) {
            for text in [r#"{"_method":"DELETE"}"#, r#"{"a":"\"","\u005fmeth\u006Fd":1}"#, r#"[{"a":{"_METHOD":"PUT"}}]"#] {
                prop_assert!(seen(OverrideScan::with(State::Json(Text::default())), text, size), "{}", text);
            }
            for text in [r#"{"method":"x"}"#, r#"{"a":"the _method of it"}"#, r#"{"_methods":1,"x_method":2}"#, r#"{"a":"\\"}"#] {
                prop_assert!(!seen(OverrideScan::with(State::Json(Text::default())), text, size), "{}", text);
            }
        }

        #[test]
        fn no_input_panics(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6)) {
            let (mut one, mut two) = (OverrideScan::url_encoded(), OverrideScan::multipart());
            for chunk in &chunks {
                one.feed(chunk);
                two.feed(chunk);
            }
            one.finish();
            let mut three = OverrideScan::with(State::Json(Text::default()));
            for chunk in &chunks {
                three.feed(chunk);
            }
        }
    }

    #[test]
    fn what_cannot_be_looked_into_is_not_let_through() {
        let headers = |pairs: &[(http::HeaderName, &'static str)]| -> HeaderMap {
            let pair = |(name, value): &(http::HeaderName, &'static str)| {
                (name.clone(), http::HeaderValue::from_static(value))
            };
            pairs.iter().map(pair).collect()
        };
        let form = (CONTENT_TYPE, "application/x-www-form-urlencoded");
        let opaque = [
            headers(&[form.clone(), (CONTENT_ENCODING, "gzip")]),
            headers(&[(CONTENT_TYPE, "application/json; charset=utf-16")]),
            [form.clone(), (CONTENT_TYPE, "text/plain")].iter().fold(
                HeaderMap::new(),
                |mut all, (name, value)| {
                    all.append(name, http::HeaderValue::from_static(value));
                    all
                },
            ),
        ];
        for given in opaque {
            let scan = OverrideScan::of(&given);
            assert!(scan.is_some_and(|mut scan| scan.feed(b"x")), "{given:?}");
        }
        let image = headers(&[(CONTENT_TYPE, "image/png"), (CONTENT_ENCODING, "gzip")]);
        assert!(OverrideScan::of(&image).is_none());
        let plain = OverrideScan::of(&headers(&[form]));
        assert!(plain.is_some_and(|mut scan| !scan.feed(b"a=1")));
    }
}
