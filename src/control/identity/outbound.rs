//! Asking the identity provider: TLS to pinned authorities, no redirects, bounded in size and time. The adapter that the
//! `openidconnect` crate calls.

use crate::control::outbound::tls;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;
use url::{Host, Url};

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum OutboundError {
    /// Neither https nor loopback.
    Insecure(String),
    /// Cannot connect, broken off, or took too long.
    Failed(reqwest::Error),
    TooLarge {
        max: usize,
    },
    Malformed(http::Error),
}

impl fmt::Display for OutboundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insecure(host) => {
                write!(
                    f,
                    "{host} is asked over plain HTTP, which is for loopback only"
                )
            }
            Self::Failed(why) if why.is_timeout() => f.write_str("took too long"),
            Self::Failed(_) => f.write_str("no answer"),
            Self::TooLarge { max } => write!(f, "the answer is larger than {max} bytes"),
            Self::Malformed(_) => f.write_str("the answer is malformed"),
        }
    }
}

impl std::error::Error for OutboundError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(why) => Some(why),
            Self::Malformed(why) => Some(why),
            Self::Insecure(_) | Self::TooLarge { .. } => None,
        }
    }
}

/// A client for one provider.
pub(super) struct Outbound {
    client: reqwest::Client,
    max: usize,
}

impl Outbound {
    /// `ca`: the only authorities that count; `None`: the system's.
    pub(super) fn new(ca: Option<&Path>, timeout: Duration, max: usize) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(ca).map_err(|why| caused(&why))?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .timeout(timeout)
            .build()
            .map_err(|why| caused(&why))?;
        Ok(Self { client, max })
    }

    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, OutboundError> {
        let request = reqwest::Request::try_from(request).map_err(OutboundError::Failed)?;
        if !is_confidential(request.url()) {
            let host = request.url().host_str().unwrap_or_default().to_owned();
            return Err(OutboundError::Insecure(host));
        }
        // An error's URL would carry its query.
        let failed = |why: reqwest::Error| OutboundError::Failed(why.without_url());
        let mut response = self.client.execute(request).await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.max {
                return Err(OutboundError::TooLarge { max: self.max });
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = http::Response::builder().status(response.status());
        if let Some(headers) = answer.headers_mut() {
            *headers = response.headers().clone();
        }
        answer.body(body).map_err(OutboundError::Malformed)
    }
}

impl<'c> AsyncHttpClient<'c> for Outbound {
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OutboundError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbound")
    }
}

/// Whether nobody on the way can read or change what is sent there: https, or this machine.
pub(super) fn is_confidential(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Domain(name))) => name == "localhost" || name.ends_with(".localhost"),
        ("http", Some(Host::Ipv4(ip))) => ip.is_loopback(),
        ("http", Some(Host::Ipv6(ip))) => ip.is_loopback(),
        _ => false,
    }
}

/// An error and its causes on one line, for the log. Errors whose `Debug` may hold a token are written down by this.
pub(super) fn caused(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() -> Result<(), url::ParseError> {
        for (text, good) in [
            ("https://id.example/", true),
            ("http://127.0.0.1:9000/", true),
            ("http://[::1]/", true),
            ("http://id.localhost/", true),
            ("http://id.example/", false),
            ("http://127.0.0.1.id.example/", false),
            ("http://10.0.0.1/", false),
            ("ftp://localhost/", false),
            ("data:,x", false),
        ] {
            assert_eq!(is_confidential(&Url::parse(text)?), good, "{text}");
        }
        Ok(())
    }
}
