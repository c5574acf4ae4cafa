//! Whom the app takes a request for: the modes `assertion`, `headers`, `mint`, `exchange`, `basic` and `token`, alone or
//! together; and how the app is told that it is over.
//!
//! Deliberately absent: anything that would hand a customer's own credential to the operator.

mod assertion;
mod cache;
mod credential;
mod error;
mod exchange;
mod keys;
mod leave;
mod mint;
mod template;
mod tokens;

#[cfg(test)]
mod tests;

pub use cache::IdentityCache;
pub use credential::{Credential, SecretSource};
pub use error::IdentityError;
pub use exchange::{ClientAuth, Exchange, ExchangeError};
pub use keys::{Algorithm, KeyError, KeyRing};
pub use leave::{Logout, LogoutError};
pub use mint::{Generation, Mint, MintBody, MintError, Renewed, Way};
pub use tokens::{Leftover, TokenNews};

use crate::model::{Clock, Grant, SessionId, Timestamp};
use assertion::Assertions;
use cache::Ready;
use exchange::Exchanger;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use template::Template;

/// The header that carries the assertion unless the settings name another; clients may never send it.
pub const ASSERTION_HEADER: HeaderName = HeaderName::from_static("locum-assertion");

/// How one upstream is told who the subject is. Empty settings are the mode `none`.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The upstream's name, for errors.
    pub upstream: String,
    pub assertion: Option<Assertion>,
    /// Header name → template: text with placeholders such as `{subject.id}`; `{{` and `}}` are braces.
    pub headers: Vec<(String, String)>,
    pub credential: Option<Credential>,
    /// Needs `assertion`.
    pub mint: Option<Mint>,
    /// Needs `assertion`.
    pub exchange: Option<Exchange>,
    /// Called when a session is over.
    pub logout: Option<Logout>,
    /// Where the time comes from.
    pub clock: Clock,
}

/// The signed statement to the app.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// Default `locum-assertion`.
    pub header: String,
    /// `iss`: the URL under which the keys are found, so that the app can tell two installations apart.
    pub issuer: String,
    /// `aud`: what the app calls itself.
    pub audience: String,
    /// `exp` is at most this after `iat`, and never after the grant's end. Default 60 s.
    pub lifetime: Duration,
    /// `nbf` is this before `iat`, for apps whose clock is late. Default 5 s.
    pub leeway: Duration,
    /// Whether each request bears it. Default true; false where only the mint endpoint needs it.
    pub on_requests: bool,
}

impl Default for Assertion {
    fn default() -> Self {
        Self {
            header: ASSERTION_HEADER.as_str().to_owned(),
            issuer: String::new(),
            audience: String::new(),
            lifetime: Duration::from_secs(60),
            leeway: Duration::from_secs(5),
            on_requests: true,
        }
    }
}

/// The session that a request belongs to, as far as identity needs it.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    pub session: SessionId,
    pub grant: &'a Grant,
    pub cache: &'a IdentityCache,
}

/// One upstream's way of naming the subject, ready for use.
pub struct Identity {
    /// Tells entries in session caches apart; a reloaded configuration gets new numbers.
    id: u64,
    upstream: String,
    assertions: Option<Assertions>,
    templates: Vec<(HeaderName, Template)>,
    credential: Option<(HeaderName, HeaderValue)>,
    mint: Option<Mint>,
    exchanger: Option<Arc<Exchanger>>,
    logout: Option<Logout>,
    clock: Clock,
}

/// Header fields to set, and until when they hold.
type Fields = (Vec<(HeaderName, HeaderValue)>, Option<Timestamp>);

