//! A browser inside a session, over plain HTTP; and a small app with a WebSocket.

use super::desk::{Answer, call_as};
use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// RFC 6455 §1.3: a key, and what answers it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(super) struct Inside {
    host: String,
    port: u16,
    cookies: String,
}

impl Inside {
    /// Opens a start link.
    pub(super) fn enter(start: &str) -> Self {
        let start: url::Url = start.parse().expect("a link");
        let (name, port) = (start.host_str().expect("a host"), start.port());
        let port = port.expect("a port");
        let host = format!("{name}:{port}");
        let target = format!("{}?{}", start.path(), start.query().unwrap_or_default());
        let opened = call_as(port, &host, "GET", &target, &[], "").expect("an answer");
        assert_eq!(opened.status, 303, "{}", opened.body);
        Self {
            host,
            port,
            cookies: opened.cookies,
        }
    }

    pub(super) fn ask(&self, method: &str, path: &str) -> Answer {
        let fields = [("Cookie", self.cookies.as_str())];
        call_as(self.port, &self.host, method, path, &fields, "").expect("an answer")
    }

    /// Opens a WebSocket, says this, and returns what comes back.
    pub(super) fn say(&self, path: &str, words: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).expect("a socket");
        let (host, cookies) = (&self.host, &self.cookies);
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookies}\r\nOrigin: http://{host}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("sent");
        let mut from = BufReader::new(stream.try_clone().expect("a socket"));
        let head = head_of(&mut from);
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        // A masked text frame, mask 0.
        let length = u8::try_from(words.len()).expect("few words");
        let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
        frame.extend(words.as_bytes());
        stream.write_all(&frame).expect("sent");
        let mut back = vec![0; 2 + words.len()];
        from.read_exact(&mut back).expect("an echo");
        String::from_utf8_lossy(&back[2..]).into_owned()
    }
}

fn head_of(from: &mut impl std::io::BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && from.read_line(&mut head).expect("a line") > 0 {}
    head
}

/// An app at this port, for as long as the test: a page everywhere, and an echo where a WebSocket is asked for.
pub(super) fn app(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
}

fn serve(mut stream: TcpStream) {
    let mut from = BufReader::new(stream.try_clone().expect("a socket"));
    let head = head_of(&mut from);
    if !head.to_ascii_lowercase().contains("upgrade: websocket") {
        let page = "<!doctype html><html><head><title>Shop</title></head><body><p>Order 17</p></body></html>";
        let length = page.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
        );
        // Whoever asked may have gone.
        let _ = stream.write_all(answer.as_bytes());
        return;
    }
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    let _ = stream.write_all(answer.as_bytes());
    let mut start = [0; 6];
    while from.read_exact(&mut start).is_ok() {
        let mut words = vec![0; usize::from(start[1] & 0x7f)];
        if from.read_exact(&mut words).is_err() {
            return;
        }
        for (at, byte) in words.iter_mut().enumerate() {
            *byte ^= start[2 + at % 4];
        }
        let _ = stream.write_all(&[&[start[0], start[1] & 0x7f], words.as_slice()].concat());
    }
}
