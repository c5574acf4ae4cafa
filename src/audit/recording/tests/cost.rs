//! What recording costs the data plane, and how much the recorder takes: `cargo test --lib recording_costs -- --ignored --nocapture`.

use super::super::*;
use super::recorder::{BODIES, Bench};
use crate::audit::Outcome;
use crate::model::SessionId;
use bytes::Bytes;
use http::HeaderMap;
use std::hint::black_box;
use std::time::Instant;

const EXCHANGES: u32 = 20_000;

#[test]
#[ignore = "a measurement: it asserts nothing"]
fn recording_costs_the_data_plane_this_much() {
    let bench = Bench::with(|settings| settings.queue_bytes = 4 << 30);
    let session = SessionId::fresh();
    let none: Option<Tap> = black_box(None);
    let began = Instant::now();
    for _ in 0..EXCHANGES * 100 {
        black_box(none.as_ref().is_some());
    }
    println!(
        "none: {:?} an exchange",
        began.elapsed() / (EXCHANGES * 100)
    );
    let headers = HeaderMap::new();
    let page = Bytes::from(b"<p>the same words again and again</p>".repeat(440));
    let began = Instant::now();
    for _ in 0..EXCHANGES {
        let tap = bench.begin(session, BODIES).unwrap();
        for side in [Which::Request, Which::Received, Which::Shown] {
            tap.headers(side, Some(200), &headers).unwrap();
        }
        tap.data(Which::Received, &page).unwrap();
        tap.end("done", true);
    }
    println!(
        "bodies: {:?} an exchange of 16 KiB, on the worker",
        began.elapsed() / EXCHANGES
    );
    super::recorder::block_on(bench.recorder.settled());
    println!(
        "bodies: {:?} an exchange of 16 KiB, until it is in the file",
        began.elapsed() / EXCHANGES
    );
    for (name, piece) in [("text", page.slice(..16_000)), ("noise", noise())] {
        let tap = bench.begin(session, BODIES).unwrap();
        tap.headers(Which::Received, Some(200), &headers).unwrap();
        let began = Instant::now();
        let mut megabytes = 0.0;
        for n in 0..16_384u32 {
            let mut own = piece.to_vec();
            own.extend_from_slice(&n.to_le_bytes());
            megabytes += 0.016;
            tap.data(Which::Received, &Bytes::from(own)).unwrap();
        }
        bench.close(&tap, Outcome::Done);
        super::recorder::block_on(bench.recorder.settled());
        let rate = megabytes / began.elapsed().as_secs_f64();
        println!("{name}: {rate:.0} MB a second");
    }
    bench.stop();
}

fn noise() -> Bytes {
    let mut bytes = vec![0; 16_000];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    bytes.into()
}
