//! Requests that can each be told from every other: what was sent, answered, refused, seen by the app and recorded must fit
//! together.

use super::rig::{PATIENCE, Rig};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What the client of a request knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// 200 from the app.
    Answered,
    /// 503, because the journal could not keep a record.
    Refused,
    /// No whole answer came.
    Broke,
}

pub(super) struct Sent {
    target: String,
    end: End,
}

#[derive(Default)]
pub(super) struct Heard {
    pub(super) answered: AtomicUsize,
    pub(super) refused: AtomicUsize,
    stop: AtomicBool,
}

/// Clients that ask until they are stopped, each one thing after the other: `/NAME/CLIENT/NUMBER`.
pub(super) struct Load {
    pub(super) heard: Arc<Heard>,
    clients: Vec<JoinHandle<Vec<Sent>>>,
}

impl Load {
    pub(super) fn start(rig: &Rig, name: &str, clients: usize) -> Self {
        let heard = Arc::<Heard>::default();
        let client = |client| {
            let (port, heard) = (rig.port, Arc::clone(&heard));
            let (begin, rest) = (format!("/{name}/{client}"), rig.request("/"));
            let rest = rest.strip_prefix("GET / ").expect("a GET").to_owned();
            thread::spawn(move || ask_on(port, &begin, &rest, &heard))
        };
        Self {
            clients: (0..clients).map(client).collect(),
            heard,
        }
    }

    pub(super) fn answered(&self) -> usize {
        self.heard.answered.load(Ordering::SeqCst)
    }

    pub(super) fn refused(&self) -> usize {
        self.heard.refused.load(Ordering::SeqCst)
    }

    /// Waits for what is under way, and returns all that was sent, each client's in order.
    pub(super) fn stop(self) -> Vec<Sent> {
        self.heard.stop.store(true, Ordering::SeqCst);
        let joined = self.clients.into_iter().map(JoinHandle::join);
        joined
            .flat_map(|sent| sent.expect("no client saw anything but 200 and 503"))
            .collect()
    }
}

fn ask_on(port: u16, begin: &str, rest: &str, heard: &Heard) -> Vec<Sent> {
    let (mut sent, mut stream) = (Vec::new(), None);
    while !heard.stop.load(Ordering::SeqCst) {
        let Some(open) = stream.take().or_else(|| connect(port)) else {
            thread::sleep(Duration::from_millis(2));
            continue;
        };
        let target = format!("{begin}/{}", sent.len());
        let (end, kept) = ask(open, &format!("GET {target} {rest}\r\n"));
        match end {
            End::Answered => drop(heard.answered.fetch_add(1, Ordering::SeqCst)),
            End::Refused => drop(heard.refused.fetch_add(1, Ordering::SeqCst)),
            End::Broke => {}
        }
        if end == End::Refused {
            // A client that is told to come back later does not come back at once.
            thread::sleep(Duration::from_millis(5));
        }
        stream = kept;
        sent.push(Sent { target, end });
    }
    sent
}

fn connect(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    Some(stream)
}

/// One request and its whole answer; the connection, where it can be used again.
fn ask(mut stream: TcpStream, request: &str) -> (End, Option<TcpStream>) {
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    if stream.write_all(request.as_bytes()).is_err() {
        return (End::Broke, None);
    }
    loop {
        match stream.read(&mut piece) {
            Ok(read @ 1..) => answer.extend_from_slice(&piece[..read]),
            _ => return (End::Broke, None),
        }
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let lower = head.to_lowercase();
        let length = lower
            .lines()
            .find_map(|it| it.strip_prefix("content-length: "));
        let length: usize = length.and_then(|it| it.parse().ok()).expect("a length");
        if body.len() < length {
            continue;
        }
        let kept = (!lower.contains("connection: close")).then_some(stream);
        let is_refused =
            head.starts_with("HTTP/1.1 503 ") && body.contains("urn:locum:refusal:journal");
        assert!(is_refused || head.starts_with("HTTP/1.1 200 "), "{text}");
        return (
            if is_refused {
                End::Refused
            } else {
                End::Answered
            },
            kept,
        );
    }
}

/// What became of a load.
#[derive(Default)]
pub(super) struct Account {
    pub(super) sent: usize,
    pub(super) answered: usize,
    pub(super) refused: usize,
    pub(super) broke: usize,
    pub(super) seen: usize,
    pub(super) opened: usize,
    pub(super) ended: usize,
}

impl Account {
    /// Fails the test unless what the app saw is on record, what was refused never reached it, and the order is kept. `name` is the load's.
    pub(super) fn of(rig: &Rig, name: &str, sent: &[Sent]) -> Self {
        let begin = format!("/{name}/");
        let (mut opened, mut exchanges, mut ended) = (HashMap::new(), HashSet::new(), 0);
        for record in rig.lines_with("\"exchange.") {
            let exchange = record["metadata"]["correlation_uid"]
                .as_str()
                .map(str::to_owned);
            let exchange = exchange.expect("an exchange");
            let target = record["http_request"]["url"]["path"].as_str();
            match record["metadata"]["event_code"].as_str() {
                Some("exchange.opened") if target.is_some_and(|it| it.starts_with(&begin)) => {
                    let seq = record["seq"].as_u64().expect("a number");
                    let before = opened.insert(target.unwrap_or_default().to_owned(), seq);
                    assert!(before.is_none(), "recorded twice: {record}");
                    exchanges.insert(exchange);
                }
                Some("exchange.closed" | "exchange.aborted") => {
                    ended += usize::from(exchanges.remove(&exchange));
                }
                _ => {}
            }
        }
        let targets = rig.app.targets.lock();
        let seen: Vec<_> = targets.iter().filter(|it| it.starts_with(&begin)).collect();
        for target in &seen {
            assert!(
                opened.contains_key(*target),
                "{target} reached the app, and is not on record"
            );
        }
        in_order(&opened, sent);
        let once: HashSet<_> = seen.iter().map(|it| it.as_str()).collect();
        assert_eq!(once.len(), seen.len(), "the app saw a request twice");
        for one in sent {
            let reached = once.contains(one.target.as_str());
            assert!(reached || one.end != End::Answered, "{}", one.target);
            assert!(
                !reached || one.end != End::Refused,
                "refused, and forwarded: {}",
                one.target
            );
        }
        let count = |end| sent.iter().filter(|it| it.end == end).count();
        Self {
            sent: sent.len(),
            answered: count(End::Answered),
            refused: count(End::Refused),
            broke: count(End::Broke),
            seen: seen.len(),
            opened: opened.len(),
            ended,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.refused += other.refused;
        self.broke += other.broke;
        self.seen += other.seen;
        self.opened += other.opened;
        self.ended += other.ended;
    }
}

/// A client asks one thing after the other, and so they stand in the journal.
fn in_order(opened: &HashMap<String, u64>, sent: &[Sent]) {
    let (mut client, mut last) = ("", 0);
    for one in sent {
        let (of, _) = one.target.rsplit_once('/').expect("a number");
        if of != client {
            (client, last) = (of, 0);
        }
        if let Some(seq) = opened.get(&one.target) {
            assert!(
                *seq > last,
                "{} stands before what came before it",
                one.target
            );
            last = *seq;
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sent, {} answered, {} refused, {} broken off; the app saw {}; {} on record, {} of them with their end",
            self.sent, self.answered, self.refused, self.broke, self.seen, self.opened, self.ended
        )
    }
}
