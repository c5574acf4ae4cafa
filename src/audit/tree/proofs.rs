//! Proofs for others: that a record is in the log, and that a checkpoint continues an older one.
//!
//! An inclusion proof is written as <https://c2sp.org/tlog-proof> has it; a consistency proof as the body that
//! <https://c2sp.org/tlog-witness> gives to witnesses.

use super::error::LogError;
use super::kept::Kept;
use super::layout;
use super::note::{Signed, VerifierKeys};
use super::seqs;
use super::tiles::Tiles;
use crate::audit::leaf;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tlog_tiles::{Hash, check_record, check_tree, record_hash};

const INCLUSION: &str = "c2sp.org/tlog-proof@v1";

/// The proofs of one tree in a journal, against its latest checkpoint.
#[derive(Debug)]
pub struct Proofs {
    dir: PathBuf,
    is_tenant: bool,
    latest: Signed,
}

impl Proofs {
    /// The whole tree's.
    pub fn of_all(journal: &Path) -> Result<Self, LogError> {
        Self::open(layout::whole(journal), false)
    }

    /// The tree's of one tenant.
    pub fn of_tenant(journal: &Path, tenant: &str) -> Result<Self, LogError> {
        Self::open(layout::tenant(journal, tenant), true)
    }

    fn open(dir: PathBuf, is_tenant: bool) -> Result<Self, LogError> {
        let none = || LogError::absent("there is no checkpoint of this log yet");
        let latest = Kept::new(&dir).latest()?.ok_or_else(none)?;
        Ok(Self {
            dir,
            is_tenant,
            latest,
        })
    }

    /// The checkpoint that all proofs lead to.
    pub fn checkpoint(&self) -> &Signed {
        &self.latest
    }

    /// Whether the checkpoint covers record `seq` of this tree.
    pub fn index_of(&self, seq: u64) -> Result<Option<u64>, LogError> {
        if self.is_tenant {
            return seqs::index_of(&self.dir, self.latest.size, seq);
        }
        Ok(seq.checked_sub(1).filter(|index| *index < self.latest.size))
    }

    fn tiles(&self) -> Tiles<'_> {
        Tiles {
            dir: &self.dir,
            size: self.latest.size,
        }
    }

    /// That record `seq` is in the tree.
    pub fn inclusion(&self, seq: u64) -> Result<Inclusion, LogError> {
        let none = || LogError::absent(format!("no checkpoint of this log covers a record {seq}"));
        let index = self.index_of(seq)?.ok_or_else(none)?;
        let tiles = self.tiles();
        let proof = Inclusion {
            index,
            hashes: tiles.inclusion(index)?,
            checkpoint: self.latest.clone(),
        };
        // What is damaged on disk is never handed out as a proof.
        proof
            .leads(&tiles.entry(index)?)
            .map_err(|why| LogError::tiles(&self.dir, why))?;
        Ok(proof)
    }

    /// The same for many records.
    pub fn inclusions(&self, seqs: &[u64]) -> Result<Vec<Inclusion>, LogError> {
        seqs.iter().map(|seq| self.inclusion(*seq)).collect()
    }

    /// That the tree of `from` leaves is the beginning of the checkpoint's. With the root at `from`.
    pub fn consistency(&self, from: u64) -> Result<(Consistency, Hash), LogError> {
        self.consistency_to(from, self.latest.clone())
    }

    /// The same against an older checkpoint, which was kept.
    pub fn consistency_between(&self, from: u64, to: u64) -> Result<(Consistency, Hash), LogError> {
        if to == self.latest.size {
            return self.consistency(from);
        }
        let none = || LogError::absent(format!("there was no checkpoint of size {to}"));
        let kept = Kept::new(&self.dir).all()?;
        let older = kept
            .into_iter()
            .rfind(|one| one.size == to)
            .ok_or_else(none)?;
        self.consistency_to(from, older)
    }

    fn consistency_to(
        &self,
        from: u64,
        checkpoint: Signed,
    ) -> Result<(Consistency, Hash), LogError> {
        if from > checkpoint.size {
            let what = format!(
                "the checkpoint covers {} records, not {from}",
                checkpoint.size
            );
            return Err(LogError::absent(what));
        }
        let at = |size| Tiles {
            dir: &self.dir,
            size,
        };
        let root = at(from).root()?;
        let proof = Consistency {
            from,
            hashes: at(checkpoint.size).consistency(from)?,
            checkpoint,
        };
        proof
            .continues(from, root)
            .map_err(|why| LogError::tiles(&self.dir, why))?;
        Ok((proof, root))
    }
}

/// The proof that a record is in a log.
#[derive(Debug)]
pub struct Inclusion {
    /// The leaf, from 0.
    pub index: u64,
    pub hashes: Vec<Hash>,
    pub checkpoint: Signed,
}

impl Inclusion {
    /// The proof as C2SP tlog-proof has it.
    pub fn text(&self) -> String {
        let mut text = format!("{INCLUSION}\nindex {}\n", self.index);
        lines(&mut text, &self.hashes, &self.checkpoint);
        text
    }

