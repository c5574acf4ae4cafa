//! Asking the portal's API: one origin, no redirects, bounded in time and size; a step is sent with a key, so that it is
//! taken once even if its answer got lost.

use super::reply::Reply;
use super::token::Token;
use super::{problem, tls, url as portal};
use crate::cli::Failure;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use url::Url;

/// The largest answer that is read: pages of 200 things are far below.
const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// The longest that one download may take.
const DOWNLOAD: Duration = Duration::from_secs(6 * 60 * 60);
/// Below this path is the API.
const ROOT: &str = "/api/v1/";

/// Somebody who asks one portal.
pub(in crate::cli) struct Client {
    runtime: Runtime,
    http: reqwest::Client,
    portal: Url,
    token: Option<Token>,
}

/// What is asked.
struct Call<'c> {
    method: Method,
    url: Url,
    body: Option<&'c Value>,
    /// Makes a call that is sent twice one call.
    key: Option<String>,
}

impl Client {
    pub(super) fn new(
        portal: Url,
        ca: Option<&Path>,
        token: Option<Token>,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let failed = |what: &str, why: Box<dyn std::error::Error + Send + Sync>| {
            Failure::cannot(what, "try again").because(why)
        };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|why| failed("cannot start to ask", why.into()))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(ca)?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(timeout)
            .build();
        let http = http.map_err(|why| failed("cannot start to ask", why.into()))?;
        Ok(Self {
            runtime,
            http,
            portal,
            token,
        })
    }

    /// The portal's origin.
    pub(in crate::cli) fn portal(&self) -> String {
        portal::shown(&self.portal)
    }

    /// Reads something: `path` below the API, with its query.
    pub(in crate::cli) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let mut url = self.url(&[path])?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let call = Call {
            method: Method::GET,
            url,
            body: None,
            key: None,
        };
        self.runtime
            .block_on(self.settle(&call))
            .map(|(_, body)| body)
    }

    /// Reads one thing by its id.
    pub(in crate::cli) fn one(&self, kind: &str, id: &str) -> Result<Value, Failure> {
        let url = self.url(&[kind, id])?;
        let call = Call {
            method: Method::GET,
            url,
            body: None,
            key: None,
        };
        self.runtime
            .block_on(self.settle(&call))
            .map(|(_, body)| body)
    }

    /// Reads a file into `out`, a piece at a time: as long as it takes, for there is no telling how large it is.
    pub(in crate::cli) fn download(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let mut url = self.url(path)?;
        url.query_pairs_mut().extend_pairs(query);
        let call = Call {
            method: Method::GET,
            url,
            body: None,
            key: None,
        };
        self.runtime.block_on(async {
            let request = self.request(&call).map_err(|lost| self.lost(lost))?;
            let lost = |why: reqwest::Error| self.lost(Lost::OnTheWay(why.without_url()));
            let mut response = request.timeout(DOWNLOAD).send().await.map_err(lost)?;
            if !response.status().is_success() {
                let answer = Self::whole(response)
                    .await
                    .map_err(|lost| self.lost(lost))?;
                return problem::judge(&answer, &self.portal()).map(drop);
            }
            while let Some(piece) = response.chunk().await.map_err(lost)? {
                out.write_all(&piece).map_err(|why| {
                    Failure::cannot("what was sent could not be written", "make room").because(why)
                })?;
            }
            Ok(())
        })
    }

    /// Takes a step. `path` has its parts apart, since an id may hold anything.
    pub(in crate::cli) fn post(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.send(path, Some(body), true).map(|(_, body)| body)
    }

    /// Takes a step that has nothing more to say.
    pub(in crate::cli) fn act(&self, path: &[&str]) -> Result<Value, Failure> {
        self.send(path, None, true).map(|(_, body)| body)
    }

    /// As [`Client::post`], once and without a key; with the status, for steps that may say "not yet".
    pub(in crate::cli) fn ask(
        &self,
        path: &[&str],
        body: &Value,
    ) -> Result<(StatusCode, Value), Failure> {
        self.send(path, Some(body), false)
    }

    fn send(
        &self,
        path: &[&str],
        body: Option<&Value>,
        keyed: bool,
    ) -> Result<(StatusCode, Value), Failure> {
        let key = if keyed { Some(fresh_key()?) } else { None };
        let call = Call {
            method: Method::POST,
            url: self.url(path)?,
            body,
            key,
        };
        self.runtime.block_on(self.settle(&call))
    }

    fn url(&self, path: &[&str]) -> Result<Url, Failure> {
        let mut url = self.portal.clone();
        url.set_path(ROOT);
        let wrong = || {
            Failure::usage(
                "this portal has no paths",
                "name it as in https://portal.example",
            )
        };
        let mut parts = url.path_segments_mut().map_err(|()| wrong())?;
        let (resource, rest) = path.split_first().unwrap_or((&"", &[]));
        // Only what stands in this program has parts: an id is one, whatever it holds.
        parts
            .pop_if_empty()
            .extend(resource.split('/'))
            .extend(rest);
        drop(parts);
        Ok(url)
    }

    /// Asks; once more where no answer came and asking twice is asking once.
    async fn settle(&self, call: &Call<'_>) -> Result<(StatusCode, Value), Failure> {
        let first = self.once(call).await;
        let again = call.key.is_some() || call.method == Method::GET;
        match first {
            Err(Lost::OnTheWay(_)) if again => self.once(call).await,
            other => other,
        }
        .map_err(|lost| self.lost(lost))
        .and_then(|answer| problem::judge(&answer, &self.portal()))
    }

    async fn once(&self, call: &Call<'_>) -> Result<Reply, Lost> {
        let response = self.request(call)?.send().await;
        Self::whole(response.map_err(|why| Lost::OnTheWay(why.without_url()))?).await
    }

    fn request(&self, call: &Call<'_>) -> Result<RequestBuilder, Lost> {
        let mut request = self.http.request(call.method.clone(), call.url.clone());
        if let Some(body) = call.body {
            request = request.json(body);
        }
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(token) = &self.token {
            let value = HeaderValue::try_from(format!("Bearer {}", token.reveal()));
            let mut value = value.map_err(|_| Lost::Unreadable)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        Ok(request)
    }

    async fn whole(mut response: reqwest::Response) -> Result<Reply, Lost> {
        let on_the_way = |why: reqwest::Error| Lost::OnTheWay(why.without_url());
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(on_the_way)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(Lost::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status,
            headers,
            body,
        })
    }

    fn lost(&self, lost: Lost) -> Failure {
        let portal = self.portal();
        match lost {
            Lost::OnTheWay(why) => {
                let remedy = "see whether the portal is up and its certificate is signed by --ca or a CA of this system";
                Failure::cannot(format!("{portal} gave no answer"), remedy).because(why)
            }
            Lost::TooLarge => Failure::cannot(
                format!("{portal} answered with more than {MAX_ANSWER} bytes"),
                "ask for less with --limit",
            ),
            Lost::Unreadable => {
                Failure::usage("the token cannot be sent", "sign in again: `locum login`")
            }
        }
    }
}

/// Why there is none.
enum Lost {
    OnTheWay(reqwest::Error),
    TooLarge,
    Unreadable,
}

fn fresh_key() -> Result<String, Failure> {
    let secret = crate::model::Secret::fresh().map_err(|why| {
        let remedy = "try again; if it stays, this machine's random generator is broken";
        Failure::cannot("no random bytes for a key", remedy).because(why)
    })?;
    Ok(secret.reveal())
}
