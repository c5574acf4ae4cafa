//! HTTP POST over one kept connection: what every sink that speaks HTTP stands on.

use super::settings::HttpSettings;
use super::{DeliveryError, tls};
use crate::audit::error::StartError;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The longest answer that is read; a longer one ends the connection. Bytes.
const ANSWER: usize = 4 << 20;

/// A client of one URL.
pub(super) struct Poster {
    pub(super) host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    timeout: Duration,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Poster {
    pub(super) fn new(
        name: &str,
        settings: &HttpSettings,
        content_type: &'static str,
    ) -> Result<Self, StartError> {
        let wrong = |what: &str| StartError::Setting {
            what: format!("sink {name}: {what}"),
        };
        let url = url::Url::parse(&settings.url).map_err(|e| wrong(&format!("url: {e}")))?;
        let host = url.host_str().ok_or_else(|| wrong("url has no host"))?;
        let bare = host.trim_matches(['[', ']']).to_owned();
        let tls = match url.scheme() {
            "https" => {
                let server = ServerName::try_from(bare.clone());
                let server = server.map_err(|_| wrong("url: not a server's name"))?;
                Some((tls::connector(name, &settings.tls)?, server))
            }
            "http" => None,
            _ => return Err(wrong("url must begin with https:// or http://")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("credentials belong into headers, not into the url"));
        }
        let port = url
            .port_or_known_default()
            .ok_or_else(|| wrong("url has no port"))?;
        let authority = url
            .port()
            .map_or_else(|| host.to_owned(), |p| format!("{host}:{p}"));
        let mut headers = HeaderMap::new();
        let authority = HeaderValue::from_str(&authority);
        headers.insert(HOST, authority.map_err(|_| wrong("url: not a host"))?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        for (key, value) in &settings.headers {
            let (Ok(key), Ok(mut value)) = (
                HeaderName::from_bytes(key.as_bytes()),
                HeaderValue::from_str(value.reveal()),
            ) else {
                return Err(wrong(
                    "a header has a name or value that HTTP does not allow",
                ));
            };
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        Ok(Self {
            host: bare,
            port,
            tls,
            path: url.path().to_owned(),
            query: url.query().map(str::to_owned),
            headers,
            timeout: settings.timeout,
            connection: None,
        })
    }

    /// Adds to the URL's path, for services that have one of their own.
    pub(super) fn under(mut self, path: &str, query: Option<&str>) -> Self {
        self.path = self.path.trim_end_matches('/').to_owned() + path;
        if let Some(query) = query {
            self.query = Some(query.to_owned());
        }
        self
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Sends `body` with one more header.
    ///
    /// # Errors
    /// Where no whole answer came in time; an answer of any status is none.
    pub(super) async fn post(
        &mut self,
        body: Vec<u8>,
        more: Option<(&'static str, &str)>,
    ) -> Result<Answer, DeliveryError> {
        let path = self.path.clone();
        self.post_to(&path, body, more).await
    }

    /// The same, to another path of the same server.
    pub(super) async fn post_to(
        &mut self,
        path: &str,
        body: Vec<u8>,
        more: Option<(&'static str, &str)>,
    ) -> Result<Answer, DeliveryError> {
        let limit = self.timeout;
        let sent = tokio::time::timeout(limit, self.exchange(path, body, more)).await;
        let result = sent.unwrap_or_else(|_| Err(DeliveryError::later("no answer in time")));
        if result.is_err() {
            self.connection = None;
        }
        result
    }

    async fn exchange(
        &mut self,
        path: &str,
        body: Vec<u8>,
        more: Option<(&'static str, &str)>,
    ) -> Result<Answer, DeliveryError> {
        let query = self.query.as_ref();
        let target = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        let mut request = Request::post(target)
            .body(Full::new(Bytes::from(body)))
            .map_err(DeliveryError::later)?;
        request.headers_mut().extend(self.headers.clone());
        if let Some((name, value)) = more {
            let value = HeaderValue::from_str(value).map_err(DeliveryError::later)?;
            request.headers_mut().insert(name, value);
        }
        let mut kept = self.connection.take();
        if let Some(connection) = &mut kept
            && connection.ready().await.is_err()
        {
            kept = None;
        }
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let answer = connection
            .send_request(request)
            .await
            .map_err(DeliveryError::later)?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER).collect().await;
        let body = body.map_err(DeliveryError::later)?.to_bytes();
        self.connection = Some(connection);
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, DeliveryError> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(DeliveryError::later)?;
        match &self.tls {
            None => handshake(TokioIo::new(tcp)).await,
            Some((tls, server)) => {
                let stream = tls.connect(server.clone(), tcp).await;
                handshake(TokioIo::new(stream.map_err(DeliveryError::later)?)).await
            }
        }
    }
}

async fn handshake<I>(io: I) -> Result<SendRequest<Full<Bytes>>, DeliveryError>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (send, connection) = http1::handshake(io).await.map_err(DeliveryError::later)?;
    // It ends with the connection; its errors come out at `send`.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(send)
}

impl Answer {
    /// Whether the batch was taken, by the status alone.
    pub(super) fn judge(&self) -> Result<(), DeliveryError> {
        match self.status {
            status if status.is_success() => Ok(()),
            // The receiver read the records and will not have them. All else may be put right at the receiver.
            StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY => Err(self.never("")),
            _ => Err(self.later("")),
        }
    }

    pub(super) fn never(&self, detail: &str) -> DeliveryError {
        DeliveryError::Never {
            detail: self.words(detail),
        }
    }

    /// With the receiver's own wish, where it says one.
    pub(super) fn later(&self, detail: &str) -> DeliveryError {
        DeliveryError::Later {
            source: self.words(detail).into(),
            after: self
                .headers
                .get(RETRY_AFTER)
                .and_then(|v| v.to_str().ok()?.parse().ok())
                .map(Duration::from_secs),
        }
    }

    fn words(&self, detail: &str) -> String {
        let status = self.status;
        if detail.is_empty() {
            format!("the receiver answered {status}")
        } else {
            // What a receiver says may be long.
            let detail: String = detail.chars().take(300).collect();
            format!("the receiver answered {status}: {detail}")
        }
    }

    pub(super) fn json(&self) -> Result<serde_json::Value, DeliveryError> {
        serde_json::from_slice(&self.body)
            .map_err(|_| self.later("what it says is no JSON: is this the right service?"))
    }
}
