//! A real Locum in front of an app that counts, with one session in it.

use super::shim::Shim;
use crate::support::plan::free_port;
use parking_lot::Mutex;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A debug build on a loaded machine starts, ends and recovers within this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes that the app sends for `/big`.
pub(crate) const BIG: usize = 256 << 20;

/// Answers 200 to everything, and counts what reached it.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    pub(crate) reached: Arc<AtomicUsize>,
    /// The target of each request, in the order they came.
    pub(crate) targets: Arc<Mutex<Vec<String>>>,
    /// How long it works on a request. Milliseconds.
    pub(crate) delay: Arc<AtomicU64>,
}

impl App {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let app = Self {
            address: listener.local_addr().expect("an address"),
            reached: Arc::default(),
            targets: Arc::default(),
            delay: Arc::default(),
        };
        let (reached, delay) = (Arc::clone(&app.reached), Arc::clone(&app.delay));
        let targets = Arc::clone(&app.targets);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (reached, delay) = (Arc::clone(&reached), Arc::clone(&delay));
                let targets = Arc::clone(&targets);
                thread::spawn(move || serve(&stream, &reached, &targets, &delay));
            }
        });
        app
    }

    pub(crate) fn reached(&self) -> usize {
        self.reached.load(Ordering::SeqCst)
    }
}

