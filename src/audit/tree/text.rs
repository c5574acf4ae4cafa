//! Texts other than checkpoints under the log's keys, as signed notes: what is signed says in its first line what it is, so
//! that it is never taken for a checkpoint, whose first line is the log's origin.

use super::error::LogError;
use super::key::LogKey;
use super::note::{Distrust, VerifierKeys};
use signed_note::{Note, NoteError, Signer};

impl LogKey {
    /// Signs a text with each of `keys`.
    pub(in crate::audit) fn sign_text(keys: &[Self], text: &str) -> Result<Vec<u8>, LogError> {
        let wrong = |why: NoteError| LogError::note("a text to sign", why.to_string());
        let mut note = Note::new(text.as_bytes(), &[]).map_err(wrong)?;
        let signers = keys
            .iter()
            .map(Self::signer)
            .collect::<Result<Vec<_>, _>>()?;
        let signers: Vec<&dyn Signer> = signers.iter().map(|it| it as &dyn Signer).collect();
        note.add_sigs(&signers).map_err(wrong)?;
        Ok(note.to_bytes())
    }
}

impl VerifierKeys {
    /// Checks that one of these keys signed exactly this text.
    pub(in crate::audit) fn check_text(&self, note: &[u8], text: &str) -> Result<(), Distrust> {
        let note = Note::from_bytes(note).map_err(|_| Distrust::Signature)?;
        if note.text() != text.as_bytes() {
            return Err(Distrust::Signature);
        }
        match note.verify(&self.verifiers()) {
            Ok(_) => Ok(()),
            Err(NoteError::UnverifiedNote) => Err(Distrust::NoKey),
            Err(_) => Err(Distrust::Signature),
        }
    }
}
