//! The keys that sign assertions: PEM files in a directory, the newest signs, older ones stay published.
//!
//! The files' names order them: the last one signs. Those that Locum makes start with the time they were
//! made. A file that ends in `.next.pem` is published and does not sign yet, so that apps which cache the
//! key set know a key before it is used; renaming it puts it to work, and deleting an old file retires it.

use crate::model::Timestamp;
use crate::proxy::upstream::Cause;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use std::fmt;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Key files read from one directory; more is a mistake, and each is published.
const MAX_KEYS: usize = 16;
/// Size of a key file, in bytes.
const MAX_FILE: u64 = 16 * 1024;

/// How an assertion is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (RFC 7518 §3.4).
    #[default]
    Es256,
    /// Ed25519 (RFC 8037).
    EdDsa,
}

impl Algorithm {
    /// The `alg` value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// Why keys cannot be loaded or made. Never shows key material.
#[derive(Debug)]
pub enum KeyError {
    /// A file or directory cannot be read or written.
    File {
        path: PathBuf,
        cause: Cause,
    },
    /// The file holds no key of a kind that is used here.
    Kind {
        path: PathBuf,
    },
    /// No `*.pem` that may sign.
    None {
        dir: PathBuf,
    },
    TooMany {
        dir: PathBuf,
    },
    /// The system's generator failed.
    Generate,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => write!(f, "cannot use {}", path.display()),
            Self::Kind { path } => write!(
                f,
                "{} is no unencrypted PKCS#8 key on P-256 or Ed25519",
                path.display()
            ),
            Self::None { dir } => write!(f, "no signing key (*.pem) is in {}", dir.display()),
            Self::TooMany { dir } => write!(
                f,
                "more than {MAX_KEYS} keys are in {}: delete retired ones",
                dir.display()
            ),
            Self::Generate => f.write_str("a key cannot be generated"),
        }
    }
}

impl std::error::Error for KeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { cause, .. } => Some(&**cause),
            _ => None,
        }
    }
}

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

struct Key {
    pair: Pair,
    /// RFC 7638 thumbprint.
    id: String,
    jwk: serde_json::Value,
}

/// The signing key and every published one. Immutable: a reload makes a new ring.
pub struct KeyRing {
    signs: Key,
    /// The start of every assertion: its encoded header and a dot.
    prefix: String,
    published: Vec<String>,
    jwks: Bytes,
}

impl KeyRing {
    /// Reads every `*.pem` in `dir`.
    pub fn load(dir: &Path) -> Result<Self, KeyError> {
        let mut paths = list(dir)?;
        if paths.len() > MAX_KEYS {
            return Err(KeyError::TooMany {
                dir: dir.to_owned(),
            });
        }
        paths.sort();
        let is_next = |path: &Path| path.to_string_lossy().ends_with(".next.pem");
        let signs_at = paths.iter().rposition(|path| !is_next(path));
        let mut keys = Vec::with_capacity(paths.len());
        for path in &paths {
            keys.push(Key::read(path)?);
        }
        let Some(at) = signs_at.filter(|at| *at < keys.len()) else {
            return Err(KeyError::None {
                dir: dir.to_owned(),
            });
        };
        let published = keys.iter().map(|key| key.id.clone()).collect();
        let all: Vec<_> = keys.iter().map(|key| key.jwk.clone()).collect();
        let jwks = serde_json::json!({ "keys": all }).to_string();
        let signs = keys.swap_remove(at);
        Ok(Self {
            prefix: signs.header("locum-assertion+jwt"),
            signs,
            published,
            jwks: jwks.into(),
        })
    }

    /// [`KeyRing::load`], after making a first key where there is none.
    pub fn load_or_generate(dir: &Path, algorithm: Algorithm) -> Result<Self, KeyError> {
        match Self::load(dir) {
            Err(KeyError::None { .. }) => {}
            Err(KeyError::File { .. }) if !dir.exists() => {}
            loaded => return loaded,
        }
        Self::generate(dir, algorithm)?;
        Self::load(dir)
    }

