//! Locum as it runs, on loopback, with an app behind it that remembers each request byte for byte.

use crate::support::plan::free_port;
use parking_lot::Mutex;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A debug build on a loaded machine starts within this.
const READY: Duration = Duration::from_secs(30);

const POLICY: &str = r#"
[scopes]
all = ["*"]
[[rows]]
id = "page"
match = "GET /page"
action = "page.read"
effect = "allow"
[[rows]]
id = "act"
match = "POST /act"
action = "page.act"
effect = "allow"
[[rows]]
id = "any"
match = "* /any"
action = "any.do"
effect = "allow"
[[rows]]
id = "live"
match = "GET /live"
action = "live.read"
effect = "allow"
websocket = { mode = "receive-only" }
"#;

/// What the app answers next.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// 200, or 101 to a handshake.
    Usual,
    /// These bytes.
    Raw(&'static str),
}

/// The app.
#[derive(Clone)]
pub(crate) struct App {
    seen: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<Answer>>,
}

/// Everything, running; it ends when dropped.
pub(crate) struct Rig {
    locum: Child,
    pub(crate) address: SocketAddr,
    pub(crate) app: App,
    dir: tempfile::TempDir,
}

/// A session that was started, as the browser that started it knows it.
pub(crate) struct Session {
    /// With its port, as browsers send it.
    pub(crate) host: String,
    /// `__Host-locum=…`
    pub(crate) cookie: String,
}

impl Session {
    pub(crate) fn id(&self) -> &str {
        self.host.split('.').next().unwrap()
    }

    /// A head on this session's origin, with `more` header lines.
    pub(crate) fn request(&self, method: &str, path: &str, more: &str) -> String {
        let close = if more.to_ascii_lowercase().contains("connection:") {
            ""
        } else {
            "Connection: close\r\n"
        };
        let (host, cookie) = (&self.host, &self.cookie);
        format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n{close}{more}\r\n")
    }
}

impl Rig {
    /// `listener`: further lines of `[listeners.apps]`.
    pub(crate) fn start(listener: &str) -> Self {
        let (app, behind) = App::start();
        let dir = tempfile::tempdir().unwrap();
        let (port, ops) = (free_port(), free_port());
        let at = dir.path().display();
        let config = format!(
            r#"suffix = "localhost"
state_dir = "{at}/state"
[listeners.apps]
address = "127.0.0.1:{port}"
plain = true
h2c = true
external_port = {port}
{listener}
[listeners.ops]
address = "127.0.0.1:{ops}"
[[upstreams]]
name = "app"
addresses = ["{behind}"]
[[apps]]
name = "shop"
upstream = "app"
public_url = "https://shop.example"
cache = "pass"
[[apps]]
name = "inline"
upstream = "app"
placement = "inline"
origin = "shared"
public_url = "https://inline.example"
[limits]
idle_timeout = "1s"
[policy]
paths = ["{at}/policy"]
"#
        );
        std::fs::create_dir(dir.path().join("policy")).unwrap();
        std::fs::write(dir.path().join("policy/p.toml"), POLICY).unwrap();
        std::fs::write(dir.path().join("locum.toml"), config).unwrap();
        let log = std::fs::File::create(dir.path().join("locum.log")).unwrap();
        let locum = command(dir.path())
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let rig = Self {
            locum,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            app,
            dir,
        };
        rig.wait(ops);
        rig
    }

    fn wait(&self, ops: u16) {
        let began = Instant::now();
        let ops = SocketAddr::from(([127, 0, 0, 1], ops));
        let ask = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        while began.elapsed() < READY {
            if TcpStream::connect(ops).is_ok()
                && super::client::raw(ops, ask).starts_with("HTTP/1.1 200")
            {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.dir.path().join("locum.log"));
        panic!("Locum is not ready: {log:?}");
    }

    /// A grant for the shop, issued and started.
    pub(crate) fn session(&self) -> Session {
        let issued = command(self.dir.path())
            .args([
                "grant",
                "issue",
                "--app",
                "shop",
                "--operator",
                "ada",
                "--subject",
                "kim",
            ])
            .args([
                "--tenant", "acme", "--scope", "all", "--ticket", "T-1", "--reason", "a test",
            ])
            .arg("--json")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&issued.stdout).into_owned();
        let grant: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|why| {
            panic!("{why}: {said} {}", String::from_utf8_lossy(&issued.stderr))
        });
        let url = grant["start_url"].as_str().unwrap();
        let (host, path) = url
            .strip_prefix("https://")
            .unwrap()
            .split_once('/')
            .unwrap();
        let start = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = super::client::raw(self.address, &start);
        let line = answer
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = line.unwrap_or_else(|| panic!("no cookie: {answer}"));
        Session {
            host: host.to_owned(),
            cookie: cookie.split(';').next().unwrap().to_owned(),
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.locum.kill();
        let _ = self.locum.wait();
    }
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_locum"));
    command.arg("--config").arg(dir.join("locum.toml"));
    command
}

impl App {
    fn start() -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let app = Self {
            seen: Arc::default(),
            answer: Arc::new(Mutex::new(Answer::Usual)),
        };
        let serving = app.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let app = serving.clone();
                std::thread::spawn(move || app.serve(stream));
            }
        });
        (app, address)
    }

    /// What was asked since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock())
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.answer.lock() = answer;
    }

    fn serve(&self, mut stream: TcpStream) {
        let (mut held, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            let Ok(length @ 1..) = stream.read(&mut piece) else {
                // What broke off was asked for too.
                if !held.is_empty() {
                    self.seen
                        .lock()
                        .push(String::from_utf8_lossy(&held).into_owned());
                }
                return;
            };
            held.extend_from_slice(&piece[..length]);
            let text = String::from_utf8_lossy(&held).into_owned();
            if !is_whole(&text) {
                continue;
            }
            held.clear();
            let usual = if text.contains("upgrade: websocket") {
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
            } else {
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            };
            self.seen.lock().push(text);
            let answer = match *self.answer.lock() {
                Answer::Usual => usual,
                Answer::Raw(bytes) => bytes,
            };
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// Whether a request is there to its end.
fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    if head.contains("transfer-encoding: chunked") {
        return body.starts_with("0\r\n")
            || body.contains("\r\n0\r\n") && body.ends_with("\r\n\r\n");
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.trim().parse().unwrap())
}
