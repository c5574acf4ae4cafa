//! A real Locum with its portal on and demo personas that sign in, driven over plain HTTP on loopback.

use crate::support::plan::free_port;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A debug build on a loaded machine starts and answers within this.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everybody that tests sign in as: id, groups.
const PEOPLE: [(&str, &str); 7] = [
    ("ada", "support"),
    ("bo", "leads"),
    ("cy", "leads"),
    ("sam", "security"),
    ("max", "security"),
    ("oz", "oncall"),
    ("una", "audit"),
];

const ROLES: [(&str, &str); 5] = [
    ("support", "operator"),
    ("leads", "approver"),
    ("security", "security"),
    ("oncall", "break-glass"),
    ("audit", "auditor"),
];

/// Two people agree to everything, whatever the hour; an emergency waits for nobody.
const ACCESS: &str = r#"
@id("two")
@approvals("2")
@max_time("1h")
permit (principal, action == Action::"request", resource);
@id("glass")
@approvals("0")
@max_time("15m")
permit (principal, action == Action::"break-glass", resource);
"#;

const POLICY: &str = "[scopes]\nview = { actions = [\"*\"], sentence = \"See everything\" }\n\
    [[rows]]\nid = 'socket'\nmatch = 'GET /ws'\naction = 'all.live'\neffect = 'allow'\nwebsocket = { mode = 'allow' }\n\
    [[rows]]\nid = 'all'\nmatch = 'GET /{*rest}'\naction = 'all.read'\neffect = 'allow'\n";

/// A Locum and its folder; killed when dropped.
pub(super) struct Desk {
    dir: tempfile::TempDir,
    pub(super) portal: u16,
    /// Where the app would be; nothing listens there at first.
    pub(super) app: u16,
    child: Option<Child>,
}

impl Desk {
    /// Makes the folder; nothing runs yet. `extra` is added to the configuration.
    pub(super) fn new(extra: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let at = dir.path().display();
        let (apps, ops, portal, app) = (free_port(), free_port(), free_port(), free_port());
        let mut config = format!(
            "state_dir = '{at}/var'\nworkers = 1\nlog.level = 'warn'\n{extra}\n\
             policy.paths = ['{at}/policy.toml']\naccess.policy = ['{at}/access.cedar']\n\
             access.max_sessions = 1000\naccess.max_open_requests = 1000\nidentity.demo = true\n\
             api = {{ person_rate = 100_000, person_burst = 10_000, address_rate = 100_000, address_burst = 10_000 }}\n\
             identity.max_sign_ins = 10_000\n\
             listeners.apps = {{ address = '127.0.0.1:{apps}', plain = true, external_scheme = 'http', external_port = {apps} }}\n\
             listeners.ops.address = '127.0.0.1:{ops}'\n\
             listeners.portal = {{ enabled = true, address = '127.0.0.1:{portal}', plain = true, public_url = 'http://localhost:{portal}' }}\n\
             [[upstreams]]\nname = 'app'\naddresses = ['127.0.0.1:{app}']\n\
             [[apps]]\nname = 'shop'\nupstream = 'app'\n\
             [[tenants]]\nid = 'acme'\nname = 'Acme'\n"
        );
        for (id, group) in PEOPLE {
            let _ = writeln!(
                config,
                "[[personas]]\nid = '{id}'\nname = '{id}'\nperson = '{id}@support.example'\ngroups = ['{group}']"
            );
        }
        for (group, role) in ROLES {
            let _ = writeln!(
                config,
                "[[roles]]\ngroup = '{group}'\nrole = '{role}'\ntenants = ['*']\napps = ['*']"
            );
        }
        for (name, text) in [
            ("locum.toml", config.as_str()),
            ("policy.toml", POLICY),
            ("access.cedar", ACCESS),
        ] {
            std::fs::write(dir.path().join(name), text).expect("a file");
        }
        Self {
            dir,
            portal,
            app,
            child: None,
        }
    }