    /// Reads it back.
    pub fn parse(text: &[u8]) -> Result<Self, LogError> {
        let wrong = || {
            LogError::note(
                "the proof",
                "it is no inclusion proof (c2sp.org/tlog-proof@v1)",
            )
        };
        let rest = text
            .strip_prefix(INCLUSION.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"\nindex "));
        let (index, hashes, checkpoint) = numbered(rest.ok_or_else(wrong)?).ok_or_else(wrong)?;
        Ok(Self {
            index,
            hashes,
            checkpoint: Signed::parse(checkpoint)?,
        })
    }

    /// Whether the path leads from the record's hash to the checkpoint's root.
    fn leads(&self, entry: &[u8; 32]) -> Result<(), String> {
        let to = &self.checkpoint;
        check_record(
            &self.hashes,
            to.size,
            to.root,
            self.index,
            record_hash(entry),
        )
        .map_err(|_| "the proof does not lead from the record to the checkpoint's root".into())
    }

    /// Checks the checkpoint's signatures, and that the record with this hash (32 bytes) is in the log that they sign.
    /// How many known witnesses cosigned.
    pub fn check(&self, entry: &[u8; 32], keys: &VerifierKeys) -> Result<usize, LogError> {
        let cosigned = trusted(&self.checkpoint, keys)?;
        self.leads(entry)
            .map_err(|why| LogError::note("the proof", why))?;
        Ok(cosigned)
    }

    /// The same for a record as it stands in the journal: its hash is computed anew.
    pub fn check_record(&self, line: &[u8], keys: &VerifierKeys) -> Result<usize, LogError> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let parsed =
            crate::audit::chain::Line::parse(line).filter(crate::audit::chain::Line::is_intact);
        let parsed =
            parsed.ok_or_else(|| LogError::note("the record", "its bytes do not give its hash"))?;
        let entry = leaf::entry(parsed.stated);
        let entry = entry.ok_or_else(|| LogError::note("the record", "it has no hash"))?;
        self.check(&entry, keys)
    }
}

/// The proof that a checkpoint continues an older one.
#[derive(Debug)]
pub struct Consistency {
    /// The older size.
    pub from: u64,
    pub hashes: Vec<Hash>,
    pub checkpoint: Signed,
}

impl Consistency {
    /// The proof as witnesses get it.
    pub fn text(&self) -> String {
        let mut text = format!("old {}\n", self.from);
        lines(&mut text, &self.hashes, &self.checkpoint);
        text
    }

    /// Reads it back.
    pub fn parse(text: &[u8]) -> Result<Self, LogError> {
        let wrong = || LogError::note("the proof", "it is no consistency proof (`old <size>` …)");
        let rest = text.strip_prefix(b"old ").ok_or_else(wrong)?;
        let (from, hashes, checkpoint) = numbered(rest).ok_or_else(wrong)?;
        Ok(Self {
            from,
            hashes,
            checkpoint: Signed::parse(checkpoint)?,
        })
    }

    fn continues(&self, size: u64, root: Hash) -> Result<(), String> {
        let to = &self.checkpoint;
        let wrong = || "the proof does not lead from the older root to the checkpoint's".to_owned();
        if size != self.from {
            return Err(format!(
                "the proof begins at size {}, the older checkpoint has {size}",
                self.from
            ));
        }
        match size {
            // The empty tree is the beginning of every other.
            0 if self.hashes.is_empty() && root == tlog_tiles::EMPTY_HASH => Ok(()),
            0 => Err(wrong()),
            _ => check_tree(&self.hashes, to.size, to.root, size, root).map_err(|_| wrong()),
        }
    }

    /// Checks the signatures of both checkpoints, and that this proof's continues `older`. How many known witnesses
    /// cosigned the newer.
    pub fn check(&self, older: &Signed, keys: &VerifierKeys) -> Result<usize, LogError> {
        trusted(older, keys)?;
        let cosigned = trusted(&self.checkpoint, keys)?;
        if older.origin != self.checkpoint.origin {
            return Err(LogError::note(
                "the proof",
                "the two checkpoints are of two logs",
            ));
        }
        self.continues(older.size, older.root)
            .map_err(|why| LogError::note("the proof", why))?;
        Ok(cosigned)
    }
}

fn trusted(signed: &Signed, keys: &VerifierKeys) -> Result<usize, LogError> {
    keys.check(signed)
        .map_err(|why| LogError::note("the checkpoint", why.to_string()))
}

fn lines(text: &mut String, hashes: &[Hash], checkpoint: &Signed) {
    for hash in hashes {
        let _ = writeln!(text, "{hash}");
    }
    text.push('\n');
    text.push_str(&String::from_utf8_lossy(&checkpoint.bytes()));
}

/// `<number>`, hashes, an empty line, and what follows.
fn numbered(text: &[u8]) -> Option<(u64, Vec<Hash>, &[u8])> {
    let end = memchr::memmem::find(text, b"\n\n")?;
    let head = std::str::from_utf8(text.get(..end)?).ok()?;
    let mut lines = head.split('\n');
    let digits = lines.next()?;
    let number: u64 = digits
        .parse()
        .ok()
        .filter(|n: &u64| n.to_string() == digits)?;
    let hashes = lines
        .map(|line| Hash::parse_hash(line).ok())
        .collect::<Option<Vec<_>>>()?;
    (hashes.len() <= 64).then_some(())?;
    Some((number, hashes, text.get(end + 2..)?))
}
