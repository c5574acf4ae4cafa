//! The log's signing keys: made on the machine that signs, in a file for its owner alone, never shown.
//!
//! The file has one line, as C2SP signed-note tools have it: `PRIVATE+KEY+<name>+<id>+<base64 of 0x01 and the seed>`.
//! What others get is the verifier key (`<name>+<id>+<base64 of 0x01 and the public key>`).

use super::error::LogError;
use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signed_note::StandardSigner;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The signature type of Ed25519 in verifier keys.
pub(super) const ED25519: u8 = 0x01;

/// One signing key under one name.
#[derive(Clone)]
pub struct LogKey {
    name: String,
    seed: [u8; 32],
    public: [u8; 32],
}

impl LogKey {
    /// Makes a key for the log of that origin.
    pub fn generate(name: &str) -> Result<Self, LogError> {
        let mut seed = [0; 32];
        rand::fill(&mut seed).map_err(|_| LogError::key("the system gives no randomness"))?;
        Self::new(name, seed)
    }

    fn new(name: &str, seed: [u8; 32]) -> Result<Self, LogError> {
        if !signed_note::is_key_name_valid(name) || name.len() > 255 {
            let why = "a log's name has 1 to 255 bytes, no spaces and no `+`";
            return Err(LogError::key(format!("{name:?}: {why}")));
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|_| LogError::key("the seed makes no Ed25519 key"))?;
        let public = pair.public_key().as_ref().try_into();
        Ok(Self {
            name: name.into(),
            seed,
            public: public.map_err(|_| LogError::key("the seed makes no Ed25519 key"))?,
        })
    }

    /// Reads a key's file. The message of a failure never has any of its content.
    pub fn load(path: &Path) -> Result<Self, LogError> {
        let text =
            std::fs::read_to_string(path).map_err(LogError::io(path, "read the log's key"))?;
        let wrong = || LogError::key(format!("{} is no key of a log", path.display()));
        let rest = text
            .trim_end()
            .strip_prefix("PRIVATE+KEY+")
            .ok_or_else(wrong)?;
        let (name, rest) = rest.split_once('+').ok_or_else(wrong)?;
        let (_, secret) = rest.split_once('+').ok_or_else(wrong)?;
        let secret = STANDARD.decode(secret).map_err(|_| wrong())?;
        let (kind, seed) = secret.split_first().ok_or_else(wrong)?;
        if *kind != ED25519 {
            return Err(wrong());
        }
        let key = Self::new(name, seed.try_into().map_err(|_| wrong())?)?;
        // The id in the file is there to be compared.
        StandardSigner::new(text.trim_end()).map_err(|_| wrong())?;
        Ok(key)
    }

    /// Writes the key's file (0600). An existing one is never replaced.
    pub fn save(&self, path: &Path) -> Result<(), LogError> {
        let failed = |source| LogError::io(path, "write the log's key")(source);
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            super::disk::make(dir).map_err(failed)?;
        }
        // Whole or not at all: whoever finds the name finds a key behind it.
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(format!(".{}.new", std::process::id()));
        let fresh = std::path::PathBuf::from(fresh);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .map_err(failed)?;
        let written = file
            .write_all(format!("{}\n", self.secret()).as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::hard_link(&fresh, path));
        let _ = std::fs::remove_file(&fresh);
        written.map_err(failed)
    }

    fn secret(&self) -> String {
        let secret = [&[ED25519], &self.seed as &[u8]].concat();
        let id = key_id(&self.name, ED25519, &self.public);
        format!(
            "PRIVATE+KEY+{}+{id:08x}+{}",
            self.name,
            STANDARD.encode(secret)
        )
    }

    /// The log's origin, which is the key's name too.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What verifiers are given.
    pub fn verifier_key(&self) -> String {
        let public = [&[ED25519], &self.public as &[u8]].concat();
        let id = key_id(&self.name, ED25519, &self.public);
        format!("{}+{id:08x}+{}", self.name, STANDARD.encode(public))
    }

    /// The same key under the name of a tenant's tree.
    pub fn of_tenant(&self, tenant: &str) -> Self {
        Self {
            name: super::layout::tenant_origin(&self.name, tenant),
            ..self.clone()
        }
    }

    pub(super) fn signer(&self) -> Result<StandardSigner, LogError> {
        let why = |_| LogError::key("the log's key cannot sign");
        StandardSigner::new(&self.secret()).map_err(why)
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogKey").field(&self.verifier_key()).finish()
    }
}

/// A key's id (C2SP signed-note): the first four bytes of SHA-256(name, LF, kind, key).
pub(super) fn key_id(name: &str, kind: u8, public: &[u8]) -> u32 {
    signed_note::key_id(name, &[&[kind], public].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_s_file_is_its_owner_s_and_never_replaced_or_shown() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("keys").join("log.key");
        let key = LogKey::generate("portal.example/log").expect("key");
        key.save(&path).expect("save");
        let mode = std::fs::metadata(&path).expect("meta").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(key.save(&path).is_err());
        let again = LogKey::load(&path).expect("load");
        assert_eq!(again.verifier_key(), key.verifier_key());
        let text = std::fs::read_to_string(&path).expect("text");
        let secret = text.trim_end().rsplit_once('+').expect("secret").1;
        assert!(!format!("{key:?} {}", key.verifier_key()).contains(secret));
    }

    #[test]
    fn what_is_no_key_is_named_without_its_content() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("log.key");
        let good = LogKey::generate("portal.example/log")
            .expect("key")
            .secret();
        let other = LogKey::generate("portal.example/log")
            .expect("key")
            .secret();
        let mixed = format!("{}{}", &good[..good.len() - 20], &other[other.len() - 20..]);
        for bad in [
            "",
            "PRIVATE+KEY+a+b",
            "hunter2",
            &mixed,
            &good.replace("portal", "other"),
        ] {
            std::fs::write(&path, bad).expect("write");
            let why = LogKey::load(&path).expect_err(bad).to_string();
            assert!(why.contains("log.key") && !why.contains("hunter2"), "{why}");
        }
        assert!(LogKey::generate("a b").is_err() && LogKey::generate("a+b").is_err());
    }
}
