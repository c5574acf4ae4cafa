//! Messages as they pass, put together for the recording.

use super::Direction;
use super::frame::{Event, Frame, Opcode, Walker, apply_mask};
use crate::audit::recording::{From, Kind, Overrun, Tap};
use bytes::Bytes;

/// Both directions of one WebSocket on their way to the tape.
#[derive(Debug)]
pub struct Taping {
    tap: Tap,
    up: Assembler,
    down: Assembler,
}

impl Taping {
    /// Messages longer than `max` bytes are recorded without their payload.
    pub fn new(tap: Tap, max: usize) -> Self {
        let assembler = |from| Assembler {
            from,
            max,
            walker: Walker::default(),
            message: None,
            control: Vec::new(),
            is_blind: false,
        };
        Self {
            tap,
            up: assembler(From::Operator),
            down: assembler(From::App),
        }
    }

    /// Takes what passes in one direction.
    pub fn passed(&mut self, direction: Direction, bytes: &[u8]) -> Result<(), Overrun> {
        match direction {
            Direction::FromClient => self.up.take(bytes, &self.tap),
            Direction::FromUpstream => self.down.take(bytes, &self.tap),
        }
    }
}

#[derive(Debug)]
struct Assembler {
    from: From,
    max: usize,
    walker: Walker,
    message: Option<Message>,
    control: Vec<u8>,
    /// What comes is no WebSocket's frames: nobody can say where a message ends.
    is_blind: bool,
}

#[derive(Debug)]
struct Message {
    kind: Kind,
    length: u64,
    held: Vec<u8>,
}

impl Assembler {
    fn take(&mut self, bytes: &[u8], tap: &Tap) -> Result<(), Overrun> {
        let mut rest = bytes;
        while !self.is_blind {
            match self.walker.next(&mut rest) {
                Ok(None) => return Ok(()),
                Ok(Some(Event::Header(frame))) => self.header(frame),
                Ok(Some(Event::Payload(frame, offset, part))) => {
                    let target = match &mut self.message {
                        _ if frame.opcode.is_control() => &mut self.control,
                        Some(message) => {
                            message.length = message.length.saturating_add(part.len() as u64);
                            if message.length > self.max as u64 {
                                message.held = Vec::new();
                                continue;
                            }
                            &mut message.held
                        }
                        None => continue,
                    };
                    let start = target.len();
                    target.extend_from_slice(part);
                    if let (Some(mask), Some(added)) = (frame.mask, target.get_mut(start..)) {
                        apply_mask(mask, offset, added);
                    }
                }
                Ok(Some(Event::End(frame))) => self.end(frame, tap)?,
                Err(_) => {
                    self.is_blind = true;
                    let why = "what came was no WebSocket frame, and passed as it was";
                    let kind = Kind::Binary;
                    tap.message(self.from, kind, rest.len() as u64, Bytes::new(), Some(why))?;
                }
            }
        }
        Ok(())
    }

    fn header(&mut self, frame: Frame) {
        let kind = match frame.opcode {
            Opcode::Text => Kind::Text,
            Opcode::Binary => Kind::Binary,
            _ => return,
        };
        self.message = Some(Message {
            kind,
            length: 0,
            held: Vec::new(),
        });
    }

    fn end(&mut self, frame: Frame, tap: &Tap) -> Result<(), Overrun> {
        let kind = match frame.opcode {
            Opcode::Close => Kind::Close,
            Opcode::Ping => Kind::Ping,
            Opcode::Pong => Kind::Pong,
            _ if !frame.is_final => return Ok(()),
            _ => {
                let Some(message) = self.message.take() else {
                    return Ok(());
                };
                let withheld = (message.length > self.max as u64)
                    .then_some("it is longer than recording.max_message");
                let held = Bytes::from(message.held);
                return tap.message(self.from, message.kind, message.length, held, withheld);
            }
        };
        let held = Bytes::from(std::mem::take(&mut self.control));
        tap.message(self.from, kind, held.len() as u64, held, None)
    }
}
