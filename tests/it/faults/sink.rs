//! A webhook whose receiver is down, comes back, or is stopped: nothing is lost, and no request waits.

use super::rig::{Rig, wait};
use crate::support::plan::free_port;
use parking_lot::Mutex;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Takes deliveries, and keeps the sequence numbers in the order they came.
pub(super) struct Receiver {
    seen: Arc<Mutex<Vec<u64>>>,
    is_up: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    pub(super) fn start(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        let mut receiver = Self {
            seen: Arc::default(),
            is_up: Arc::new(AtomicBool::new(true)),
            thread: None,
        };
        let (seen, is_up) = (Arc::clone(&receiver.seen), Arc::clone(&receiver.is_up));
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if !is_up.load(Ordering::SeqCst) {
                    return;
                }
                while take(&stream, &seen).is_some() && is_up.load(Ordering::SeqCst) {}
            }
        });
        receiver.thread = Some(thread);
        receiver
    }

    pub(super) fn seen(&self) -> Vec<u64> {
        self.seen.lock().clone()
    }

    /// Closes the listener, so that connections are refused; returns the last that it took.
    fn stop(mut self, port: u16) -> u64 {
        self.is_up.store(false, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", port)));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it read JSON lines");
        }
        self.seen().iter().max().copied().unwrap_or_default()
    }
}

fn take(stream: &TcpStream, seen: &Mutex<Vec<u64>>) -> Option<()> {
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .ok()?;
    let mut reader = BufReader::new(stream);
    let (mut length, mut line) = (0, String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let records = body
        .split(|&byte| byte == b'\n')
        .filter(|it| !it.is_empty());
    for record in records {
        let record: serde_json::Value = serde_json::from_slice(record).expect("JSON lines");
        seen.lock().push(record["seq"].as_u64().expect("a number"));
    }
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok()
}

/// From `first` on without a gap, in order; repeats may be there.
pub(super) fn in_order(seen: &[u64], first: u64) {
    let mut next = first;
    for &seq in seen {
        assert!(seq <= next, "{next} is missing before {seq}: {seen:?}");
        next = next.max(seq + 1);
    }
}

fn sink(port: u16) -> String {
    format!(
        "audit.sinks = [{{ name = 'siem', kind = 'webhook', url = 'http://127.0.0.1:{port}/in', retry_max = '200ms', timeout = '1s', batch_records = 7 }}]"
    )
}

#[test]
fn down_then_back_then_restarted() {
    let port = free_port();
    let mut rig = Rig::running(&sink(port));
    for n in 0..40 {
        assert_eq!(rig.get(&format!("/n/{n}")).expect("an answer").status, 200);
    }
    let receiver = Receiver::start(port);
    let records = || {
        let report = rig.verified();
        report["report"]["last_sequence"]
            .as_u64()
            .expect("a number")
    };
    let all = records();
    assert!(all >= 80, "40 exchanges are at least 80 records, not {all}");
    assert!(
        wait(|| receiver.seen().last() >= Some(&all)),
        "{:?}",
        receiver.seen()
    );
    in_order(&receiver.seen(), 1);
    let delivered = receiver.stop(port);
    for n in 0..10 {
        assert_eq!(rig.get(&format!("/m/{n}")).expect("an answer").status, 200);
    }
    rig.stop();
    let port_is_free = || TcpListener::bind(("127.0.0.1", port)).is_ok();
    assert!(wait(port_is_free));
    let receiver = Receiver::start(port);
    rig.start();
    let all = rig.verified()["report"]["last_sequence"].as_u64();
    assert!(
        wait(|| receiver.seen().last().copied() >= all),
        "{:?}",
        receiver.seen()
    );
    let first = receiver.seen().first().copied().expect("something came");
    assert!(first > 1, "the place in the journal is kept over a restart");
    assert!(first <= delivered + 1, "{first} after {delivered}: lost");
    in_order(&receiver.seen(), first);
}

/// What a process that is stopped (SIGSTOP) looks like from outside: its kernel takes the connection and what
/// is sent, and nobody ever answers.
#[test]
fn stopped_receiver_slows_no_request() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let rig = Rig::running(&sink(port));
    let mut slowest = Duration::ZERO;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        let asked = Instant::now();
        assert_eq!(rig.get("/page").expect("an answer").status, 200);
        slowest = slowest.max(asked.elapsed());
    }
    assert!(
        slowest < Duration::from_millis(900),
        "one request took {slowest:?}"
    );
    rig.verified();
    drop(listener);
}
