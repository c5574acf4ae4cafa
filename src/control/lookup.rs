//! Asking another system by HTTP: one bounded GET that answers JSON. It never follows a redirect, never waits longer
//! than it is told to, and never reads more.

use super::outbound::{OutboundError, tls};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde_json::Value;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The most that a secret may be long. Bytes.
const MAX_SECRET: usize = 8192;

/// Where a secret is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretAt {
    File(PathBuf),
    Variable(String),
}

/// How Locum proves who it is to the other system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    None,
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        user: String,
        password: SecretAt,
    },
    /// A field with a prefix and the secret, such as `Authorization: Bearer …`.
    Field {
        name: String,
        prefix: String,
        secret: SecretAt,
    },
}

/// What tunes one such system.
#[derive(Clone, Debug)]
pub struct Settings {
    /// With `{name}` for each value that is filled in, percent-encoded. Placeholders only after the host.
    pub url: String,
    pub proof: Proof,
    /// The CA (PEM) that its certificate must come from. `None`: the system's.
    pub ca: Option<PathBuf>,
    /// For one answer, waiting for a free place included.
    pub timeout: Duration,
    /// Bytes of one answer.
    pub max_body: usize,
    /// Questions on their way at once.
    pub max_concurrent: usize,
}

/// What cannot be made to work.
#[derive(Debug)]
pub enum SetupError {
    /// No secret can be read there; never what it is.
    Secret {
        at: String,
        why: String,
    },
    /// A file that the configuration names.
    File {
        path: PathBuf,
        why: String,
    },
    Url(String),
    Client(reqwest::Error),
    Tls(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret { at, why } => write!(f, "the secret in {at} cannot be used: {why}"),
            Self::File { path, why } => write!(f, "{}: {why}", path.display()),
            Self::Url(why) => write!(f, "the URL cannot be used: {why}"),
            Self::Client(_) => f.write_str("the HTTP client cannot be made"),
            Self::Tls(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for SetupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Client(why) => Some(why),
            Self::Tls(why) => why.source(),
            _ => None,
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum LookupError {
    /// Not within the time, a free place included.
    Timeout,
    Unreachable(reqwest::Error),
    /// It answered with a status that says nothing of what was asked.
    Status(u16),
    /// More bytes than may be read.
    TooLarge(usize),
    NotJson,
    /// The value cannot stand in a URL.
    Value,
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("it did not answer in time"),
            Self::Unreachable(why) => write!(f, "it cannot be reached: {why}"),
            Self::Status(status) => write!(f, "it answered with status {status}"),
            Self::TooLarge(max) => write!(f, "its answer has more than {max} bytes"),
            Self::NotJson => f.write_str("its answer is not JSON"),
            Self::Value => f.write_str("the value cannot be asked for"),
        }
    }
}

impl std::error::Error for LookupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable(why) => Some(why),
            _ => None,
        }
    }
}

/// A system that can be asked.
pub struct Lookup {
    client: reqwest::Client,
    url: String,
    proof: Option<(HeaderName, HeaderValue)>,
    timeout: Duration,
    max_body: usize,
    places: Semaphore,
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lookup({})", self.url)
    }
}

impl Lookup {
    pub fn new(settings: &Settings) -> Result<Self, SetupError> {
        let plain = settings.url.replace(['{', '}'], "");
        reqwest::Url::parse(&plain).map_err(|why| SetupError::Url(why.to_string()))?;
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(settings.timeout)
            .no_proxy()
            .user_agent("locum")
            .tls_backend_preconfigured(tls(settings.ca.as_deref()).map_err(tls_failed)?);
        Ok(Self {
            client: client.build().map_err(SetupError::Client)?,
            url: settings.url.clone(),
            proof: proof(&settings.proof)?,
            timeout: settings.timeout,
            max_body: settings.max_body,
            places: Semaphore::new(settings.max_concurrent.max(1)),
        })
    }

    /// What the system says of these values; `None`: it knows no such thing (404, 410).
    pub async fn get(&self, values: &[(&str, &str)]) -> Result<Option<Value>, LookupError> {
        let url = fill(&self.url, values).ok_or(LookupError::Value)?;
        let asked = tokio::time::timeout(self.timeout, self.ask(url));
        asked.await.map_err(|_| LookupError::Timeout)?
    }

