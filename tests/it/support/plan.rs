//! The configuration of one test's Locum, and what it needs besides: certificates, policy, ports.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// A policy that allows everything that the built-in pack does not deny.
pub(crate) const POLICY: &str = r#"
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

[[rows]]
id = "no-secret"
match = "* /secret"
action = "secret"
effect = "deny"
message = "Secrets stay secret"
"#;

/// What goes into the configuration; each part is TOML lines for its section.
pub(crate) struct Plan {
    /// `[listeners.apps]` after its address; empty for a plain listener is not possible.
    pub(crate) listener: String,
    pub(crate) limits: String,
    /// `[[upstreams]]` after its name.
    pub(crate) upstream: String,
    /// `[[apps]]` after name and upstream.
    pub(crate) app: String,
    /// Whole sections.
    pub(crate) rest: String,
    pub(crate) policy: String,
    pub(crate) workers: u8,
}

impl Plan {
    /// TLS, one upstream at `address` that is told nothing about the subject.
    pub(crate) fn new(address: &str) -> Self {
        Self {
            listener: tls_lines(""),
            limits: String::new(),
            upstream: format!("addresses = [\"{address}\"]\nidentity = {{ mode = \"none\" }}\n"),
            app: String::new(),
            rest: String::new(),
            policy: POLICY.to_owned(),
            workers: 1,
        }
    }

    pub(crate) fn limits(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.limits);
        self
    }

    pub(crate) fn app(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.app);
        self
    }

    pub(crate) fn upstream(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.upstream);
        self
    }

    pub(crate) fn listener(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.listener);
        self
    }

    pub(crate) fn rest(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.rest);
        self
    }

    pub(super) fn text(&self, dir: &Path, port: u16, ops: u16) -> String {
        let Self {
            listener,
            limits,
            upstream,
            app,
            rest,
            workers,
            ..
        } = self;
        let dir = dir.display();
        format!(
            "suffix = \"localhost\"\nstate_dir = \"{dir}/state\"\nworkers = {workers}\n\
             [listeners.apps]\naddress = \"127.0.0.1:{port}\"\n{listener}\n\
             [listeners.ops]\naddress = \"127.0.0.1:{ops}\"\n\
             [limits]\n{limits}\n\
             [[upstreams]]\nname = \"app\"\n{upstream}\n\
             [[apps]]\nname = \"shop\"\nupstream = \"app\"\n{app}\n\
             [policy]\npaths = [\"{dir}/policy\"]\n{rest}\n"
        )
    }
}

/// The `tls` key of a listener with the shared development certificate, and what else goes into it.
pub(crate) fn tls_lines(more: &str) -> String {
    let dir = certificates().display();
    format!("tls = {{ cert = \"{dir}/locum.pem\", key = \"{dir}/locum.key\"{more} }}\n")
}

/// One set of development certificates for the whole run.
pub(crate) fn certificates() -> &'static Path {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = MADE.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        certs_dev(dir.path());
        dir
    });
    dir.path()
}

/// `locum certs dev` into `dir`.
pub(crate) fn certs_dev(dir: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_locum"));
    command.args(["certs", "dev", "--app", "shop", "--suffix", "localhost"]);
    for host in ["127.0.0.1", "shop.example", "api.shop.example"] {
        command.args(["--host", host]);
    }
    command.arg("--dir").arg(dir).arg("--force");
    let done = command.output().expect("locum runs");
    assert!(done.status.success(), "certs dev: {done:?}");
}

/// A port that nobody has; below those that the system gives away by itself.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = u16::try_from(std::process::id() * 61 % 20_000).expect("below 20000");
    loop {
        let port = 10_000 + (base + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
