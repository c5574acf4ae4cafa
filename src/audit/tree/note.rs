//! Checkpoints: what a log signs. Signed notes whose text is an origin, a size and a root.
//!
//! <https://c2sp.org/tlog-checkpoint>, <https://c2sp.org/signed-note>, <https://c2sp.org/tlog-cosignature>

use super::error::LogError;
use super::key::{ED25519, LogKey, key_id};
use aws_lc_rs::signature::{ED25519 as ALGORITHM, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signed_note::{Note, NoteError, Signature, Signer, StandardVerifier, Verifier, VerifierList};
use std::fmt;
use std::sync::Arc;
use tlog_tiles::{Checkpoint, Hash};

/// The key type of cosignatures by witnesses.
const COSIGNATURE: u8 = 0x04;

/// A checkpoint as it is kept and served. Its signatures are believed only after [`VerifierKeys::check`].
#[derive(Clone, Debug)]
pub struct Signed {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
    note: Arc<Note>,
}

impl Signed {
    /// Reads a note strictly: one text is one note.
    pub fn parse(text: &[u8]) -> Result<Self, LogError> {
        let wrong = |why: &str| LogError::note("the checkpoint", why);
        let note = Note::from_bytes(text).map_err(|_| wrong("it is no signed note"))?;
        if note.to_bytes() != text {
            return Err(wrong("it is no signed note"));
        }
        let head = Checkpoint::from_bytes(note.text())
            .map_err(|_| wrong("its text is no origin, size and root"))?;
        // Base64 has spellings beside the one that is written.
        let has_more = !head.extension().is_empty();
        if has_more || head.to_bytes() != note.text() || i64::try_from(head.size()).is_err() {
            return Err(wrong("its text is no origin, size and root"));
        }
        Ok(Self {
            origin: head.origin().into(),
            size: head.size(),
            root: *head.hash(),
            note: Arc::new(note),
        })
    }

    /// Signs a head with each of `keys`, whose name is the origin.
    pub(super) fn sign(
        origin: &str,
        size: u64,
        root: Hash,
        keys: &[LogKey],
    ) -> Result<Self, LogError> {
        let wrong = |why: &dyn fmt::Debug| LogError::note("the checkpoint", format!("{why:?}"));
        let head = Checkpoint::new(origin, size, root, "").map_err(|e| wrong(&e))?;
        let mut note = Note::new(&head.to_bytes(), &[]).map_err(|e| wrong(&e))?;
        let signers = keys
            .iter()
            .map(LogKey::signer)
            .collect::<Result<Vec<_>, _>>()?;
        let signers: Vec<&dyn Signer> = signers.iter().map(|it| it as &dyn Signer).collect();
        note.add_sigs(&signers).map_err(|e| wrong(&e))?;
        Ok(Self {
            origin: origin.into(),
            size,
            root,
            note: Arc::new(note),
        })
    }

    /// The note as text.
    pub fn bytes(&self) -> Vec<u8> {
        self.note.to_bytes()
    }

    /// The note with more signatures.
    pub(super) fn with(&self, more: &[Signature]) -> Result<Self, LogError> {
        let lines = more.iter().flat_map(Signature::to_bytes);
        Self::parse(&self.bytes().into_iter().chain(lines).collect::<Vec<_>>())
    }
}

/// A key that signatures are checked with: a log's, or a witness's.
#[derive(Clone, Debug)]
pub struct VerifierKey {
    name: String,
    kind: u8,
    public: [u8; 32],
}

impl VerifierKey {
    /// Reads `<name>+<id>+<base64>`.
    pub fn parse(text: &str) -> Result<Self, LogError> {
        let wrong = || LogError::key(format!("{text:?} is no verifier key (name+id+base64)"));
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let key = STANDARD.decode(key).map_err(|_| wrong())?;
        let (kind, public) = key.split_first().ok_or_else(wrong)?;
        let key = Self {
            name: name.into(),
            kind: *kind,
            public: public.try_into().map_err(|_| wrong())?,
        };
        let is_known = matches!(key.kind, ED25519 | COSIGNATURE);
        let has_id = id.len() == 8 && format!("{:08x}", key.id()) == id;
        if !is_known || !has_id || !signed_note::is_key_name_valid(name) {
            return Err(wrong());
        }
        Ok(key)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> u32 {
        key_id(&self.name, self.kind, &self.public)
    }

    /// Whether it is somebody's who cosigns.
    pub fn is_witness(&self) -> bool {
        self.kind == COSIGNATURE
    }

    fn is_log(&self) -> bool {
        self.kind == ED25519
    }

    /// The key of a tenant's tree in the log that this is a key of.
    pub fn of_tenant(&self, tenant: &str) -> Self {
        Self {
            name: super::layout::tenant_origin(&self.name, tenant),
            ..self.clone()
        }
    }

    fn verifier(&self) -> Option<Box<dyn Verifier>> {
        if !self.is_log() {
            return Some(Box::new(Cosigner(self.clone())));
        }
        let public = STANDARD.encode([&[self.kind], &self.public as &[u8]].concat());
        let text = format!("{}+{:08x}+{public}", self.name, self.id());
        Some(Box::new(StandardVerifier::new(&text).ok()?))
    }
}

/// Checks a cosignature: a time and an Ed25519 signature over that time and the note's text.
struct Cosigner(VerifierKey);

impl Verifier for Cosigner {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn key_id(&self) -> u32 {
        self.0.id()
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = signature.split_first_chunk::<8>() else {
            return false;
        };
        let time = u64::from_be_bytes(*time);
        let message = [format!("cosignature/v1\ntime {time}\n").as_bytes(), text].concat();
        let key = UnparsedPublicKey::new(&ALGORITHM, self.0.public);
        i64::try_from(time).is_ok() && key.verify(&message, signature).is_ok()
    }
}

/// Keys to check checkpoints with.
#[derive(Clone, Debug, Default)]
pub struct VerifierKeys(Vec<VerifierKey>);

impl VerifierKeys {
    pub fn new(keys: impl IntoIterator<Item = VerifierKey>) -> Self {
        let mut all: Vec<VerifierKey> = Vec::new();
        for key in keys {
            if !all
                .iter()
                .any(|it| (&it.name, it.id()) == (&key.name, key.id()))
            {
                all.push(key);
            }
        }
        Self(all)
    }

    /// Reads each text as a verifier key.
    pub fn parse(texts: &[String]) -> Result<Self, LogError> {
        let keys = texts.iter().map(|text| VerifierKey::parse(text.trim()));
        Ok(Self::new(keys.collect::<Result<Vec<_>, _>>()?))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys of a tenant's tree; witnesses stay who they are.
    pub fn of_tenant(&self, tenant: &str) -> Self {
        let of = |key: &VerifierKey| {
            if key.is_log() {
                key.of_tenant(tenant)
            } else {
                key.clone()
            }
        };
        Self::new(self.0.iter().map(of))
    }

    /// Checks that a key of the log, which has the origin's name, signed this, and that no signature by a known key is
    /// wrong. Tells how many known witnesses cosigned.
    pub fn check(&self, signed: &Signed) -> Result<usize, Distrust> {
        let ours = |key: &&VerifierKey| key.is_log() && key.name == signed.origin;
        if !self.0.iter().any(|key| ours(&key)) {
            return Err(Distrust::Origin(signed.origin.clone()));
        }
        let usable = |key: &&VerifierKey| !key.is_log() || key.name == signed.origin;
        let known = self
            .0
            .iter()
            .filter(usable)
            .filter_map(VerifierKey::verifier);
        let known = VerifierList::new(known.collect());
        let (good, _) = signed.note.verify(&known).map_err(|error| match error {
            NoteError::UnverifiedNote => Distrust::NoKey,
            _ => Distrust::Signature,
        })?;
        let is_by = |key: &VerifierKey| {
            good.iter()
                .any(|s| s.name() == key.name && s.id() == key.id())
        };
        if !self.0.iter().any(|key| ours(&key) && is_by(key)) {
            return Err(Distrust::NoKey);
        }
        Ok(self
            .0
            .iter()
            .filter(|key| !key.is_log() && is_by(key))
            .count())
    }

    /// The log's own keys among them.
    pub(super) fn verifiers(&self) -> VerifierList {
        let logs = self.0.iter().filter(|key| key.is_log());
        VerifierList::new(logs.filter_map(VerifierKey::verifier).collect())
    }

    /// The cosignatures by known witnesses among the lines that a witness answered with.
    pub(super) fn cosignatures(&self, signed: &Signed, answer: &[u8]) -> Vec<Signature> {
        let known = |line: &[u8]| {
            let signature = Signature::from_bytes(line).ok()?;
            let key = self.0.iter().filter(|key| !key.is_log());
            let mut key =
                key.filter(|key| key.name == signature.name() && key.id() == signature.id());
            let good = key
                .any(|key| Cosigner(key.clone()).verify(signed.note.text(), signature.signature()));
            good.then_some(signature)
        };
        answer.split(|b| *b == b'\n').filter_map(known).collect()
    }
}

/// Why a checkpoint is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// No given key is one of that origin.
    Origin(String),
    /// No given key signed it.
    NoKey,
    /// A signature by a given key is wrong.
    Signature,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(origin) => write!(f, "no key that was given is one of the log {origin:?}"),
            Self::NoKey => f.write_str("no key that was given has signed it"),
            Self::Signature => f.write_str("a signature on it does not fit its text"),
        }
    }
}
