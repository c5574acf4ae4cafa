//! Reads what one side sends, frame by frame: counts it, and holds the client to its rules.

use super::frame::{Event, Frame, Malformed, Opcode, Walker, apply_mask};
use super::rules::{Mode, Rules};
use super::{Direction, Flow, Observer};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// Why the client was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It sent data where the route only lets it receive.
    ReceiveOnly,
    /// A message is longer than the route lets through.
    TooLong,
    /// It sends more messages a second than the route lets through.
    TooMany,
    /// The policy denies what a message says; why, by name.
    Message(&'static str),
    /// It broke the protocol.
    Malformed(Malformed),
    /// It broke the protocol: no mask on a frame (RFC 6455 §5.1).
    Unmasked,
    /// It broke the protocol: fragments out of order (RFC 6455 §5.4).
    Fragments,
}

impl Refusal {
    /// The close code for the client (RFC 6455 §7.4.1).
    pub const fn code(&self) -> u16 {
        match self {
            Self::ReceiveOnly | Self::TooMany | Self::Message(_) => 1008,
            Self::TooLong => 1009,
            Self::Malformed(_) | Self::Unmasked | Self::Fragments => 1002,
        }
    }

    /// The name in records and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ReceiveOnly => "receive-only",
            Self::TooLong => "message-too-long",
            Self::TooMany => "message-rate",
            Self::Message(name) => name,
            Self::Malformed(_) | Self::Unmasked | Self::Fragments => "malformed-frame",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReceiveOnly => f.write_str("this connection is receive-only"),
            Self::TooLong => f.write_str("message too long"),
            Self::TooMany => f.write_str("too many messages"),
            Self::Message(_) => f.write_str("message not permitted"),
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Unmasked => f.write_str("a client frame is not masked"),
            Self::Fragments => f.write_str("fragments are out of order"),
        }
    }
}

impl std::error::Error for Refusal {}

/// A data message that has begun.
struct Message {
    opcode: Opcode,
    length: u64,
    /// Unmasked, if messages must be judged whole.
    held: Vec<u8>,
}

/// One direction.
pub(super) struct Inspector<'r> {
    pub(super) direction: Direction,
    rules: &'r Rules,
    max_held: u64,
    walker: Walker,
    message: Option<Message>,
    recent: VecDeque<Instant>,
    close_payload: Vec<u8>,
    is_blind: bool,
    pub(super) flow: Flow,
    pub(super) close_code: Option<u16>,
}

impl<'r> Inspector<'r> {
    /// Of `direction`, with messages of at most `max_held` bytes where they must be judged whole.
    pub(super) fn new(direction: Direction, rules: &'r Rules, max_held: u64) -> Self {
        Self {
            direction,
            rules,
            max_held,
            walker: Walker::default(),
            message: None,
            recent: VecDeque::new(),
            close_payload: Vec::new(),
            is_blind: false,
            flow: Flow::default(),
            close_code: None,
        }
    }

    /// Whether a frame of our own may follow what was let through.
    pub(super) fn is_between_frames(&self) -> bool {
        !self.is_blind && self.walker.is_between_frames()
    }

    /// Appends to `out` what of `input` may be sent on. On a refusal, what came before it is there.
    pub(super) fn push(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        observer: &mut dyn Observer,
    ) -> Result<(), Refusal> {
        self.flow.bytes += input.len() as u64;
        if self.is_blind {
            out.extend_from_slice(input);
            return Ok(());
        }
        match self.direction {
            Direction::FromClient => self.judge(input, out, observer),
            Direction::FromUpstream => {
                self.count(input, out, observer);
                Ok(())
            }
        }
    }

    /// What the upstream sends is passed as it is; if it is malformed, that is the browser's to say.
    fn count(&mut self, input: &[u8], out: &mut Vec<u8>, observer: &mut dyn Observer) {
        let mut rest = input;
        loop {
            match self.walker.next(&mut rest) {
                Ok(Some(Event::Header(_))) => out.extend_from_slice(self.walker.header()),
                Ok(Some(Event::Payload(frame, _, part))) => {
                    self.note_close(frame, 0, part);
                    out.extend_from_slice(part);
                }
                Ok(Some(Event::End(frame))) => self.counted(frame, observer),
                Ok(None) => return,
                Err(_) => {
                    self.is_blind = true;
                    out.extend_from_slice(self.walker.header());
                    out.extend_from_slice(rest);
                    return;
                }
            }
        }
    }