    /// Makes a key and writes it into `dir` (made with 0700 if it is not there), readable by its owner alone.
    /// It signs from the next load on.
    pub fn generate(dir: &Path, algorithm: Algorithm) -> Result<PathBuf, KeyError> {
        let document = match algorithm {
            Algorithm::Es256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            }
            Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()),
        }
        .map_err(|_| KeyError::Generate)?;
        let key = Key::parse(document.as_ref()).ok_or(KeyError::Generate)?;
        let short: String = key
            .id
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(8)
            .collect();
        // Colons are no good in file names everywhere.
        let stamp = Timestamp::now().to_string().replace(':', "");
        let path = dir.join(format!("{stamp}-{short}.pem"));
        write_private(dir, &path, &pem(document.as_ref())).map_err(|cause| KeyError::File {
            path: path.clone(),
            cause: cause.into(),
        })?;
        Ok(path)
    }

    /// The JWK Set (RFC 7517 §5) for `/.well-known/jwks.json`: public keys only.
    pub fn jwks(&self) -> Bytes {
        self.jwks.clone()
    }

    /// The `kid` that signs now.
    pub fn key_id(&self) -> &str {
        &self.signs.id
    }

    /// Every published `kid`, the oldest first.
    pub fn published(&self) -> &[String] {
        &self.published
    }

    pub fn algorithm(&self) -> Algorithm {
        self.signs.algorithm()
    }

    /// A signed JWT (JWS compact form, RFC 7515 §7.1) of these claims; `None` if signing fails.
    pub(super) fn sign(&self, claims: &serde_json::Value) -> Option<String> {
        self.sign_after(self.prefix.clone(), claims)
    }

    /// The same for a token of another type than the app's assertions (RFC 8725 §3.11): none can pass for the other.
    pub fn sign_as(&self, typ: &str, claims: &serde_json::Value) -> Option<String> {
        let header = self.signs.header(typ);
        self.sign_after(header, claims)
    }

    fn sign_after(&self, mut token: String, claims: &serde_json::Value) -> Option<String> {
        URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
        let signature = match &self.signs.pair {
            Pair::Es256(pair) => pair.sign(&SystemRandom::new(), token.as_bytes()).ok()?,
            Pair::EdDsa(pair) => pair.try_sign(token.as_bytes()).ok()?,
        };
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        Some(token)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("signs", &self.signs.id)
            .field("published", &self.published)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// The start of a token: its encoded header and a dot.
    fn header(&self, typ: &str) -> String {
        let alg = self.algorithm().name();
        let header = serde_json::json!({ "typ": typ, "alg": alg, "kid": self.id });
        format!("{}.", URL_SAFE_NO_PAD.encode(header.to_string()))
    }

    fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |cause: Cause| KeyError::File {
            path: path.to_owned(),
            cause,
        };
        let file = fs::File::open(path).map_err(|cause| failed(cause.into()))?;
        warn_if_open(path, &file);
        let mut text = Vec::new();
        file.take(MAX_FILE + 1)
            .read_to_end(&mut text)
            .map_err(|cause| failed(cause.into()))?;
        if text.len() as u64 > MAX_FILE {
            return Err(failed("it is too large for a key".into()));
        }
        let der = PrivatePkcs8KeyDer::from_pem_slice(&text).map_err(|_| KeyError::Kind {
            path: path.to_owned(),
        })?;
        Self::parse(der.secret_pkcs8_der()).ok_or(KeyError::Kind {
            path: path.to_owned(),
        })
    }

    fn parse(pkcs8: &[u8]) -> Option<Self> {
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8) {
            // SEC 1 §2.3.3: 4, then x and y with 32 bytes each.
            let point = pair.public_key().as_ref();
            let x = URL_SAFE_NO_PAD.encode(point.get(1..33)?);
            let y = URL_SAFE_NO_PAD.encode(point.get(33..65)?);
            let id = thumbprint(&format!(
                r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#
            ));
            let jwk = serde_json::json!({
                "kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256", "use": "sig", "kid": id,
            });
            return Some(Self {
                pair: Pair::Es256(pair),
                id,
                jwk,
            });
        }
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let id = thumbprint(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        let jwk = serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA", "use": "sig", "kid": id,
        });
        Some(Self {
            pair: Pair::EdDsa(pair),
            id,
            jwk,
        })
    }

    fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Es256(_) => Algorithm::Es256,
            Pair::EdDsa(_) => Algorithm::EdDsa,
        }
    }
}

/// RFC 7638 §3: SHA-256 over the required members in this order, without white space.
fn thumbprint(members: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes()))
}

