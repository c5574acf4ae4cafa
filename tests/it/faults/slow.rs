//! A client that reads slowly: what it does not take waits at the app, not in memory.

use super::rig::{BIG, PATIENCE, Rig};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// What Locum may hold of a body beyond what it holds anyway, with its allocator's slack. KiB.
const HELD: u64 = 24 << 10;

#[test]
fn slow_reader_holds_no_body_in_memory() {
    let rig = Rig::running("");
    assert_eq!(rig.get("/small").expect("an answer").status, 200);
    let before = rig.memory("VmHWM");
    let mut stream = TcpStream::connect(("127.0.0.1", rig.port)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let request = rig.request("/big") + "\r\n";
    stream.write_all(request.as_bytes()).expect("sent");
    let mut piece = vec![0; 64 << 10];
    let mut came = 0;
    // Slower than the app for the first part, then as fast as it goes.
    while came < BIG {
        let read = stream.read(&mut piece).expect("a body");
        assert!(read > 0, "ended after {came}");
        came += read;
        if came < 16 << 20 {
            std::thread::sleep(Duration::from_millis(4));
        }
    }
    let grown = rig.memory("VmHWM").saturating_sub(before);
    assert!(grown < HELD, "{grown} KiB more for one body");
}
