//! Master keys, and sessions' keys wrapped by them.

use super::error::RecordingError;
use super::seal::{SessionKey, derive, random};
use super::settings::{KeySource, MasterKey};
use crate::model::SessionId;
use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The wrapped key of a session, as its key file holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wrapped {
    pub(super) version: u8,
    pub(super) session: SessionId,
    /// The master key's id.
    pub(super) key: String,
    /// Base64: salt (32) ‖ ciphertext (32) ‖ tag (16) of a local master key; whatever a KMS gave.
    #[serde(rename = "wrapped")]
    pub(super) blob: String,
}

/// Where a session's wrapped key lies.
pub(super) fn key_path(dir: &Path, session: SessionId) -> PathBuf {
    dir.join(format!("{session}.key"))
}

/// All master keys that are at hand.
#[derive(Debug)]
pub(super) struct Keyring {
    keys: Vec<MasterKey>,
}

impl Keyring {
    pub(super) fn new(keys: Vec<MasterKey>) -> Result<Self, RecordingError> {
        let setting = |what: String| Err(RecordingError::Setting { what });
        if keys.is_empty() {
            return setting("recording.keys names no key".into());
        }
        for (at, key) in keys.iter().enumerate() {
            if keys.iter().take(at).any(|other| other.id == key.id) {
                return setting(format!("recording.keys has two keys with id {:?}", key.id));
            }
        }
        Ok(Self { keys })
    }

    /// A fresh key for `session`, and its wrapped form under the first master key.
    pub(super) fn make(&self, session: SessionId) -> Result<(SessionKey, Wrapped), RecordingError> {
        let Some(master) = self.keys.first() else {
            return Err(RecordingError::Setting {
                what: "recording.keys names no key".into(),
            });
        };
        let key = SessionKey::fresh().map_err(|_| no_random(&master.id))?;
        let blob = match &master.source {
            KeySource::Kms(kms) => super::kms::wrap(kms, &master.id, session, key.bytes())?,
            local => STANDARD.encode(wrap(&bytes(master, local)?, &master.id, session, &key)?),
        };
        let wrapped = Wrapped {
            version: 1,
            session,
            key: master.id.clone(),
            blob,
        };
        Ok((key, wrapped))
    }

    pub(super) fn unwrap(&self, wrapped: &Wrapped) -> Result<SessionKey, RecordingError> {
        let session = wrapped.session;
        let sealed = || RecordingError::Sealed {
            session,
            key: wrapped.key.clone(),
        };
        let master = self.keys.iter().find(|key| key.id == wrapped.key);
        let master = master.ok_or_else(sealed)?;
        match &master.source {
            KeySource::Kms(kms) => super::kms::unwrap(kms, &master.id, session, &wrapped.blob)
                .map(SessionKey::from_bytes),
            local => unwrap(&bytes(master, local)?, &master.id, wrapped),
        }
    }
}

/// Each wrapping has a key of its own, made with a fresh salt: nonce 0 is used once under it.
fn wrapping(master: &[u8; 32], salt: &[u8; 32], id: &str) -> Result<LessSafeKey, RecordingError> {
    derive(master, salt, b"locum recording key 1").map_err(|_| no_random(id))
}

/// What a wrapped key is bound to.
fn bound(id: &str, session: SessionId) -> Vec<u8> {
    format!("{session} {id}").into_bytes()
}

fn wrap(
    master: &[u8; 32],
    id: &str,
    session: SessionId,
    key: &SessionKey,
) -> Result<Vec<u8>, RecordingError> {
    let salt = random().map_err(|_| no_random(id))?;
    let mut body = key.bytes().to_vec();
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    let aad = Aad::from(bound(id, session));
    wrapping(master, &salt, id)?
        .seal_in_place_append_tag(nonce, aad, &mut body)
        .map_err(|_| no_random(id))?;
    Ok([&salt[..], &body].concat())
}

fn unwrap(master: &[u8; 32], id: &str, from: &Wrapped) -> Result<SessionKey, RecordingError> {
    let wrong = || RecordingError::Key {
        id: id.to_owned(),
        what: format!(
            "it does not unwrap the key of session {}: another key has this id, or the key file was changed",
            from.session
        ),
    };
    let blob = STANDARD.decode(&from.blob).map_err(|_| wrong())?;
    let (salt, body) = blob.split_first_chunk::<32>().ok_or_else(wrong)?;
    let mut body = body.to_vec();
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    let aad = Aad::from(bound(id, from.session));
    let plain = wrapping(master, salt, id)?
        .open_in_place(nonce, aad, &mut body)
        .map_err(|_| wrong())?;
    let bytes: [u8; 32] = (&*plain).try_into().map_err(|_| wrong())?;
    Ok(SessionKey::from_bytes(bytes))
}

