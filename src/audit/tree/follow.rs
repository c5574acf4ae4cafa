//! One tree followed by a verifier: it grows from the records alone, and everything on disk is compared with it.

use super::disk;
use super::edge::{Edge, concat};
use super::kept;
use super::layout::{self, HEIGHT, WIDTH};
use super::note::{Distrust, Signed, VerifierKeys};
use super::tiles::{Tiles, bundle, partials};
use crate::audit::report::{Break, Fault};
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tlog_tiles::{Hash, Tile, record_hash};

/// Where a leaf's record stands.
#[derive(Clone, Debug, Default)]
pub(in crate::audit) struct Stands {
    pub(in crate::audit) segment: String,
    pub(in crate::audit) line: u64,
    pub(in crate::audit) sequence: u64,
    pub(in crate::audit) exchange: Option<String>,
}

/// A root that somebody signed.
#[derive(Clone, Debug)]
struct Head {
    file: String,
    size: u64,
    root: Hash,
    is_saved: bool,
}

/// One tree.
#[derive(Debug)]
pub(super) struct Follow {
    dir: PathBuf,
    /// How its files are named in a report.
    label: String,
    edge: Edge,
    entries: Vec<[u8; 32]>,
    /// Of the leaves in the last tile.
    stands: Vec<Stands>,
    /// A tenant's tree: its records.
    seqs: Option<Vec<u64>>,
    /// Heads that the tree has not come to yet, by size.
    heads: VecDeque<Head>,
    /// What the published checkpoint covers.
    pub(super) published: u64,
    pub(super) checkpoints: u64,
    pub(super) tiles: u64,
    pub(super) cosigned: usize,
    pub(super) breaks: Vec<Break>,
    pub(super) notes: Vec<String>,
    /// Tiles that differ from the records, with the first record that differs.
    differing: Vec<(String, Option<Stands>)>,
    has_wrong_root: bool,
    /// A writer is at work: tiles may be there of records that were not read yet.
    is_live: bool,
}

impl Follow {
    /// Reads the checkpoints of the tree in `dir`. Signatures are checked if there are keys.
    pub(super) fn open(
        dir: PathBuf,
        label: String,
        is_tenant: bool,
        is_live: bool,
        keys: &VerifierKeys,
    ) -> io::Result<Self> {
        let mut follow = Self {
            dir,
            label,
            edge: Edge::default(),
            entries: Vec::new(),
            stands: Vec::new(),
            seqs: is_tenant.then(Vec::new),
            heads: VecDeque::new(),
            published: 0,
            checkpoints: 0,
            tiles: 0,
            cosigned: 0,
            breaks: Vec::new(),
            notes: Vec::new(),
            differing: Vec::new(),
            has_wrong_root: false,
            is_live,
        };
        follow.read_heads(keys)?;
        Ok(follow)
    }

    fn fault(&mut self, file: &str, fault: Fault) {
        self.breaks.push(Break {
            segment: format!("{}/{file}", self.label),
            line: 0,
            sequence: None,
            exchange: None,
            fault,
        });
    }

