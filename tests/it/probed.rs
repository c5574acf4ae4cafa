//! The real `locum` on a plain listener before an app that records every byte, and one live session: for the
//! modules that send raw requests.

use crate::recorder::Recorder;
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(30);

/// Everything that the built-in pack does not deny.
const POLICY: &str = r#"
[scopes]
view = ["page"]

[[rows]]
id = "page"
match = "* /{*rest}"
action = "page"
effect = "allow"

[[rows]]
id = "socket"
match = "GET /ws"
action = "page"
effect = "allow"
websocket = { mode = "allow" }
"#;

/// A running Locum and its app; both end when dropped.
pub(crate) struct Probed {
    child: Child,
    dir: tempfile::TempDir,
    pub(crate) app: Recorder,
    /// `127.0.0.1:port`: HTTP/1.1, and HTTP/2 by prior knowledge.
    pub(crate) address: String,
    ops: u16,
    /// The session's own `Host`.
    pub(crate) host: String,
    /// The session's `Cookie` line, with its CRLF.
    pub(crate) cookie: String,
}

impl Drop for Probed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn configure(dir: &Path, port: u16, ops: u16, app: &str, limits: &str) {
    let place = dir.display();
    let text = format!(
        "suffix = \"localhost\"\nstate_dir = \"{place}/state\"\nworkers = 1\n\
         [listeners.apps]\naddress = \"127.0.0.1:{port}\"\nplain = true\nh2c = true\n\
         external_scheme = \"http\"\nexternal_port = {port}\n\
         [listeners.ops]\naddress = \"127.0.0.1:{ops}\"\n\
         [limits]\n{limits}\n\
         [[upstreams]]\nname = \"app\"\naddresses = [\"{app}\"]\nidentity = {{ mode = \"none\" }}\n\
         [[apps]]\nname = \"shop\"\nupstream = \"app\"\n\
         [policy]\npaths = [\"{place}/policy\"]\n"
    );
    std::fs::create_dir(dir.join("policy")).expect("a directory");
    std::fs::write(dir.join("policy/all.toml"), POLICY).expect("a file");
    std::fs::write(dir.join("locum.toml"), text).expect("a file");
}

fn locum(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_locum"));
    command.arg("--config").arg(dir.join("locum.toml"));
    command
}

/// Sends `raw` and reads to the end, with `Connection: close` in it.
async fn exchange(address: &str, raw: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(raw.as_bytes()).await?;
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await??;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

impl Probed {
    /// `limits`: lines of the configuration's `[limits]`.
    pub(crate) async fn start(limits: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let app = Recorder::start().await;
        let (port, ops) = (free_port(), free_port());
        configure(dir.path(), port, ops, &app.address, limits);
        let log = std::fs::File::create(dir.path().join("log")).expect("a file");
        let child = locum(dir.path())
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("locum runs");
        let mut probed = Self {
            child,
            dir,
            app,
            address: format!("127.0.0.1:{port}"),
            ops,
            host: String::new(),
            cookie: String::new(),
        };
        probed.wait().await;
        probed.begin().await;
        probed
    }

    async fn wait(&mut self) {
        let began = Instant::now();
        while !self.ops("/readyz").await.starts_with("HTTP/1.1 200") {
            let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(
                matches!(self.child.try_wait(), Ok(None)),
                "Locum ended: {log}"
            );
            assert!(began.elapsed() < PATIENCE, "Locum is not ready: {log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the ops listener answers; empty if it does not yet.
    pub(crate) async fn ops(&self, path: &str) -> String {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = exchange(&format!("127.0.0.1:{}", self.ops), &request).await;
        answer.unwrap_or_default()
    }

    /// Issues a grant and opens its start link.
    async fn begin(&mut self) {
        let mut issue = locum(self.dir.path());
        issue.args("--json grant issue --app shop --operator ada --subject kim".split(' '));
        issue.args("--tenant acme --ticket SUP-1 --reason test --scope view".split(' '));
        let done = issue.output().expect("locum runs");
        assert!(done.status.success(), "{done:?}");
        let made: Value = serde_json::from_slice(&done.stdout).expect("JSON");
        let url: url::Url = made["start_url"]
            .as_str()
            .and_then(|url| url.parse().ok())
            .expect("a URL");
        self.host = url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        let target = &url[url::Position::BeforePath..];
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.host
        );
        let answer = exchange(&self.address, &request).await.expect("an answer");
        let cookie = answer
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "))
            .and_then(|line| line.split(';').next())
            .unwrap_or_else(|| panic!("no cookie: {answer}"));
        self.cookie = format!("Cookie: {cookie}\r\n");
    }

    /// The whole records of the journal so far.
    pub(crate) fn records(&self) -> Vec<Value> {
        let dir = self.dir.path().join("state/journal");
        let mut files: Vec<_> = std::fs::read_dir(dir)
            .expect("a journal")
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ext| ext == "jsonl"))
            .collect();
        files.sort();
        let text: String = files
            .iter()
            .map(|file| std::fs::read_to_string(file).expect("a segment"))
            .collect();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The records of one exchange.
    pub(crate) fn records_of(&self, exchange: &str) -> Vec<Value> {
        let mut all = self.records();
        all.retain(|record| record["metadata"]["correlation_uid"] == exchange);
        all
    }

    /// Sends `raw` as it is; the status, head and body of the first answer.
    pub(crate) async fn ask(&self, raw: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.address)
            .await
            .expect("Locum listens");
        stream.write_all(raw).await.expect("Locum reads");
        Answer::read(&mut stream).await
    }
}

/// An answer with a length.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        loop {
            if let Some(answer) = Self::parse(&bytes) {
                return answer;
            }
            let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut bytes)).await;
            let read = read.expect("an answer in time").expect("an answer");
            assert!(read > 0, "cut off: {:?}", String::from_utf8_lossy(&bytes));
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let head = head.to_ascii_lowercase();
        let status = head.get(9..12)?.parse().ok()?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(Some(0), |length| length.parse().ok())?;
        (body.len() >= length).then(|| Self {
            status,
            head: head.clone(),
            body: body.to_owned(),
        })
    }

    /// The exchange that a problem document names.
    pub(crate) fn exchange(&self) -> String {
        exchange_of(self.body.as_bytes())
    }
}

/// The exchange that a problem document names.
pub(crate) fn exchange_of(body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).expect("a problem document");
    problem["exchange"]
        .as_str()
        .expect("an exchange")
        .to_owned()
}
