//! The guard on a connection: what it lets through does not depend on how the bytes were split over reads, and hyper's
//! own parser takes it.
#![no_main]

mod pieces;

use hyper::rt::{Read, ReadBuf};
use libfuzzer_sys::fuzz_target;
use locum::proxy::guard::{Guard, Limits, Notes};
use pieces::Pieces;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

#[derive(Debug, PartialEq)]
enum End {
    /// Everything passed.
    Passed,
    /// A synthetic request or an error took the place of what could not pass.
    Stopped,
}

fn run(bytes: &[u8], lengths: &[usize]) -> (Vec<u8>, End) {
    let mut guard = Guard::new(
        Pieces::new(bytes, lengths),
        Limits::default(),
        Arc::new(Notes::default()),
    );
    let mut context = Context::from_waker(Waker::noop());
    let mut out = Vec::new();
    let mut room = [0; 16 * 1024];
    loop {
        let mut buf = ReadBuf::new(&mut room);
        match Pin::new(&mut guard).poll_read(&mut context, buf.unfilled()) {
            Poll::Ready(Ok(())) if buf.filled().is_empty() => return (out, End::Passed),
            Poll::Ready(Ok(())) => out.extend_from_slice(buf.filled()),
            Poll::Ready(Err(_)) | Poll::Pending => return (out, End::Stopped),
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let (lengths, bytes) = pieces::split(input);
    let (whole, end) = run(bytes, &[]);
    let (split, split_end) = run(bytes, &lengths);
    assert_eq!(end, split_end, "split: {lengths:?}");
    if end == End::Passed {
        assert_eq!(whole, split, "split: {lengths:?}");
    }
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut fields);
    let read = request.parse(&whole);
    assert!(
        read.is_ok(),
        "hyper would refuse what the guard lets through: {read:?}"
    );
    if matches!(read, Ok(httparse::Status::Complete(_))) {
        let has = |name: &str| {
            request
                .headers
                .iter()
                .any(|field| field.name.eq_ignore_ascii_case(name))
        };
        assert!(!(has("content-length") && has("transfer-encoding")));
    }
});
