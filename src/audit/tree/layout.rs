//! Where things stand in a log's directory: the C2SP tlog-tiles layout, and a directory a tenant.
//!
//! <https://c2sp.org/tlog-tiles>

use crate::audit::escape;
use aws_lc_rs::digest::{SHA256, digest};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tlog_tiles::Tile;

/// The height of a tile: 256 hashes.
pub(super) const HEIGHT: u8 = 8;
/// Hashes in a full tile.
pub(super) const WIDTH: u64 = 1 << HEIGHT;
/// Bytes of one entry in a bundle: its length in two bytes, and a record's hash.
pub(super) const ENTRY: usize = 34;
/// The longest encoded name of a tenant; a longer one is named by its digest.
const MAX_NAME: usize = 160;

/// The whole tree's directory in a journal.
pub(in crate::audit) fn whole(journal: &Path) -> PathBuf {
    journal.join("tlog")
}

/// Where the trees of all tenants are.
pub(in crate::audit) fn tenants(journal: &Path) -> PathBuf {
    whole(journal).join("tenants")
}

/// A tenant's tree's directory.
pub(in crate::audit) fn tenant(journal: &Path, tenant: &str) -> PathBuf {
    tenants(journal).join(encoded(tenant))
}

/// A tenant's name as a part of a path: letters, digits, `-` and `_` stand for themselves, other bytes as `%XX`. One
/// that is too long becomes `=` and the SHA-256 of the name.
pub(in crate::audit) fn encoded(tenant: &str) -> String {
    let mut out = String::with_capacity(tenant.len());
    for byte in tenant.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => out.push(char::from(byte)),
            _ => {
                // Writing into a String cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    if (1..=MAX_NAME).contains(&out.len()) {
        return out;
    }
    let mut hex = Vec::with_capacity(64);
    escape::lower_hex(&mut hex, digest(&SHA256, tenant.as_bytes()).as_ref());
    format!("={}", String::from_utf8_lossy(&hex))
}

/// The origin of a tenant's tree.
pub(in crate::audit) fn tenant_origin(origin: &str, tenant: &str) -> String {
    format!("{origin}/tenant/{}", encoded(tenant))
}

/// A tile's path below the log's directory. The crate's has the height in it and another word for bundles.
pub(in crate::audit) fn path(tile: &Tile) -> String {
    let path = tile.path();
    let rest = path.strip_prefix("tile/8/").unwrap_or(&path);
    match rest.strip_prefix("data/") {
        Some(rest) => format!("tile/entries/{rest}"),
        None => format!("tile/{rest}"),
    }
}

/// The tile that a path below the log's directory names; `None` for every other spelling.
pub(in crate::audit) fn parse(path: &str) -> Option<Tile> {
    let rest = path.strip_prefix("tile/")?;
    let theirs = match rest.strip_prefix("entries/") {
        Some(rest) => format!("tile/8/data/{rest}"),
        None => format!("tile/8/{rest}"),
    };
    // The crate asserts on what is no tile instead of refusing it.
    let level: u8 = match rest.split('/').next()? {
        "entries" => 0,
        level => level.parse().ok()?,
    };
    let is_empty = rest.ends_with(".p/0");
    if level >= 64 || is_empty {
        return None;
    }
    let tile = Tile::from_path(&theirs).ok()?;
    (self::path(&tile) == path).then_some(tile)
}

/// The number of hashes at `level` of tiles in a tree of `size` leaves.
pub(super) fn hashes(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(level) * u32::from(HEIGHT))
        .unwrap_or(0)
}

/// The tile of `level` and number `n`, as wide as it is in a tree of `size` leaves; `None` if it is not in it.
pub(super) fn tile(level: u8, n: u64, size: u64, is_data: bool) -> Option<Tile> {
    let before = n.checked_mul(WIDTH)?;
    let width = hashes(level, size).checked_sub(before)?.min(WIDTH);
    let width = u32::try_from(width).ok().filter(|w| *w > 0)?;
    Some(Tile::new(HEIGHT, level, n, width, is_data))
}

/// Bytes of a tile's file.
pub(super) fn bytes(tile: &Tile) -> usize {
    let each = if tile.is_data() { ENTRY } else { 32 };
    tile.width() as usize * each
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_tile_and_back() {
        let of = |level, n, width, data| path(&Tile::new(8, level, n, width, data));
        assert_eq!(of(0, 1_234_067, 256, false), "tile/0/x001/x234/067");
        assert_eq!(of(2, 0, 17, false), "tile/2/000.p/17");
        assert_eq!(of(0, 5, 3, true), "tile/entries/005.p/3");
        for text in [
            "tile/0/x001/x234/067",
            "tile/2/000.p/17",
            "tile/entries/005.p/3",
        ] {
            assert_eq!(path(&parse(text).expect(text)), text);
        }
        for bad in [
            "tile/0/0",
            "tile/64/000",
            "tile/00/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/../000",
            "tile/entries/000.p/",
            "tile/data/000",
            "tile/0",
            "checkpoint",
            "tile/0/x000/001",
            "tile/0/000/",
            "tile/0/000.p/01",
            "tile//000",
            "tile/999/000",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_tenant_s_name_is_a_safe_and_unique_part_of_a_path() {
        assert_eq!(encoded("acme"), "acme");
        assert_eq!(encoded("../é"), "%2E%2E%2F%C3%A9");
        assert_eq!(encoded("a+b c"), "a%2Bb%20c");
        assert_ne!(encoded(""), encoded("="));
        assert!(encoded(&"x".repeat(500)).starts_with('='));
        assert!(encoded(&"é".repeat(500)).len() == 65);
    }
}
