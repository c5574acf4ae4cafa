//! One tree on disk: it grows by a record's hash at a time, and signs what it has become.
//!
//! Everything but the checkpoints can be made anew from the records. So after a crash the tiles at the size signed last
//! are read and must give the root that was signed; where they do not, the tree grows again from its first record, and
//! must come through that root. Until it has, nothing is signed.

use super::disk;
use super::edge::{Edge, Full, concat};
use super::error::LogError;
use super::kept::Kept;
use super::key::LogKey;
use super::layout::{self, HEIGHT, WIDTH};
use super::note::Signed;
use super::seqs::Seqs;
use super::tiles::{Tiles, bundle};
use std::path::{Path, PathBuf};
use tlog_tiles::{Hash, Tile, record_hash};

/// Tiles that wait for their place; a tree that is made anew gets there. Each is 8 KiB.
const MAX_LAID: usize = 4096;

/// A tree that grows.
#[derive(Debug)]
pub(super) struct Tree {
    dir: PathBuf,
    keys: Vec<LogKey>,
    origin: String,
    kept: Kept,
    edge: Edge,
    /// The entries of the last bundle, which is not full.
    entries: Vec<[u8; 32]>,
    /// A tenant's tree: which records are its leaves.
    seqs: Option<Seqs>,
    /// The record appended last.
    last: u64,
    /// The head signed last. There is never another root for its size, nor a smaller tree.
    signed: Option<(u64, Hash)>,
    /// What the checkpoint that all may read has.
    published: u64,
    /// Full tiles that are written and not yet in their place.
    laid: Vec<PathBuf>,
    /// Partial tiles on disk, to be removed once wider ones are published.
    narrow: Vec<PathBuf>,
}

