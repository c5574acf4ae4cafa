//! nats-server with a stream of `JetStream`.

use super::{Receiver, Server, certificates, free, listens, venv};
use crate::audit::sink::Sink;
use crate::audit::sink::conformance::Place;
use crate::audit::sink::nats::NatsSink;
use crate::audit::sink::settings::{NatsLogin, NatsSettings, Secret, TlsSettings};
use crate::audit::tests::fixture::block_on;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// nats-server with `JetStream`.
pub(super) struct Nats {
    server: Server,
    dir: tempfile::TempDir,
    port: u16,
}

impl Nats {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().expect("dir");
        certificates(dir.path());
        let (port, at) = (free(), dir.path().display().to_string());
        let config = format!(
            "listen: 127.0.0.1:{port}\njetstream {{ store_dir: \"{at}/js\", sync_interval: always }}\n\
             tls {{ cert_file: \"{at}/leaf.pem\", key_file: \"{at}/leaf.key\" }}\n\
             authorization {{ user: locum, password: hunter2 }}\n"
        );
        std::fs::write(dir.path().join("nats.conf"), config).expect("write");
        let server = Server::start(move || {
            let mut command = Command::new(venv("nats-server"));
            command.args(["-c", &format!("{at}/nats.conf"), "-l", &format!("{at}/log")]);
            command
        });
        listens(port);
        let nats = Self { server, dir, port };
        block_on(async {
            let config = async_nats::jetstream::stream::Config {
                name: "AUDIT".into(),
                subjects: vec!["locum.audit".into()],
                duplicate_window: Duration::from_secs(3600),
                ..Default::default()
            };
            nats.context()
                .await
                .create_stream(config)
                .await
                .expect("a stream");
        });
        nats
    }

    async fn context(&self) -> async_nats::jetstream::Context {
        let options = async_nats::ConnectOptions::new()
            .user_and_password("locum".into(), "hunter2".into())
            .require_tls(true)
            .add_root_certificates(self.dir.path().join("ca.pem"));
        let client = options
            .connect(format!("tls://localhost:{}", self.port))
            .await;
        async_nats::jetstream::new(client.expect("a connection"))
    }

    pub(super) fn settings(&self, ca: &str) -> NatsSettings {
        NatsSettings {
            servers: vec![format!("tls://localhost:{}", self.port)],
            subject: "locum.audit".into(),
            login: NatsLogin::Password("locum".into(), Secret::new("hunter2")),
            tls: Some(TlsSettings {
                ca: Some(self.dir.path().join(ca)),
                client: None,
            }),
            timeout: Duration::from_secs(2),
        }
    }
}

impl Place for Nats {
    fn sink(&self, _: &Path) -> Box<dyn Sink> {
        let settings = self.settings("ca.pem");
        Box::new(NatsSink::new("nats", &settings).expect("settings"))
    }

    fn received(&self) -> Vec<u64> {
        block_on(async {
            let context = self.context().await;
            let mut stream = context.get_stream("AUDIT").await.expect("the stream");
            let count = stream.info().await.expect("info").state.messages;
            let mut all = Vec::new();
            for at in 1..=count {
                let message = stream.get_raw_message(at).await.expect("a message");
                let json: serde_json::Value =
                    serde_json::from_slice(&message.payload).expect("JSON");
                let id = message.headers.get("Nats-Msg-Id").expect("an id").as_str();
                assert_eq!(json["metadata"]["uid"], id);
                all.push(json["seq"].as_u64().expect("seq"));
            }
            all
        })
    }
}

impl Receiver for Nats {
    fn name(&self) -> &'static str {
        "NATS JetStream"
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn ready(&self) {
        listens(self.port);
    }
}
