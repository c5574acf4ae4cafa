//! What the guard found, by head number, where the service of the same connection picks it up.

use crate::model::{Findings, Reason};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Why the guard let nothing of a request through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request cannot be given one reading.
    Ambiguous(Reason),
    /// The request target is longer than `max_uri_bytes`.
    UriTooLong,
    /// The head is longer than `max_head_bytes`.
    HeadTooLarge,
    /// The head was not complete within `header_timeout`.
    HeadTimeout,
    /// The head has more lines than `max_headers`.
    TooManyHeaders,
    /// The body's chunk extensions are longer than `max_chunk_extension_bytes`.
    ChunkExtensionsTooLong,
    /// The body's trailers are longer than `max_trailer_bytes`, or more than `max_headers`.
    TrailersTooLarge,
}

impl Fault {
    /// The HTTP status that answers it.
    pub const fn status(self) -> u16 {
        match self {
            Self::Ambiguous(Reason::Version) => 505,
            Self::Ambiguous(_) | Self::ChunkExtensionsTooLong | Self::TrailersTooLarge => 400,
            Self::HeadTimeout => 408,
            Self::UriTooLong => 414,
            Self::HeadTooLarge | Self::TooManyHeaders => 431,
        }
    }

    /// The name in records and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ambiguous(reason) => reason.name(),
            Self::HeadTimeout => "head-timeout",
            Self::UriTooLong => "uri-too-long",
            Self::HeadTooLarge => "head-too-large",
            Self::TooManyHeaders => "too-many-headers",
            Self::ChunkExtensionsTooLong => "chunk-extensions-too-long",
            Self::TrailersTooLarge => "trailers-too-large",
        }
    }

    /// A sentence for the person who is refused.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ambiguous(reason) => reason.words(),
            Self::HeadTimeout => "The request head took too long.",
            Self::UriTooLong => "The request target is too long.",
            Self::HeadTooLarge => "The request head is too large.",
            Self::TooManyHeaders => "The request has too many headers.",
            Self::ChunkExtensionsTooLong => "The chunk extensions are too long.",
            Self::TrailersTooLarge => "The trailers are too large.",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Fault {}

/// What there is to say about one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// What was rewritten; a policy row may tolerate it.
    pub findings: Findings,
    /// Set: the request that the service sees is synthetic. Answer it with `fault.status()` and record
    /// `method` and `target` below instead of the request's own.
    pub fault: Option<Fault>,
    /// The method as sent: escaped, bounded. Empty when none could be told.
    pub method: Box<str>,
    /// The target as sent: escaped, bounded. Empty when none could be told.
    pub target: Box<str>,
}

/// A request's place on its connection, from 0, with the note on it if there is one.
#[derive(Debug, PartialEq, Eq)]
pub struct Numbered {
    pub head: u64,
    pub note: Option<Note>,
}

/// Shared by a [`super::Guard`] and the service of its connection. A clean connection costs one relaxed
/// add and one load a request.
#[derive(Debug, Default)]
pub struct Notes {
    served: AtomicU64,
    noted: AtomicBool,
    released: AtomicBool,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    heads: VecDeque<(u64, Note)>,
    body: Option<(u64, Fault)>,
}

impl Notes {
    /// Call exactly once for each request that hyper hands to the service, in order.
    pub fn next(&self) -> Numbered {
        let head = self.served.fetch_add(1, Ordering::Relaxed);
        if !self.noted.load(Ordering::Acquire) {
            return Numbered { head, note: None };
        }
        let mut entries = self.entries.lock();
        while entries.heads.front().is_some_and(|(at, _)| *at < head) {
            entries.heads.pop_front();
        }
        let is_mine = entries.heads.front().is_some_and(|(at, _)| *at == head);
        let note = if is_mine {
            entries.heads.pop_front().map(|(_, note)| note)
        } else {
            None
        };
        Numbered { head, note }
    }

    /// Why the body of request `head` failed, when its stream ended in an error: the answer is then
    /// `fault.status()` and not the upstream's.
    pub fn body_fault(&self, head: u64) -> Option<Fault> {
        if !self.noted.load(Ordering::Acquire) {
            return None;
        }
        let entries = self.entries.lock();
        entries
            .body
            .and_then(|(at, fault)| (at == head).then_some(fault))
    }

    /// The connection is no longer HTTP/1: call before a 101 is returned. From then on the guard passes
    /// every byte untouched.
    pub fn release(&self) {
        self.released.store(true, Ordering::Release);
    }

    pub(super) fn is_released(&self) -> bool {
        self.released.load(Ordering::Acquire)
    }

    /// Puts `note` on request `head`, in place of any that is there.
    pub(super) fn put(&self, head: u64, note: Note) {
        let mut entries = self.entries.lock();
        if entries.heads.back().is_some_and(|(at, _)| *at == head) {
            entries.heads.pop_back();
        }
        entries.heads.push_back((head, note));
        self.noted.store(true, Ordering::Release);
    }

    pub(super) fn fail_body(&self, head: u64, fault: Fault) {
        self.entries.lock().body = Some((head, fault));
        self.noted.store(true, Ordering::Release);
    }
}
