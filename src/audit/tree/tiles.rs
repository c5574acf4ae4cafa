//! Reading a log's tiles, and making proofs from them.

use super::disk;
use super::edge::split;
use super::error::LogError;
use super::layout::{self, ENTRY, HEIGHT, WIDTH};
use std::io;
use std::path::{Path, PathBuf};
use tlog_tiles::{Error, Hash, HashReader, Tile, prove_record, prove_tree, record_hash, tree_hash};

/// The bytes of a tile; from a wider one where that alone is there still. `None`: there is none.
pub(in crate::audit) fn read(dir: &Path, tile: &Tile) -> io::Result<Option<Vec<u8>>> {
    let want = layout::bytes(tile);
    let cut = |mut bytes: Vec<u8>| {
        let whole = bytes.len() >= want;
        bytes.truncate(want);
        whole.then_some(bytes)
    };
    // Between looking for a wider one and reading it, it may have grown once more.
    for _ in 0..3 {
        if let Some(bytes) = disk::get(&dir.join(layout::path(tile)))? {
            return Ok(cut(bytes));
        }
        let full = Tile::new(
            HEIGHT,
            tile.level(),
            tile.level_index(),
            1 << HEIGHT,
            tile.is_data(),
        );
        let full = dir.join(layout::path(&full));
        if let Some(bytes) = disk::get(&full)? {
            return Ok(cut(bytes));
        }
        let Some(wider) = wider(&full, tile.width())? else {
            return Ok(None);
        };
        if let Some(bytes) = disk::get(&wider)? {
            return Ok(cut(bytes));
        }
    }
    Ok(None)
}

/// The directory of a tile's partial files.
pub(super) fn partials(full: &Path) -> PathBuf {
    let mut name = full.as_os_str().to_owned();
    name.push(".p");
    name.into()
}

fn wider(full: &Path, than: u32) -> io::Result<Option<PathBuf>> {
    let dir = partials(full);
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if disk::is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name();
        let width = name.to_str().and_then(|name| name.parse::<u32>().ok());
        if width.is_some_and(|width| width > than) {
            return Ok(Some(dir.join(name)));
        }
    }
    Ok(None)
}

/// The tiles of a tree of `size` leaves.
#[derive(Debug)]
pub(super) struct Tiles<'a> {
    pub(super) dir: &'a Path,
    pub(super) size: u64,
}

impl Tiles<'_> {
    /// The hashes of a tile as it is in this tree.
    pub(super) fn hashes(&self, level: u8, n: u64) -> Result<Vec<Hash>, LogError> {
        Ok(split(&self.bytes(level, n, false)?))
    }

    fn bytes(&self, level: u8, n: u64, is_data: bool) -> Result<Vec<u8>, LogError> {
        let missing = || LogError::tiles(self.dir, format!("level {level} lacks tile {n}"));
        let tile = layout::tile(level, n, self.size, is_data).ok_or_else(missing)?;
        let path = || self.dir.join(layout::path(&tile));
        let bytes = read(self.dir, &tile).map_err(|e| LogError::io(path(), "read")(e))?;
        bytes.ok_or_else(missing)
    }

    /// The entries of a bundle, whose leaf hashes are compared with the tile's.
    pub(super) fn entries(&self, n: u64) -> Result<Vec<[u8; 32]>, LogError> {
        let bytes = self.bytes(0, n, true)?;
        let wrong = || LogError::tiles(self.dir, format!("bundle {n} does not fit its tile"));
        let entries = parse_bundle(&bytes).ok_or_else(wrong)?;
        let leaves = self.hashes(0, n)?;
        let fits = |(entry, leaf): (&[u8; 32], &Hash)| record_hash(entry) == *leaf;
        if entries.len() != leaves.len() || !entries.iter().zip(&leaves).all(fits) {
            return Err(wrong());
        }
        Ok(entries)
    }

    /// The entry at `index`.
    pub(super) fn entry(&self, index: u64) -> Result<[u8; 32], LogError> {
        let entries = self.entries(index / WIDTH)?;
        let at = usize::try_from(index % WIDTH).unwrap_or(0);
        let missing = || LogError::absent(format!("the tree of {} has no leaf {index}", self.size));
        entries.get(at).copied().ok_or_else(missing)
    }

    pub(super) fn root(&self) -> Result<Hash, LogError> {
        tree_hash(self.size, self).map_err(|why| LogError::tiles(self.dir, why))
    }

    /// The path from leaf `index` to the root (RFC 6962 §2.1.1).
    pub(super) fn inclusion(&self, index: u64) -> Result<Vec<Hash>, LogError> {
        prove_record(self.size, index, self).map_err(|why| LogError::tiles(self.dir, why))
    }

    /// The proof that the tree of `from` leaves is the beginning of this one (RFC 6962 §2.1.2); empty where `from` is 0.
    pub(super) fn consistency(&self, from: u64) -> Result<Vec<Hash>, LogError> {
        if from == 0 {
            return Ok(Vec::new());
        }
        prove_tree(self.size, from, self).map_err(|why| LogError::tiles(self.dir, why))
    }
}

/// A bundle's entries; `None` if one is no record's hash.
pub(super) fn parse_bundle(bytes: &[u8]) -> Option<Vec<[u8; 32]>> {
    let (whole, rest) = bytes.as_chunks::<ENTRY>();
    let entry = |bytes: &[u8; ENTRY]| match bytes.split_first_chunk::<2>() {
        Some((&[0, 32], entry)) => entry.try_into().ok(),
        _ => None,
    };
    let entries = whole.iter().map(entry).collect::<Option<Vec<_>>>()?;
    rest.is_empty().then_some(entries)
}

/// Entries as a bundle.
pub(super) fn bundle(entries: &[[u8; 32]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ENTRY * entries.len());
    for entry in entries {
        bytes.extend_from_slice(&[0, 32]);
        bytes.extend_from_slice(entry);
    }
    bytes
}

impl HashReader for Tiles<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        // Neighbours are in one tile, most often.
        let mut last: Option<(u8, u64, Vec<u8>)> = None;
        let mut one = |index: u64| {
            let narrow = Tile::from_index(HEIGHT, index);
            let (level, n) = (narrow.level(), narrow.level_index());
            let tile = layout::tile(level, n, self.size, false).ok_or(Error::IndexesNotInTree)?;
            if last.as_ref().is_none_or(|(l, m, _)| (*l, *m) != (level, n)) {
                let bytes = self.bytes(level, n, false);
                last = Some((
                    level,
                    n,
                    bytes.map_err(|why| Error::InvalidInput(why.to_string()))?,
                ));
            }
            let bytes = last.as_ref().map(|(_, _, bytes)| bytes.as_slice());
            tile.hash_at_index(bytes.unwrap_or_default(), index)
        };
        indexes.iter().map(|index| one(*index)).collect()
    }
}