impl Identity {
    /// Compiles templates, reads secrets, checks that the modes fit together.
    pub fn new(settings: Settings, keys: Option<Arc<KeyRing>>) -> Result<Self, IdentityError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let wrong = |what: String| IdentityError::Settings {
            upstream: settings.upstream.clone(),
            what,
        };
        let assertions = match settings.assertion {
            None => None,
            Some(assertion) => {
                let keys = keys.ok_or_else(|| {
                    wrong("assertion needs a directory of signing keys".to_owned())
                })?;
                Some(Assertions::new(assertion, keys).map_err(wrong)?)
            }
        };
        if let Some(mint) = &settings.mint {
            if assertions.is_none() {
                return Err(wrong(
                    "mint needs assertion: set its issuer and audience".to_owned(),
                ));
            }
            mint.check().map_err(wrong)?;
        }
        if settings.exchange.is_some() && assertions.is_none() {
            return Err(wrong("exchange needs assertion".to_owned()));
        }
        let exchange = settings.exchange.clone();
        let exchanger = exchange.map(|it| Exchanger::new(&settings.upstream, it));
        let mut templates = Vec::with_capacity(settings.headers.len());
        for (name, text) in &settings.headers {
            let header = field_name(name).map_err(wrong)?;
            if templates.iter().any(|(other, _)| *other == header) {
                return Err(wrong(format!("headers names {name} twice")));
            }
            let template =
                Template::parse(text).map_err(|what| wrong(format!("headers.{name}: {what}")))?;
            templates.push((header, template));
        }
        let credential = match &settings.credential {
            None => None,
            Some(credential) => Some(credential.field(&settings.upstream)?),
        };
        Ok(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            upstream: settings.upstream,
            assertions,
            templates,
            credential,
            mint: settings.mint,
            exchanger: exchanger.transpose()?,
            logout: settings.logout,
            clock: settings.clock,
        })
    }

    /// The names that this identity sets, which are to be stripped from what clients send, in every spelling.
    pub fn strip_list(&self) -> Vec<HeaderName> {
        let asserted = self.assertions.iter().map(|a| a.header().clone());
        let templates = self.templates.iter().map(|(name, _)| name.clone());
        let credential = self.credential.iter().map(|(name, _)| name.clone());
        let token = self.exchanger.iter().map(|_| header::AUTHORIZATION);
        let mut names = vec![ASSERTION_HEADER];
        for name in asserted.chain(templates).chain(credential).chain(token) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Sets the subject's identity on a request, in place of whatever stood there. Signs at most twice in
    /// an assertion's lifetime for each session; else it copies.
    pub fn apply(&self, live: Live<'_>, headers: &mut HeaderMap) -> Result<(), IdentityError> {
        let now = self.clock.now();
        let ready = match live.cache.ready(self.id, now) {
            Some(ready) => ready,
            None => self.refresh(live, now)?,
        };
        headers.remove(ASSERTION_HEADER);
        for (name, value) in ready.iter() {
            headers.insert(name.clone(), value.clone());
        }
        if let Some(token) = self.token_field(live)? {
            headers.insert(header::AUTHORIZATION, token);
        }
        Ok(())
    }

    fn refresh(&self, live: Live<'_>, now: Timestamp) -> Result<Ready, IdentityError> {
        let (fields, until) = self.fields(live, now)?;
        let fields: Ready = fields.into();
        // An identity that does not change holds for as long as its session.
        let until = until.unwrap_or(Timestamp::from_millis(i64::MAX));
        live.cache.put(self.id, Arc::clone(&fields), until);
        Ok(fields)
    }

    fn fields(&self, live: Live<'_>, now: Timestamp) -> Result<Fields, IdentityError> {
        let mut fields = Vec::with_capacity(self.templates.len() + 2);
        let mut until = None;
        if let Some(assertions) = self.assertions.as_ref().filter(|a| a.on_requests()) {
            let signed = assertions.sign(live.session, live.grant, now)?;
            fields.push((assertions.header().clone(), signed.value));
            until = Some(signed.refresh_at);
        }
        fields.extend(self.unsigned_fields(live)?);
        Ok((fields, until))
    }

    /// What says the same of the session from its beginning to its end.
    fn unsigned_fields(
        &self,
        live: Live<'_>,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, IdentityError> {
        let mut fields = Vec::with_capacity(self.templates.len() + 1);
        for (name, template) in &self.templates {
            let filled = template.fill(live.session, live.grant);
            let value = filled.map_err(|placeholder| IdentityError::Value {
                upstream: self.upstream.clone(),
                header: name.clone(),
                placeholder,
            })?;
            // An absent name or the like: no header says that better than an empty one.
            if !value.is_empty() {
                fields.push((name.clone(), value));
            }
        }
        fields.extend(self.credential.clone());
        Ok(fields)
    }
}

/// A header that identity may set: valid, and not one that frames or routes the message.
fn field_name(name: &str) -> Result<HeaderName, String> {
    const TAKEN: &[&str] = &[
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "te",
        "trailer",
        "cookie",
        "content-type",
        "keep-alive",
        "proxy-connection",
        "expect",
    ];
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("{name:?} is no header name"))?;
    if TAKEN.contains(&header.as_str()) {
        return Err(format!(
            "{name} cannot carry an identity: choose another header"
        ));
    }
    Ok(header)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("upstream", &self.upstream)
            .field("sets", &self.strip_list())
            .field("mints", &self.mint.is_some())
            .field("exchanges", &self.exchanger.is_some())
            .finish_non_exhaustive()
    }
}
