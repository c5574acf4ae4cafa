//! What a log shows to those who fetch it: the published checkpoint, and the tiles that it covers.

use super::disk;
use super::kept::Kept;
use super::layout;
use super::tiles;
use std::io;
use std::path::Path;

/// One file of the log in `journal`, or of a tenant's tree in it, by its C2SP path (`checkpoint`, `tile/0/x001/067`).
/// `None`: there is none, or no published checkpoint covers it yet. Blocks for as long as a disk takes.
///
/// # Errors
/// Where a file cannot be read.
pub fn published(journal: &Path, tenant: Option<&str>, path: &str) -> io::Result<Option<Vec<u8>>> {
    let dir = match tenant {
        Some(tenant) => layout::tenant(journal, tenant),
        None => layout::whole(journal),
    };
    if path == "checkpoint" {
        return disk::get(&dir.join(path));
    }
    let Some(tile) = layout::parse(path) else {
        return Ok(None);
    };
    let latest = Kept::new(&dir).latest().map_err(io::Error::other)?;
    let size = latest.map_or(0, |latest| latest.size);
    let there = layout::tile(tile.level(), tile.level_index(), size, tile.is_data());
    if there.is_none_or(|there| there.width() < tile.width()) {
        return Ok(None);
    }
    tiles::read(&dir, &tile)
}
