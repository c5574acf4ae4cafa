//! The end of a session as the app is told of it: its logout path is called once, for the subject's own session there.

use super::{Identity, IdentityError, Live, Way};
use crate::proxy::upstream::Cause;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use std::fmt;
use std::time::Duration;

/// What the app wants called when a session is over.
#[derive(Clone, Debug)]
pub struct Logout {
    /// Path on the upstream.
    pub path: String,
    pub method: Method,
    /// For the whole call, in all. Default 5 s.
    pub timeout: Duration,
}

impl Default for Logout {
    fn default() -> Self {
        Self {
            path: String::new(),
            method: Method::POST,
            timeout: Duration::from_secs(5),
        }
    }
}

/// Why the app may think that the session goes on. Never tried again: what it did is for people to look at.
#[derive(Debug)]
pub enum LogoutError {
    Identity(IdentityError),
    Unreachable(Cause),
    Timeout(Duration),
    Refused(StatusCode),
}

impl fmt::Display for LogoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(_) => f.write_str("the session's identity cannot be stated"),
            Self::Unreachable(_) => f.write_str("the app cannot be reached"),
            Self::Timeout(after) => {
                write!(f, "the app gave no answer within {} ms", after.as_millis())
            }
            Self::Refused(status) => write!(f, "the app answered {}", status.as_u16()),
        }
    }
}

impl std::error::Error for LogoutError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Identity(why) => Some(why),
            Self::Unreachable(cause) => Some(&**cause),
            Self::Timeout(_) | Self::Refused(_) => None,
        }
    }
}

impl Identity {
    /// What is to be called at the end of this session; `None`: nothing is configured, or the app never gave it a
    /// session of its own.
    pub fn logout(&self, live: Live<'_>) -> Option<&Logout> {
        let was_there = !self.mints() || live.cache.slot(self.id).was_made();
        self.logout.as_ref().filter(|_| was_there)
    }

    /// Waits, for as long as a mint may take, until none is under way whose cookies would come after the end.
    pub async fn settle(&self, live: Live<'_>) {
        if let Some(mint) = &self.mint {
            let slot = live.cache.slot(self.id);
            let _ = tokio::time::timeout(mint.timeout, slot.settled()).await;
        }
    }

    /// Calls the logout path once, with what the subject's requests bore and a statement that the session is over.
    /// Returns the status that the app took it with.
    pub async fn leave(
        &self,
        logout: &Logout,
        way: Way<'_>,
        live: Live<'_>,
        cookies: &str,
    ) -> Result<StatusCode, LogoutError> {
        let request = self
            .logout_request(logout, way, live, cookies)
            .map_err(LogoutError::Identity)?;
        let sent = tokio::time::timeout(logout.timeout, way.upstream.send(way.lane, request));
        let response = sent
            .await
            .map_err(|_| LogoutError::Timeout(logout.timeout))?
            .map_err(|cause| LogoutError::Unreachable(cause.into()))?;
        let status = response.status();
        // Apps commonly send somebody who signs out on to a page.
        if status.is_success() || status.is_redirection() {
            Ok(status)
        } else {
            Err(LogoutError::Refused(status))
        }
    }

    fn logout_request(
        &self,
        logout: &Logout,
        way: Way<'_>,
        live: Live<'_>,
        cookies: &str,
    ) -> Result<Request<Full<Bytes>>, IdentityError> {
        let wrong = |what: &str| IdentityError::Settings {
            upstream: self.upstream.clone(),
            what: what.to_owned(),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in self.unsigned_fields(live)? {
            headers.insert(name, value);
        }
        if let Some(assertions) = &self.assertions {
            let now = self.clock.now();
            let signed = assertions.sign_end(live.session, live.grant, now)?;
            headers.insert(assertions.header().clone(), signed);
        }
        if !cookies.is_empty() {
            let mut value =
                HeaderValue::try_from(cookies).map_err(|_| wrong("a cookie is no text"))?;
            value.set_sensitive(true);
            headers.insert(header::COOKIE, value);
        }
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        if let Some(host) = way.host {
            headers.insert(header::HOST, host.clone());
        }
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.method_mut() = logout.method.clone();
        let uri: Result<Uri, _> = logout.path.parse();
        *request.uri_mut() = uri.map_err(|_| wrong("logout.path is no path"))?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}
