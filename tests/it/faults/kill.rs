//! kill -9 with 200 requests in flight: what the app saw is on record, and a start puts the journal right.

use super::rig::Rig;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const IN_FLIGHT: usize = 200;
/// Moments of the kill, after the first answers came. Milliseconds; primes, so that they hit no common rhythm.
const MOMENTS: [u64; 3] = [3, 41, 173];

/// Keeps that many requests in flight until Locum is gone; counts whole answers.
fn load(rig: &Rig, answered: &Arc<AtomicUsize>) -> Vec<JoinHandle<()>> {
    let request = rig.request("/page") + "\r\n";
    let client = |_| {
        let (port, request, answered) = (rig.port, request.clone(), Arc::clone(answered));
        thread::spawn(move || {
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
                return;
            };
            let (mut piece, mut answer) = ([0; 4096], Vec::new());
            while stream.write_all(request.as_bytes()).is_ok() {
                answer.clear();
                while !answer.ends_with(b"hello") {
                    match stream.read(&mut piece) {
                        Ok(read) if read > 0 => answer.extend_from_slice(&piece[..read]),
                        _ => return,
                    }
                    let begins = answer.iter().zip(b"HTTP/1.1 200 ");
                    let is_good = begins.into_iter().all(|(came, wanted)| came == wanted);
                    assert!(is_good, "{}", String::from_utf8_lossy(&answer));
                }
                answered.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    (0..IN_FLIGHT).map(client).collect()
}

/// Tears the journal's last line as a lost page would: the first half of it once more, without its end.
fn tear(rig: &Rig) {
    let last = rig.segments().pop().expect("a segment");
    let text = std::fs::read(&last).expect("a segment");
    let line = text.split_inclusive(|&byte| byte == b'\n').next_back();
    let line = line.expect("a record");
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(last)
        .expect("a segment");
    file.write_all(&line[..line.len() / 2]).expect("written");
}

fn killed_under_load(durability: &str) {
    let mut rig = Rig::running(&format!("audit.durability = '{durability}'"));
    rig.app.delay.store(20, Ordering::SeqCst);
    for (round, moment) in MOMENTS.into_iter().enumerate() {
        let answered = Arc::default();
        let clients = load(&rig, &answered);
        assert!(
            super::rig::wait(|| answered.load(Ordering::SeqCst) > IN_FLIGHT),
            "no answers: {}",
            rig.log()
        );
        thread::sleep(Duration::from_millis(moment));
        rig.kill();
        for client in clients {
            client.join().expect("no client saw anything but 200");
        }
        let tears = round == 1;
        if tears {
            tear(&rig);
        }
        let (seen, opened) = (rig.app.reached(), rig.records("exchange.opened").len());
        assert!(seen <= opened, "the app saw {seen} of {opened} on record");
        rig.verified();

        rig.start();
        let report = rig.verified();
        assert_eq!(report["report"]["open_exchanges"], 0, "{report:#}");
        let aborted = rig.records("exchange.aborted").len();
        assert!(aborted > 0, "200 were in flight, and none is marked");
        let recovered = rig.records("journal.recovered").len();
        assert!(recovered >= 1 || round == 0, "what was torn is not marked");
        let again = rig.get("/page").expect("an answer");
        assert_eq!(again.status, 200, "the session goes on: {}", again.text);
    }
    let closed = rig.records("exchange.closed").len() + rig.records("exchange.aborted").len();
    rig.stop();
    assert!(closed <= rig.records("exchange.opened").len());
    rig.verified();
}

#[test]
fn killed_with_200_in_flight_process() {
    killed_under_load("process");
}

#[test]
fn killed_with_200_in_flight_disk() {
    killed_under_load("disk");
}

#[test]
fn a_flipped_byte_is_found_and_named() {
    let mut rig = Rig::running("");
    for n in 0..5 {
        assert_eq!(rig.get(&format!("/n/{n}")).expect("an answer").status, 200);
    }
    rig.stop();
    rig.verified();
    let victim = rig.records("exchange.opened").swap_remove(2);
    let segment = rig.segments().swap_remove(0);
    let mut bytes = std::fs::read(&segment).expect("a segment");
    let needle = b"/n/2";
    let at = bytes.windows(4).position(|some| some == needle);
    bytes[at.expect("the target is on record") + 3] ^= 1;
    std::fs::write(&segment, bytes).expect("written");
    let (code, report) = rig.verify();
    assert_eq!(code, 1, "{report:#}");
    let first = &report["report"]["breaks"][0];
    assert_eq!(first["sequence"], victim["seq"], "{report:#}");
    assert_eq!(first["fault"], "changed", "{report:#}");
    let said = rig.locum(&["audit", "verify"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains(&victim["seq"].to_string()), "{said}");
}
