//! A client's frames under a route's rules: what the app gets is well-formed, and nothing that the route forbids.
//! Input: pieces, a byte that chooses the rules, then the client's bytes.
#![no_main]

mod pieces;

use libfuzzer_sys::fuzz_target;
use locum::proxy::websocket::{Judge, Mode, Rules, Settings, relay};
use pieces::Pieces;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

/// An app that says nothing and keeps what it gets.
struct App<'o>(&'o mut Vec<u8>);

impl AsyncRead for App<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for App<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn rules(choice: u8) -> Rules {
    Rules {
        mode: if choice & 1 == 0 {
            Mode::Allow
        } else {
            Mode::ReceiveOnly
        },
        max_message: if choice & 2 == 0 { 0 } else { 64 },
        max_rate: 0,
        judge: (choice & 4 != 0).then(|| {
            Judge::new(|message, _| {
                if message.starts_with(b"no") {
                    Err("no")
                } else {
                    Ok(())
                }
            })
        }),
    }
}

/// Reads every whole frame (RFC 6455 §5.2); gives opcode and unmasked payload to `each`.
fn frames(mut bytes: &[u8], mut each: impl FnMut(bool, u8, Vec<u8>)) {
    while let [first, second, rest @ ..] = bytes {
        assert_eq!(first & 0x70, 0, "a reserved bit");
        assert_ne!(second & 0x80, 0, "a client's frame without a mask");
        let (length, rest) = match (second & 0x7f, rest) {
            (126, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
            (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                let length = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                (usize::try_from(length).expect("a length"), rest)
            }
            (126 | 127, _) => return,
            (length, rest) => (usize::from(length), rest),
        };
        let opcode = first & 0x0f;
        assert!(matches!(opcode, 0..=2 | 8..=10), "opcode {opcode}");
        assert!(
            opcode < 8 || (length <= 125 && first & 0x80 != 0),
            "a control frame in pieces"
        );
        if rest.len() < 4 || rest.len() - 4 < length {
            return;
        }
        let (mask, rest) = rest.split_at(4);
        let (payload, rest) = rest.split_at(length);
        let plain = payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask);
        each(first & 0x80 != 0, opcode, plain.collect());
        bytes = rest;
    }
}

fuzz_target!(|input: &[u8]| {
    let (lengths, rest) = pieces::split(input);
    let Some((choice, bytes)) = rest.split_first() else {
        return;
    };
    let rules = rules(*choice);
    let settings = Settings {
        max_held_message: 4096,
        close_grace: Duration::ZERO,
        cut_grace: Duration::ZERO,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let mut got = Vec::new();
    let client = Pieces::new(bytes, &lengths);
    let mut observer = ();
    let relayed = relay(
        client,
        App(&mut got),
        &rules,
        &settings,
        CancellationToken::new(),
        &mut observer,
    );
    runtime.block_on(relayed);
    let mut message = Vec::new();
    frames(&got, |is_last, opcode, payload| {
        if opcode >= 8 {
            return;
        }
        assert_eq!(
            rules.mode,
            Mode::Allow,
            "data where only receiving is allowed"
        );
        message.extend_from_slice(&payload);
        assert!(rules.max_message == 0 || message.len() <= rules.max_message);
        if is_last {
            assert!(rules.judge.is_none() || !message.starts_with(b"no"));
            message.clear();
        }
    });
});
