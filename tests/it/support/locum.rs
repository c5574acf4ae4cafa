//! The real `locum` binary in a directory of its own, on free ports, with a configuration made for one test.

use super::client::{Answer, Conn, Trust};
pub(crate) use super::plan::{POLICY, Plan, certificates, certs_dev, free_port, tls_lines};
use locum::store::{self, control::Book};
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A debug build on a loaded machine starts, stops and answers within this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running Locum; killed when dropped.
pub(crate) struct Locum {
    child: Child,
    dir: tempfile::TempDir,
    pub(crate) port: u16,
    ops: u16,
    pub(crate) trust: Trust,
}

/// One session in the hands of one client.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) session: String,
    pub(crate) grant: String,
    /// `<session>.shop.localhost:<port>`.
    pub(crate) host: String,
    /// `__Host-locum=…`.
    pub(crate) cookie: String,
}

/// What `grant issue --json` printed.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) session: String,
    pub(crate) grant: String,
    pub(crate) url: url::Url,
}

impl Issued {
    /// Host and port of the start URL.
    pub(crate) fn host(&self) -> String {
        let host = self.url.host_str().expect("a host");
        self.url
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    pub(crate) fn target(&self) -> String {
        let query = self.url.query().unwrap_or_default();
        format!("{}?{query}", self.url.path())
    }
}

impl Agent {
    /// A whole request head, without a body.
    pub(crate) fn get(&self, target: &str) -> String {
        self.request("GET", target, "")
    }

    /// A request head with more fields, each ended with CRLF.
    pub(crate) fn request(&self, method: &str, target: &str, fields: &str) -> String {
        format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n{fields}\r\n",
            self.host, self.cookie
        )
    }

    pub(crate) fn post(&self, target: &str, fields: &str, body: &str) -> String {
        let length = format!("Content-Length: {}\r\n{fields}", body.len());
        self.request("POST", target, &length) + body
    }
}

