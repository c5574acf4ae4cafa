//! RFC 8693 token exchange: an authorization server turns our assertion into an access token of its own, which the app
//! takes as `Authorization: Bearer`. Revoked (RFC 7009) when the session ends.

use super::{IdentityError, SecretSource};
use crate::model::Timestamp;
use crate::proxy::upstream::Cause;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, header};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::form_urlencoded;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// How the client authenticates at the token endpoint (RFC 6749 §2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    #[default]
    Basic,
    /// In the form.
    Post,
}

/// The authorization server and what is asked of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub token_endpoint: String,
    /// `None`: its tokens are left to expire.
    pub revocation_endpoint: Option<String>,
    pub client_id: String,
    pub secret: SecretSource,
    pub auth: ClientAuth,
    pub audience: Option<String>,
    pub resource: Option<String>,
    pub scope: Option<String>,
    /// The only authorities that count; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// For one call, in all.
    pub timeout: Duration,
    /// Bytes of an answer.
    pub max_answer: usize,
    /// This long before a token's end another one is asked for.
    pub early: Duration,
    /// How long a token is taken to be good where its issuer does not say.
    pub assumed: Duration,
    /// After a failure, or a renewal, before the next try.
    pub pause: Duration,
}

/// Why there is no token, or why one was not revoked.
#[derive(Debug)]
pub enum ExchangeError {
    Unreachable(Cause),
    Timeout,
    /// The status, and the error code of RFC 6749 §5.2 where there was one.
    Refused(u16, Option<String>),
    TooLarge(usize),
    /// What it lacks.
    Unusable(&'static str),
    /// It failed a moment ago; nothing was asked this time.
    Recently,
    /// The session was over when the token came; it was revoked at once.
    Ended,
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(_) => f.write_str("the authorization server cannot be reached"),
            Self::Timeout => f.write_str("the authorization server did not answer in time"),
            Self::Refused(status, None) => {
                write!(f, "the authorization server answered {status}")
            }
            Self::Refused(status, Some(code)) => {
                write!(f, "the authorization server answered {status} {code}")
            }
            Self::TooLarge(max) => write!(f, "the answer has more than {max} bytes"),
            Self::Unusable(what) => write!(f, "the answer cannot be used: {what}"),
            Self::Recently => f.write_str("the exchange failed a moment ago"),
            Self::Ended => f.write_str("the session ended before the token came"),
        }
    }
}

impl std::error::Error for ExchangeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable(cause) => Some(&**cause),
            _ => None,
        }
    }
}

/// A token in use. `Debug` does not show it.
pub(super) struct Held {
    token: String,
    /// `Bearer …`, marked sensitive.
    pub(super) field: HeaderValue,
    /// From then on another one is asked for.
    pub(super) fresh_until: Timestamp,
    pub(super) until: Timestamp,
}

/// One upstream's way to its authorization server.
pub(super) struct Exchanger {
    pub(super) upstream: String,
    pub(super) settings: Exchange,
    client: reqwest::Client,
    secret: String,
}

impl fmt::Debug for Exchanger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exchanger({})", self.settings.token_endpoint)
    }
}

impl Exchanger {
    pub(super) fn new(upstream: &str, settings: Exchange) -> Result<Arc<Self>, IdentityError> {
        let wrong = |what: String| IdentityError::Settings {
            upstream: upstream.to_owned(),
            what,
        };
        let secret = settings
            .secret
            .read()
            .map_err(|cause| IdentityError::Secret {
                upstream: upstream.to_owned(),
                from: settings.secret.to_string(),
                cause,
            })?;
        let roots = roots(settings.ca.as_deref()).map_err(wrong)?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(roots)
            .redirect(reqwest::redirect::Policy::none())
            // A kept connection lives on the thread that made it; the next request may come from another one.
            .pool_max_idle_per_host(0)
            .no_proxy()
            .timeout(settings.timeout)
            .user_agent("locum")
            .build()
            .map_err(|why| wrong(format!("exchange: {why}")))?;
        Ok(Arc::new(Self {
            upstream: upstream.to_owned(),
            settings,
            client,
            secret,
        }))
    }

