//! A Locum with one session in it, in a directory of its own; and its memory, as /proc says.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long it may take to start.
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// A running Locum; ended when dropped.
pub(crate) struct Locum {
    pub(crate) port: u16,
    /// `name=value` of the session.
    pub(crate) cookie: String,
    ops: u16,
    child: Child,
    /// Removed at the end.
    _dir: tempfile::TempDir,
}

/// Of the process, now. KiB.
pub(crate) struct Memory {
    pub(crate) resident: u64,
    /// Since the last [`Locum::forget_peak`].
    pub(crate) peak: u64,
}

const POLICY: &str = "
scopes.view = ['*']
[[rows]]
id = 'socket'
match = 'GET /ws'
action = 'all.socket'
effect = 'allow'
websocket = { mode = 'allow' }
[[rows]]
id = 'up'
match = 'POST /up'
action = 'all.write'
effect = 'allow'
[[rows]]
id = 'small'
match = 'GET /small'
action = 'all.read'
effect = 'allow'
[[rows]]
id = 'down'
match = 'GET /down/{*rest}'
action = 'all.read'
effect = 'allow'
";

impl Locum {
    /// Starts `program` in front of `app`, and redeems a grant.
    pub(crate) fn start(program: &Path, app: SocketAddr) -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let (port, ops) = (free()?, free()?);
        let at = dir.path().display();
        let config = format!(
            "state_dir = '{at}/var'\nworkers = 1\n\
             listeners.apps = {{ address = '127.0.0.1:{port}', plain = true, external_scheme = 'http', external_port = {port} }}\n\
             listeners.ops.address = '127.0.0.1:{ops}'\nlisteners.portal.enabled = false\nlimits.idle_timeout = '10m'\n\
             policy.paths = ['{at}/policy.toml']\nlog.level = 'warn'\n\
             [[upstreams]]\nname = 'app'\naddresses = ['{app}']\npool.max_connections = 4096\n\
             [[apps]]\nname = 'load'\nupstream = 'app'\norigin = 'shared'\npublic_url = 'http://127.0.0.1:{port}'\n"
        );
        fs::write(dir.path().join("locum.toml"), config)?;
        fs::write(dir.path().join("policy.toml"), POLICY)?;
        let file = dir.path().join("locum.toml");
        let command = || {
            let mut command = Command::new(program);
            command.arg("--config").arg(&file);
            command
        };
        let child = command().arg("run").stdout(Stdio::null()).spawn()?;
        let mut locum = Self {
            port,
            ops,
            child,
            cookie: String::new(),
            _dir: dir,
        };
        let began = Instant::now();
        while !locum
            .ask(ops, "/readyz")
            .is_ok_and(|it| it.contains(" 200 "))
        {
            if began.elapsed() > STARTS_WITHIN {
                return Err(io::Error::other("locum did not start"));
            }
            sleep(Duration::from_millis(50));
        }
        let issued = command()
            .args([
                "--json",
                "grant",
                "issue",
                "--operator",
                "ada@support.example",
            ])
            .args([
                "--subject",
                "kim@acme.example",
                "--tenant",
                "acme",
                "--scope",
                "view",
            ])
            .args(["--ticket", "SUP-1", "--reason", "Load"])
            .output()?;
        let issued: serde_json::Value = serde_json::from_slice(&issued.stdout)?;
        let url = issued["start_url"].as_str().unwrap_or_default();
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let answer = locum.ask(port, &format!("/.locum/start?{query}"))?;
        let cookie = answer.split("set-cookie: ").nth(1);
        let cookie = cookie.and_then(|rest| rest.split(';').next());
        cookie
            .ok_or_else(|| io::Error::other(format!("no session: {answer}")))?
            .clone_into(&mut locum.cookie);
        Ok(locum)
    }

    fn ask(&self, port: u16, target: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
            self.port
        );
        stream.write_all(request.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    fn metric(&self, name: &str) -> io::Result<String> {
        let text = self.ask(self.ops, "/metrics")?;
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        Ok(value.unwrap_or("?").trim().to_owned())
    }

    /// Client connections, as Locum counts them.
    pub(crate) fn connections(&self) -> io::Result<String> {
        self.metric("locum_connections ")
    }

    /// `WebSockets`, as Locum counts them.
    pub(crate) fn websockets(&self) -> io::Result<String> {
        self.metric("locum_websockets ")
    }

    /// `proc_pid_status(5)`.
    pub(crate) fn memory(&self) -> io::Result<Memory> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
            number.ok_or_else(|| io::Error::other(format!("no {name}")))
        };
        Ok(Memory {
            resident: field("VmRSS:")?,
            peak: field("VmHWM:")?,
        })
    }

    /// The peak begins anew (`proc_pid_clear_refs(5)`).
    pub(crate) fn forget_peak(&self) -> io::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")
    }
}

impl Drop for Locum {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
