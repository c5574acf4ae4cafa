//! An app that keeps every byte it gets and reads it more strictly than any real one: what Locum forwards must have
//! one reading only.

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A running app that answers 200 to each whole request; it ends when dropped.
pub(crate) struct Recorder {
    pub(crate) address: String,
    connections: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let connections = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let kept = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&kept)));
            }
        });
        Self {
            address,
            connections,
            task,
        }
    }

    /// Every byte that came, one entry a connection.
    pub(crate) fn bytes(&self) -> Vec<Vec<u8>> {
        self.connections.lock().clone()
    }

    /// Whether nothing came at all.
    pub(crate) fn is_untouched(&self) -> bool {
        self.connections.lock().iter().all(Vec::is_empty)
    }

    /// Panics unless every byte that came reads strictly; how many requests were whole.
    pub(crate) fn read_strictly(&self) -> usize {
        let mut whole = 0;
        for bytes in self.bytes() {
            let mut rest = bytes.as_slice();
            loop {
                match message(rest) {
                    Read::Whole(length) => {
                        whole += 1;
                        rest = &rest[length..];
                    }
                    // The client broke off, so Locum did.
                    Read::Partial => break,
                    Read::Wrong(why) => {
                        panic!("{why}: {:?}", String::from_utf8_lossy(&bytes));
                    }
                }
            }
        }
        whole
    }
}

async fn serve(mut stream: TcpStream, kept: Arc<Mutex<Vec<Vec<u8>>>>) {
    let number = {
        let mut kept = kept.lock();
        kept.push(Vec::new());
        kept.len() - 1
    };
    let mut held = Vec::new();
    loop {
        let from = held.len();
        match stream.read_buf(&mut held).await {
            Ok(1..) => kept.lock()[number].extend_from_slice(&held[from..]),
            _ => return,
        }
        while let Read::Whole(length) = message(&held) {
            let is_head = held.starts_with(b"HEAD ");
            held.drain(..length);
            let body = if is_head { "" } else { "seen" };
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{body}");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// How far a request reads.
pub(crate) enum Read {
    /// One whole request of this many bytes.
    Whole(usize),
    /// So far nothing is wrong.
    Partial,
    Wrong(&'static str),
}

/// Reads one request by the letter of RFC 9112, with no lenience at all.
pub(crate) fn message(bytes: &[u8]) -> Read {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return Read::Partial;
    };
    let head = &bytes[..end];
    let mut lines = head
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let bare = |(at, _): (usize, &u8)| at == 0 || head[at - 1] != b'\r';
    let line_ends = head.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    if line_ends.into_iter().any(bare) {
        return Read::Wrong("a bare LF");
    }
    let is_control = |&byte: &u8| (byte < 0x20 && !b"\r\n\t".contains(&byte)) || byte == 0x7f;
    if head.iter().any(is_control) {
        return Read::Wrong("a control byte");
    }
    if let Err(why) = request_line(lines.next().unwrap_or_default()) {
        return Read::Wrong(why);
    }
    match fields(lines) {
        Err(why) => Read::Wrong(why),
        Ok(Framing::Sized(length)) if bytes.len() - end - 4 >= length => {
            Read::Whole(end + 4 + length)
        }
        Ok(Framing::Sized(_)) => Read::Partial,
        Ok(Framing::Chunked) => chunks(bytes, end + 4),
    }
}

fn is_token(text: &[u8]) -> bool {
    let is = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is)
}

fn request_line(line: &[u8]) -> Result<(), &'static str> {
    let parts: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let [method, target, b"HTTP/1.1"] = parts[..] else {
        return Err("not a request line");
    };
    if !is_token(method) || method.iter().any(u8::is_ascii_lowercase) || method == b"CONNECT" {
        return Err("not a method");
    }
    let (path, query) = match target.iter().position(|&byte| byte == b'?') {
        Some(at) => target.split_at(at),
        None => (target, &b""[..]),
    };
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@/%".contains(byte);
    let segments = || path.split(|&byte| byte == b'/').skip(1);
    let is_canonical = path.starts_with(b"/")
        && path.iter().all(is_plain)
        && query
            .iter()
            .all(|byte| is_plain(byte) || b"?;".contains(byte))
        && !segments().any(|segment| segment == b"." || segment == b"..")
        && memchr::memmem::find(path, b"//").is_none();
    if is_canonical {
        Ok(())
    } else {
        Err("not a plain target")
    }
}

enum Framing {
    Sized(usize),
    Chunked,
}

fn fields<'l>(lines: impl Iterator<Item = &'l [u8]>) -> Result<Framing, &'static str> {
    let (mut hosts, mut lengths, mut codings) = (0, Vec::new(), 0);
    for line in lines {
        let at = line.iter().position(|&byte| byte == b':');
        let (name, value) = line.split_at(at.ok_or("a line without a colon")?);
        if !is_token(name) {
            return Err("not a field name");
        }
        let value = value[1..].trim_ascii();
        match name.to_ascii_lowercase().as_slice() {
            b"host" => hosts += 1,
            b"content-length" => lengths.push(value),
            b"transfer-encoding" if value == b"chunked" => codings += 1,
            b"transfer-encoding" => return Err("a coding other than chunked"),
            b"content_length" | b"transfer_encoding" => return Err("a disguised field"),
            _ => {}
        }
    }
    match (hosts, lengths.as_slice(), codings) {
        (1, [], 0) => Ok(Framing::Sized(0)),
        (1, [], 1) => Ok(Framing::Chunked),
        (1, [length], 0) => {
            let text = std::str::from_utf8(length).map_err(|_| "not a length")?;
            let number: usize = text.parse().map_err(|_| "not a length")?;
            if number.to_string() == text {
                Ok(Framing::Sized(number))
            } else {
                Err("not a length")
            }
        }
        (1, ..) => Err("more than one framing"),
        _ => Err("not one Host"),
    }
}