fn list(dir: &Path) -> Result<Vec<PathBuf>, KeyError> {
    let failed = |cause: std::io::Error| KeyError::File {
        path: dir.to_owned(),
        cause: cause.into(),
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // Mounted secrets come with hidden directories and links beside them.
        let hidden = path
            .file_name()
            .is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|extension| extension == "pem") {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// RFC 7468: base64 in lines of 64 between the labels.
fn pem(der: &[u8]) -> String {
    let mut out = String::from("-----BEGIN PRIVATE KEY-----\n");
    let text = STANDARD.encode(der);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        let _ = writeln!(out, "{line}");
        rest = after;
    }
    out.push_str("-----END PRIVATE KEY-----\n");
    out
}

#[cfg(unix)]
fn write_private(dir: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    // Under another name first: nobody loads half a key.
    let unfinished = path.with_extension("tmp");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

/// Mounted secrets are often readable by all in their container, so this is a warning and no refusal.
#[cfg(unix)]
fn warn_if_open(path: &Path, file: &fs::File) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata().map_or(0, |meta| meta.permissions().mode());
    if mode & 0o007 != 0 {
        tracing::warn!(path = %path.display(), "a signing key can be read by every user of this system");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_generated_key_is_private_and_loads() {
        let dir = tempfile::tempdir().expect("dir");
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
            let keys = dir.path().join(algorithm.name());
            let ring = KeyRing::load_or_generate(&keys, algorithm).expect("ring");
            assert_eq!(ring.algorithm(), algorithm);
            let file = list(&keys).expect("list").pop().expect("a file");
            let mode = fs::metadata(&file).expect("meta").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let secret = fs::read_to_string(&file).expect("text");
            let line = secret.lines().nth(1).expect("line").to_owned();
            let shown = format!("{ring:?} {}", String::from_utf8_lossy(&ring.jwks()));
            assert!(
                !shown.contains(&line) && !shown.contains("\"d\""),
                "{shown}"
            );
        }
    }

    #[test]
    fn the_last_file_signs_the_others_stay_published_and_next_waits() {
        let dir = tempfile::tempdir().expect("dir");
        let first = KeyRing::load_or_generate(dir.path(), Algorithm::Es256).expect("first");
        let made = KeyRing::generate(dir.path(), Algorithm::EdDsa).expect("second");
        let waiting = dir.path().join("9.next.pem");
        fs::rename(&made, &waiting).expect("rename");
        let before = KeyRing::load(dir.path()).expect("before");
        assert_eq!(before.key_id(), first.key_id());
        assert_eq!(before.published().len(), 2);
        fs::rename(&waiting, dir.path().join("9.pem")).expect("rename");
        let after = KeyRing::load(dir.path()).expect("after");
        assert_ne!(after.key_id(), first.key_id());
        assert!(after.published().contains(&first.key_id().to_owned()));
    }

    #[test]
    fn what_is_no_key_is_named() {
        let dir = tempfile::tempdir().expect("dir");
        assert!(matches!(
            KeyRing::load(dir.path()),
            Err(KeyError::None { .. })
        ));
        fs::write(dir.path().join("a.pem"), "nonsense").expect("write");
        let error = KeyRing::load(dir.path()).expect_err("no key");
        assert!(error.to_string().contains("a.pem"), "{error}");
        let missing = KeyRing::load(&dir.path().join("none"));
        assert!(matches!(missing, Err(KeyError::File { .. })));
    }

    /// Others verify it by the published keys, and for nothing but what it is.
    #[tokio::test]
    async fn a_token_of_another_type_is_no_assertion() {
        use crate::store::external::{BearerRefused, Issuer, Jwks, Signer};
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
            let dir = tempfile::tempdir().expect("dir");
            let ring = KeyRing::load_or_generate(dir.path(), algorithm).expect("ring");
            let jwks = dir.path().join("jwks.json");
            fs::write(&jwks, ring.jwks()).expect("a file");
            let token = ring.sign_as("secevent+jwt", &serde_json::json!({ "jti": "1" }));
            let token = token.expect("signed");
            let verified_as = |typ: &str| {
                let mut issuer = Issuer::new("i", "a", Jwks::File(jwks.clone()));
                issuer.types = vec![typ.to_owned()];
                Signer::new(issuer, 4096).expect("a signer")
            };
            let claims = verified_as("secevent+jwt").verify(&token).await;
            assert_eq!(claims.expect("it holds")["jti"], "1");
            let other = verified_as("locum-assertion+jwt").verify(&token).await;
            assert!(matches!(other, Err(BearerRefused::Type)), "{other:?}");
        }
    }
}
