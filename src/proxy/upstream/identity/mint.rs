//! A session of the app's own for the subject: the assertion is posted to the app once, and the cookies
//! that it returns go into the session's jar.

use super::{Identity, IdentityError, Live};
use crate::proxy::upstream::{Cause, Upstream};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use parking_lot::Mutex;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Where and how a session of the app's is asked for.
#[derive(Clone, Debug)]
pub struct Mint {
    /// Path (and query) on the upstream that takes the assertion by POST.
    pub path: String,
    pub body: MintBody,
    /// For the whole call, in all. Default 10 s.
    pub timeout: Duration,
    /// `Set-Cookie` lines taken. Default 32.
    pub max_cookies: usize,
    /// Bytes of all `Set-Cookie` lines together. Default 16 KiB.
    pub max_bytes: usize,
    /// Whether a 401 from the app makes a new session. Default true.
    pub again_on_401: bool,
    /// Least time between two such renewals, and after a failure before the next try. Default 10 s.
    pub pause: Duration,
}

impl Default for Mint {
    fn default() -> Self {
        Self {
            path: String::new(),
            body: MintBody::default(),
            timeout: Duration::from_secs(10),
            max_cookies: 32,
            max_bytes: 16 * 1024,
            again_on_401: true,
            pause: Duration::from_secs(10),
        }
    }
}

/// How the assertion travels to the mint endpoint; it is in the assertion's header in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MintBody {
    /// An empty body.
    #[default]
    Header,
    /// `application/x-www-form-urlencoded` with this field.
    Form(String),
    /// `application/json` with this member.
    Json(String),
}

impl Mint {
    pub(super) fn check(&self) -> Result<(), String> {
        let origin_form = self.path.starts_with('/') && self.path.parse::<Uri>().is_ok();
        if !origin_form {
            return Err(format!(
                "mint.path {:?} is no path: start it with /",
                self.path
            ));
        }
        let field = match &self.body {
            MintBody::Header => return Ok(()),
            MintBody::Form(field) | MintBody::Json(field) => field,
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if field.is_empty() || !field.bytes().all(plain) {
            return Err(format!(
                "mint's field {field:?}: use letters, digits, _ - ."
            ));
        }
        Ok(())
    }

    fn content(&self, assertion: &HeaderValue) -> (Option<&'static str>, Bytes) {
        // A JWT is letters, digits, `-`, `_` and `.`: it needs no escape in either form.
        let token = assertion.to_str().unwrap_or_default();
        match &self.body {
            MintBody::Header => (None, Bytes::new()),
            MintBody::Form(field) => {
                let body = format!("{field}={token}");
                (Some("application/x-www-form-urlencoded"), body.into())
            }
            MintBody::Json(field) => {
                let body = serde_json::json!({ (field.as_str()): token }).to_string();
                (Some("application/json"), body.into())
            }
        }
    }
}

/// Why there is no session.
#[derive(Debug)]
pub enum MintError {
    /// The app could not be reached or did not answer; the cause says more.
    Unreachable(Cause),
    Timeout(Duration),
    /// The app answered with this status.
    Refused(StatusCode),
    /// A success without a single cookie.
    NoCookie,
    /// More or longer cookies than the limits allow.
    TooMuch,
    /// It failed a moment ago; nothing was asked this time.
    Recently,
}

impl MintError {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Recently => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_GATEWAY,
        }
    }
}

impl fmt::Display for MintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(_) => f.write_str("the mint endpoint cannot be reached"),
            Self::Timeout(after) => {
                write!(
                    f,
                    "the mint endpoint gave no answer within {} ms",
                    after.as_millis()
                )
            }
            Self::Refused(status) => write!(f, "the mint endpoint answered {}", status.as_u16()),
            Self::NoCookie => f.write_str("the mint endpoint set no cookie"),
            Self::TooMuch => {
                f.write_str("the mint endpoint set more cookies than mint's limits allow")
            }
            Self::Recently => f.write_str("minting failed a moment ago"),
        }
    }
}

impl std::error::Error for MintError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable(cause) => Some(&**cause),
            _ => None,
        }
    }
}

/// Which of a session's mints a request went out under; 0 before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generation(u32);

/// What a 401 led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// The jar holds newer cookies than the request had: send it again, if that is safe.
    Yes,
    /// Nothing changed: the 401 is the answer.
    No,
}

/// How to reach the app for a mint.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    pub upstream: &'a Upstream,
    /// The calling worker's number.
    pub lane: usize,
    /// `Host` as other requests to this app have it.
    pub host: Option<&'a HeaderValue>,
}

/// The state of one session's mint.
#[derive(Debug, Default)]
pub(super) struct Slot {
    generation: AtomicU32,
    /// Held while the app is asked: everybody else of the session waits for that one answer.
    asking: tokio::sync::Mutex<()>,
    failed: Mutex<Option<Instant>>,
    renewed: Mutex<Option<Instant>>,
}

impl Slot {
    fn generation(&self) -> Generation {
        Generation(self.generation.load(Ordering::Acquire))
    }

    /// Whether the app ever gave this session one of its own.
    pub(super) fn was_made(&self) -> bool {
        self.generation() != Generation::default()
    }

