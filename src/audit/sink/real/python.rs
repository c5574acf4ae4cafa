//! The receivers of `tests/receivers/sinks.py`: OTLP, Splunk's collector, Elasticsearch's bulk API.

use super::{Receiver, Server, certificates, free, listens, python};
use crate::audit::sink::conformance::Place;
use crate::audit::sink::elastic::ElasticSink;
use crate::audit::sink::otlp::OtlpSink;
use crate::audit::sink::settings::{
    HttpSettings, OtlpProtocol, OtlpSettings, Secret, SplunkSettings,
};
use crate::audit::sink::splunk::SplunkSink;
use crate::audit::sink::{Delivery, Record, Sink};
use std::path::Path;
use std::time::Duration;

/// What takes HTTP or gRPC: a program of `tests/receivers` that prints the sequence numbers.
pub(super) struct Python {
    server: Server,
    dir: tempfile::TempDir,
    port: u16,
    kind: &'static str,
}

impl Python {
    pub(super) fn new(kind: &'static str) -> Self {
        let dir = tempfile::tempdir().expect("dir");
        certificates(dir.path());
        let port = free();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let arguments = vec![
            kind.into(),
            port.to_string(),
            at("leaf.pem"),
            at("leaf.key"),
            at("ids"),
        ];
        let server = Server::start(python("sinks.py", arguments));
        listens(port);
        Self {
            server,
            dir,
            port,
            kind,
        }
    }

    fn http(&self, path: &str, ca: &str) -> HttpSettings {
        let mut http = HttpSettings::new(format!("https://localhost:{}{path}", self.port));
        http.tls.ca = Some(self.dir.path().join(ca));
        http.timeout = Duration::from_secs(2);
        let scheme = match self.kind {
            "splunk" => "Splunk",
            "elastic" => "ApiKey",
            _ => "Bearer",
        };
        let header = Secret::new(format!("{scheme} hunter2"));
        http.headers.push(("authorization".into(), header));
        http
    }

    pub(super) fn made(&self, ca: &str) -> Box<dyn Sink> {
        let otlp = |path: &str, protocol| OtlpSettings {
            http: self.http(path, ca),
            protocol,
        };
        let name = self.kind;
        match name {
            "splunk" => {
                let settings = SplunkSettings {
                    http: self.http("", ca),
                    index: None,
                    sourcetype: "locum:ocsf".into(),
                    acknowledge: true,
                };
                Box::new(SplunkSink::new(name, &settings).expect("settings"))
            }
            "elastic" => {
                let settings = self.http("/locum-audit", ca);
                Box::new(ElasticSink::new(name, &settings).expect("settings"))
            }
            "otlp-http" => {
                let settings = otlp("/v1/logs", OtlpProtocol::Http);
                Box::new(OtlpSink::new(name, &settings).expect("settings"))
            }
            _ => Box::new(Lazy(otlp("", OtlpProtocol::Grpc), None)),
        }
    }
}

/// A channel of gRPC wants its runtime when it is made.
struct Lazy(OtlpSettings, Option<OtlpSink>);

impl Sink for Lazy {
    fn deliver<'a>(&'a mut self, batch: &'a [Record]) -> Delivery<'a> {
        Box::pin(async {
            let made = || OtlpSink::new("otlp", &self.0).expect("settings");
            self.1.get_or_insert_with(made).deliver(batch).await
        })
    }
}

impl Place for Python {
    fn sink(&self, _: &Path) -> Box<dyn Sink> {
        self.made("ca.pem")
    }

    fn received(&self) -> Vec<u64> {
        self.server.told.lock().clone()
    }
}

impl Receiver for Python {
    fn name(&self) -> &'static str {
        self.kind
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn ready(&self) {
        listens(self.port);
    }
}