impl Locum {
    pub(crate) async fn start(plan: &Plan) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (port, ops) = (free_port(), free_port());
        std::fs::create_dir(dir.path().join("policy")).expect("a directory");
        let started = Self {
            child: run(dir.path(), plan, port, ops),
            dir,
            port,
            ops,
            trust: Trust::new(&certificates().join("ca.pem")),
        };
        started.wait().await
    }

    async fn wait(mut self) -> Self {
        let began = Instant::now();
        loop {
            if let Some(answer) = self.try_ops("/readyz").await
                && answer.status == 200
            {
                return self;
            }
            let is_alive = matches!(self.child.try_wait(), Ok(None));
            assert!(is_alive, "Locum stopped:\n{}", self.log());
            assert!(began.elapsed() < PATIENCE, "not ready:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// Ends the process by this signal and starts another in the same directory.
    pub(crate) async fn again(mut self, plan: &Plan, signal: &str) -> Self {
        self.signal(signal);
        self.gone().await;
        self.child = run(self.dir.path(), plan, self.port, self.ops);
        self.wait().await
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes another configuration and policy over the first.
    pub(crate) fn rewrite(&self, plan: &Plan) {
        write(self.dir.path(), plan, self.port, self.ops);
    }

    pub(crate) fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status();
        assert!(done.expect("kill runs").success());
    }

    /// Sends SIGHUP and waits until a reload was counted with `result`.
    pub(crate) async fn reload(&self, result: &str) {
        let name = format!("locum_reloads_total{{result=\"{result}\"}}");
        let before = self.metric(&name).await;
        self.signal("HUP");
        self.until(&name, before + 1.0).await;
    }

    /// Waits until the process is gone.
    pub(crate) async fn gone(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "still here:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What it wrote on standard error.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("locum.log")).unwrap_or_default()
    }

    /// Another process's handle on the store that this Locum serves from.
    pub(crate) fn book(&self) -> Book {
        let settings = store::sqlite::Settings {
            path: self.dir.path().join("state/locum.db"),
            ..store::sqlite::Settings::default()
        };
        Book::open(&settings).expect("the store")
    }

    /// Runs `locum --config … arguments`.
    pub(crate) fn command(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_locum"));
        command
            .arg("--config")
            .arg(self.dir.path().join("locum.toml"));
        command.args(arguments).output().expect("locum runs")
    }

    /// `grant issue` with `more` in place of, or beside, what it says otherwise.
    pub(crate) fn issue(&self, more: &[&str]) -> Issued {
        const USUAL: [(&str, &str); 7] = [
            ("--app", "shop"),
            ("--operator", "ada@support.example"),
            ("--subject", "kim"),
            ("--tenant", "acme"),
            ("--ticket", "SUP-1"),
            ("--reason", "test"),
            ("--scope", "view"),
        ];
        let mut arguments = vec!["--json", "grant", "issue"];
        for (name, value) in USUAL.iter().filter(|(name, _)| !more.contains(name)) {
            arguments.extend([*name, *value]);
        }
        arguments.extend(more);
        let done = self.command(&arguments);
        assert!(done.status.success(), "grant issue: {done:?}");
        let made: Value = serde_json::from_slice(&done.stdout).expect("JSON");
        let text = |key: &str| made[key].as_str().expect("a text").to_owned();
        Issued {
            session: text("session"),
            grant: text("grant"),
            url: text("start_url").parse().expect("a URL"),
        }
    }

    /// Opens the start link; returns what came back.
    pub(crate) async fn redeem(&self, issued: &Issued) -> Answer {
        let host = issued.host();
        let request = format!("GET {} HTTP/1.1\r\nHost: {host}\r\n\r\n", issued.target());
        let mut conn = self.connect(&host).await;
        conn.ask(&request).await
    }

    /// Issues a grant and starts its session.
    pub(crate) async fn agent(&self) -> Agent {
        self.agent_with(&[]).await
    }

    pub(crate) async fn agent_with(&self, more: &[&str]) -> Agent {
        let issued = self.issue(more);
        let answer = self.redeem(&issued).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let cookie = answer.field("set-cookie");
        Agent {
            cookie: cookie.split(';').next().unwrap_or_default().to_owned(),
            host: issued.host(),
            session: issued.session,
            grant: issued.grant,
        }
    }

    /// As [`Locum::agent`] where the app has several origins: follows the start's redirects through them.
    pub(crate) async fn agent_through_origins(&self) -> Agent {
        let issued = self.issue(&[]);
        let mut url = issued.url.clone();
        let mut cookie = String::new();
        while url.path() != "/" {
            let here = Issued {
                url: url.clone(),
                ..issued.clone()
            };
            let answer = self.redeem(&here).await;
            assert_eq!(answer.status, 303, "{answer:?}");
            let set = answer
                .field("set-cookie")
                .split(';')
                .next()
                .unwrap_or_default();
            assert!(cookie.is_empty() || cookie == set, "{answer:?}");
            set.clone_into(&mut cookie);
            url = url.join(answer.field("location")).expect("a URL");
        }
        Agent {
            cookie,
            host: issued.host(),
            session: issued.session,
            grant: issued.grant,
        }
    }

    /// As [`Locum::agent`] on a plain listener; `first` goes before each request's connection.
    pub(crate) async fn plain_agent(&self, first: &str) -> Agent {
        let issued = self.issue(&[]);
        let host = issued.host();
        let mut conn = Conn::plain(self.port).await;
        conn.send(first).await;
        let request = format!("GET {} HTTP/1.1\r\nHost: {host}\r\n\r\n", issued.target());
        let answer = conn.ask(&request).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let cookie = answer
            .field("set-cookie")
            .split(';')
            .next()
            .unwrap_or_default();
        Agent {
            cookie: cookie.to_owned(),
            host,
            session: issued.session,
            grant: issued.grant,
        }
    }

    /// `locum grant revoke`, in a process of its own.
    pub(crate) fn revoke(&self, grant: &str) {
        let done = self.command(&["grant", "revoke", grant]);
        assert!(done.status.success(), "grant revoke: {done:?}");
    }

    /// Revokes, and waits until the serving process knows: it looks every `store.poll_interval`.
    pub(crate) async fn revoked(&self, grant: &str) {
        self.revoke(grant);
        let ended = |one: &Value| one["metadata"]["event_code"] == "session.ended";
        self.record(|one| ended(one) && one["locum"]["grant"] == grant)
            .await;
    }

    /// HTTP/1.1 over TLS with `host` as SNI.
    pub(crate) async fn connect(&self, host: &str) -> Conn {
        self.trust.http1(self.port, host).await
    }

    /// One request of the agent's on a connection of its own.
    pub(crate) async fn ask(&self, agent: &Agent, request: &str) -> Answer {
        self.connect(&agent.host).await.ask(request).await
    }

    pub(crate) async fn get(&self, agent: &Agent, target: &str) -> Answer {
        self.ask(agent, &agent.get(target)).await
    }

    /// HTTP/2 over TLS.
    pub(crate) async fn http2(&self, host: &str) -> super::http2::Client {
        self.trust.http2(self.port, host).await
    }

    async fn try_ops(&self, path: &str) -> Option<Answer> {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.ops)).await;
        let mut conn = Conn::new(stream.ok()?);
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        Some(conn.ask(&request).await)
    }

    pub(crate) async fn ops(&self, path: &str) -> Answer {
        self.try_ops(path).await.expect("the ops listener")
    }

    /// One sample of the exposition; 0 where there is none.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = self.ops("/metrics").await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0.0, |rest| rest.trim().parse().expect("a number"))
    }

    /// How often a limit was met.
    pub(crate) async fn hits(&self, limit: &str) -> f64 {
        let name = format!("locum_limit_hits_total{{limit=\"{limit}\"}}");
        self.metric(&name).await
    }

    /// Waits until a metric is at least `value`.
    pub(crate) async fn until(&self, name: &str, value: f64) {
        let began = Instant::now();
        while self.metric(name).await < value {
            assert!(
                began.elapsed() < PATIENCE,
                "{name} stays below {value}:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// All records of the journal so far, in order.
    pub(crate) fn records(&self) -> Vec<Value> {
        records(&self.dir.path().join("state/journal"))
    }

    /// Waits for a record that `wanted` holds for.
    pub(crate) async fn record(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            if let Some(found) = self.records().into_iter().find(&wanted) {
                return found;
            }
            let all: Vec<String> = self.records().iter().map(Value::to_string).collect();
            assert!(
                began.elapsed() < PATIENCE,
                "no such record:\n{}",
                all.join("\n")
            );
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }
}

/// Reads every whole line of every segment under `dir`.
pub(crate) fn records(dir: &Path) -> Vec<Value> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "jsonl"))
        .collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        all.extend(
            whole
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok()),
        );
    }
    all
}

fn write(dir: &Path, plan: &Plan, port: u16, ops: u16) {
    std::fs::write(dir.join("locum.toml"), plan.text(dir, port, ops)).expect("the configuration");
    std::fs::write(dir.join("policy/rows.toml"), &plan.policy).expect("the policy");
}

fn run(dir: &Path, plan: &Plan, port: u16, ops: u16) -> Child {
    write(dir, plan, port, ops);
    let log = File::create(dir.join("locum.log")).expect("a log file");
    Command::new(env!("CARGO_BIN_EXE_locum"))
        .arg("--config")
        .arg(dir.join("locum.toml"))
        .arg("run")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("locum starts")
}

impl Drop for Locum {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- Locum's log\n{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
