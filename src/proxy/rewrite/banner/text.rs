//! Character encodings: those in which ASCII is ASCII pass byte for byte; the others become UTF-8 with a byte order
//! mark, which outranks what header and document say (Encoding Standard §6.1, "BOM sniff").

use bytes::Bytes;
use encoding_rs::{Decoder, Encoding, UTF_16BE, UTF_16LE};

const MARK: &[u8] = b"\xef\xbb\xbf";

enum State {
    /// The first bytes, which may be a byte order mark.
    First(Vec<u8>),
    Plain,
    Decode(Box<Decoder>),
}

/// The encoding stage of one document.
pub(super) struct Text {
    state: State,
    /// From the `Content-Type`.
    declared: Option<&'static Encoding>,
    has_bom: bool,
    /// XML may be UTF-16 with no mark and no declaration (XML 1.0 appendix F).
    may_be_xml: bool,
}

impl Text {
    pub(super) fn new(declared: Option<&'static Encoding>, may_be_xml: bool) -> Self {
        Self {
            state: State::First(Vec::new()),
            declared,
            has_bom: false,
            may_be_xml,
        }
    }

    /// Whether bytes pass as they are from here on.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.state, State::Plain)
    }

    /// Whether a byte order mark has decided the encoding.
    pub(super) fn has_bom(&self) -> bool {
        self.has_bom
    }

    /// The document itself says that what follows is in `encoding`.
    pub(super) fn switch(&mut self, encoding: &'static Encoding) {
        self.state = State::Decode(Box::new(encoding.new_decoder_without_bom_handling()));
    }

    /// The text of these bytes; what is text already is given back as it is.
    pub(super) fn push(&mut self, input: Bytes) -> Bytes {
        match &mut self.state {
            State::Plain => input,
            State::Decode(decoder) => {
                let mut out = Vec::new();
                decode(decoder, &input, false, &mut out);
                out.into()
            }
            State::First(held) => {
                let first = if held.is_empty() {
                    input
                } else {
                    held.extend_from_slice(&input);
                    std::mem::take(held).into()
                };
                if first.len() < 4 && may_be_mark(&first) {
                    *held = first.to_vec();
                    return Bytes::new();
                }
                self.begin(first)
            }
        }
    }

    pub(super) fn finish(&mut self) -> Bytes {
        let mut out = Vec::new();
        if let State::First(held) = &mut self.state {
            let held = std::mem::take(held);
            out.extend_from_slice(&self.begin(held.into()));
        }
        if let State::Decode(decoder) = &mut self.state {
            decode(decoder, &[], true, &mut out);
            self.state = State::Plain;
        }
        out.into()
    }

    fn begin(&mut self, first: Bytes) -> Bytes {
        let (encoding, skip) = match first.as_ref() {
            [0xef, 0xbb, 0xbf, ..] => {
                self.has_bom = true;
                self.state = State::Plain;
                return first;
            }
            [0xfe, 0xff, ..] => (Some(UTF_16BE), 2),
            [0xff, 0xfe, ..] => (Some(UTF_16LE), 2),
            // Unmarked UTF-16 that begins with a tag (XML 1.0 appendix F, HTML standard §13.2.3.2).
            [b'<', 0, b'?' | b'!', 0, ..] => (Some(UTF_16LE), 0),
            [0, b'<', 0, b'?' | b'!', ..] => (Some(UTF_16BE), 0),
            [b'<', 0, _, 0, ..] if self.may_be_xml => (Some(UTF_16LE), 0),
            [0, b'<', 0, _, ..] if self.may_be_xml => (Some(UTF_16BE), 0),
            _ => (
                self.declared
                    .filter(|encoding| !encoding.is_ascii_compatible()),
                0,
            ),
        };
        let Some(encoding) = encoding else {
            self.state = State::Plain;
            return first;
        };
        let mut decoder = Box::new(encoding.new_decoder_without_bom_handling());
        let mut out = MARK.to_vec();
        self.has_bom = true;
        decode(
            &mut decoder,
            first.get(skip..).unwrap_or_default(),
            false,
            &mut out,
        );
        self.state = State::Decode(decoder);
        out.into()
    }
}

/// Whether the first bytes may still turn out to be a mark or unmarked UTF-16.
fn may_be_mark(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [] | [0xef | 0xfe | 0xff | 0 | b'<'] | [0xef, 0xbb] | [b'<', 0, ..] | [0, b'<', ..]
    )
}

fn decode(decoder: &mut Decoder, input: &[u8], is_last: bool, out: &mut Vec<u8>) {
    let most = decoder
        .max_utf8_buffer_length(input.len())
        .unwrap_or(input.len().saturating_mul(4));
    let start = out.len();
    out.resize(start.saturating_add(most), 0);
    let Some(room) = out.get_mut(start..) else {
        return;
    };
    let (_, _, wrote, _) = decoder.decode_to_utf8(input, room, is_last);
    out.truncate(start + wrote);
}
