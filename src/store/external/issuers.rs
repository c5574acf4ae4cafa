//! An issuer's keys, kept: fetched when old, when an unknown key is named, and never too often.

use super::fetch::{self, FetchError};
use super::jwks::{Key, Keys};
use super::refused::BearerRefused;
use super::settings::{Algorithm, Issuer, Jwks, SettingsError};
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Mutex;

/// How often a key file is looked at.
const FILE_CHECK: Duration = Duration::from_secs(1);

struct Loaded {
    keys: Keys,
    source: Vec<u8>,
    at: Instant,
}

#[derive(Default)]
struct Attempts {
    /// The last try, whether it worked or not.
    last: Option<Instant>,
    modified: Option<SystemTime>,
}

/// One issuer with its keys.
pub(super) struct Trusted {
    pub(super) issuer: Issuer,
    loaded: ArcSwapOption<Loaded>,
    attempts: Mutex<Attempts>,
    tls: Option<Arc<rustls::ClientConfig>>,
    /// Grows whenever the keys changed: what was verified before must be verified again.
    generation: AtomicU64,
}

impl Trusted {
    pub(super) fn new(issuer: Issuer) -> Result<Self, SettingsError> {
        let failed = |problem: String| SettingsError {
            issuer: issuer.issuer.clone(),
            problem,
        };
        let tls = match &issuer.jwks {
            Jwks::Url(url) if url.scheme() == "https" => {
                Some(fetch::client(issuer.ca.as_deref()).map_err(|e| failed(e.to_string()))?)
            }
            _ => None,
        };
        let first = match &issuer.jwks {
            Jwks::File(path) => {
                let read = read_file(path, issuer.max_jwks_bytes);
                Some(read.map_err(|e| failed(format!("its JWKS file {}: {e}", path.display())))?)
            }
            Jwks::Url(_) => None,
        };
        let trusted = Self {
            issuer,
            loaded: ArcSwapOption::empty(),
            attempts: Mutex::default(),
            tls,
            generation: AtomicU64::new(0),
        };
        if let Some(bytes) = first {
            trusted.take(bytes).map_err(|problem| SettingsError {
                issuer: trusted.issuer.issuer.clone(),
                problem: format!("its JWKS file: {problem}"),
            })?;
        }
        Ok(trusted)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The key for a token, fetched if it must be.
    pub(super) async fn key(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<Key, BearerRefused> {
        self.refresh(false).await;
        if let Some(key) = self.known(algorithm, id)? {
            return Ok(key);
        }
        // Perhaps the issuer rotated its keys.
        self.refresh(true).await;
        self.known(algorithm, id)?.ok_or(BearerRefused::UnknownKey)
    }

    fn known(&self, algorithm: Algorithm, id: Option<&str>) -> Result<Option<Key>, BearerRefused> {
        let loaded = self.loaded.load();
        let fresh = loaded
            .as_ref()
            .filter(|loaded| loaded.at.elapsed() <= self.issuer.refresh + self.issuer.max_stale);
        let Some(loaded) = fresh else {
            let issuer = self.issuer.issuer.clone();
            return Err(BearerRefused::KeysUnavailable { issuer });
        };
        Ok(loaded.keys.find(algorithm, id).cloned())
    }

    /// Fetches the keys if they are old, or at once if `wanted`; never sooner than allowed.
    pub(super) async fn refresh(&self, wanted: bool) {
        // Whoever has keys goes on with them while another fetches: a slow issuer delays nobody.
        let mut attempts = match self.attempts.try_lock() {
            Ok(attempts) => attempts,
            Err(_) if !wanted && self.loaded.load().is_some() => return,
            Err(_) => self.attempts.lock().await,
        };
        let age = self
            .loaded
            .load()
            .as_ref()
            .map(|loaded| loaded.at.elapsed());
        let old = age.is_none_or(|age| age >= self.issuer.refresh);
        let pause = match self.issuer.jwks {
            Jwks::File(_) => FILE_CHECK.min(self.issuer.min_refresh),
            Jwks::Url(_) => self.issuer.min_refresh,
        };
        if attempts.last.is_some_and(|last| last.elapsed() < pause) {
            return;
        }
        let fetched = match &self.issuer.jwks {
            Jwks::File(path) => {
                attempts.last = Some(Instant::now());
                let modified = std::fs::metadata(path)
                    .and_then(|meta| meta.modified())
                    .ok();
                if !old && modified.is_some() && modified == attempts.modified {
                    return;
                }
                attempts.modified = modified;
                read_file(path, self.issuer.max_jwks_bytes).map_err(|e| e.to_string())
            }
            Jwks::Url(_) if !old && !wanted => return,
            Jwks::Url(url) => {
                let issuer = &self.issuer;
                let got = fetch::get(
                    url,
                    self.tls.as_ref(),
                    issuer.max_jwks_bytes,
                    issuer.fetch_timeout,
                );
                let got = got
                    .await
                    .map(Vec::from)
                    .map_err(|e: FetchError| e.to_string());
                attempts.last = Some(Instant::now());
                got
            }
        };
        let taken = fetched.and_then(|bytes| self.take(bytes));
        if let Err(problem) = taken {
            tracing::warn!(
                issuer = self.issuer.issuer,
                problem,
                "cannot refresh keys; the last good ones stay"
            );
        }
    }

    fn take(&self, source: Vec<u8>) -> Result<(), String> {
        let keys = Keys::parse(&source).map_err(|e| e.to_string())?;
        let same = self
            .loaded
            .load()
            .as_ref()
            .is_some_and(|loaded| loaded.source == source);
        self.loaded.store(Some(Arc::new(Loaded {
            keys,
            source,
            at: Instant::now(),
        })));
        if !same {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }
}

fn read_file(path: &std::path::Path, max: usize) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)?
        .take(limit)
        .read_to_end(&mut bytes)?;
    if bytes.len() > max {
        return Err(std::io::Error::other(format!("is larger than {max} bytes")));
    }
    Ok(bytes)
}
