//! All trees of a journal, followed by its verifier.

use super::follow::Follow;
pub(in crate::audit) use super::follow::Stands;
use super::layout;
use super::note::{Signed, VerifierKeys};
use crate::audit::leaf;
use crate::audit::report::{Break, Fault, TreeReport};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A checkpoint that was kept elsewhere.
#[derive(Clone, Debug)]
pub struct Saved {
    /// How it is called in a report.
    pub name: String,
    pub note: Vec<u8>,
}

/// What is wrong with the trees, and what is worth knowing.
#[derive(Debug, Default)]
pub(in crate::audit) struct Found {
    pub(in crate::audit) breaks: Vec<Break>,
    pub(in crate::audit) notes: Vec<String>,
    pub(in crate::audit) tree: Option<TreeReport>,
}

/// The trees that grow with the records as they are read.
// Four facts that are independent of each other: no state machine hides in them.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug)]
pub(in crate::audit) struct Trees {
    journal: PathBuf,
    keys: VerifierKeys,
    whole: Follow,
    /// By the encoded name.
    tenants: HashMap<String, Follow>,
    has_tenants: bool,
    is_live: bool,
    /// The records before a saved checkpoint were not read, so tenants' trees cannot be made.
    skips_tenants: bool,
    /// The chain broke: later records cannot be compared.
    stopped: bool,
}

impl Trees {
    /// `None` where there is no log, and nobody says that there should be one.
    pub(in crate::audit) fn open(
        journal: &Path,
        is_live: bool,
        keys: &VerifierKeys,
        saved: &[Saved],
    ) -> io::Result<Option<Self>> {
        let dir = layout::whole(journal);
        if !dir.exists() && keys.is_empty() && saved.is_empty() {
            return Ok(None);
        }
        let mut whole = Follow::open(dir, "tlog".into(), false, is_live, keys)?;
        for saved in saved {
            whole.saved(&saved.name, &saved.note, keys);
        }
        Ok(Some(Self {
            journal: journal.into(),
            keys: keys.clone(),
            whole,
            tenants: HashMap::new(),
            has_tenants: layout::tenants(journal).exists(),
            is_live,
            skips_tenants: false,
            stopped: false,
        }))
    }

    /// Adds a record that follows its predecessor in the chain.
    pub(in crate::audit) fn record(
        &mut self,
        hash: &[u8; 64],
        line: &[u8],
        stands: Stands,
    ) -> io::Result<()> {
        let Some(entry) = leaf::entry(hash).filter(|_| !self.stopped) else {
            return Ok(());
        };
        if self.has_tenants
            && let Some(tenant) = leaf::tenant_of(line)
        {
            let name = layout::encoded(&tenant);
            if !self.tenants.contains_key(&name) {
                let dir = layout::tenants(&self.journal).join(&name);
                let label = format!("tlog/tenants/{name}");
                let follow = Follow::open(
                    dir,
                    label,
                    true,
                    self.is_live,
                    &self.keys.of_tenant(&tenant),
                )?;
                self.tenants.insert(name.clone(), follow);
            }
            if let Some(follow) = self.tenants.get_mut(&name) {
                follow.append(entry, stands.clone())?;
            }
        }
        self.whole.append(entry, stands)
    }

    /// Begins at a checkpoint that was kept elsewhere: how many records it covers, and the hash of the last one. `None`:
    /// all must be read.
    pub(in crate::audit) fn resume(&mut self, from: &Saved) -> Option<(u64, [u8; 32])> {
        let signed = Signed::parse(&from.note).ok()?;
        let is_trusted = self.keys.is_empty() || self.keys.check(&signed).is_ok();
        let entry = is_trusted.then(|| self.whole.resume(&from.name, &signed))??;
        self.has_tenants = false;
        self.skips_tenants = true;
        Some((signed.size, entry))
    }

    /// The chain does not hold from here on.
    pub(in crate::audit) fn stop(&mut self) {
        self.stopped = true;
    }

