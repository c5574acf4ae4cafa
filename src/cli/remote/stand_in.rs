//! A portal for tests: answers one request a connection, in turn, over plain HTTP on loopback.

use super::Remote;
use parking_lot::Mutex;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// What it says and what it heard.
pub(in crate::cli) struct Portal {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

/// An answer in JSON.
pub(in crate::cli) fn json_of(status: u16, body: &str) -> String {
    answer(status, "content-type: application/json\r\n", body)
}

/// A no.
pub(super) fn problem_of(status: u16, body: &str) -> String {
    answer(
        status,
        "content-type: application/problem+json\r\nretry-after: 7\r\n",
        body,
    )
}

pub(super) fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

impl Portal {
    /// Answers as many requests as there are answers; an empty one closes the connection instead.
    pub(in crate::cli) fn answering<const N: usize>(answers: [String; N]) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&seen);
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((stream, _)) = listener.accept() else {
                    return;
                };
                // A client that went away shows in what was heard.
                let _ = serve(&stream, &answer, &hears);
            }
        });
        Ok(Self { port, seen })
    }

    pub(in crate::cli) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(in crate::cli) fn remote(&self) -> Remote {
        Remote {
            url: Some(self.url()),
            timeout: Duration::from_secs(20),
            ..Remote::default()
        }
    }

    /// The requests, whole.
    pub(in crate::cli) fn seen(&self) -> Vec<String> {
        self.seen.lock().clone()
    }
}

fn serve(mut stream: &TcpStream, answer: &str, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut from = BufReader::new(stream);
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        text.push_str(&line);
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    text.push_str(&String::from_utf8_lossy(&body));
    seen.lock().push(text);
    stream.write_all(answer.as_bytes())
}