fn serve(
    stream: &TcpStream,
    reached: &AtomicUsize,
    targets: &Mutex<Vec<String>>,
    delay: &AtomicU64,
) {
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(first)) = lines.next() {
        reached.fetch_add(1, Ordering::SeqCst);
        let target = first.split(' ').nth(1).unwrap_or_default();
        targets.lock().push(target.to_owned());
        while lines
            .next()
            .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
        {}
        thread::sleep(Duration::from_millis(delay.load(Ordering::SeqCst)));
        let answer =
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
        let mut stream = stream;
        if first.contains(" /big ") {
            return big(stream);
        }
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn big(mut stream: &TcpStream) {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {BIG}\r\n\r\n");
    let piece = vec![b'.'; 64 << 10];
    if stream.write_all(head.as_bytes()).is_ok() {
        // Whoever reads slowly makes this wait; whoever leaves ends it.
        let _ = (0..BIG / piece.len()).try_for_each(|_| stream.write_all(&piece));
    }
}

/// An answer, as far as these tests look.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// A Locum and its directory. Ended, by force, when dropped.
pub(crate) struct Rig {
    pub(crate) app: App,
    pub(crate) port: u16,
    pub(crate) ops: u16,
    dir: tempfile::TempDir,
    child: Option<Child>,
    cookie: String,
    /// Runs Locum as this user, so that file permissions mean something to it.
    pub(crate) user: Option<u32>,
    /// What its writes, syncs and clock go through.
    pub(crate) shim: Option<Shim>,
}

impl Rig {
    /// Sets up the directory; nothing runs yet. `extra` is added to the configuration.
    pub(crate) fn new(extra: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let app = App::start();
        let (port, ops) = (free_port(), free_port());
        let at = dir.path().display();
        let config = format!(
            "state_dir = '{at}/var'\nworkers = 2\n\
             listeners.apps = {{ address = '127.0.0.1:{port}', plain = true, external_scheme = 'http', external_port = {port} }}\n\
             listeners.ops.address = '127.0.0.1:{ops}'\nlisteners.portal.enabled = false\n\
             policy.paths = ['{at}/policy.toml']\nlog.level = 'warn'\n{extra}\n\
             [[upstreams]]\nname = 'app'\naddresses = ['{}']\n\
             [[apps]]\nname = 'shop'\nupstream = 'app'\norigin = 'shared'\npublic_url = 'http://127.0.0.1:{port}'\n",
            app.address
        );
        let policy = "scopes.view = ['*']\n[[rows]]\nid = 'all'\nmatch = 'GET /{*rest}'\naction = 'all.read'\neffect = 'allow'\n";
        std::fs::write(dir.path().join("locum.toml"), config).expect("a file");
        std::fs::write(dir.path().join("policy.toml"), policy).expect("a file");
        Self {
            app,
            port,
            ops,
            dir,
            child: None,
            cookie: String::new(),
            user: None,
            shim: None,
        }
    }

    /// The same, running, with a session.
    pub(crate) fn running(extra: &str) -> Self {
        let mut rig = Self::new(extra);
        rig.start();
        rig.enter();
        rig
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.dir.path().join("var/journal")
    }

    pub(crate) fn pid(&self) -> String {
        self.child
            .as_ref()
            .map_or_else(String::new, |child| child.id().to_string())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        use std::os::unix::process::CommandExt as _;
        let mut command = Command::new(env!("CARGO_BIN_EXE_locum"));
        command
            .arg("--config")
            .arg(self.dir.path().join("locum.toml"));
        command
            .args(arguments)
            .stdin(Stdio::null())
            .current_dir(self.dir.path());
        if let Some(user) = self.user {
            command.uid(user);
        }
        command
    }

    /// Runs `locum …` to its end.
    pub(crate) fn locum(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("locum runs")
    }

    /// Starts `locum run`, and waits until it is ready.
    pub(crate) fn start(&mut self) {
        self.begin();
        let ready = wait(|| {
            assert!(self.is_alive(), "locum ended: {}", self.log());
            self.ready().is_some_and(|answer| answer.status == 200)
        });
        assert!(
            ready,
            "locum is not ready: {:?} {}",
            self.ready(),
            self.log()
        );
    }

    /// Starts `locum run`, and waits for nothing.
    pub(crate) fn begin(&mut self) {
        let log =
            std::fs::File::create(self.dir.path().join("locum.log")).expect("a file for the log");
        let mut command = self.command(&["run"]);
        if let Some(shim) = &self.shim {
            shim.preload(&mut command);
        }
        let child = command.stdout(Stdio::null()).stderr(log).spawn();
        self.child = Some(child.expect("locum starts"));
    }

    /// One more `locum run`, which the rig does not look after.
    pub(super) fn spawn(&self) -> Child {
        let mut command = self.command(&["run"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        child.expect("locum starts")
    }

    /// A line of `/proc/PID/status`, such as `VmRSS`. KiB.
    pub(crate) fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("it runs");
        let found = status.lines().find_map(|it| it.strip_prefix(line));
        let number = found.and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
        number.unwrap_or_else(|| panic!("no {line} in {status}"))
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.as_mut().map(Child::try_wait), Some(Ok(None)))
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("locum.log")).unwrap_or_default()
    }

    /// What the readiness check says.
    pub(crate) fn ready(&self) -> Option<Answer> {
        ask(self.ops, "/readyz", "")
    }

    /// One sample of the exposition.
    pub(crate) fn metric(&self, name: &str) -> Option<u64> {
        let answer = ask(self.ops, "/metrics", "")?;
        let line = answer.text.lines().find_map(|it| it.strip_prefix(name))?;
        line.trim().parse().ok()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours to kill");
            child.wait().expect("it ends");
        }
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn stop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.pid()]).status();
        assert!(wait(|| !self.is_alive()), "it does not stop on SIGTERM");
        self.child = None;
    }

    /// Issues a grant and redeems its code.
    pub(crate) fn enter(&mut self) {
        let (id, code) = self.issue();
        let target = format!("/.locum/start?session={id}&code={code}");
        let answer = self.get(&target).expect("an answer");
        let cookie = answer.text.split("__Host-locum=").nth(1);
        let cookie = cookie.and_then(|rest| rest.split(';').next());
        self.cookie = format!(
            "__Host-locum={}",
            cookie.unwrap_or_else(|| panic!("{answer:?}"))
        );
    }

    /// Issues a grant; returns its session and start code.
    pub(crate) fn issue(&self) -> (String, String) {
        let output = self.locum(&[
            "--json",
            "grant",
            "issue",
            "--operator",
            "ada@support.example",
            "--subject",
            "kim@acme.example",
            "--tenant",
            "acme",
            "--scope",
            "view",
            "--ticket",
            "SUP-1",
            "--reason",
            "Faults",
        ]);
        let made: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let url = made["start_url"].as_str().expect("a start URL").to_owned();
        let code = url.split("code=").nth(1).expect("a code").to_owned();
        (made["session"].as_str().expect("an id").to_owned(), code)
    }

    /// The head of a request within the session.
    pub(crate) fn request(&self, target: &str) -> String {
        format!(
            "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nCookie: {}\r\n",
            self.port, self.cookie
        )
    }

    /// One request within the session, on a connection of its own. `None`: no whole answer came.
    pub(crate) fn get(&self, target: &str) -> Option<Answer> {
        let cookie = if self.cookie.is_empty() {
            String::new()
        } else {
            format!("Cookie: {}\r\n", self.cookie)
        };
        ask(self.port, target, &cookie)
    }

    /// `locum audit verify --json` of the journal: the exit code, and what it printed.
    pub(crate) fn verify(&self) -> (i32, serde_json::Value) {
        let journal = self.journal();
        let output = self.locum(&["--json", "audit", "verify", &journal.display().to_string()]);
        let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code().unwrap_or(-1), report)
    }

    /// Fails the test unless the journal verifies.
    pub(crate) fn verified(&self) -> serde_json::Value {
        let (code, report) = self.verify();
        assert_eq!(code, 0, "{report:#}");
        report
    }

    /// The journal's segments, first to last.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.journal()).expect("a journal");
        let mut all: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        all.retain(|path| path.extension().is_some_and(|ext| ext == "jsonl"));
        all.sort();
        all
    }

    /// Every whole record whose line contains `text`, in order.
    pub(crate) fn lines_with(&self, text: &str) -> Vec<serde_json::Value> {
        let mut found = Vec::new();
        for segment in self.segments() {
            let all = std::fs::read_to_string(segment).expect("a segment is text");
            let whole = all
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n') && line.contains(text));
            let parse = |line| serde_json::from_str(line).expect("a record is JSON");
            found.extend(whole.map(parse));
        }
        found
    }

    /// The records of one kind.
    pub(crate) fn records(&self, kind: &str) -> Vec<serde_json::Value> {
        let mut found = self.lines_with(kind);
        found.retain(|it| it["metadata"]["event_code"] == kind);
        found
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether it became so in time.
pub(crate) fn wait(mut so: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if so() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

/// One GET on a connection of its own.
pub(crate) fn ask(port: u16, target: &str, fields: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{fields}Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let status = text.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, text })
}
