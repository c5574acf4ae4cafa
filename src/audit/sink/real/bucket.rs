//! A bucket of moto's S3.

use super::{Receiver, Server, free, listens, venv};
use crate::audit::segment;
use crate::audit::sink::Sink;
use crate::audit::sink::conformance::{self, Place};
use crate::audit::sink::s3::S3Sink;
use crate::audit::sink::settings::{LockMode, S3Settings, Secret};
use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const SIGNED: &str = "Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n";

/// moto's S3.
pub(super) struct Bucket {
    server: Server,
    port: u16,
}

impl Bucket {
    pub(super) fn new() -> Self {
        let port = free();
        let server = Server::start(move || {
            let mut command = Command::new(venv("moto_server"));
            command
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                .stderr(Stdio::null());
            command
        });
        listens(port);
        let bucket = Self { server, port };
        bucket.ask("PUT", "/archive");
        bucket
    }

    /// One request. Moto looks whether there is a signature, not at what it says.
    fn ask(&self, method: &str, target: &str) -> String {
        use std::io::{Read as _, Write as _};
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        let host = format!("127.0.0.1:{}", self.port);
        let more = if method == "PUT" {
            "x-amz-bucket-object-lock-enabled: true\r\n"
        } else {
            ""
        };
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\n{more}{SIGNED}Content-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("write");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("read");
        assert!(
            text.starts_with("HTTP/1.1 200"),
            "{method} {target}: {text}"
        );
        text
    }

    pub(super) fn settings(&self, journal: &Path) -> S3Settings {
        S3Settings {
            endpoint: Some(format!("http://127.0.0.1:{}", self.port)),
            bucket: "archive".into(),
            region: "us-east-1".into(),
            prefix: "locum/".into(),
            access_key: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_key: Some(Secret::new("hunter2")),
            ca: None,
            lock: Some((LockMode::Governance, Duration::from_secs(24 * 3600))),
            journal: journal.into(),
            timeout: Duration::from_secs(5),
        }
    }

    /// Each object's name, in order.
    pub(super) fn names(&self) -> Vec<String> {
        let listed = self.ask("GET", "/archive?list-type=2&max-keys=1000");
        let keys = listed.split("<Key>").skip(1);
        keys.map(|it| it.split("</Key>").next().expect("a name").to_owned())
            .collect()
    }
}

impl Place for Bucket {
    fn sink(&self, journal: &Path) -> Box<dyn Sink> {
        let settings = self.settings(journal);
        Box::new(S3Sink::new("s3", &settings).expect("settings"))
    }

    fn received(&self) -> Vec<u64> {
        let mut all = Vec::new();
        for name in self.names() {
            let text = self.ask("GET", &format!("/archive/{name}"));
            let (head, body) = text.split_once("\r\n\r\n").expect("a head");
            let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
            let mut hex = String::new();
            for byte in sum.as_ref() {
                let _ = write!(hex, "{byte:02x}");
            }
            assert!(name.ends_with(&format!(".jsonl.{hex}")), "{name}");
            let head = head.to_lowercase();
            assert!(
                head.contains(&format!("x-amz-meta-sha256: {hex}")),
                "{head}"
            );
            assert!(
                head.contains("x-amz-object-lock-mode: governance"),
                "{head}"
            );
            all.extend(body.lines().map(conformance::sequence));
        }
        all
    }

    /// The archive has sealed segments only.
    fn last(&self, journal: &Path) -> u64 {
        let newest = segment::list(journal).expect("segments").pop();
        newest.expect("a segment") - 1
    }
}

impl Receiver for Bucket {
    fn name(&self) -> &'static str {
        "S3 (moto)"
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn ready(&self) {
        listens(self.port);
    }
}