    /// Exchanges an assertion. The token is never taken to outlive `end`.
    pub(super) async fn ask(
        &self,
        assertion: &str,
        now: Timestamp,
        end: Timestamp,
    ) -> Result<Held, ExchangeError> {
        let given = &self.settings;
        let mut form = vec![
            ("grant_type", GRANT_TYPE),
            ("subject_token", assertion),
            ("subject_token_type", JWT),
            ("requested_token_type", ACCESS_TOKEN),
        ];
        for (name, value) in [
            ("audience", &given.audience),
            ("resource", &given.resource),
            ("scope", &given.scope),
        ] {
            form.extend(value.as_deref().map(|value| (name, value)));
        }
        let (status, body) = self.post(&given.token_endpoint, &form).await?;
        let answer: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        if status != 200 {
            return Err(refused(status, &answer));
        }
        let text = |name: &str| answer.get(name).and_then(serde_json::Value::as_str);
        let bearer = text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
        if !bearer {
            return Err(ExchangeError::Unusable("it is no bearer token"));
        }
        let token = text("access_token").unwrap_or_default();
        let field = HeaderValue::try_from(format!("Bearer {token}"));
        let (false, Ok(mut field)) = (token.is_empty(), field) else {
            return Err(ExchangeError::Unusable("it has no access_token"));
        };
        field.set_sensitive(true);
        let seconds = answer.get("expires_in").and_then(serde_json::Value::as_u64);
        let lasts = seconds.map_or(given.assumed, Duration::from_secs);
        let early = given.early.min(lasts / 2);
        Ok(Held {
            token: token.to_owned(),
            field,
            fresh_until: now.plus(lasts.saturating_sub(early)).min(end),
            until: now.plus(lasts).min(end),
        })
    }

    /// Revokes a token (RFC 7009 §2.1). `false`: the server has no such endpoint.
    pub(super) async fn revoke(&self, held: &Held) -> Result<bool, ExchangeError> {
        let Some(endpoint) = &self.settings.revocation_endpoint else {
            return Ok(false);
        };
        let form = [
            ("token", held.token.as_str()),
            ("token_type_hint", "access_token"),
        ];
        let (status, body) = self.post(endpoint, &form).await?;
        if status == 200 {
            return Ok(true);
        }
        let answer = serde_json::from_slice(&body).unwrap_or_default();
        Err(refused(status, &answer))
    }

    async fn post(
        &self,
        url: &str,
        form: &[(&str, &str)],
    ) -> Result<(u16, Vec<u8>), ExchangeError> {
        let given = &self.settings;
        let mut request = self.client.post(url);
        if given.auth == ClientAuth::Basic {
            request = request.header(header::AUTHORIZATION, self.basic());
        }
        let request = request
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(self.form(form));
        let mut answer = request.send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(failed)? {
            if body.len() + part.len() > given.max_answer {
                return Err(ExchangeError::TooLarge(given.max_answer));
            }
            body.extend_from_slice(&part);
        }
        Ok((answer.status().as_u16(), body))
    }

    fn form(&self, pairs: &[(&str, &str)]) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        if self.settings.auth == ClientAuth::Post {
            form.append_pair("client_id", &self.settings.client_id)
                .append_pair("client_secret", &self.secret);
        }
        form.finish()
    }

    /// RFC 6749 §2.3.1: both halves form-encoded before RFC 7617.
    fn basic(&self) -> HeaderValue {
        let encoded =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!(
            "{}:{}",
            encoded(&self.settings.client_id),
            encoded(&self.secret)
        );
        let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)));
        let mut value = value.unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

/// The code only: a description may hold what was sent.
fn refused(status: u16, answer: &serde_json::Value) -> ExchangeError {
    let code = answer.get("error").and_then(serde_json::Value::as_str);
    let plain = |code: &&str| {
        code.len() <= 64
            && code
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
    };
    ExchangeError::Refused(status, code.filter(plain).map(str::to_owned))
}

fn failed(error: reqwest::Error) -> ExchangeError {
    if error.is_timeout() {
        ExchangeError::Timeout
    } else {
        ExchangeError::Unreachable(error.without_url().into())
    }
}

fn roots(ca: Option<&Path>) -> Result<rustls::ClientConfig, String> {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    if let Some(path) = ca {
        let wrong = |why: &dyn fmt::Display| format!("exchange.ca {}: {why}", path.display());
        for found in CertificateDer::pem_file_iter(path).map_err(|why| wrong(&why))? {
            let certificate = found.map_err(|why| wrong(&why))?;
            roots.add(certificate).map_err(|why| wrong(&why))?;
        }
        if roots.is_empty() {
            return Err(wrong(&"there is no certificate"));
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
