//! Receivers under a test's control: what each says to whoever connects, and what it got.

use super::settings::Settings;
use super::{Alerts, Counts};
use crate::config::Config;
use crate::model::{
    Alert, AlertId, AlertState, Caller, Clock, Method, OperatorKind, Proof, Timestamp,
};
use crate::store::control::Book;
use crate::store::sqlite;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What a receiver does with a request.
#[derive(Clone, Copy, Debug)]
pub(in crate::control) enum Does {
    /// Answers these bytes and closes.
    Says(&'static str),
    /// Reads, and never answers.
    Hangs,
    /// Closes without an answer.
    Closes,
}

/// A receiver, what it does now, and the requests that it got, whole.
#[derive(Clone)]
pub(in crate::control) struct Fake {
    pub(in crate::control) address: SocketAddr,
    does: Arc<Mutex<Does>>,
    got: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    pub(in crate::control) async fn new(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let fake = Self {
            address: listener.local_addr().expect("its address"),
            does: Arc::new(Mutex::new(does)),
            got: Arc::default(),
        };
        let serving = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        fake
    }

    pub(in crate::control) fn now_does(&self, does: Does) {
        *self.does.lock() = does;
    }

    pub(in crate::control) fn got(&self) -> Vec<String> {
        self.got.lock().clone()
    }

    pub(in crate::control) fn url(&self) -> String {
        format!("http://{}/in", self.address)
    }

    async fn serve(self, mut stream: TcpStream) {
        let Some(request) = request(&mut stream).await else {
            return;
        };
        self.got.lock().push(request);
        let does = *self.does.lock();
        match does {
            Does::Says(answer) => {
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
            Does::Hangs => std::future::pending().await,
            Does::Closes => {}
        }
    }
}

/// One request, head and body.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        head.push_str(&line);
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.ok()?;
    Some(head + &String::from_utf8(body).ok()?)
}

/// A mail server that says 220, 250 to each command and these to the last two: `DATA`, and the message.
pub(in crate::control) async fn mail_server(to_data: &'static str, to_message: Does) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(mail_session(stream, to_data, to_message));
        }
    });
    address
}

async fn mail_session(
    mut stream: TcpStream,
    to_data: &'static str,
    to_message: Does,
) -> Option<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 test\r\n").await.ok()?;
    loop {
        let line = lines.next_line().await.ok()??;
        if line != "DATA" {
            let answer = if line.starts_with("EHLO") {
                "250-test\r\n250 8BITMIME\r\n"
            } else {
                "250 ok\r\n"
            };
            write.write_all(answer.as_bytes()).await.ok()?;
            continue;
        }
        write.write_all(to_data.as_bytes()).await.ok()?;
        if !to_data.starts_with('3') {
            continue;
        }
        while lines.next_line().await.ok()?? != "." {}
        match to_message {
            Does::Says(answer) => write.write_all(answer.as_bytes()).await.ok()?,
            Does::Hangs => std::future::pending().await,
            Does::Closes => return None,
        }
    }
}

/// Files, a store and a clock for one test.
pub(in crate::control) struct Bench {
    dir: tempfile::TempDir,
    pub(in crate::control) book: Book,
    pub(in crate::control) clock: Clock,
}

pub(in crate::control) const NOW: i64 = 1_800_000_000_000;

impl Bench {
    pub(in crate::control) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let settings = sqlite::Settings {
            path: dir.path().join("locum.db"),
            ..sqlite::Settings::default()
        };
        Self {
            book: Book::open(&settings).expect("a store"),
            clock: Clock::Fixed(Arc::new(NOW.into())),
            dir,
        }
    }

    pub(in crate::control) fn database(&self) -> PathBuf {
        self.dir.path().join("locum.db")
    }

    /// Moves the clock.
    pub(in crate::control) fn pass(&self, seconds: i64) {
        if let Clock::Fixed(millis) = &self.clock {
            millis.fetch_add(seconds * 1000, std::sync::atomic::Ordering::Relaxed);
        }
    }

    pub(in crate::control) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The smallest configuration with a portal and `more` keys.
    pub(in crate::control) fn config(&self, more: &str) -> Config {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let smallest = std::fs::read_to_string(root.join("tests/data/smallest.toml"));
        let portal = "\n[listeners.portal]\nenabled = true\nplain = true\n";
        let text = smallest.expect("the smallest configuration") + portal + more;
        let path = self.file("locum.toml", &text);
        Config::load_without_files(&path, []).unwrap_or_else(|why| panic!("{why}"))
    }

    pub(in crate::control) fn settings(&self, more: &str) -> Settings {
        Settings::from_config(&self.config(more)).unwrap_or_else(|why| panic!("{why}"))
    }

    pub(in crate::control) fn alerts(&self, more: &str) -> Alerts {
        let (book, clock) = (self.book.clone(), self.clock.clone());
        Alerts::new(book, clock, self.settings(more), Counts::default())
    }

    /// Puts an alert into the store.
    pub(in crate::control) fn store(&self, alert: &Alert) {
        let mut alert = alert.clone();
        let put = self
            .book
            .write("storing an alert", |tx| tx.insert(&mut alert));
        put.expect("stored");
    }

    /// The alert as it is stored now.
    pub(in crate::control) fn stored(&self, id: AlertId) -> Alert {
        let found = self
            .book
            .write("reading an alert", |tx| tx.find::<Alert>(&id.to_string()));
        found.expect("read").expect("it is there")
    }

    /// Every happening's code with one of its details, oldest first.
    pub(in crate::control) fn happened(&self, detail: &str) -> Vec<(String, String)> {
        let all = self.book.unrecorded(1_000).expect("read");
        let told = all.into_iter().map(|noted| {
            let found = noted.happened.details.into_iter();
            let found = found.filter(|(name, _)| name == detail).map(|(_, it)| it);
            (noted.happened.code, found.collect::<Vec<_>>().join(" "))
        });
        told.collect()
    }
}

/// Somebody of security, who tests channels.
pub(in crate::control) fn tess() -> Caller {
    Caller {
        person: "tess@support.example".to_owned(),
        account: "https://id.example|tess".to_owned(),
        name: None,
        kind: OperatorKind::Human,
        groups: Vec::new(),
        seats: Vec::new(),
        proof: Proof {
            method: Method::Oidc,
            at: Timestamp::from_millis(NOW),
            acr: None,
            amr: Vec::new(),
        },
    }
}

pub(in crate::control) fn alert(kind: &str) -> Alert {
    let now = Timestamp::from_millis(NOW);
    Alert {
        id: AlertId::fresh(),
        kind: kind.to_owned(),
        severity: "critical".to_owned(),
        summary: "Ada Byron breaks the glass in Acme (shop) as kim@acme.example: INC-7".to_owned(),
        app: "shop".to_owned(),
        tenant: "acme".to_owned(),
        operator: "ada@support.example".to_owned(),
        details: vec![("incident".to_owned(), "INC-7".to_owned())],
        at: now,
        state: AlertState::Waiting,
        taken_by: Vec::new(),
        attempts: 0,
        next_at: now,
        version: 0,
    }
}

/// Waits until `done`, for at most ten seconds.
pub(in crate::control) async fn until(what: &str, done: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if done() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}
