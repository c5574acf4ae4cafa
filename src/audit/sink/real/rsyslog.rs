//! Debian's rsyslog, over TCP and TLS.

use super::{Receiver, Server, certificates, free, listens};
use crate::audit::sink::Sink;
use crate::audit::sink::conformance::Place;
use crate::audit::sink::settings::{SyslogMessage, SyslogSettings, TlsSettings};
use crate::audit::sink::syslog::SyslogSink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Debian's rsyslog.
pub(super) struct Rsyslog {
    pub(super) server: Server,
    dir: tempfile::TempDir,
    port: u16,
    tls: bool,
}

impl Rsyslog {
    pub(super) fn new(tls: bool) -> Self {
        let dir = tempfile::tempdir().expect("dir");
        certificates(dir.path());
        let (port, at) = (free(), dir.path().display().to_string());
        let driver = if tls {
            format!(
                "global(defaultNetstreamDriverCAFile=\"{at}/ca.pem\" defaultNetstreamDriverCertFile=\"{at}/leaf.pem\" defaultNetstreamDriverKeyFile=\"{at}/leaf.key\")\n\
                 module(load=\"imtcp\" StreamDriver.Name=\"ossl\" StreamDriver.Mode=\"1\" StreamDriver.AuthMode=\"anon\")\n"
            )
        } else {
            "module(load=\"imtcp\")\n".to_owned()
        };
        // No queue in memory: what it read, it wrote.
        let config = format!(
            "global(workDirectory=\"{at}\" maxMessageSize=\"64k\")\nmain_queue(queue.type=\"Direct\")\n{driver}\
             template(name=\"ours\" type=\"string\" string=\"%APP-NAME% %MSGID% %STRUCTURED-DATA% %msg%\\n\")\n\
             input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\" ruleset=\"in\")\n\
             ruleset(name=\"in\") {{ action(type=\"omfile\" file=\"{at}/out\" template=\"ours\" flushOnTXEnd=\"on\") }}\n"
        );
        std::fs::write(dir.path().join("rsyslog.conf"), config).expect("write");
        let server = Server::start(move || {
            let mut command = Command::new("rsyslogd");
            command.args([
                "-n",
                "-f",
                &format!("{at}/rsyslog.conf"),
                "-i",
                &format!("{at}/pid"),
            ]);
            command
        });
        listens(port);
        Self {
            server,
            dir,
            port,
            tls,
        }
    }

    pub(super) fn settings(&self, ca: &str) -> SyslogSettings {
        SyslogSettings {
            server: format!("localhost:{}", self.port),
            tls: self.tls.then(|| TlsSettings {
                ca: Some(self.dir.path().join(ca)),
                client: None,
            }),
            message: SyslogMessage::Json,
            facility: 13,
            host: "locum".into(),
            enterprise: 32473,
            max_message: 64 << 10,
            acknowledge: true,
            timeout: Duration::from_secs(2),
        }
    }
}

impl Place for Rsyslog {
    fn sink(&self, _: &Path) -> Box<dyn Sink> {
        let settings = self.settings("ca.pem");
        Box::new(SyslogSink::new("syslog", &settings).expect("settings"))
    }

    fn received(&self) -> Vec<u64> {
        let text = std::fs::read_to_string(self.dir.path().join("out")).unwrap_or_default();
        // A line that is being written ends in the next look.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| {
                let (head, json) = line.split_once("] ").expect("structured data");
                let json: serde_json::Value = serde_json::from_str(json).expect("the record");
                let seq = json["seq"].as_u64().expect("seq");
                let event = json["metadata"]["event_code"].as_str().expect("event");
                let uid = json["metadata"]["uid"].as_str().expect("uid");
                let expected = format!("locum {event} [locum@32473 uid=\"{uid}\" seq=\"{seq}\"");
                assert_eq!(head, expected);
                seq
            })
            .collect()
    }
}

impl Receiver for Rsyslog {
    fn name(&self) -> &'static str {
        if self.tls {
            "rsyslog TLS"
        } else {
            "rsyslog TCP"
        }
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn ready(&self) {
        listens(self.port);
    }
}
