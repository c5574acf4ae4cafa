//! An HTTP/2 client that can do what browsers and gRPC clients do: trailers both ways, extended CONNECT, resets.

use super::client::{Answer, Io};
use super::locum::PATIENCE;
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};

/// One HTTP/2 connection.
pub(crate) struct Client {
    sender: SendRequest<Bytes>,
    scheme: &'static str,
    /// Ends with what the connection ended with.
    pub(crate) task: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    pub(crate) async fn new(stream: impl Io + Unpin + 'static, scheme: &'static str) -> Self {
        let (sender, connection) = h2::client::handshake(stream).await.expect("a handshake");
        let task = tokio::spawn(connection);
        Self {
            sender,
            scheme,
            task,
        }
    }

    /// A request builder with the right URI; add fields, then a body.
    pub(crate) fn request(&self, method: &str, host: &str, target: &str) -> http::request::Builder {
        let uri = format!("{}://{host}{target}", self.scheme);
        Request::builder().method(method).uri(uri)
    }

    pub(crate) async fn open(
        &mut self,
        request: Request<()>,
        is_whole: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let mut sender = self.sender.clone().ready().await?;
        sender.send_request(request, is_whole)
    }

    /// A request without a body, and its whole response.
    pub(crate) async fn ask(&mut self, request: Request<()>) -> Result<Answer, h2::Error> {
        let (response, _) = self.open(request, true).await?;
        whole(response).await
    }

    /// Whether the server takes extended CONNECT (RFC 8441 §3); asked after its settings have come.
    pub(crate) async fn takes_extended_connect(&mut self) -> bool {
        for _ in 0..200 {
            if self.sender.is_extended_connect_protocol_enabled() {
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        false
    }
}

/// Reads a response to its end, trailers too.
pub(crate) async fn whole(response: ResponseFuture) -> Result<Answer, h2::Error> {
    let response = tokio::time::timeout(PATIENCE, response).await;
    let (parts, mut body) = response.expect("an answer")?.into_parts();
    let mut answer = Answer {
        status: parts.status.as_u16(),
        fields: fields(&parts.headers),
        ..Answer::default()
    };
    while let Some(data) = data(&mut body).await {
        answer.body.extend_from_slice(&data?);
    }
    if let Some(trailers) = body.trailers().await? {
        answer.trailers = fields(&trailers);
    }
    Ok(answer)
}

/// The next piece of a body, with its room given back.
pub(crate) async fn data(body: &mut RecvStream) -> Option<Result<Bytes, h2::Error>> {
    let data = tokio::time::timeout(PATIENCE, body.data()).await;
    let data = data.expect("data or an end")?;
    if let Ok(data) = &data {
        let _ = body.flow_control().release_capacity(data.len());
    }
    Some(data)
}

pub(crate) fn fields(headers: &HeaderMap) -> Vec<(String, String)> {
    let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.to_string(), value)
    };
    headers.iter().map(pair).collect()
}
