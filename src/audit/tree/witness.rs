//! Witnesses: others who see that the log only grows, and say so by a cosignature.
//!
//! <https://c2sp.org/tlog-witness>: the checkpoint goes out with a proof that it continues the one the witness saw last.

use super::counters::LogCounters;
use super::error::LogError;
use super::note::{Signed, VerifierKeys};
use super::settings::{LogSettings, WitnessSettings};
use crate::audit::counters::add;
use futures_util::future::join_all;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use signed_note::Signature;
use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tlog_tiles::Hash;
use tokio::runtime::Runtime;

/// The longest answer that is read. Bytes.
const MAX_ANSWER: usize = 16 << 10;

/// The hashes that prove one size to be the beginning of another.
type Prove<'a> = dyn Fn(u64, u64) -> Result<Vec<Hash>, LogError> + 'a;

/// All witnesses of a log.
pub(super) struct Witnesses {
    runtime: Runtime,
    list: Vec<Witness>,
    required: usize,
}

struct Witness {
    url: String,
    key: VerifierKeys,
    client: reqwest::Client,
    timeout: Duration,
    /// The size that it cosigned last, as far as is known, of each log by its origin.
    seen: HashMap<String, u64>,
    /// It gave no answer in time: it is not waited for again in this round.
    is_away: bool,
}

impl Witnesses {
    /// `None` where there are none to ask.
    pub(super) fn new(settings: &LogSettings) -> Result<Option<Self>, LogError> {
        if settings.required > settings.witnesses.len() {
            let (required, there) = (settings.required, settings.witnesses.len());
            return Err(LogError::key(format!(
                "{required} witnesses are required and {there} are named: name more or require fewer"
            )));
        }
        if settings.witnesses.is_empty() {
            return Ok(None);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(LogError::io(Path::new("."), "start a runtime in"))?;
        let list = settings.witnesses.iter().map(Witness::new);
        Ok(Some(Self {
            runtime,
            list: list.collect::<Result<_, _>>()?,
            required: settings.required,
        }))
    }

    /// All are asked again, also those that gave no answer.
    pub(super) fn begin_round(&mut self) {
        for witness in &mut self.list {
            witness.is_away = false;
        }
    }

    /// Asks all at once. The checkpoint with the cosignatures that came in time, if they are enough.
    pub(super) fn cosign(
        &mut self,
        signed: &Signed,
        prove: &Prove<'_>,
        counters: &LogCounters,
    ) -> Result<Signed, LogError> {
        let asked = self
            .list
            .iter_mut()
            .map(|witness| witness.cosign(signed, prove));
        let answers = self.runtime.block_on(join_all(asked));
        let mut cosignatures = Vec::new();
        let mut got = 0;
        for answer in answers {
            match answer {
                Ok(more) => {
                    got += 1;
                    cosignatures.extend(more);
                }
                Err(why) => {
                    add(&counters.witness_failures, 1);
                    tracing::warn!(why, "a witness did not cosign the journal's checkpoint");
                }
            }
        }
        if got < self.required {
            let required = self.required;
            return Err(LogError::Witnesses { got, required });
        }
        signed.with(&cosignatures)
    }
}

impl Witness {
    fn new(from: &WitnessSettings) -> Result<Self, LogError> {
        let wrong =
            |why: &dyn std::fmt::Display| LogError::key(format!("the witness {}: {why}", from.url));
        let tls = tls(from.ca.as_deref()).map_err(|why| wrong(&why))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .user_agent(concat!("locum/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|why| wrong(&why))?;
        Ok(Self {
            url: format!("{}/add-checkpoint", from.url.trim_end_matches('/')),
            key: VerifierKeys::new([from.key.clone()]),
            client,
            timeout: from.timeout,
            seen: HashMap::new(),
            is_away: false,
        })
    }

    async fn cosign(
        &mut self,
        signed: &Signed,
        prove: &Prove<'_>,
    ) -> Result<Vec<Signature>, String> {
        if self.is_away {
            return Err(format!("{}: it gave no answer before", self.url));
        }
        // A witness that saw another size says so once; a second time it is not to be had.
        for _ in 0..2 {
            let seen = self.seen.get(&signed.origin).copied().unwrap_or(0);
            let body = request(signed, seen, prove)?;
            let limit = self.timeout;
            let answer = tokio::time::timeout(limit, self.post(body)).await;
            let Ok(answer) = answer else {
                self.is_away = true;
                return Err(format!("{}: no answer in time", self.url));
            };
            let (status, answer) = answer?;
            match status {
                200 => {
                    let cosignatures = self.key.cosignatures(signed, &answer);
                    if cosignatures.is_empty() {
                        return Err(format!("{}: no valid cosignature by its key", self.url));
                    }
                    self.seen.insert(signed.origin.clone(), signed.size);
                    return Ok(cosignatures);
                }
                409 => {
                    let size = self.conflict(signed, seen, &answer)?;
                    self.seen.insert(signed.origin.clone(), size);
                }
                status => return Err(format!("{}: it answered with status {status}", self.url)),
            }
        }
        Err(format!(
            "{}: it changes its mind about what it saw",
            self.url
        ))
    }

    /// The size that the witness says it saw.
    fn conflict(&self, signed: &Signed, seen: u64, answer: &[u8]) -> Result<u64, String> {
        let size = std::str::from_utf8(answer)
            .ok()
            .and_then(|text| text.trim_end().parse().ok());
        let size: u64 = size
            .ok_or_else(|| format!("{}: it says there is a conflict, but not which", self.url))?;
        if size > signed.size || size == seen {
            return Err(format!(
                "{}: it saw a checkpoint of size {size} that this log, of size {}, does not continue",
                self.url, signed.size
            ));
        }
        Ok(size)
    }

    async fn post(&self, body: Vec<u8>) -> Result<(u16, Vec<u8>), String> {
        let failed = |error: reqwest::Error| format!("{}: {}", self.url, root_cause(&error));
        let mut answer = self
            .client
            .post(&self.url)
            .body(body)
            .send()
            .await
            .map_err(failed)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_ANSWER {
                return Err(format!(
                    "{}: the answer is longer than {MAX_ANSWER} bytes",
                    self.url
                ));
            }
        }
        Ok((answer.status().as_u16(), bytes))
    }
}

/// The body of `add-checkpoint`.
fn request(signed: &Signed, seen: u64, prove: &Prove<'_>) -> Result<Vec<u8>, String> {
    let proof = prove(seen, signed.size).map_err(|error| error.to_string())?;
    let mut body = format!("old {seen}\n");
    for hash in proof {
        // Writing into a String cannot fail.
        let _ = writeln!(body, "{hash}");
    }
    body.push('\n');
    Ok([body.as_bytes(), &signed.bytes()].concat())
}

fn tls(ca: Option<&Path>) -> Result<ClientConfig, Box<dyn Error + Send + Sync>> {
    let mut roots = RootCertStore::empty();
    match ca {
        None => {
            // One odd certificate in the system's store must not take all others away.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(path) => {
            for certificate in CertificateDer::pem_file_iter(path)? {
                roots.add(certificate?)?;
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn root_cause(error: &dyn Error) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}
