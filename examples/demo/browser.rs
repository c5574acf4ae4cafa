//! The agent's browser: HTTPS to session origins, trusting the development CA, keeping cookies.

use crate::story::{Broken, While as _};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use url::Url;

/// A whole response.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    /// What a failed check prints.
    pub(crate) fn brief(&self) -> String {
        let text: String = self.text.chars().take(400).collect();
        format!("{} {}", self.status, text.replace('\n', " "))
    }
}

/// What one asks a page for.
#[derive(Clone, Copy)]
pub(crate) enum As<'t> {
    /// A person going to a page.
    Navigation,
    /// A script or a program.
    Script,
    /// A script of the portal's own page, with the token that such a page carries.
    Api(&'t str),
}

/// One browser, on this machine whatever the name (RFC 6761 §6.3: `localhost` names are loopback).
pub(crate) struct Browser {
    tls: TlsConnector,
    port: u16,
    cookies: Vec<(String, String)>,
}

impl Browser {
    pub(crate) fn new(ca: &Path, port: u16) -> Result<Self, Broken> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca).while_("a CA certificate")? {
            roots
                .add(certificate.while_("a CA certificate")?)
                .while_("a usable CA")?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .while_("TLS 1.2 and 1.3")?
        .with_root_certificates(roots)
        .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            port,
            cookies: Vec::new(),
        })
    }

    /// Names and values of all cookies that the browser holds.
    pub(crate) fn cookies(&self) -> &[(String, String)] {
        &self.cookies
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let found = self.cookies.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    async fn connect(&self, url: &Url) -> Result<TlsStream<TcpStream>, Broken> {
        let host = url.host_str().while_("a host in the URL")?.to_owned();
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await;
        let stream = stream.while_("Locum to accept a connection")?;
        let name = ServerName::try_from(host).while_("a server name")?;
        let stream = self.tls.connect(name, stream).await;
        stream.while_("a certificate that the development CA signed")
    }

    fn request(
        &self,
        method: &Method,
        url: &Url,
        how: As<'_>,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Broken> {
        let authority = authority(url);
        let jar: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = Request::builder()
            .method(method)
            .uri(
                url.path().to_owned()
                    + &url
                        .query()
                        .map(|query| format!("?{query}"))
                        .unwrap_or_default(),
            )
            .header(header::HOST, &authority)
            .header(header::USER_AGENT, "demo")
            .body(Full::new(body))
            .while_("a request")?;
        let headers = request.headers_mut();
        let mut set = |name: HeaderName, value: &str| -> Result<(), Broken> {
            headers.insert(name, HeaderValue::from_str(value).while_("a header")?);
            Ok(())
        };
        if !jar.is_empty() {
            set(header::COOKIE, &jar.join("; "))?;
        }
        let (accept, destination) = match how {
            As::Navigation => ("text/html,application/xhtml+xml,*/*;q=0.8", "document"),
            As::Script | As::Api(_) => ("application/json", "empty"),
        };
        set(header::ACCEPT, accept)?;
        set(HeaderName::from_static("sec-fetch-dest"), destination)?;
        if *method == Method::POST {
            set(header::ORIGIN, &url.origin().ascii_serialization())?;
            let kind = match how {
                As::Api(_) => "application/json",
                As::Navigation | As::Script => "application/x-www-form-urlencoded",
            };
            set(header::CONTENT_TYPE, kind)?;
        }
        if let As::Api(token) = how {
            set(HeaderName::from_static("x-locum-csrf"), token)?;
            set(HeaderName::from_static("sec-fetch-site"), "same-origin")?;
        }
        Ok(request)
    }

    /// Sends a request and returns when the response's head is there.
    pub(crate) async fn open(
        &mut self,
        method: Method,
        url: &Url,
        how: As<'_>,
        body: impl Into<Bytes>,
    ) -> Result<Response<Incoming>, Broken> {
        let request = self.request(&method, url, how, body.into())?;
        let stream = TokioIo::new(self.connect(url).await?);
        let handshake = hyper::client::conn::http1::handshake(stream).await;
        let (mut sender, connection) = handshake.while_("an HTTP connection")?;
        tokio::spawn(connection);
        let response = sender.send_request(request).await;
        let response = response.while_(format_args!("a response from {url}"))?;
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            self.keep(cookie);
        }
        Ok(response)
    }

    fn keep(&mut self, cookie: &HeaderValue) {
        let pair = cookie.to_str().ok().and_then(|text| text.split(';').next());
        if let Some((name, value)) = pair.and_then(|pair| pair.split_once('=')) {
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        url: &Url,
        how: As<'_>,
        body: String,
    ) -> Result<Page, Broken> {
        whole(self.open(method, url, how, body).await?).await
    }

    pub(crate) async fn get(&mut self, url: &Url, how: As<'_>) -> Result<Page, Broken> {
        whole(self.open(Method::GET, url, how, "").await?).await
    }

    pub(crate) async fn post(&mut self, url: &Url, form: String) -> Result<Page, Broken> {
        whole(self.open(Method::POST, url, As::Navigation, form).await?).await
    }

    /// Opens a WebSocket at `url` (`https:`).
    pub(crate) async fn websocket(
        &self,
        url: &Url,
    ) -> Result<WebSocketStream<TlsStream<TcpStream>>, Broken> {
        let jar: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = Request::get(url.as_str().replacen("https:", "wss:", 1))
            .header(header::HOST, authority(url))
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(
                header::SEC_WEBSOCKET_KEY,
                tokio_tungstenite::tungstenite::handshake::client::generate_key(),
            )
            .header(header::ORIGIN, url.origin().ascii_serialization())
            .header(header::COOKIE, jar.join("; "))
            .body(())
            .while_("a request")?;
        let stream = self.connect(url).await?;
        let opened = tokio_tungstenite::client_async(request, stream).await;
        Ok(opened.while_("a WebSocket through the proxy")?.0)
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

async fn whole(response: Response<Incoming>) -> Result<Page, Broken> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.while_("the whole body")?.to_bytes();
    Ok(Page {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// `GET` over plain HTTP, for the shop itself and the ops listener.
pub(crate) async fn plain(address: &str, path: &str) -> Result<Page, Broken> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.while_(format_args!("{address} to accept a connection"))?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.while_("an HTTP connection")?;
    tokio::spawn(connection);
    let request = Request::get(path)
        .header(header::HOST, address)
        .body(Full::<Bytes>::default())
        .while_("a request")?;
    whole(
        sender
            .send_request(request)
            .await
            .while_(format_args!("http://{address}{path}"))?,
    )
    .await
}