impl Tree {
    /// Opens a tree where its checkpoint left it, or empty where its tiles do not fit that: then all records must be
    /// appended again, and those that are in it already are passed over.
    pub(super) fn open(
        dir: &Path,
        origin: &str,
        keys: Vec<LogKey>,
        is_tenant: bool,
    ) -> Result<Self, LogError> {
        disk::make(dir).map_err(LogError::io(dir, "make"))?;
        let kept = Kept::new(dir);
        let signed = kept.last_signed()?;
        if let Some(signed) = signed.as_ref().filter(|signed| signed.origin != origin) {
            return Err(LogError::note(
                dir.display(),
                format!(
                    "it is the log {:?}, not {origin:?}: set audit.log.origin to its name",
                    signed.origin
                ),
            ));
        }
        let mut tree = Self {
            dir: dir.into(),
            keys,
            origin: origin.into(),
            published: kept.latest().ok().flatten().map_or(0, |latest| latest.size),
            kept,
            edge: Edge::default(),
            entries: Vec::new(),
            seqs: None,
            last: 0,
            signed: signed.map(|signed| (signed.size, signed.root)),
            laid: Vec::new(),
            narrow: Vec::new(),
        };
        match tree.load(is_tenant) {
            Ok(()) => {}
            Err(error @ LogError::Io { .. }) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, log = origin, "tiles are damaged; they are made anew from the records");
                tree.set_aside()?;
                tree.empty(is_tenant)?;
            }
        }
        Ok(tree)
    }

    /// Keeps damaged tiles out of the way of those that are made anew, and for whoever wants to know why.
    fn set_aside(&self) -> Result<(), LogError> {
        let from = self.dir.join("tile");
        for n in 1.. {
            let to = self.dir.join(format!("damaged-{n}"));
            if !to.exists() {
                return match std::fs::rename(&from, &to) {
                    Err(error) if !disk::is_absent(&error) => {
                        Err(LogError::io(from, "set aside")(error))
                    }
                    _ => Ok(()),
                };
            }
        }
        Ok(())
    }

    fn empty(&mut self, is_tenant: bool) -> Result<(), LogError> {
        self.edge = Edge::default();
        self.entries.clear();
        self.last = 0;
        self.narrow.clear();
        self.seqs = is_tenant.then(|| Seqs::open(&self.dir, 0)).transpose()?;
        Ok(())
    }

    /// Reads the edge at the size signed last, which must give the root signed last.
    fn load(&mut self, is_tenant: bool) -> Result<(), LogError> {
        let Some((size, root)) = self.signed else {
            return self.empty(is_tenant);
        };
        let tiles = Tiles {
            dir: &self.dir,
            size,
        };
        let edge = Edge::load(size, |level, n, _| tiles.hashes(level, n))?;
        let fits = edge.root().is_ok_and(|found| found == root);
        if !fits {
            return Err(LogError::tiles(
                &self.dir,
                "they give another root than was signed",
            ));
        }
        let entries = match size % WIDTH {
            0 => Vec::new(),
            _ => tiles.entries(size / WIDTH)?,
        };
        if is_tenant {
            let seqs = Seqs::open(&self.dir, size)?;
            self.last = seqs.last();
            self.seqs = Some(seqs);
        } else {
            self.last = size;
        }
        self.edge = edge;
        self.entries = entries;
        self.narrow = self.partial_paths();
        Ok(())
    }

    pub(super) fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The record appended last; 0 before the first.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// How much of it was signed, and so was on disk before.
    pub(super) fn signed(&self) -> u64 {
        self.signed.map_or(0, |(size, _)| size)
    }

    /// Leaves that no checkpoint covers yet.
    pub(super) fn unpublished(&self) -> u64 {
        self.size().saturating_sub(self.published)
    }

    /// Whether the tree has to grow again to where it was.
    pub(super) fn is_behind(&self) -> bool {
        self.signed.is_some_and(|(size, _)| self.size() < size)
    }

    /// Appends the hash of record `seq`. One that is in the tree already is passed over.
    pub(super) fn append(&mut self, seq: u64, entry: [u8; 32]) -> Result<(), LogError> {
        if seq <= self.last {
            return Ok(());
        }
        if let Some(seqs) = &mut self.seqs {
            seqs.push(seq)?;
        }
        self.last = seq;
        self.entries.push(entry);
        for full in self.edge.append(record_hash(&entry)) {
            self.complete(&full)?;
        }
        match self.signed {
            Some((size, root)) if size == self.size() => self.must_be(size, root),
            _ => Ok(()),
        }
    }

    fn complete(&mut self, full: &Full) -> Result<(), LogError> {
        let tile = Tile::new(HEIGHT, full.level, full.n, 1 << HEIGHT, false);
        self.lay(&tile, &concat(&full.hashes))?;
        if full.level == 0 {
            let tile = Tile::new(HEIGHT, 0, full.n, 1 << HEIGHT, true);
            let entries = std::mem::take(&mut self.entries);
            self.lay(&tile, &bundle(&entries))?;
        }
        Ok(())
    }

    fn write(&self, tile: &Tile, bytes: &[u8]) -> Result<PathBuf, LogError> {
        let path = self.dir.join(layout::path(tile));
        disk::put(&path, bytes).map_err(LogError::io(&path, "write"))?;
        Ok(path)
    }

    /// A full tile: in its place before the next signature, with all others since the last.
    fn lay(&mut self, tile: &Tile, bytes: &[u8]) -> Result<(), LogError> {
        let path = self.dir.join(layout::path(tile));
        disk::lay(&path, bytes).map_err(LogError::io(&path, "write"))?;
        self.laid.push(path);
        if self.laid.len() < MAX_LAID {
            return Ok(());
        }
        self.settle()
    }

    fn settle(&mut self) -> Result<(), LogError> {
        if self.laid.is_empty() {
            return Ok(());
        }
        disk::settle(&self.dir, &self.laid).map_err(LogError::io(&self.dir, "sync"))?;
        self.laid.clear();
        Ok(())
    }

    fn root(&self) -> Result<Hash, LogError> {
        self.edge
            .root()
            .map_err(|why| LogError::tiles(&self.dir, why))
    }

    fn must_be(&self, size: u64, root: Hash) -> Result<(), LogError> {
        if self.root()? == root {
            return Ok(());
        }
        let what = self.origin.clone();
        Err(LogError::Forked { what, size })
    }

    /// Signs what the tree is now. The tiles are on disk first, then word of the signature, then it is given back.
    pub(super) fn sign(&mut self) -> Result<Signed, LogError> {
        let (size, root) = (self.size(), self.root()?);
        match self.signed {
            Some((signed, _)) if size < signed => {
                let what = format!("{} is not at its checkpoint's size again", self.origin);
                return Err(LogError::Tiles { what });
            }
            Some((signed, before)) if size == signed => self.must_be(size, before)?,
            _ => {}
        }
        for (level, n, hashes) in self.edge.partial() {
            if let Some(tile) = layout::tile(level, n, size, false) {
                self.write(&tile, &concat(hashes))?;
            }
        }
        if let Some(tile) = layout::tile(0, size / WIDTH, size, true) {
            self.write(&tile, &bundle(&self.entries))?;
        }
        if let Some(seqs) = &mut self.seqs {
            seqs.sync()?;
        }
        self.settle()?;
        let signed = Signed::sign(&self.origin, size, root, &self.keys)?;
        self.kept.note_signed(&signed)?;
        self.signed = Some((size, root));
        Ok(signed)
    }

    /// Lets all read a checkpoint, and removes the tiles that only older ones needed.
    pub(super) fn publish(&mut self, signed: &Signed) -> Result<(), LogError> {
        self.kept.publish(signed)?;
        self.published = signed.size;
        if signed.size != self.size() {
            return Ok(());
        }
        let now = self.partial_paths();
        for old in std::mem::replace(&mut self.narrow, now) {
            if !self.narrow.contains(&old) {
                // One that stays is wasted room and nothing else.
                let _ = std::fs::remove_file(&old);
                let _ = old.parent().map(std::fs::remove_dir);
            }
        }
        Ok(())
    }

    /// The partial tiles and the bundle of the tree as it is.
    fn partial_paths(&self) -> Vec<PathBuf> {
        let size = self.size();
        let hashes = self
            .edge
            .partial()
            .map(|(level, n, _)| layout::tile(level, n, size, false));
        let tiles = hashes.chain([layout::tile(0, size / WIDTH, size, true)]);
        tiles
            .flatten()
            .map(|tile| self.dir.join(layout::path(&tile)))
            .collect()
    }

    /// The proof that the tree of `from` leaves is the beginning of the one that was signed last.
    pub(super) fn consistency(&self, from: u64, to: u64) -> Result<Vec<Hash>, LogError> {
        Tiles {
            dir: &self.dir,
            size: to,
        }
        .consistency(from)
    }
}
