//! What a record costs: `cargo test --release --lib audit::tests::cost -- --ignored --nocapture`.

use super::fixture::{Support, block_on, done, settings};
use crate::audit::Journal;
use crate::model::Clock;
use std::sync::atomic::Ordering;
use std::time::Instant;

#[test]
#[ignore = "a measurement, not a check"]
fn of_an_exchange() {
    const EXCHANGES: u32 = 100_000;
    let dir = tempfile::tempdir().expect("dir");
    let journal = Journal::start(settings(dir.path()), Clock::System).expect("start");
    let support = Support::new();
    let elapsed = block_on(async {
        let begin = Instant::now();
        for _ in 0..EXCHANGES {
            let receipt = journal.open(&support.opening()).await.expect("recorded");
            receipt.close(&done());
        }
        begin.elapsed()
    });
    let counters = journal.counters();
    let records = counters.records.load(Ordering::Relaxed);
    println!(
        "{:.2} µs a record, {} bytes a record",
        elapsed.as_secs_f64() * 1e6 / f64::from(2 * EXCHANGES),
        counters.bytes.load(Ordering::Relaxed) / records
    );
    journal.stop("test");
    let begin = Instant::now();
    assert!(super::fixture::verified(dir.path()).is_intact());
    println!("verified {records} records in {:.2?}", begin.elapsed());
}
