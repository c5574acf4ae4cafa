//! Frame headers (RFC 6455 §5.2), read from chunks that may end anywhere. A header is at most 14 bytes, so
//! nothing here grows.

use std::fmt;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    pub(super) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) is_final: bool,
    pub(super) opcode: Opcode,
    /// Set on all that a client sends, and on nothing that a server sends.
    pub(super) mask: Option<[u8; 4]>,
    /// Payload bytes.
    pub(super) length: u64,
}

/// What a frame may not be (RFC 6455 §5.2, §5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    ReservedBits,
    ReservedOpcode,
    FragmentedControl,
    LongControl,
    Length,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReservedBits => "reserved bits are set, and no extension was agreed on",
            Self::ReservedOpcode => "the opcode is reserved",
            Self::FragmentedControl => "a control frame is fragmented",
            Self::LongControl => "a control frame is longer than 125 bytes",
            Self::Length => "the length is not in its shortest form, or too large",
        })
    }
}

impl std::error::Error for Malformed {}

impl Frame {
    /// The header at the start of `bytes` and its length; `None` if there is less than one.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(Malformed::ReservedBits);
        }
        let opcode = Opcode::from_bits(first & 0x0F).ok_or(Malformed::ReservedOpcode)?;
        let is_final = first & 0x80 != 0;
        if opcode.is_control() && !is_final {
            return Err(Malformed::FragmentedControl);
        }
        let (length, rest) = match (second & 0x7F, rest) {
            (126 | 127, _) if opcode.is_control() => return Err(Malformed::LongControl),
            (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest),
            (127, rest) if rest.len() >= 8 => {
                let (bytes, rest) = rest.split_at(8);
                let add = |length: u64, byte: &u8| length << 8 | u64::from(*byte);
                (bytes.iter().fold(0, add), rest)
            }
            (126 | 127, _) => return Ok(None),
            (length, rest) => (u64::from(length), rest),
        };
        let shortest = match second & 0x7F {
            126 => 126,
            127 => 1 << 16,
            _ => 0,
        };
        if length < shortest || length > i64::MAX as u64 {
            return Err(Malformed::Length);
        }
        let (mask, rest) = match (second & 0x80 != 0, rest) {
            (false, rest) => (None, rest),
            (true, [a, b, c, d, rest @ ..]) => (Some([*a, *b, *c, *d]), rest),
            (true, _) => return Ok(None),
        };
        let frame = Self {
            is_final,
            opcode,
            mask,
            length,
        };
        Ok(Some((frame, bytes.len() - rest.len())))
    }
}

/// Walks through the frames of one direction, in chunks that may end anywhere.
#[derive(Debug, Default)]
pub(super) struct Walker {
    header: Vec<u8>,
    frame: Option<Frame>,
    done: u64,
}

/// What comes next in a chunk.
#[derive(Debug)]
pub(super) enum Event<'a> {
    /// A whole header; [`Walker::header`] has its bytes.
    Header(Frame),
    /// A part of the payload, as it was sent, and where in the payload it starts.
    Payload(Frame, u64, &'a [u8]),
    /// The payload is complete.
    End(Frame),
}

impl Walker {
    /// The next event of `input`, which moves on. `None`: it is used up.
    pub(super) fn next<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<Event<'a>>, Malformed> {
        if let Some(frame) = self.frame {
            return Ok(self.payload(frame, input));
        }
        while let [byte, rest @ ..] = *input {
            *input = rest;
            self.header.push(*byte);
            if self.header.len() < 2 {
                continue;
            }
            if let Some((frame, _)) = Frame::parse(&self.header)? {
                self.frame = Some(frame);
                self.done = 0;
                return Ok(Some(Event::Header(frame)));
            }
        }
        Ok(None)
    }

    fn payload<'a>(&mut self, frame: Frame, input: &mut &'a [u8]) -> Option<Event<'a>> {
        let left = frame.length - self.done;
        if left == 0 {
            self.frame = None;
            self.header.clear();
            return Some(Event::End(frame));
        }
        if input.is_empty() {
            return None;
        }
        let length = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let (part, rest) = input.split_at(length);
        *input = rest;
        let offset = self.done;
        self.done += part.len() as u64;
        Some(Event::Payload(frame, offset, part))
    }

    /// The bytes of the header that [`Event::Header`] was for.
    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    /// Whether a frame of our own may be put in here. A header that is not whole yet was not sent on.
    pub(super) fn is_between_frames(&self) -> bool {
        self.frame.is_none()
    }
}

