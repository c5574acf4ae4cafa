//! The relay between two duplex streams.

use super::frame::{self, apply_mask};
use super::{Cause, Judge, Mode, Opcode, Refusal, Rules, Settings, Summary, relay};
use proptest::prelude::*;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Bench {
    client: DuplexStream,
    upstream: DuplexStream,
    ended: CancellationToken,
    relay: JoinHandle<Summary>,
}

fn bench(rules: Rules) -> Bench {
    let (client, near) = duplex(64 * 1024);
    let (upstream, far) = duplex(64 * 1024);
    let ended = CancellationToken::new();
    let token = ended.clone();
    let relay = tokio::spawn(async move {
        let settings = Settings::default();
        relay(near, far, &rules, &settings, token, &mut ()).await
    });
    Bench {
        client,
        upstream,
        ended,
        relay,
    }
}

/// A masked frame: first byte, payload.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [7, 11, 13, 17];
    let mut payload = payload.to_vec();
    let mut frame = vec![first];
    match payload.len() {
        length @ ..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length => {
            frame.push(0xFE);
            frame.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    apply_mask(mask, 0, &mut payload);
    frame.extend_from_slice(&payload);
    frame
}

async fn rest(mut io: DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = io.read_to_end(&mut bytes).await;
    bytes
}

/// Sends `frames` one after another and reads both ends out.
async fn run(rules: Rules, frames: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>, Summary) {
    let Bench {
        mut client,
        upstream,
        relay,
        ..
    } = bench(rules);
    let upstream = tokio::spawn(rest(upstream));
    for frame in frames {
        let _ = client.write_all(frame).await;
    }
    let _ = client.shutdown().await;
    let to_client = rest(client).await;
    (to_client, upstream.await.unwrap(), relay.await.unwrap())
}

/// Denies what has `word` in it.
fn without(word: &'static str) -> Judge {
    Judge::new(move |message, _| {
        let is_there = message
            .windows(word.len())
            .any(|part| part == word.as_bytes());
        if is_there {
            Err("no-such-word")
        } else {
            Ok(())
        }
    })
}

fn is_close(bytes: &[u8], code: u16) -> bool {
    bytes.starts_with(&[0x88]) && bytes.get(2..4) == Some(&code.to_be_bytes()[..])
}

#[tokio::test]
async fn without_rules_bytes_pass_and_are_counted() {
    let frames = [
        masked(0x01, b"he"),
        masked(0x89, b"p"),
        masked(0x80, b"llo"),
        masked(0x88, &[3, 232]),
    ];
    let (to_client, to_upstream, summary) = run(Rules::default(), &frames).await;
    assert_eq!(to_upstream, frames.concat());
    assert_eq!(to_client, b"");
    assert_eq!(summary.from_client.messages, 1);
    assert_eq!(summary.from_client.bytes, frames.concat().len() as u64);
    assert_eq!(summary.close_code, Some(1000));
    assert!(matches!(summary.cause, Cause::ClientClosed));
}

#[tokio::test]
async fn receive_only_refuses_data_and_passes_control() {
    let rules = Rules {
        mode: Mode::ReceiveOnly,
        ..Rules::default()
    };
    let frames = [
        masked(0x89, b"ping"),
        masked(0x81, b"data"),
        masked(0x81, b"more"),
    ];
    let (to_client, to_upstream, summary) = run(rules, &frames).await;
    assert!(to_upstream.starts_with(&frames[0]));
    assert_eq!(to_upstream.len(), frames[0].len());
    assert!(is_close(&to_client, 1008));
    assert!(matches!(
        summary.cause,
        Cause::Refused(Refusal::ReceiveOnly)
    ));
    assert_eq!((summary.refused, summary.close_code), (1, Some(1008)));
}

#[tokio::test]
async fn long_messages_are_refused_fragmented_or_not() {
    let rules = Rules {
        max_message: 200,
        ..Rules::default()
    };
    for frames in [
        vec![masked(0x82, &[1; 201])],
        vec![masked(0x02, &[1; 150]), masked(0x80, &[1; 51])],
    ] {
        let (to_client, _, summary) = run(rules.clone(), &frames).await;
        assert!(is_close(&to_client, 1009));
        assert!(matches!(summary.cause, Cause::Refused(Refusal::TooLong)));
    }
    let (_, to_upstream, summary) = run(rules, &[masked(0x82, &[1; 200])]).await;
    assert_eq!((to_upstream.len(), summary.refused), (208, 0));
}

#[tokio::test]
async fn fast_clients_are_refused() {
    let rules = Rules {
        max_rate: 3,
        ..Rules::default()
    };
    let frames = vec![masked(0x81, b"x"); 4];
    let (to_client, to_upstream, summary) = run(rules.clone(), &frames).await;
    assert!(is_close(&to_client, 1008));
    assert!(to_upstream.starts_with(&frames[..3].concat()));
    assert!(matches!(summary.cause, Cause::Refused(Refusal::TooMany)));
    let (_, _, summary) = run(rules, &frames[..3]).await;
    assert_eq!(summary.refused, 0);
}

#[tokio::test]
async fn a_message_is_judged_whole_across_fragments() {
    let rules = Rules {
        judge: Some(without("delete")),
        ..Rules::default()
    };
    let good = [
        masked(0x01, br#"{"op":"#),
        masked(0x89, b"p"),
        masked(0x80, br#""read"}"#),
    ];
    let (_, to_upstream, summary) = run(rules.clone(), &good).await;
    let whole = masked(0x81, br#"{"op":"read"}"#);
    assert_eq!(to_upstream, [&good[1][..], &whole].concat());
    assert_eq!(summary.from_client.messages, 1);

    let bad = [
        masked(0x01, br#"{"op":"#),
        masked(0x00, br#""del"#),
        masked(0x80, br#"ete"}"#),
    ];
    for bad in [bad.to_vec(), vec![masked(0x82, br#"{"op":"delete"}"#)]] {
        let (to_client, to_upstream, summary) = run(rules.clone(), &bad).await;
        assert!(is_close(&to_client, 1008));
        assert!(!to_upstream.windows(2).any(|pair| pair[0] & 0x0F == 1));
        assert!(matches!(
            summary.cause,
            Cause::Refused(Refusal::Message("no-such-word"))
        ));
    }
}

#[tokio::test]
async fn broken_frames_are_refused() {
    for bytes in [
        vec![0xC1, 0x80, 0, 0, 0, 0],
        vec![0x83, 0x80, 0, 0, 0, 0],
        vec![0x81, 0x01, b'x'],
        masked(0x80, b"x"),
        [masked(0x01, b"x"), masked(0x01, b"x")].concat(),
    ] {
        let (to_client, _, summary) = run(Rules::default(), &[bytes]).await;
        assert!(is_close(&to_client, 1002), "{to_client:?}");
        assert_eq!(summary.close_code, Some(1002));
    }
}

#[tokio::test]
async fn the_end_of_the_session_cuts_within_100_ms() {
    let Bench {
        mut client,
        mut upstream,
        ended,
        relay,
    } = bench(Rules::default());
    upstream
        .write_all(&[0x81, 2, b'h', b'i', 0x81])
        .await
        .unwrap();
    let mut hi = [0; 4];
    client.read_exact(&mut hi).await.unwrap();
    let start = Instant::now();
    ended.cancel();
    let close = rest(client).await;
    assert!(start.elapsed() < Duration::from_millis(100));
    assert_eq!(close, frame::close(1008, "support session ended", false));
    assert_eq!(rest(upstream).await, frame::close(1001, "", true));
    let summary = relay.await.unwrap();
    assert!(matches!(summary.cause, Cause::SessionEnded));
    assert_eq!(
        (summary.close_code, summary.from_upstream.messages),
        (Some(1008), 1)
    );
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_all_the_same() {
    let Bench {
        client,
        mut upstream,
        ended,
        relay,
    } = bench(Rules::default());
    let flood = [
        &[0x82, 127, 0, 0, 0, 0, 0, 64, 0, 0][..],
        &vec![0; 200 * 1024],
    ]
    .concat();
    let writer = tokio::spawn(async move { upstream.write_all(&flood).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let start = Instant::now();
    ended.cancel();
    let summary = relay.await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(150));
    assert!(matches!(summary.cause, Cause::SessionEnded));
    assert!(writer.await.unwrap().is_err());
    drop(client);
}

#[tokio::test]
async fn the_upstream_may_close_first() {
    let Bench {
        client,
        mut upstream,
        relay,
        ..
    } = bench(Rules::default());
    upstream
        .write_all(&frame::close(1000, "bye", false))
        .await
        .unwrap();
    drop(upstream);
    assert_eq!(rest(client).await, frame::close(1000, "bye", false));
    let summary = relay.await.unwrap();
    assert!(!matches!(summary.cause, Cause::SessionEnded));
    assert_eq!(summary.close_code, Some(1000));
}

fn rules() -> impl Strategy<Value = Rules> {
    (prop_oneof![Just(0), Just(50)], any::<bool>()).prop_map(|(max_message, denies)| Rules {
        max_message,
        judge: denies.then(|| without("x")),
        ..Rules::default()
    })
}

proptest! {
    #[test]
    fn a_judgement_does_not_depend_on_the_split(
        rules in rules(),
        messages in proptest::collection::vec((0u8..12, 0usize..60), 0..8),
        size in 1usize..20,
    ) {
        let frames: Vec<u8> = messages
            .iter()
            .flat_map(|(kind, length)| match kind {
                0 => masked(0x89, b"ping"),
                1 => masked(0x01, &vec![b'a'; *length]),
                2 => masked(0x80, &vec![b'b'; *length]),
                3 => masked(0x81, br#"{"op":"x"}"#),
                4 => masked(0x81, br#"{"op":"y"}"#),
                _ => masked(0x82, &vec![b'c'; *length]),
            })
            .collect();
        let judge = |size: usize| {
            let mut inspector = super::inspect::Inspector::new(super::Direction::FromClient, &rules, 1000);
            let mut out = Vec::new();
            let result = frames
                .chunks(size)
                .try_for_each(|chunk| inspector.push(chunk, &mut out, &mut ()));
            (result, out, inspector.flow.messages)
        };
        prop_assert_eq!(judge(size), judge(frames.len().max(1)));
    }

    #[test]
    fn a_whole_message_can_be_read_again(payload: Vec<u8>, mask: [u8; 4]) {
        let mut out = Vec::new();
        frame::whole(Opcode::Binary, mask, payload.clone(), &mut out);
        let (header, length) = frame::Frame::parse(&out).unwrap().unwrap();
        prop_assert_eq!(header.length, payload.len() as u64);
        let mut body = out.split_off(length);
        apply_mask(mask, 0, &mut body);
        prop_assert_eq!(body, payload);
    }
}