    pub(super) fn database(&self) -> PathBuf {
        self.dir.path().join("var/locum.db")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.dir.path().join("var/journal")
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the binary and waits until the portal answers.
    pub(super) fn start(&mut self) {
        let log = std::fs::File::create(self.file("log")).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_locum"))
            .args(["run", "--config"])
            .arg(self.file("locum.toml"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("locum starts"));
        let until = Instant::now() + PATIENCE;
        while call(self.portal, "GET", "/login", &[], "").is_err() {
            assert!(Instant::now() < until, "no portal: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts the binary, which refuses; returns what it says.
    pub(super) fn start_refused(&self) -> String {
        let done = Command::new(env!("CARGO_BIN_EXE_locum"))
            .args(["run", "--config"])
            .arg(self.file("locum.toml"))
            .output()
            .expect("locum runs");
        assert!(!done.status.success(), "{done:?}");
        String::from_utf8_lossy(&done.stderr).into_owned()
    }

    /// Replaces words in a file of the folder.
    pub(super) fn edit(&self, name: &str, old: &str, new: &str) {
        let text = std::fs::read_to_string(self.file(name)).expect("a file");
        assert!(text.contains(old), "{old} in {text}");
        std::fs::write(self.file(name), text.replace(old, new)).expect("written");
    }

    /// SIGHUP.
    pub(super) fn hup(&self) {
        let id = self.child.as_ref().map(Child::id).expect("it runs");
        let done = Command::new("kill")
            .args(["-HUP", &id.to_string()])
            .status();
        assert!(done.expect("kill runs").success());
    }

    /// Runs `locum --config … arguments`.
    pub(super) fn command(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_locum"));
        command.arg("--config").arg(self.file("locum.toml"));
        command.args(arguments).output().expect("locum runs")
    }

    /// SIGTERM, and waits until it is gone.
    pub(super) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let id = child.id().to_string();
            let done = Command::new("kill").args(["-TERM", &id]).status();
            assert!(done.expect("kill runs").success());
            child.wait().expect("gone");
        }
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// kill -9.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("gone");
        }
    }

    /// What `locum audit verify` says of the journal.
    pub(super) fn verified(&self) -> bool {
        let done = Command::new(env!("CARGO_BIN_EXE_locum"))
            .args(["audit", "verify"])
            .arg(self.journal())
            .output();
        done.expect("locum runs").status.success()
    }

    /// Somebody who has not signed in.
    pub(super) fn get(&self, path: &str) -> Answer {
        call(self.portal, "GET", path, &[], "").expect("an answer")
    }

    /// Somebody who has not signed in sends a form.
    pub(super) fn send(&self, path: &str, form: &str) -> Answer {
        let fields = [("Content-Type", "application/x-www-form-urlencoded")];
        call(self.portal, "POST", path, &fields, form).expect("an answer")
    }

    /// Signs a persona in.
    pub(super) fn sign_in(&self, id: &str) -> Person {
        let begun = call(self.portal, "GET", "/login", &[], "").expect("the choice of personas");
        let state = between(&begun.body, "name=\"state\" value=\"", "\"");
        let form = format!("state={state}&id={id}");
        let origin = self.origin();
        let fields = [
            ("Cookie", begun.cookies.as_str()),
            ("Origin", &origin),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let signed =
            call(self.portal, "POST", "/login/persona", &fields, &form).expect("an answer");
        assert_eq!(signed.status, 303, "{}", signed.body);
        let mut person = Person {
            portal: self.portal,
            origin,
            cookies: signed.cookies,
            csrf: String::new(),
        };
        // Each role has its own front page.
        for path in ["/", "/approvals", "/live"] {
            let page = person.get(path).expect("a page");
            between(&page.body, "name=\"csrf\" value=\"", "\"").clone_into(&mut person.csrf);
            if !person.csrf.is_empty() {
                break;
            }
        }
        assert!(!person.csrf.is_empty(), "{id} has a page with a form");
        person
    }

    /// A command line's token for a persona, as `locum login` gets it (RFC 8628).
    pub(super) fn token(&self, id: &str) -> String {
        let json = [("Content-Type", "application/json")];
        let api = |path: &str, body: &Value| {
            call(self.portal, "POST", path, &json, &body.to_string()).expect("an answer")
        };
        let begun = api("/api/v1/login/device", &json!({ "fresh": false })).json();
        let word = |name: &str| begun[name].as_str().unwrap_or_default().to_owned();
        let page = format!("/login/device?code={}", word("user_code"));
        let page = call(self.portal, "GET", &page, &[], "").expect("the choice of personas");
        let state = between(&page.body, "name=\"state\" value=\"", "\"");
        let form = format!("state={state}&id={id}&code={}", word("user_code"));
        let origin = self.origin();
        let fields = [
            ("Cookie", page.cookies.as_str()),
            ("Origin", &origin),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let chosen = call(self.portal, "POST", "/login/persona", &fields, &form);
        let chosen = chosen.expect("an answer");
        assert_eq!(chosen.status, 200, "{}", chosen.body);
        let poll = json!({ "device_code": word("device_code") });
        let given = api("/api/v1/login/device/token", &poll).json();
        let token = given["token"].as_str();
        token.unwrap_or_else(|| panic!("{given}")).to_owned()
    }

    /// Runs `locum` as somebody who signed in, against the portal.
    pub(super) fn remote(&self, token: &str, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_locum"));
        command
            .env("LOCUM_TOKEN", token)
            .env("LOCUM_URL", self.origin());
        command.current_dir(self.dir.path());
        command.args(arguments).output().expect("locum runs")
    }

    pub(super) fn origin(&self) -> String {
        format!("http://localhost:{}", self.portal)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A signed-in browser.
#[derive(Clone)]
pub(super) struct Person {
    portal: u16,
    origin: String,
    cookies: String,
    csrf: String,
}

impl Person {
    pub(super) fn get(&self, path: &str) -> std::io::Result<Answer> {
        call(self.portal, "GET", path, &[("Cookie", &self.cookies)], "")
    }

    /// Sends a form as its page does.
    pub(super) fn send(&self, path: &str) -> std::io::Result<Answer> {
        let form = format!("csrf={}", self.csrf);
        let fields = [
            ("Cookie", self.cookies.as_str()),
            ("Origin", &self.origin),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        call(self.portal, "POST", path, &fields, &form)
    }

    /// A call of the API with a JSON body.
    pub(super) fn post(&self, path: &str, body: &Value) -> std::io::Result<Answer> {
        let fields = [
            ("Cookie", self.cookies.as_str()),
            ("Origin", &self.origin),
            ("X-Locum-CSRF", &self.csrf),
            ("Content-Type", "application/json"),
        ];
        call(self.portal, "POST", path, &fields, &body.to_string())
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Every cookie that was set, as a `Cookie` field.
    pub(super) cookies: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// One request on a connection of its own.
fn call(
    port: u16,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Answer> {
    call_as(
        port,
        &format!("localhost:{port}"),
        method,
        path,
        fields,
        body,
    )
}

/// The same under another name.
pub(super) fn call_as(
    port: u16,
    host: &str,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in fields {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if method != "GET" {
        let _ = write!(head, "Content-Length: {}\r\n", body.len());
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let broken = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.get(9..12).and_then(|it| it.parse().ok());
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    if length
        .and_then(|it| it.parse().ok())
        .is_some_and(|want: usize| body.len() < want)
    {
        return Err(broken());
    }
    let cookies = head
        .lines()
        .filter_map(|line| line.strip_prefix("set-cookie: "));
    let cookies: Vec<&str> = cookies.filter_map(|it| it.split(';').next()).collect();
    Ok(Answer {
        status: status.ok_or_else(broken)?,
        cookies: cookies.join("; "),
        body: body.to_owned(),
    })
}

/// What stands between two texts; empty if it does not.
fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(after).map_or("", |(found, _)| found)
}

/// The database, to look at.
pub(super) fn open(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).expect("the store")
}
