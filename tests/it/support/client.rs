//! A client that sees bytes: HTTP/1.1 by hand, over TLS that trusts the development CA, or plain.

use super::locum::PATIENCE;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Any byte stream.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Io for T {}

/// What a client trusts and shows.
#[derive(Clone)]
pub(crate) struct Trust {
    roots: Arc<RootCertStore>,
    identity: Option<Arc<(CertificateDer<'static>, PrivateKeyDer<'static>)>>,
    versions: &'static [&'static rustls::SupportedProtocolVersion],
}

impl Trust {
    pub(crate) fn new(ca: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca).expect("a CA file") {
            roots.add(certificate.expect("PEM")).expect("a CA");
        }
        Self {
            roots: Arc::new(roots),
            identity: None,
            versions: rustls::ALL_VERSIONS,
        }
    }

    /// Shows a client certificate.
    pub(crate) fn showing(mut self, certificate: &str, key: &str) -> Self {
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
        self.identity = Some(Arc::new((certificate, key)));
        self
    }

    /// Speaks one version of TLS only.
    pub(crate) fn only(
        mut self,
        versions: &'static [&'static rustls::SupportedProtocolVersion],
    ) -> Self {
        self.versions = versions;
        self
    }

    /// A TLS connection, or why there is none.
    pub(crate) async fn try_tls(
        &self,
        port: u16,
        host: &str,
        alpn: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        self.over(stream, host, alpn).await
    }

    /// TLS over a stream that is open already.
    pub(crate) async fn over<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        host: &str,
        alpn: &[&str],
    ) -> std::io::Result<TlsStream<S>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .expect("versions")
            .with_root_certificates(Arc::clone(&self.roots));
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(own) => builder
                .with_client_auth_cert(vec![own.0.clone()], own.1.clone_key())
                .expect("a client certificate"),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = host.split(':').next().unwrap_or_default().to_owned();
        let name = ServerName::try_from(name).expect("a server name");
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }

    pub(crate) async fn http1(&self, port: u16, host: &str) -> Conn {
        let stream = self.try_tls(port, host, &["http/1.1"]).await;
        Conn::new(stream.expect("a TLS connection"))
    }

    pub(crate) async fn http2(&self, port: u16, host: &str) -> super::http2::Client {
        let stream = self.try_tls(port, host, &["h2"]).await;
        super::http2::Client::new(stream.expect("a TLS connection"), "https").await
    }
}

/// A response as it came, taken apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Answer {
    /// The only value of a field; empty if there is none.
    pub(crate) fn field(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    /// The reason in the type of a problem document.
    pub(crate) fn reason(&self) -> String {
        assert_eq!(
            self.field("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        let kind = self.json()["type"].as_str().expect("a type").to_owned();
        kind.trim_start_matches("urn:locum:refusal:").to_owned()
    }
}

/// One connection and what was read of it and not used yet.
pub(crate) struct Conn {
    stream: Pin<Box<dyn Io>>,
    held: Vec<u8>,
}

impl Conn {
    pub(crate) fn new(stream: impl Io + 'static) -> Self {
        Self {
            stream: Box::pin(stream),
            held: Vec::new(),
        }
    }

    /// HTTP/1.1 without TLS.
    pub(crate) async fn plain(port: u16) -> Self {
        Self::new(
            TcpStream::connect(("127.0.0.1", port))
                .await
                .expect("a connection"),
        )
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("the other side reads");
    }

    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// Sends a whole request and reads a whole response.
    pub(crate) async fn ask(&mut self, request: &str) -> Answer {
        self.send(request).await;
        self.answer(request.starts_with("HEAD ")).await
    }

    /// Reads more; `false` at the end of the stream or where it broke.
    pub(crate) async fn more(&mut self) -> bool {
        let reading = self.stream.read_buf(&mut self.held);
        let read = tokio::time::timeout(PATIENCE, reading).await;
        matches!(read.expect("something within a patient wait"), Ok(1..))
    }

    /// What is there already and not used yet.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Reads until `text` has come; returns all up to and with it.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = memchr::memmem::find(&self.held, text.as_bytes()) {
                let rest = self.held.split_off(at + text.len());
                let taken = std::mem::replace(&mut self.held, rest);
                return String::from_utf8_lossy(&taken).into_owned();
            }
            let so_far = String::from_utf8_lossy(&self.held).into_owned();
            assert!(self.more().await, "no {text:?} in {so_far:?}");
        }
    }

    /// Reads the head of a response.
    pub(crate) async fn head(&mut self) -> Answer {
        let text = self.until("\r\n\r\n").await;
        let mut lines = text.trim_end().split("\r\n");
        let first = lines.next().unwrap_or_default();
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        Answer {
            status: status.unwrap_or_else(|| panic!("no status line: {text:?}")),
            fields: lines.map(field).collect(),
            ..Answer::default()
        }
    }

    /// Reads a whole response; `bodiless` after HEAD.
    pub(crate) async fn answer(&mut self, bodiless: bool) -> Answer {
        let mut answer = self.head().await;
        if bodiless || matches!(answer.status, 100..=199 | 204 | 304) {
            return answer;
        }
        if answer.field("transfer-encoding") == "chunked" {
            while let Some(chunk) = self.chunk().await {
                answer.body.extend_from_slice(&chunk);
            }
            loop {
                let line = self.until("\r\n").await;
                if line == "\r\n" {
                    return answer;
                }
                answer.trailers.push(field(line.trim_end()));
            }
        }
        if let Ok(length) = answer.field("content-length").parse::<usize>() {
            answer.body = self.exactly(length).await;
        } else {
            while self.more().await {}
            answer.body = self.take();
        }
        answer
    }

    /// The next chunk of a chunked body; `None` for the last one.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.until("\r\n").await;
        let size = usize::from_str_radix(line.trim(), 16).expect("a chunk size");
        if size == 0 {
            return None;
        }
        let data = self.exactly(size).await;
        assert_eq!(self.until("\r\n").await, "\r\n");
        Some(data)
    }

    pub(crate) async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.held.len() < length {
            assert!(self.more().await, "{} of {length} bytes", self.held.len());
        }
        let rest = self.held.split_off(length);
        std::mem::replace(&mut self.held, rest)
    }

    /// Waits until the other side closes; what came before is dropped.
    pub(crate) async fn closed(&mut self) {
        while self.more().await {
            self.held.clear();
        }
    }
}

fn field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    (name.to_ascii_lowercase(), value.trim().to_owned())
}