    /// Nobody is asking the app any more.
    pub(super) async fn settled(&self) {
        drop(self.asking.lock().await);
    }

    fn advance(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}

fn within(since: &Mutex<Option<Instant>>, span: Duration) -> bool {
    since.lock().is_some_and(|at| at.elapsed() < span)
}

impl Identity {
    /// Whether sessions are minted: then [`Identity::prepare`] comes before the first request.
    pub fn mints(&self) -> bool {
        self.mint.is_some()
    }

    /// Makes sure that the session has the app's cookies: asks the app the first time, once for all requests
    /// that come at the same time, and hands the raw `Set-Cookie` values to `keep` before any goes on.
    /// Without the mode `mint` this is nothing.
    pub async fn prepare(
        &self,
        way: Way<'_>,
        live: Live<'_>,
        keep: impl Fn(&[HeaderValue]) + Send + Sync,
    ) -> Result<Generation, IdentityError> {
        let Some(mint) = &self.mint else {
            return Ok(Generation::default());
        };
        let slot = live.cache.slot(self.id);
        if slot.generation() == Generation::default() {
            let _asking = slot.asking.lock().await;
            if slot.generation() == Generation::default() {
                self.ask(mint, &slot, way, live, keep).await?;
            }
        }
        Ok(slot.generation())
    }

    /// After the app answered 401 to a request that went out under `seen`: asks for new cookies, unless
    /// somebody did meanwhile, or did a moment ago, or the configuration forbids it.
    pub async fn renew(
        &self,
        seen: Generation,
        way: Way<'_>,
        live: Live<'_>,
        keep: impl Fn(&[HeaderValue]) + Send + Sync,
    ) -> Result<Renewed, IdentityError> {
        let Some(mint) = self.mint.as_ref().filter(|mint| mint.again_on_401) else {
            return Ok(Renewed::No);
        };
        let slot = live.cache.slot(self.id);
        let _asking = slot.asking.lock().await;
        if slot.generation() != seen {
            return Ok(Renewed::Yes);
        }
        if within(&slot.renewed, mint.pause) {
            return Ok(Renewed::No);
        }
        *slot.renewed.lock() = Some(Instant::now());
        self.ask(mint, &slot, way, live, keep).await?;
        Ok(Renewed::Yes)
    }

    async fn ask(
        &self,
        mint: &Mint,
        slot: &Slot,
        way: Way<'_>,
        live: Live<'_>,
        keep: impl Fn(&[HeaderValue]) + Send + Sync,
    ) -> Result<(), IdentityError> {
        let failed = |error| IdentityError::Mint {
            upstream: self.upstream.clone(),
            error,
        };
        if within(&slot.failed, mint.pause) {
            return Err(failed(MintError::Recently));
        }
        let request = self.mint_request(mint, way, live)?;
        let answer = tokio::time::timeout(mint.timeout, call(mint, way, request)).await;
        match answer.unwrap_or(Err(MintError::Timeout(mint.timeout))) {
            Ok(cookies) => {
                keep(&cookies);
                *slot.failed.lock() = None;
                slot.advance();
                Ok(())
            }
            Err(error) => {
                *slot.failed.lock() = Some(Instant::now());
                Err(failed(error))
            }
        }
    }

    fn mint_request(
        &self,
        mint: &Mint,
        way: Way<'_>,
        live: Live<'_>,
    ) -> Result<Request<Full<Bytes>>, IdentityError> {
        let wrong = |what: &str| IdentityError::Settings {
            upstream: self.upstream.clone(),
            what: what.to_owned(),
        };
        let assertions = self
            .assertions
            .as_ref()
            .ok_or_else(|| wrong("mint needs assertion"))?;
        let signed = assertions.sign(live.session, live.grant, self.clock.now())?;
        let (kind, content) = mint.content(&signed.value);
        let mut headers = HeaderMap::new();
        self.apply(live, &mut headers)?;
        headers.insert(assertions.header().clone(), signed.value);
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(content.len()));
        if let Some(kind) = kind {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        if let Some(host) = way.host {
            headers.insert(header::HOST, host.clone());
        }
        let mut request = Request::new(Full::new(content));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = mint
            .path
            .parse()
            .map_err(|_| wrong("mint.path is no path"))?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Sends it; only the head of the answer matters, so its body is not read.
async fn call(
    mint: &Mint,
    way: Way<'_>,
    request: Request<Full<Bytes>>,
) -> Result<Vec<HeaderValue>, MintError> {
    let response = way
        .upstream
        .send(way.lane, request)
        .await
        .map_err(|cause| MintError::Unreachable(cause.into()))?;
    let status = response.status();
    // Sign-in endpoints commonly answer with a redirect.
    if !status.is_success() && !status.is_redirection() {
        return Err(MintError::Refused(status));
    }
    let cookies: Vec<_> = response
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .cloned()
        .collect();
    let bytes: usize = cookies.iter().map(HeaderValue::len).sum();
    if cookies.is_empty() {
        Err(MintError::NoCookie)
    } else if cookies.len() > mint.max_cookies || bytes > mint.max_bytes {
        Err(MintError::TooMuch)
    } else {
        Ok(cookies)
    }
}
