//! Starts the storefront of `examples/` as a child process, on a free port, with data of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Seeding hashes four passwords; a loaded machine takes its time.
const READY: Duration = Duration::from_secs(20);

/// How to start it; the default is a shop of its own that trusts no assertion.
#[derive(Debug, Default, Clone)]
pub(crate) struct Options {
    /// The URL that customers type, when it is not the address.
    pub(crate) public_url: Option<String>,
    /// Key set (URL or file), issuer and audience of the assertions to trust.
    pub(crate) assertion: Option<(String, String, String)>,
    /// The port; 0 takes a free one.
    pub(crate) port: u16,
}

/// A running storefront; it is killed when dropped.
#[derive(Debug)]
pub(crate) struct Storefront {
    child: Child,
    pub(crate) address: SocketAddr,
    dir: tempfile::TempDir,
}

/// Starts a storefront and waits until it serves.
pub(crate) fn spawn(options: &Options) -> Storefront {
    let program = program();
    let dir = tempfile::tempdir().expect("a directory for the shop's data");
    let mut command = Command::new(&program);
    command
        .arg("--listen")
        .arg(format!("127.0.0.1:{}", options.port))
        .arg("--data")
        .arg(dir.path())
        .arg("--request-log")
        .arg(dir.path().join("requests.log"))
        .stdout(Stdio::piped());
    if let Some(url) = &options.public_url {
        command.args(["--public-url", url]);
    }
    if let Some((keys, issuer, audience)) = &options.assertion {
        command.args(["--assertion-jwks", keys]);
        command.args(["--assertion-issuer", issuer]);
        command.args(["--assertion-audience", audience]);
    }
    let mut child = command
        .spawn()
        .unwrap_or_else(|why| panic!("cannot start {}: {why}", program.display()));
    let out = child.stdout.take().expect("its output is piped");
    let line = first_line(out);
    let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|why| {
        let _ = child.kill();
        panic!("the storefront said {line:?}: {why}")
    });
    let address = line["listening"].as_str().and_then(|at| at.parse().ok());
    Storefront {
        child,
        address: address.expect("an address in the first line"),
        dir,
    }
}

/// Cargo puts examples beside the binary under test.
fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_locum"))
        .with_file_name("examples")
        .join("storefront");
    assert!(
        program.exists(),
        "{} is missing: run `cargo build --example storefront`",
        program.display()
    );
    program
}

fn first_line(out: impl std::io::Read + Send + 'static) -> String {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(out).read_line(&mut line);
        let _ = sender.send(line);
    });
    receiver.recv_timeout(READY).unwrap_or_default()
}

impl Storefront {
    /// Its URL without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The process, to measure or to stop it.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The request log, one JSON object for each request that arrived, in order.
    pub(crate) fn requests(&self) -> Vec<serde_json::Value> {
        let path = self.dir.path().join("requests.log");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a JSON line"))
            .collect()
    }

    /// How many requests with this method and target arrived.
    pub(crate) fn saw(&self, method: &str, target: &str) -> usize {
        let requests = self.requests();
        let same = |one: &&serde_json::Value| one["method"] == method && one["target"] == target;
        requests.iter().filter(same).count()
    }
}

impl Drop for Storefront {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