fn no_random(id: &str) -> RecordingError {
    RecordingError::Key {
        id: id.to_owned(),
        what: "the system's cryptography failed".into(),
    }
}

/// The bytes of a key that is here. Read each time, so that a file that was put right needs no restart.
fn bytes(master: &MasterKey, source: &KeySource) -> Result<[u8; 32], RecordingError> {
    let broken = |what: String| RecordingError::Key {
        id: master.id.clone(),
        what,
    };
    let (text, place) = match source {
        KeySource::Own(path) => (own(path)?, path.display().to_string()),
        KeySource::File(path) => (
            fs::read_to_string(path).map_err(RecordingError::io(path, "read the key in"))?,
            path.display().to_string(),
        ),
        KeySource::Environment(name) => (
            std::env::var(name)
                .map_err(|_| broken(format!("the environment variable {name} is not set")))?,
            format!("the environment variable {name}"),
        ),
        KeySource::Kms(_) => return Err(broken("a KMS's key has no bytes here".into())),
    };
    parse(text.trim()).ok_or_else(|| {
        broken(format!(
            "{place} holds no 32 bytes: write them as 64 hexadecimal digits or as base64 (openssl rand -hex 32)"
        ))
    })
}

/// 64 hexadecimal digits, or base64 of 32 bytes.
fn parse(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return STANDARD.decode(text).ok()?.try_into().ok();
    }
    super::digest::decode(text)
}

/// Locum's own key file: made if absent, for this user's eyes alone.
fn own(path: &Path) -> Result<String, RecordingError> {
    match fs::read_to_string(path) {
        Ok(text) => return Ok(text),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {}
        Err(why) => return Err(RecordingError::io(path, "read the key in")(why)),
    }
    let fresh = random().map_err(|_| no_random("own"))?;
    let text = super::digest::encode(&fresh) + "\n";
    let opened = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match opened {
        Ok(mut file) => {
            let written = file
                .write_all(text.as_bytes())
                .and_then(|()| file.sync_all());
            written.map_err(RecordingError::io(path, "write the key to"))?;
            Ok(text)
        }
        // Another process was faster.
        Err(why) if why.kind() == std::io::ErrorKind::AlreadyExists => {
            fs::read_to_string(path).map_err(RecordingError::io(path, "read the key in"))
        }
        Err(why) => Err(RecordingError::io(path, "make")(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(dir: &Path, id: &str, text: &str) -> MasterKey {
        let path = dir.join(id);
        fs::write(&path, text).unwrap();
        MasterKey {
            id: id.into(),
            source: KeySource::File(path),
        }
    }

    #[test]
    fn old_keys_still_unwrap_after_a_rotation_and_a_missing_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let old = key(dir.path(), "old", &"ab".repeat(32));
        let new = key(dir.path(), "new", &STANDARD.encode([7; 32]));
        let session = SessionId::fresh();
        let before = Keyring::new(vec![old.clone()]).unwrap();
        let (made, wrapped) = before.make(session).unwrap();
        let after = Keyring::new(vec![new.clone(), old]).unwrap();
        assert!(after.unwrap(&wrapped).unwrap() == made);
        assert_eq!(after.make(session).unwrap().1.key, "new");
        let alone = Keyring::new(vec![new]).unwrap().unwrap(&wrapped);
        assert!(matches!(alone, Err(RecordingError::Sealed { key, .. }) if key == "old"));
    }

    #[test]
    fn a_wrapped_key_opens_for_its_own_session_only() {
        let dir = tempfile::tempdir().unwrap();
        let ring = Keyring::new(vec![key(dir.path(), "k", &"01".repeat(32))]).unwrap();
        let (_, mut wrapped) = ring.make(SessionId::fresh()).unwrap();
        wrapped.session = SessionId::fresh();
        assert!(matches!(
            ring.unwrap(&wrapped),
            Err(RecordingError::Key { .. })
        ));
    }

    #[test]
    fn the_own_key_is_made_once_for_one_pair_of_eyes() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let ring = Keyring::new(vec![MasterKey::own(dir.path())]).unwrap();
        let (made, wrapped) = ring.make(SessionId::fresh()).unwrap();
        assert!(ring.unwrap(&wrapped).unwrap() == made);
        let mode = fs::metadata(dir.path().join("master.key")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_key_is_said_without_showing_it() {
        let dir = tempfile::tempdir().unwrap();
        let ring = Keyring::new(vec![key(dir.path(), "k", "hunter2")]).unwrap();
        let why = ring.make(SessionId::fresh()).unwrap_err().to_string();
        assert!(why.contains("openssl rand -hex 32") && !why.contains("hunter2"));
    }
}