/// Masks or unmasks `payload`, whose first byte is byte `offset` of its frame (RFC 6455 §5.3).
pub(super) fn apply_mask(mask: [u8; 4], offset: u64, payload: &mut [u8]) {
    let mut at = offset & 3;
    for byte in payload {
        *byte ^= match at {
            0 => mask[0],
            1 => mask[1],
            2 => mask[2],
            _ => mask[3],
        };
        at = (at + 1) & 3;
    }
}

/// Appends a message as one masked frame.
pub(super) fn whole(opcode: Opcode, mask: [u8; 4], mut payload: Vec<u8>, out: &mut Vec<u8>) {
    out.push(0x80 | if opcode == Opcode::Text { 1 } else { 2 });
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => out.push(0x80 | length),
        (_, Ok(length)) => {
            out.push(0x80 | 0x7E);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 0x7F);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    apply_mask(mask, 0, &mut payload);
    out.extend_from_slice(&payload);
}

/// A close frame (RFC 6455 §5.5.1). To a server it must be masked; zero is as good a key as any from a proxy
/// that has no script to defend against.
pub(super) fn close(code: u16, reason: &str, is_masked: bool) -> Vec<u8> {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let reason = reason.get(..end).unwrap_or_default();
    let length = u8::try_from(reason.len() + 2).unwrap_or(2);
    let mut frame = vec![0x88, length];
    if is_masked {
        frame[1] |= 0x80;
        frame.extend_from_slice(&[0; 4]);
    }
    frame.extend_from_slice(&code.to_be_bytes());
    frame.extend_from_slice(reason.as_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_are_read_at_every_length() {
        let text = [0x81, 0x85, 1, 2, 3, 4, b'h'];
        let frame = Frame {
            is_final: true,
            opcode: Opcode::Text,
            mask: Some([1, 2, 3, 4]),
            length: 5,
        };
        assert_eq!(Frame::parse(&text), Ok(Some((frame, 6))));
        for short in 0..6 {
            assert_eq!(Frame::parse(&text[..short]), Ok(None));
        }
        let medium = Frame::parse(&[0x02, 126, 1, 0]).unwrap().unwrap();
        assert_eq!((medium.0.length, medium.1), (256, 4));
        let long = Frame::parse(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(long.unwrap().unwrap().0.length, 65_536);
    }

    #[test]
    fn what_is_malformed_is_named() {
        let cases: [(&[u8], Malformed); 7] = [
            (&[0xC1, 0x80], Malformed::ReservedBits),
            (&[0x83, 0x80], Malformed::ReservedOpcode),
            (&[0x8F, 0x80], Malformed::ReservedOpcode),
            (&[0x09, 0x80], Malformed::FragmentedControl),
            (&[0x89, 0xFE], Malformed::LongControl),
            (&[0x81, 126, 0, 5], Malformed::Length),
            (&[0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], Malformed::Length),
        ];
        for (bytes, malformed) in cases {
            assert_eq!(Frame::parse(bytes), Err(malformed));
        }
    }

    #[test]
    fn a_close_frame_is_one() {
        let frame = close(1008, &"é".repeat(100), true);
        let (header, length) = Frame::parse(&frame).unwrap().unwrap();
        assert_eq!(header.opcode, Opcode::Close);
        assert_eq!(header.length, (frame.len() - length) as u64);
        assert!(header.length <= 125);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = Frame::parse(&bytes);
        }

        #[test]
        fn masking_twice_is_nothing(mask: [u8; 4], mut payload: Vec<u8>, at in 0usize..20) {
            let before = payload.clone();
            apply_mask(mask, 0, &mut payload);
            let at = at.min(payload.len());
            let (start, end) = payload.split_at_mut(at);
            apply_mask(mask, 0, start);
            apply_mask(mask, at as u64, end);
            prop_assert_eq!(payload, before);
        }
    }
}
