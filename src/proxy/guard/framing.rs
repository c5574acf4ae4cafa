//! Follows the messages of a connection through its input: head, body, head. Says what of each read is let
//! through, and stops at the first that is not.

use super::chunk::{self, Trailers};
use super::head::{self, Body, Scan};
use super::rewrite::{self, SYNTHETIC};
use super::{Fault, Limits, Notes};
use crate::model::{Findings, Reason};

/// Empty lines before a head are dropped (RFC 9112 §2.2), at most this many bytes of them.
const LEADING_BYTES: usize = 8;

/// Where `http::Uri` ends. Percent-encoding makes a target up to three times as long.
const MAX_URI_BYTES: usize = 65_534;

/// What is let through of one read: a prefix of it as it is, or bytes of our own.
#[derive(Debug, Default)]
pub(super) struct Release {
    prefix: usize,
    built: Option<Vec<u8>>,
}

impl Release {
    /// The bytes let through of `input`.
    pub(super) fn bytes<'a>(&'a self, input: &'a [u8]) -> &'a [u8] {
        match &self.built {
            Some(built) => built,
            None => input.get(..self.prefix).unwrap_or_default(),
        }
    }

    fn len(&self) -> usize {
        self.built.as_ref().map_or(self.prefix, Vec::len)
    }

    #[inline]
    fn pass(&mut self, input: &[u8], from: usize, to: usize) {
        if self.built.is_none() && from == self.prefix {
            self.prefix = to;
        } else {
            self.put(input, input.get(from..to).unwrap_or_default());
        }
    }

    fn put(&mut self, input: &[u8], bytes: &[u8]) {
        let prefix = input.get(..self.prefix).unwrap_or_default();
        let built = self.built.get_or_insert_with(|| prefix.to_vec());
        built.extend_from_slice(bytes);
    }

    fn truncate(&mut self, len: usize) {
        match &mut self.built {
            Some(built) => built.truncate(len),
            None => self.prefix = self.prefix.min(len),
        }
    }
}

/// How a read ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Everything before this position is dealt with. The rest is the start of something: hold it.
    Hold(usize),
    /// The request was replaced by a synthetic one; nothing after it counts.
    Refused,
    /// The head went through in an earlier read and now its body is bad.
    Broken(Fault),
}

#[derive(Debug)]
enum State {
    Head(Scan),
    Sized(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers(Trailers),
}

/// Where in the stream of messages a connection is.
#[derive(Debug)]
pub(super) struct Framing {
    state: State,
    /// The number of the head that comes next or is being read.
    next: u64,
    leading: usize,
    extension_bytes: usize,
}

/// One pass over one read.
struct Pass<'a> {
    input: &'a [u8],
    at: usize,
    release: &'a mut Release,
    /// Where in the release the current message's head starts, and where in the input, if in this pass.
    head: Option<(usize, usize)>,
}

impl<'a> Pass<'a> {
    fn rest(&self) -> &'a [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    #[inline]
    fn pass(&mut self, length: usize) {
        self.release.pass(self.input, self.at, self.at + length);
        self.at += length;
    }

    /// Passes as much of a run of `left` bytes as there is, and says how much is then left.
    fn run(&mut self, left: u64) -> u64 {
        let here = self.rest().len();
        let length = usize::try_from(left).map_or(here, |left| left.min(here));
        self.pass(length);
        left - length as u64
    }
}

enum Next {
    Go(State),
    Hold(State),
    Fault(Fault),
}

impl Framing {
    pub(super) fn new() -> Self {
        Self {
            state: State::Head(Scan::default()),
            next: 0,
            leading: 0,
            extension_bytes: 0,
        }
    }

    /// Judges `input`: what was held by the pass before, then what was read.
    pub(super) fn digest(
        &mut self,
        input: &[u8],
        release: &mut Release,
        notes: &Notes,
        limits: &Limits,
    ) -> Outcome {
        let mut pass = Pass {
            input,
            at: 0,
            release,
            head: None,
        };
        loop {
            let state = std::mem::replace(&mut self.state, State::ChunkEnd);
            let is_head = matches!(state, State::Head(_));
            match self.step(state, &mut pass, notes, limits) {
                Next::Go(state) => {
                    self.state = state;
                    if pass.at == input.len() {
                        return Outcome::Hold(pass.at);
                    }
                }
                Next::Hold(state) => {
                    self.state = state;
                    return Outcome::Hold(pass.at);
                }
                Next::Fault(fault) => return self.refuse(fault, is_head, &mut pass, notes, limits),
            }
        }
    }