    /// After the last record, which is `last` and stands before `end` (segment, line).
    pub(in crate::audit) fn finish(mut self, last: u64, end: (String, u64)) -> io::Result<Found> {
        let mut found = Found::default();
        let is_whole = !self.stopped;
        self.whole.finish(is_whole)?;
        if let Some((size, by, is_saved)) = self.whole.beyond().filter(|(size, ..)| *size > last) {
            let by = if is_saved { by } else { format!("tlog/{by}") };
            found.breaks.push(Break {
                segment: end.0,
                line: end.1,
                sequence: Some(last + 1),
                exchange: None,
                fault: Fault::Truncated {
                    from: last + 1,
                    to: size,
                    by,
                },
            });
        }
        if self.whole.published == 0
            && last > 0
            && self.whole.checkpoints == 0
            && !self.keys.is_empty()
        {
            found.breaks.push(Break {
                segment: "tlog/checkpoint".into(),
                line: 0,
                sequence: None,
                exchange: None,
                fault: Fault::NoCheckpoint,
            });
        }
        let mut checked = self.tenants.len() as u64;
        for (name, follow) in &mut self.tenants {
            follow.finish(is_whole)?;
            if let Some((size, ..)) = follow
                .beyond()
                .filter(|_| is_whole && found.breaks.is_empty())
            {
                found.breaks.push(fault(
                    name,
                    Fault::Lacking {
                        size,
                        records: follow.size(),
                    },
                ));
            }
            found.breaks.append(&mut follow.breaks);
            found.notes.append(&mut follow.notes);
        }
        // While somebody writes, a tenant may be newer than the records that were read.
        if is_whole && !self.skips_tenants && !self.is_live {
            for name in strangers(&self.journal, &self.tenants)? {
                checked += 1;
                found.breaks.push(fault(&name, Fault::StrangeFile));
            }
        }
        self.notes(&mut found, last);
        found.breaks.append(&mut self.whole.breaks);
        found.notes.append(&mut self.whole.notes);
        found.tree = Some(self.report(checked));
        Ok(found)
    }

    fn notes(&self, found: &mut Found, last: u64) {
        if self.keys.is_empty() && self.whole.checkpoints > 0 {
            let note = "the checkpoints' signatures were not checked: no key was given (--vkey)";
            found.notes.push(note.into());
        }
        if self.skips_tenants {
            let note = "records before the saved checkpoint were taken from the tiles that give its root, and tenants' trees were not compared";
            found.notes.push(note.into());
        }
        let open = last.saturating_sub(self.whole.published);
        if open > 0 && found.breaks.is_empty() {
            found.notes.push(format!(
                "the last {open} records came after the last checkpoint: the chain alone binds them"
            ));
        }
    }

    fn report(&self, tenants: u64) -> TreeReport {
        let trees = self.tenants.values().chain([&self.whole]);
        let sum = |of: fn(&Follow) -> u64| trees.clone().map(of).sum();
        TreeReport {
            size: self.whole.size(),
            root: self
                .whole
                .root()
                .map(|root| root.to_string())
                .unwrap_or_default(),
            published: self.whole.published,
            checkpoints: sum(|tree| tree.checkpoints),
            tiles: sum(|tree| tree.tiles),
            tenants,
            cosigned: self.whole.cosigned as u64,
            signatures_checked: !self.keys.is_empty(),
        }
    }
}

fn fault(tenant: &str, fault: Fault) -> Break {
    Break {
        segment: format!("tlog/tenants/{tenant}"),
        line: 0,
        sequence: None,
        exchange: None,
        fault,
    }
}

/// Trees of tenants that have no record.
fn strangers(journal: &Path, known: &HashMap<String, Follow>) -> io::Result<Vec<String>> {
    let dir = layout::tenants(journal);
    let mut found = Vec::new();
    if dir.exists() {
        for entry in fs::read_dir(dir)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !known.contains_key(&name) {
                found.push(name);
            }
        }
    }
    Ok(found)
}

/// Checks an export of one tenant's records (lines as they stand in the journal, in order) against that tenant's tree.
///
/// # Errors
/// What is wrong, with the line.
pub fn check_export(
    lines: impl Iterator<Item = io::Result<Vec<u8>>>,
    tenant: &str,
    checkpoint: &Signed,
) -> io::Result<Result<u64, (u64, Fault)>> {
    let mut edge = super::edge::Edge::default();
    let mut last = 0;
    for (line, at) in lines.zip(1..) {
        let line = line?;
        let parsed = match crate::audit::chain::Line::parse(&line) {
            Some(parsed) if parsed.is_intact() => parsed,
            Some(_) => return Ok(Err((at, Fault::Changed))),
            None => return Ok(Err((at, Fault::Malformed))),
        };
        if leaf::tenant_of(&line).as_deref() != Some(tenant) {
            return Ok(Err((at, Fault::OtherTenant)));
        }
        if parsed.seq <= last {
            return Ok(Err((at, Fault::OutOfOrder)));
        }
        last = parsed.seq;
        // More than the checkpoint covers may have come since.
        if edge.size() < checkpoint.size
            && let Some(entry) = leaf::entry(parsed.stated)
        {
            edge.append(tlog_tiles::record_hash(&entry));
        }
    }
    let size = edge.size();
    if size < checkpoint.size {
        let lacking = Fault::Lacking {
            size: checkpoint.size,
            records: size,
        };
        return Ok(Err((0, lacking)));
    }
    if edge.root().is_ok_and(|root| root == checkpoint.root) {
        return Ok(Ok(size));
    }
    Ok(Err((0, Fault::WrongRoot { size })))
}
