//! Trust in one assertion: a short-lived JWT that says for whom, and by whom, a request is made.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use std::fmt;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use url::Url;

/// The header that carries it.
pub(crate) const HEADER: &str = "locum-assertion";
/// How far the two clocks may differ, in seconds.
const LEEWAY: u64 = 5;
/// A key set that is larger is not read.
const MAX_KEY_SET: usize = 256 * 1024;
/// How long fetching the key set may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);
/// An unknown key id fetches the key set again, but not more often than this.
const FETCH_EVERY: Duration = Duration::from_millis(500);

/// What a good assertion says.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Claims {
    /// The customer's e-mail address.
    pub(crate) sub: String,
    pub(crate) tenant: String,
    #[serde(default)]
    pub(crate) act: Option<Actor>,
}

#[derive(Debug, serde::Deserialize)]
pub(crate) struct Actor {
    pub(crate) sub: String,
}

/// Why an assertion was not believed.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Not a JWT, wrong algorithm, signature, issuer, audience or time.
    Token(jsonwebtoken::errors::Error),
    /// An algorithm other than ES256 and `EdDSA`.
    Algorithm(Algorithm),
    /// No key id, or one that the key set does not have.
    UnknownKey,
    /// The key set could not be had.
    KeySet(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(why) => write!(f, "the assertion does not hold: {why}"),
            Self::Algorithm(which) => write!(f, "the assertion is signed with {which:?}"),
            Self::UnknownKey => f.write_str("the assertion's key is not in the key set"),
            Self::KeySet(why) => write!(f, "the key set could not be read: {why}"),
        }
    }
}

impl std::error::Error for Refused {}

/// Verifies assertions from one issuer for one audience.
pub(crate) struct Verifier {
    source: String,
    issuer: String,
    audience: String,
    keys: Mutex<Keys>,
}

struct Keys {
    set: JwkSet,
    fetched: Option<Instant>,
}

impl Verifier {
    /// A verifier that fetches `source` (an `http:` URL or a file) when it first needs a key.
    pub(crate) fn new(source: String, issuer: String, audience: String) -> Self {
        let set = JwkSet { keys: Vec::new() };
        let keys = Mutex::new(Keys { set, fetched: None });
        Self {
            source,
            issuer,
            audience,
            keys,
        }
    }

    /// The claims of a token whose signature, issuer, audience and time hold.
    pub(crate) async fn verify(&self, token: &str) -> Result<Claims, Refused> {
        let header = decode_header(token).map_err(Refused::Token)?;
        if !matches!(header.alg, Algorithm::ES256 | Algorithm::EdDSA) {
            return Err(Refused::Algorithm(header.alg));
        }
        let key = self.key(&header.kid.ok_or(Refused::UnknownKey)?).await?;
        let mut rules = Validation::new(header.alg);
        rules.leeway = LEEWAY;
        rules.validate_nbf = true;
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[&self.audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let token = decode::<Claims>(token, &key, &rules).map_err(Refused::Token)?;
        Ok(token.claims)
    }

    async fn key(&self, id: &str) -> Result<DecodingKey, Refused> {
        let mut keys = self.keys.lock().await;
        let is_stale = keys.fetched.is_none_or(|at| at.elapsed() > FETCH_EVERY);
        if keys.set.find(id).is_none() && is_stale {
            keys.set = fetch(&self.source).await.map_err(Refused::KeySet)?;
            keys.fetched = Some(Instant::now());
        }
        let jwk = keys.set.find(id).ok_or(Refused::UnknownKey)?;
        DecodingKey::from_jwk(jwk).map_err(Refused::Token)
    }
}

async fn fetch(source: &str) -> Result<JwkSet, Box<dyn std::error::Error + Send + Sync>> {
    let bytes = match Url::parse(source) {
        Ok(url) if url.scheme() == "http" => {
            tokio::time::timeout(FETCH_TIMEOUT, get(&url)).await??
        }
        Ok(url) if url.scheme() == "https" => {
            return Err("use http:// on this machine's own network, or a file".into());
        }
        _ => Bytes::from(tokio::fs::read(source).await?),
    };
    Ok(serde_json::from_slice(&bytes)?)
}

async fn get(url: &Url) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    let host = url.host_str().ok_or("the key set's URL has no host")?;
    let port = url.port_or_known_default().unwrap_or(80);
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = http::Request::get(url.path())
        .header("host", format!("{host}:{port}"))
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    if !response.status().is_success() {
        return Err(format!("{url} answered {}", response.status()).into());
    }
    Ok(Limited::new(response.into_body(), MAX_KEY_SET)
        .collect()
        .await?
        .to_bytes())
}
