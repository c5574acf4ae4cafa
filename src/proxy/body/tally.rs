//! What went through a body: bytes, digest, and how it ended.

use aws_lc_rs::digest::{Context, SHA256};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Why a request body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// More than `max_request_body`.
    TooLarge,
    /// A form field asks for another method than the request's own.
    MethodOverride,
    /// A trailer carries a field that must not be one.
    Trailer,
    /// Nothing came for `request_body_idle_timeout`.
    Idle,
    /// The session ended.
    Ended,
    /// It must be recorded and could not be.
    Unrecorded,
    /// The client went away or framed it wrongly.
    Client,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the request body is larger than allowed here",
            Self::MethodOverride => {
                "the request body asks for another method than the request's own"
            }
            Self::Trailer => "a trailer of the request carries a field that is not allowed there",
            Self::Idle => "the request body stopped coming",
            Self::Unrecorded => "the request must be recorded and could not be",
            Self::Ended => "the support session ended",
            Self::Client => "the client broke off the request body",
        })
    }
}

impl std::error::Error for Failure {}

/// Shared between a request's body, which writes it, and its exchange, which reads it at the end.
#[derive(Debug, Default)]
pub struct Tally {
    bytes: AtomicU64,
    complete: AtomicBool,
    digest: Mutex<Option<[u8; 32]>>,
    failure: Mutex<Option<Failure>>,
}

impl Tally {
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    pub fn digest(&self) -> Option<[u8; 32]> {
        *self.digest.lock()
    }

    pub fn failure(&self) -> Option<Failure> {
        *self.failure.lock()
    }

    pub(super) fn add(&self, bytes: usize) -> u64 {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64
    }

    pub(super) fn fail(&self, failure: Failure) {
        self.failure.lock().get_or_insert(failure);
    }

    pub(super) fn complete(&self, digest: Option<[u8; 32]>) {
        *self.digest.lock() = digest;
        self.complete.store(true, Ordering::Relaxed);
    }
}

/// SHA-256 over what passes, or nothing where the configuration does not want it.
#[derive(Clone)]
pub struct Digest(Option<Context>);

impl Digest {
    pub fn new(wanted: bool) -> Self {
        Self(wanted.then(|| Context::new(&SHA256)))
    }

    pub fn update(&mut self, bytes: &[u8]) {
        if let Some(context) = &mut self.0 {
            context.update(bytes);
        }
    }

    pub fn finish(&mut self) -> Option<[u8; 32]> {
        let digest = self.0.take()?.finish();
        digest.as_ref().try_into().ok()
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest(wanted: {})", self.0.is_some())
    }
}