    fn read_heads(&mut self, keys: &VerifierKeys) -> io::Result<()> {
        // In this order: a writer may add to the one file after the other was read.
        let latest = disk::get(&self.dir.join("checkpoint"))?;
        let all = disk::get(&self.dir.join("checkpoints"))?;
        let mut heads = Vec::new();
        let (mut end, mut last, mut before) = (0, None, None);
        for (next, note) in kept::parts(all.as_deref().unwrap_or_default()) {
            heads.extend(self.head("checkpoints", note, keys));
            if latest.as_deref() == Some(note) && self.is_live {
                last = Some(note);
                before = None;
            } else if !self.is_live || latest.is_none() || last != latest.as_deref() {
                before = last.replace(note);
            }
            end = next;
        }
        if heads
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a.size > b.size))
        {
            self.fault("checkpoints", Fault::OutOfOrder);
        }
        self.checkpoints = heads.len() as u64;
        if all.as_ref().is_some_and(|all| all.len() > end) {
            self.notes.push(format!(
                "{}/checkpoints: its last checkpoint was torn by a crash; the next one replaces it",
                self.label
            ));
        }
        match latest.as_deref() {
            Some(note) => {
                let head = self.head("checkpoint", note, keys);
                self.published = head.as_ref().map_or(0, |head| head.size);
                heads.extend(head);
                // A crash comes between the one file and the other at most.
                if ![last, before].contains(&Some(note)) {
                    self.fault("checkpoint", Fault::Superseded);
                }
            }
            // Between the two files, the first time: a crash, or this reading.
            None if heads.len() > 1 => self.fault("checkpoint", Fault::NoCheckpoint),
            None => {}
        }
        match disk::get(&self.dir.join("signed"))? {
            Some(note) => heads.extend(self.head("signed", &note, keys)),
            None if last.is_some() => self.fault("signed", Fault::MissingTile),
            None => {}
        }
        heads.sort_by_key(|head| head.size);
        self.heads = heads.into();
        Ok(())
    }

    /// Begins at a checkpoint that was kept elsewhere: the tiles must give its root. The last entry that it covers; `None`
    /// where there is nothing to begin with, or the tiles do not fit.
    pub(super) fn resume(&mut self, file: &str, signed: &Signed) -> Option<[u8; 32]> {
        let tiles = Tiles {
            dir: &self.dir,
            size: signed.size,
        };
        let last = signed.size.checked_sub(1)?;
        let edge = Edge::load(signed.size, |level, n, _| tiles.hashes(level, n));
        let fits = |edge: &Edge| edge.root().is_ok_and(|root| root == signed.root);
        let Some(edge) = edge.ok().filter(fits) else {
            self.fault(file, Fault::Forked { size: signed.size });
            return None;
        };
        let entry = tiles.entry(last).ok();
        let part = !signed.size.is_multiple_of(WIDTH);
        let entries = part.then(|| tiles.entries(last / WIDTH)).transpose();
        let (Some(entry), Ok(entries)) = (entry, entries) else {
            self.fault("tile/entries", Fault::WrongTile);
            return None;
        };
        self.entries = entries.unwrap_or_default();
        self.stands = vec![Stands::default(); self.entries.len()];
        self.edge = edge;
        Some(entry)
    }

    /// A checkpoint of this tree that was kept elsewhere.
    pub(super) fn saved(&mut self, file: &str, note: &[u8], keys: &VerifierKeys) {
        let before = self.breaks.len();
        if let Some(mut head) = self.head(file, note, keys) {
            head.is_saved = true;
            file.clone_into(&mut head.file);
            let at = self.heads.partition_point(|other| other.size <= head.size);
            self.heads.insert(at, head);
        }
        for found in self.breaks.iter_mut().skip(before) {
            file.clone_into(&mut found.segment);
        }
    }

    fn head(&mut self, file: &str, note: &[u8], keys: &VerifierKeys) -> Option<Head> {
        let Ok(signed) = Signed::parse(note) else {
            self.fault(file, Fault::BadNote);
            return None;
        };
        if !keys.is_empty() {
            match keys.check(&signed) {
                Ok(cosigned) if file == "checkpoint" => self.cosigned = cosigned,
                Ok(_) => {}
                Err(why) => self.fault(file, distrust(why)),
            }
        }
        Some(Head {
            file: file.to_owned(),
            size: signed.size,
            root: signed.root,
            is_saved: false,
        })
    }

    /// Adds a record.
    pub(super) fn append(&mut self, entry: [u8; 32], stands: Stands) -> io::Result<()> {
        self.heads_here();
        if let Some(seqs) = &mut self.seqs {
            seqs.push(stands.sequence);
        }
        self.entries.push(entry);
        self.stands.push(stands);
        for full in self.edge.append(record_hash(&entry)) {
            let tile = Tile::new(HEIGHT, full.level, full.n, 1 << HEIGHT, false);
            self.compare(&tile, &concat(&full.hashes), full.level == 0)?;
            if full.level == 0 {
                let tile = Tile::new(HEIGHT, 0, full.n, 1 << HEIGHT, true);
                let bytes = bundle(&std::mem::take(&mut self.entries));
                self.compare(&tile, &bytes, true)?;
                self.stands.clear();
            }
        }
        Ok(())
    }

    /// Compares the heads of the size that the tree has now.
    fn heads_here(&mut self) {
        let size = self.edge.size();
        while let Some(head) = self.heads.front().filter(|head| head.size <= size).cloned() {
            self.heads.pop_front();
            if head.size < size || self.edge.root().is_ok_and(|root| root == head.root) {
                continue;
            }
            self.has_wrong_root = true;
            let fault = if head.is_saved {
                Fault::Forked { size }
            } else {
                Fault::WrongRoot { size }
            };
            self.fault(&head.file, fault);
            if head.is_saved
                && let Some(found) = self.breaks.last_mut()
            {
                found.segment = head.file;
            }
        }
    }

    /// Compares the files of a tile, the full one and narrower ones, with what it must be.
    fn compare(&mut self, tile: &Tile, bytes: &[u8], is_lowest: bool) -> io::Result<()> {
        let start = tile.level_index() * WIDTH;
        let published = layout::hashes(tile.level(), self.published);
        let full = Tile::new(
            HEIGHT,
            tile.level(),
            tile.level_index(),
            1 << HEIGHT,
            tile.is_data(),
        );
        let path = layout::path(&full);
        let narrow = partials(&self.dir.join(&path));
        let each = if tile.is_data() { layout::ENTRY } else { 32 };
        let mut widest = 0;
        for width in widths(&narrow)? {
            let name = format!("{path}.p/{width}");
            let want = bytes.get(..width * each);
            self.file(&name, want, each, is_lowest)?;
            widest = widest.max(width as u64);
        }
        let is_full = bytes.len() == layout::bytes(&full);
        if self.dir.join(&path).exists() {
            self.file(&path, Some(bytes).filter(|_| is_full), each, is_lowest)?;
        } else if published >= start + WIDTH {
            self.fault(&path, Fault::MissingTile);
        } else if published > start + widest && !self.is_live {
            self.fault(
                &format!("{path}.p/{}", published - start),
                Fault::MissingTile,
            );
        }
        Ok(())
    }

    /// Compares one file. `want` is `None` where the records do not go so far.
    fn file(
        &mut self,
        name: &str,
        want: Option<&[u8]>,
        each: usize,
        is_lowest: bool,
    ) -> io::Result<()> {
        let Some(found) = disk::get(&self.dir.join(name))? else {
            return Ok(());
        };
        self.tiles += 1;
        let Some(want) = want else {
            if !self.is_live {
                self.fault(name, Fault::StrangeFile);
            }
            return Ok(());
        };
        if found != want {
            let mut parts = found.chunks(each).zip(want.chunks(each));
            let at = parts.position(|(a, b)| a != b);
            let stands = at
                .filter(|_| is_lowest)
                .and_then(|at| self.stands.get(at))
                .cloned();
            self.differing.push((name.to_owned(), stands));
        }
        Ok(())
    }

    /// After the last record. `is_whole`: the chain held to its end, so all that was signed must be there.
    pub(super) fn finish(&mut self, is_whole: bool) -> io::Result<()> {
        self.heads_here();
        if is_whole {
            self.compare_edge()?;
        }
        if is_whole && !self.is_live {
            self.compare_seqs()?;
            self.strange_files()?;
        }
        let blamed = self.has_wrong_root;
        for (name, stands) in std::mem::take(&mut self.differing) {
            match stands.filter(|_| blamed) {
                Some(stands) => self.breaks.push(Break {
                    segment: stands.segment,
                    line: stands.line,
                    sequence: Some(stands.sequence),
                    exchange: stands.exchange,
                    fault: Fault::Rewritten,
                }),
                None => self.fault(&name, Fault::WrongTile),
            }
        }
        Ok(())
    }

    /// The largest size that was signed and that the records do not reach, with the file that says so.
    pub(super) fn beyond(&self) -> Option<(u64, String, bool)> {
        let last = self.heads.back()?;
        Some((last.size, last.file.clone(), last.is_saved))
    }

    pub(super) fn size(&self) -> u64 {
        self.edge.size()
    }

    pub(super) fn root(&self) -> Option<Hash> {
        self.edge.root().ok()
    }

    fn compare_edge(&mut self) -> io::Result<()> {
        let size = self.edge.size();
        let rows: Vec<_> = self
            .edge
            .partial()
            .map(|(l, n, row)| (l, n, concat(row)))
            .collect();
        for (level, n, bytes) in rows {
            if let Some(tile) = layout::tile(level, n, size, false) {
                self.compare(&tile, &bytes, level == 0)?;
            }
        }
        if let Some(tile) = layout::tile(0, size / WIDTH, size, true) {
            let bytes = bundle(&self.entries);
            self.compare(&tile, &bytes, true)?;
        }
        Ok(())
    }

    fn compare_seqs(&mut self) -> io::Result<()> {
        let Some(seqs) = self.seqs.take() else {
            return Ok(());
        };
        let found = disk::get(&self.dir.join("seqs"))?.unwrap_or_default();
        let want: Vec<u8> = seqs.iter().flat_map(|seq| seq.to_be_bytes()).collect();
        let covers = found.len() as u64 >= self.published.saturating_mul(8);
        if !covers || !want.starts_with(&found) {
            self.fault("seqs", Fault::WrongTile);
        }
        Ok(())
    }

    /// Tiles of records that are not there, and files that are no tiles.
    fn strange_files(&mut self) -> io::Result<()> {
        let mut waiting = vec![String::from("tile")];
        while let Some(name) = waiting.pop() {
            let entries = match fs::read_dir(self.dir.join(&name)) {
                Ok(entries) => entries,
                Err(error) if disk::is_absent(&error) => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let file = entry.file_name();
                let path = format!("{name}/{}", file.to_string_lossy());
                if entry.file_type()?.is_dir() {
                    waiting.push(path);
                } else if !disk::is_unfinished(&path) && !self.is_known(&path) {
                    self.fault(&path, Fault::StrangeFile);
                }
            }
        }
        Ok(())
    }

    fn is_known(&self, path: &str) -> bool {
        layout::parse(path).is_some_and(|tile| {
            let end = tile.level_index() * WIDTH;
            layout::hashes(tile.level(), self.size()) > end
        })
    }
}

fn distrust(why: Distrust) -> Fault {
    match why {
        Distrust::Origin(origin) => Fault::WrongOrigin { origin },
        Distrust::NoKey => Fault::WrongKey,
        Distrust::Signature => Fault::WrongSignature,
    }
}

/// The widths of the partial tiles in `dir`, but not what is no width: that is a strange file.
fn widths(dir: &Path) -> io::Result<Vec<usize>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if disk::is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let width = name.to_str().and_then(|name| {
            let width: usize = name.parse().ok()?;
            ((1..=255).contains(&width) && width.to_string() == name).then_some(width)
        });
        found.extend(width);
    }
    found.sort_unstable();
    Ok(found)
}