    fn counted(&mut self, frame: Frame, observer: &mut dyn Observer) {
        let before = self.message.as_ref().map_or(0, |message| message.length);
        if frame.opcode.is_control() {
            return;
        }
        let opcode = self
            .message
            .as_ref()
            .map_or(frame.opcode, |message| message.opcode);
        if frame.is_final {
            self.message = None;
            self.flow.messages += 1;
            observer.message(self.direction, opcode, before.saturating_add(frame.length));
        } else {
            self.message = Some(Message {
                opcode,
                length: before.saturating_add(frame.length),
                held: Vec::new(),
            });
        }
    }

    fn judge(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        observer: &mut dyn Observer,
    ) -> Result<(), Refusal> {
        let mut rest = input;
        while let Some(event) = self.walker.next(&mut rest).map_err(Refusal::Malformed)? {
            match event {
                Event::Header(frame) => {
                    self.header(frame)?;
                    if !self.holds(frame) {
                        out.extend_from_slice(self.walker.header());
                    }
                }
                Event::Payload(frame, offset, part) => {
                    if self.holds(frame) {
                        self.hold(frame, offset, part);
                    } else {
                        self.note_close(frame, offset, part);
                        out.extend_from_slice(part);
                    }
                }
                Event::End(frame) => self.end(frame, out, observer)?,
            }
        }
        Ok(())
    }

    fn holds(&self, frame: Frame) -> bool {
        self.rules.judge.is_some() && !frame.opcode.is_control()
    }

    fn header(&mut self, frame: Frame) -> Result<(), Refusal> {
        if frame.mask.is_none() {
            return Err(Refusal::Unmasked);
        }
        if frame.opcode.is_control() {
            return Ok(());
        }
        if self.rules.mode == Mode::ReceiveOnly {
            return Err(Refusal::ReceiveOnly);
        }
        let message = match (&mut self.message, frame.opcode) {
            (Some(message), Opcode::Continuation) => message,
            (None, Opcode::Text | Opcode::Binary) => {
                if self.is_too_fast() {
                    return Err(Refusal::TooMany);
                }
                self.message.insert(Message {
                    opcode: frame.opcode,
                    length: 0,
                    held: Vec::new(),
                })
            }
            _ => return Err(Refusal::Fragments),
        };
        message.length = message.length.saturating_add(frame.length);
        let is_too_long =
            self.rules.max_message > 0 && message.length > self.rules.max_message as u64;
        let is_too_long_to_hold = self.rules.judge.is_some() && message.length > self.max_held;
        if is_too_long || is_too_long_to_hold {
            return Err(Refusal::TooLong);
        }
        Ok(())
    }

    /// Exact: whether the last `max_rate` messages all began within the last second.
    fn is_too_fast(&mut self) -> bool {
        if self.rules.max_rate == 0 {
            return false;
        }
        let now = Instant::now();
        while let Some(first) = self.recent.front()
            && now.duration_since(*first) >= Duration::from_secs(1)
        {
            self.recent.pop_front();
        }
        if self.recent.len() >= self.rules.max_rate as usize {
            return true;
        }
        self.recent.push_back(now);
        false
    }

    fn hold(&mut self, frame: Frame, offset: u64, part: &[u8]) {
        let (Some(message), Some(mask)) = (&mut self.message, frame.mask) else {
            return;
        };
        let start = message.held.len();
        message.held.extend_from_slice(part);
        apply_mask(
            mask,
            offset,
            message.held.get_mut(start..).unwrap_or_default(),
        );
    }

    fn end(
        &mut self,
        frame: Frame,
        out: &mut Vec<u8>,
        observer: &mut dyn Observer,
    ) -> Result<(), Refusal> {
        if frame.opcode.is_control() || !frame.is_final {
            return Ok(());
        }
        let Some(message) = self.message.take() else {
            return Ok(());
        };
        if self.holds(frame) {
            let is_text = message.opcode == Opcode::Text;
            if let Some(name) = self.rules.denying(&message.held, is_text) {
                return Err(Refusal::Message(name));
            }
            let mask = frame.mask.unwrap_or_default();
            super::frame::whole(message.opcode, mask, message.held, out);
        }
        self.flow.messages += 1;
        observer.message(self.direction, message.opcode, message.length);
        Ok(())
    }

    fn note_close(&mut self, frame: Frame, offset: u64, part: &[u8]) {
        if frame.opcode != Opcode::Close {
            return;
        }
        let start = self.close_payload.len();
        self.close_payload.extend_from_slice(part);
        if let (Some(mask), Some(part)) = (frame.mask, self.close_payload.get_mut(start..)) {
            apply_mask(mask, offset, part);
        }
        if let [high, low, ..] = *self.close_payload {
            self.close_code = Some(u16::from_be_bytes([high, low]));
        }
    }
}
