//! Which issuers are trusted, for what, and within which limits.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// A signature algorithm that may be allowed. There is no symmetric one and no `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256, keys of 2,048 to 8,192 bits.
    Rs256,
}

impl Algorithm {
    /// As in a token's `alg`; exact, as RFC 7515 §4.1.1 wants it.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            "RS256" => Some(Self::Rs256),
            _ => None,
        }
    }

    pub(super) const fn wire(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
        }
    }
}

/// Where an issuer's public keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jwks {
    /// A JWK set (RFC 7517 §5) on disk; read again when its modification time changes.
    File(PathBuf),
    /// `https`, or `http` to a loopback address. Redirects are not followed.
    Url(Url),
}

/// One trusted issuer.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// `iss`, compared byte for byte.
    pub issuer: String,
    /// What `aud` must be or contain.
    pub audience: String,
    pub jwks: Jwks,
    /// Default ES256 and `EdDSA`.
    pub algorithms: Vec<Algorithm>,
    /// Accepted `typ`, without `application/`. Default `locum-grant+jwt`.
    pub types: Vec<String>,
    /// Whether a token may have no `typ` at all. Default no: a type keeps one kind from being taken for another (RFC 8725
    /// §3.11).
    pub untyped: bool,
    /// The longest life of a token, from `iat` and from `nbf` to `exp`. Default 1 h.
    pub max_lifetime: Duration,
    /// How far the issuer's clock may be off; at most 60 s. Default 5 s.
    pub leeway: Duration,
    /// Apps that its grants may be for; `None`: all.
    pub apps: Option<Vec<String>>,
    /// Tenants that its grants may be in; `None`: all.
    pub tenants: Option<Vec<String>>,
    /// Whether its grants may be break-glass. Default no.
    pub break_glass: bool,
    /// How old keys may be before they are fetched again. Default 5 min.
    pub refresh: Duration,
    /// The least time between two fetches, whatever key ids tokens name. Default 30 s.
    pub min_refresh: Duration,
    /// How long the last good keys serve while new ones cannot be had. Default 1 h.
    pub max_stale: Duration,
    /// The largest JWK set, bytes. Default 256 KiB.
    pub max_jwks_bytes: usize,
    /// How long a fetch may take. Default 5 s.
    pub fetch_timeout: Duration,
    /// PEM file of the authorities that may certify the JWKS host; `None`: the system's.
    pub ca: Option<PathBuf>,
}

impl Issuer {
    /// An issuer with all defaults.
    pub fn new(issuer: &str, audience: &str, jwks: Jwks) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            jwks,
            algorithms: vec![Algorithm::Es256, Algorithm::EdDsa],
            types: vec!["locum-grant+jwt".to_owned()],
            untyped: false,
            max_lifetime: Duration::from_secs(3600),
            leeway: Duration::from_secs(5),
            apps: None,
            tenants: None,
            break_glass: false,
            refresh: Duration::from_secs(300),
            min_refresh: Duration::from_secs(30),
            max_stale: Duration::from_secs(3600),
            max_jwks_bytes: 256 * 1024,
            fetch_timeout: Duration::from_secs(5),
            ca: None,
        }
    }
}

/// All issuers, and the limits that hold for all.
#[derive(Clone, Debug)]
pub struct Settings {
    pub issuers: Vec<Issuer>,
    /// The longest token, bytes. Default 8 KiB.
    pub max_token_bytes: usize,
    /// How many verified tokens are remembered, so that a signature is checked once. Default 10,000.
    pub cache_entries: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            max_token_bytes: 8 * 1024,
            cache_entries: 10_000,
        }
    }
}

/// A setting that cannot be, with the issuer it is about.
#[derive(Debug)]
pub struct SettingsError {
    pub issuer: String,
    pub problem: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "issuer {:?}: {}", self.issuer, self.problem)
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// The largest leeway that still means "clock skew".
    pub const MAX_LEEWAY: Duration = Duration::from_secs(60);

    /// Everything that is wrong, at once.
    pub fn problems(&self) -> Vec<SettingsError> {
        let mut out = Vec::new();
        for (at, issuer) in self.issuers.iter().enumerate() {
            let mut say = |problem: &str| {
                out.push(SettingsError {
                    issuer: issuer.issuer.clone(),
                    problem: problem.to_owned(),
                });
            };
            if issuer.issuer.is_empty() {
                say("the issuer has no name: set what its tokens have as `iss`");
            }
            if self
                .issuers
                .iter()
                .take(at)
                .any(|o| o.issuer == issuer.issuer)
            {
                say("is listed twice: keep one");
            }
            if issuer.audience.is_empty() {
                say("has no audience: set what its tokens have as `aud`");
            }
            if issuer.algorithms.is_empty() {
                say("allows no algorithm: list ES256, EdDSA or RS256");
            }
            if issuer.types.is_empty() {
                say("accepts no token type: list locum-grant+jwt or at+jwt");
            }
            if issuer.leeway > Self::MAX_LEEWAY {
                say("has a leeway of more than 60 s: mend the clocks instead");
            }
            if let Jwks::Url(url) = &issuer.jwks
                && !(url.scheme() == "https" || url.scheme() == "http" && is_loopback(url))
            {
                say("has a JWKS URL that is not https");
            }
        }
        out
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