    #[inline]
    fn step(&mut self, state: State, pass: &mut Pass, notes: &Notes, limits: &Limits) -> Next {
        match state {
            State::Head(scan) => self.head(scan, pass, notes, limits),
            State::Sized(left) => match pass.run(left) {
                0 => Next::Go(self.message_end()),
                left => Next::Hold(State::Sized(left)),
            },
            State::ChunkSize => self.chunk_size(pass, limits),
            State::ChunkData(left) => match pass.run(left) {
                0 => Next::Go(State::ChunkEnd),
                left => Next::Hold(State::ChunkData(left)),
            },
            State::ChunkEnd => match pass.rest() {
                [b'\r', b'\n', ..] => {
                    pass.pass(2);
                    Next::Go(State::ChunkSize)
                }
                [] | b"\r" => Next::Hold(State::ChunkEnd),
                _ => Next::Fault(Fault::Ambiguous(Reason::Chunk)),
            },
            State::Trailers(mut trailers) => match trailers.advance(pass.rest(), limits) {
                chunk::Step::More => Next::Hold(State::Trailers(trailers)),
                chunk::Step::Refuse(fault) => Next::Fault(fault),
                chunk::Step::Complete(length) => {
                    pass.pass(length);
                    Next::Go(self.message_end())
                }
            },
        }
    }

    /// The number of the head that has begun and is not complete, if `held` is the start of one.
    pub(super) fn unfinished(&self, held: &[u8]) -> Option<u64> {
        let is_head = matches!(self.state, State::Head(_)) && !held.is_empty();
        is_head.then_some(self.next)
    }

    /// Gives up on the head that `held` is the start of; the synthetic request in its place.
    pub(super) fn give_up(
        &self,
        held: &[u8],
        fault: Fault,
        notes: &Notes,
        limits: &Limits,
    ) -> &'static [u8] {
        let note = rewrite::note(held, Findings::NONE, Some(fault), limits);
        notes.put(self.next, note);
        SYNTHETIC
    }

    fn message_end(&mut self) -> State {
        self.leading = 0;
        self.extension_bytes = 0;
        State::Head(Scan::default())
    }

    #[inline]
    fn head(&mut self, mut scan: Scan, pass: &mut Pass, notes: &Notes, limits: &Limits) -> Next {
        while pass.rest().starts_with(b"\r\n") && self.leading < LEADING_BYTES {
            pass.at += 2;
            self.leading += 2;
        }
        let bytes = pass.rest();
        if matches!(bytes, [] | b"\r") {
            return Next::Hold(State::Head(scan));
        }
        let length = match scan.advance(bytes, limits) {
            head::Step::More => return Next::Hold(State::Head(scan)),
            head::Step::Refuse(fault) => return Next::Fault(fault),
            head::Step::Complete(length) => length,
        };
        let start = (pass.release.len(), pass.at);
        let findings = scan.findings();
        if findings.is_empty() {
            pass.pass(length);
        } else {
            let head = bytes.get(..length).unwrap_or_default();
            let plain = rewrite::plain(head, findings);
            if memchr::memchr(b'\n', &plain).is_some_and(|length| length > MAX_URI_BYTES) {
                return Next::Fault(Fault::UriTooLong);
            }
            notes.put(self.next, rewrite::note(head, findings, None, limits));
            pass.release.put(pass.input, &plain);
            pass.at += length;
        }
        pass.head = Some(start);
        self.next += 1;
        Next::Go(match scan.body() {
            Body::Sized(0) => self.message_end(),
            Body::Sized(length) => State::Sized(length),
            Body::Chunked => State::ChunkSize,
        })
    }

    fn chunk_size(&mut self, pass: &mut Pass, limits: &Limits) -> Next {
        let rest = pass.rest();
        let Some(end) = memchr::memchr(b'\n', rest) else {
            if rest.len() > chunk::longest_line(limits) {
                return Next::Fault(Fault::ChunkExtensionsTooLong);
            }
            return Next::Hold(State::ChunkSize);
        };
        if end > chunk::longest_line(limits) {
            return Next::Fault(Fault::ChunkExtensionsTooLong);
        }
        let line = match chunk::size_line(rest.get(..end).unwrap_or_default()) {
            Ok(line) => line,
            Err(fault) => return Next::Fault(fault),
        };
        self.extension_bytes += line.extension_bytes;
        if self.extension_bytes > limits.max_chunk_extension_bytes {
            return Next::Fault(Fault::ChunkExtensionsTooLong);
        }
        pass.pass(end + 1);
        Next::Go(match line.size {
            0 => State::Trailers(Trailers::default()),
            size => State::ChunkData(size),
        })
    }

    /// Takes back what this pass let through of the message, if its head is of this pass.
    fn refuse(
        &mut self,
        fault: Fault,
        is_head: bool,
        pass: &mut Pass,
        notes: &Notes,
        limits: &Limits,
    ) -> Outcome {
        let (number, start) = if is_head {
            (self.next, pass.at)
        } else if let Some((released, start)) = pass.head {
            pass.release.truncate(released);
            (self.next - 1, start)
        } else {
            notes.fail_body(self.next - 1, fault);
            return Outcome::Broken(fault);
        };
        let head = pass.input.get(start..).unwrap_or_default();
        let mut note = rewrite::note(head, Findings::NONE, Some(fault), limits);
        if let Fault::Ambiguous(reason) = fault {
            note.findings.insert(reason);
        }
        notes.put(number, note);
        pass.release.put(pass.input, SYNTHETIC);
        Outcome::Refused
    }
}