/// `1*HEXDIG CRLF data CRLF`, no extensions, then `0 CRLF` and trailer lines that have a colon.
fn chunks(bytes: &[u8], mut at: usize) -> Read {
    loop {
        let rest = &bytes[at..];
        let Some(end) = memchr::memmem::find(rest, b"\r\n") else {
            return Read::Partial;
        };
        let size = &rest[..end];
        let text = std::str::from_utf8(size).unwrap_or("?");
        if size.is_empty() || size.len() > 8 || !size.iter().all(u8::is_ascii_hexdigit) {
            return Read::Wrong("not a chunk size");
        }
        let size = usize::from_str_radix(text, 16).expect("hex digits");
        at += end + 2;
        if size == 0 {
            return trailers(bytes, at);
        }
        let Some(after) = bytes.get(at + size..at + size + 2) else {
            return Read::Partial;
        };
        if after != b"\r\n" {
            return Read::Wrong("no line end after a chunk");
        }
        at += size + 2;
    }
}

fn trailers(bytes: &[u8], mut at: usize) -> Read {
    loop {
        let Some(end) = memchr::memmem::find(&bytes[at..], b"\r\n") else {
            return Read::Partial;
        };
        let line = &bytes[at..at + end];
        at += end + 2;
        if line.is_empty() {
            return Read::Whole(at);
        }
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        if name.len() == line.len() || !is_token(name) {
            return Read::Wrong("not a trailer");
        }
    }
}

#[test]
fn the_strict_reading_is_strict() {
    for good in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: y\r\n\r\n",
    ] {
        assert!(
            matches!(message(good.as_bytes()), Read::Whole(n) if n == good.len()),
            "{good:?}"
        );
    }
    for bad in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET /../ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 01\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\nx\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert!(matches!(message(bad.as_bytes()), Read::Wrong(_)), "{bad:?}");
    }
}
