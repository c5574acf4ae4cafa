//! A small app under a test's control: it keeps every byte that it saw, and answers what the test says.

use super::client::Io;
use super::locum::PATIENCE;
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;

/// One request as it arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// Request line and fields, with the empty line.
    pub(crate) head: String,
    /// The body as it was framed.
    pub(crate) body: Vec<u8>,
    /// Which connection it came on, from 0.
    pub(crate) connection: usize,
}

impl Heard {
    pub(crate) fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// All values of a field, with `|` between them; empty if there is none.
    pub(crate) fn field(&self, name: &str) -> String {
        let values = self.head.lines().filter_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        values.collect::<Vec<_>>().join("|")
    }
}

/// The app's end of one connection.
pub(crate) struct Wire {
    stream: Pin<Box<dyn Io>>,
    held: Vec<u8>,
    /// Set by an answer after which the connection is to be closed.
    pub(crate) is_over: bool,
}

impl Wire {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = self.stream.write_all(bytes.as_ref()).await;
        if sent.is_err() || self.stream.flush().await.is_err() {
            self.is_over = true;
        }
    }

    /// A 200 with this body and more fields, each ended with CRLF.
    pub(crate) async fn ok(&mut self, fields: &str, body: &str) {
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{fields}\r\n");
        self.send(head + body).await;
    }

    /// Reads more; `false` at the end.
    pub(crate) async fn more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.held).await, Ok(1..))
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Reads up to and with `end`; `None` if the stream ends before.
    pub(crate) async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.held, end) {
                let rest = self.held.split_off(at + end.len());
                return Some(std::mem::replace(&mut self.held, rest));
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Waits until the other side closes.
    pub(crate) async fn closed(&mut self) {
        while self.more().await {}
        self.is_over = true;
    }

    async fn body(&mut self, heard: &Heard) -> Option<Vec<u8>> {
        if heard.field("transfer-encoding") == "chunked" {
            if let Some(start) = self.held.get(..5)
                && start == b"0\r\n\r\n"
            {
                return self.until(b"0\r\n\r\n").await;
            }
            let mut all = self.until(b"\r\n0\r\n").await?;
            loop {
                let line = self.until(b"\r\n").await?;
                all.extend_from_slice(&line);
                if line == b"\r\n" {
                    return Some(all);
                }
            }
        }
        let length: usize = heard.field("content-length").parse().unwrap_or(0);
        while self.held.len() < length {
            if !self.more().await {
                return None;
            }
        }
        let rest = self.held.split_off(length);
        Some(std::mem::replace(&mut self.held, rest))
    }
}

/// What a handler returns.
pub(crate) type Answering<'w> = Pin<Box<dyn Future<Output = ()> + Send + 'w>>;

/// A running app; it ends when dropped.
pub(crate) struct Upstream {
    /// As the configuration names it.
    pub(crate) address: String,
    log: Arc<Mutex<Vec<Heard>>>,
    task: JoinHandle<()>,
    _dir: Option<tempfile::TempDir>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A target that begins so is answered before its body is read; the handler reads it itself.
pub(crate) const UNREAD: &str = "/unread";

async fn converse<H>(
    stream: Pin<Box<dyn Io>>,
    number: usize,
    log: Arc<Mutex<Vec<Heard>>>,
    handler: H,
) where
    H: for<'w> Fn(Heard, &'w mut Wire) -> Answering<'w> + Send + Sync + 'static,
{
    let mut wire = Wire {
        stream,
        held: Vec::new(),
        is_over: false,
    };
    while !wire.is_over {
        let Some(head) = wire.until(b"\r\n\r\n").await else {
            return;
        };
        let mut heard = Heard {
            head: String::from_utf8_lossy(&head).into_owned(),
            connection: number,
            ..Heard::default()
        };
        if !heard.target().starts_with(UNREAD) {
            let Some(body) = wire.body(&heard).await else {
                return;
            };
            heard.body = body;
        }
        log.lock().push(heard.clone());
        handler(heard, &mut wire).await;
    }
}

impl Upstream {
    /// Answers 200 `seen` to everything.
    pub(crate) async fn plain() -> Self {
        Self::start(|_, wire| Box::pin(wire.ok("", "seen"))).await
    }

    pub(crate) async fn start<H>(handler: H) -> Self
    where
        H: for<'w> Fn(Heard, &'w mut Wire) -> Answering<'w> + Clone + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let log = Arc::<Mutex<Vec<Heard>>>::default();
        let kept = Arc::clone(&log);
        let task = tokio::spawn(async move {
            let mut number = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let (log, handler) = (Arc::clone(&kept), handler.clone());
                tokio::spawn(converse(Box::pin(stream), number, log, handler));
                number += 1;
            }
        });
        Self {
            address,
            log,
            task,
            _dir: None,
        }
    }

    /// The same on a Unix socket.
    pub(crate) fn unix<H>(handler: H) -> Self
    where
        H: for<'w> Fn(Heard, &'w mut Wire) -> Answering<'w> + Clone + Send + Sync + 'static,
    {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("app.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let log = Arc::<Mutex<Vec<Heard>>>::default();
        let kept = Arc::clone(&log);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, handler) = (Arc::clone(&kept), handler.clone());
                tokio::spawn(converse(Box::pin(stream), 0, log, handler));
            }
        });
        Self {
            address: format!("unix:{}", path.display()),
            log,
            task,
            _dir: Some(dir),
        }
    }

    /// The same over TLS, with the development certificate.
    pub(crate) async fn tls<H>(handler: H) -> Self
    where
        H: for<'w> Fn(Heard, &'w mut Wire) -> Answering<'w> + Clone + Send + Sync + 'static,
    {
        let acceptor = super::authority::acceptor(&["http/1.1"]);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let log = Arc::<Mutex<Vec<Heard>>>::default();
        let kept = Arc::clone(&log);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, handler) = (Arc::clone(&kept), handler.clone());
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        converse(Box::pin(stream), 0, log, handler).await;
                    }
                });
            }
        });
        Self {
            address: format!("https://{address}"),
            log,
            task,
            _dir: None,
        }
    }

    /// Everything that arrived so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.log.lock().clone()
    }

    /// What arrived last.
    pub(crate) fn last(&self) -> Heard {
        self.heard().pop().expect("a request")
    }

    /// How many requests with this target arrived.
    pub(crate) fn saw(&self, target: &str) -> usize {
        let heard = self.heard();
        heard.iter().filter(|one| one.target() == target).count()
    }

    /// Waits until `n` requests have arrived.
    pub(crate) async fn until(&self, n: usize) {
        let began = std::time::Instant::now();
        while self.heard().len() < n {
            assert!(began.elapsed() < PATIENCE, "{:?}", self.heard());
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}