    async fn ask(&self, url: reqwest::Url) -> Result<Option<Value>, LookupError> {
        // The semaphore is never closed; were it, that is no place either.
        let _place = self
            .places
            .acquire()
            .await
            .map_err(|_| LookupError::Timeout)?;
        let mut request = self.client.get(url).header("accept", "application/json");
        if let Some((name, value)) = &self.proof {
            request = request.header(name, value);
        }
        let mut answer = request.send().await.map_err(failed)?;
        match answer.status().as_u16() {
            200 => {}
            404 | 410 => return Ok(None),
            status => return Err(LookupError::Status(status)),
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(failed)? {
            if body.len() + part.len() > self.max_body {
                return Err(LookupError::TooLarge(self.max_body));
            }
            body.extend_from_slice(&part);
        }
        let json = serde_json::from_slice(&body).map_err(|_| LookupError::NotJson)?;
        Ok(Some(json))
    }
}

/// The URL is left out: it names the customer's ticket.
fn failed(error: reqwest::Error) -> LookupError {
    if error.is_timeout() {
        LookupError::Timeout
    } else {
        LookupError::Unreachable(error.without_url())
    }
}

/// The template with its values, each percent-encoded whole; `None` where that is no URL, or where a value is nothing
/// but dots, which every URL parser takes for a step up (RFC 3986 §5.2.4).
fn fill(template: &str, values: &[(&str, &str)]) -> Option<reqwest::Url> {
    let mut text = template.to_owned();
    for (name, value) in values {
        if value.is_empty() || value.bytes().all(|b| b == b'.') {
            return None;
        }
        // What was filled in has no braces left, so that no value can be taken for a placeholder.
        text = text.replace(&format!("{{{name}}}"), &encoded(value));
    }
    reqwest::Url::parse(&text).ok()
}

/// All but RFC 3986's unreserved characters as `%XX`.
fn encoded(value: &str) -> String {
    use std::fmt::Write as _;
    value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

fn tls_failed(why: OutboundError) -> SetupError {
    SetupError::Tls(Box::new(why))
}

fn proof(from: &Proof) -> Result<Option<(HeaderName, HeaderValue)>, SetupError> {
    use base64::Engine as _;
    let (name, text, at) = match from {
        Proof::None => return Ok(None),
        Proof::Basic { user, password } => {
            let pair = format!("{user}:{}", one_secret(password)?);
            let pair = base64::engine::general_purpose::STANDARD.encode(pair);
            (AUTHORIZATION, format!("Basic {pair}"), password)
        }
        Proof::Field {
            name,
            prefix,
            secret,
        } => {
            let known = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes());
            let known = known.map_err(|_| SetupError::Url(format!("{name:?} is no field")))?;
            (known, format!("{prefix}{}", one_secret(secret)?), secret)
        }
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| SetupError::Secret {
        at: at.to_string(),
        why: "it cannot stand in a header field".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(Some((name, value)))
}

impl fmt::Display for SecretAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Variable(name) => write!(f, "the variable {name}"),
        }
    }
}

/// The secrets at a place, one a line: all are good while a rotation is under way.
pub fn secrets(at: &SecretAt) -> Result<Vec<String>, SetupError> {
    let wrong = |why: &str| SetupError::Secret {
        at: at.to_string(),
        why: why.to_owned(),
    };
    let text = match at {
        // The error of a variable that is no text holds it, and its message would show it.
        SecretAt::Variable(name) => std::env::var(name).map_err(|_| wrong("it is not set"))?,
        SecretAt::File(path) => {
            let size = std::fs::metadata(path)
                .map_err(|why| wrong(&why.to_string()))?
                .len();
            if size > MAX_SECRET as u64 {
                return Err(wrong("it is too long"));
            }
            std::fs::read_to_string(path).map_err(|why| wrong(&why.to_string()))?
        }
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let found: Vec<String> = lines.map(str::to_owned).collect();
    if found.is_empty() {
        return Err(wrong("it is empty"));
    }
    Ok(found)
}

fn one_secret(at: &SecretAt) -> Result<String, SetupError> {
    let mut found = secrets(at)?;
    if found.len() > 1 {
        return Err(SetupError::Secret {
            at: at.to_string(),
            why: "it has more than one line".to_owned(),
        });
    }
    Ok(found.swap_remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_leaves_its_place_in_the_url() {
        let url = |value: &str| {
            fill(
                "https://h/api/{ticket}?q=number={ticket}",
                &[("ticket", value)],
            )
            .map(|url| url.to_string())
        };
        assert_eq!(
            url("SUP-1").as_deref(),
            Some("https://h/api/SUP-1?q=number=SUP-1")
        );
        assert_eq!(
            url("../x?a=b#c&d^e{ticket}").as_deref(),
            Some(
                "https://h/api/..%2Fx%3Fa%3Db%23c%26d%5Ee%7Bticket%7D?q=number=..%2Fx%3Fa%3Db%23c%26d%5Ee%7Bticket%7D"
            )
        );
        for dots in ["", ".", "..", "..."] {
            assert_eq!(url(dots), None, "{dots:?}");
        }
        assert_eq!(
            url("%2e%2e").as_deref(),
            Some("https://h/api/%252e%252e?q=number=%252e%252e")
        );
    }

    #[test]
    fn a_secret_is_never_shown() {
        let folder = tempfile::tempdir().unwrap_or_else(|why| panic!("{why}"));
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter2\n").unwrap_or_else(|why| panic!("{why}"));
        let settings = Settings {
            url: "http://127.0.0.1:1/{ticket}".to_owned(),
            proof: Proof::Basic {
                user: "bot".to_owned(),
                password: SecretAt::File(path.clone()),
            },
            ca: None,
            timeout: Duration::from_secs(1),
            max_body: 1024,
            max_concurrent: 1,
        };
        let lookup = Lookup::new(&settings).unwrap_or_else(|why| panic!("{why}"));
        assert!(!format!("{lookup:?} {settings:?}").contains("hunter2"));
        std::fs::write(&path, "two\nlines\n").unwrap_or_else(|why| panic!("{why}"));
        let why = Lookup::new(&settings).err().map(|why| why.to_string());
        assert!(
            why.is_some_and(|why| why.contains("more than one line") && !why.contains("two\n"))
        );
    }
}
