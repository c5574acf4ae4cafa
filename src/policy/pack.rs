//! The built-in pack: account takeover by the words of a path, compiled into the program.

use super::words::{FnvMap, MAX_WORD, each_word};
use crate::model::Tier;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// The pack as it is shipped; part of every policy's digest.
pub(super) const TEXT: &str = include_str!("pack.toml");

/// Endings of what browsers fetch to draw a page.
///
/// A safe request for such a file is no operation, whatever the file is called, but only from a directory of
/// [`ASSET_FOLDERS`], and only where no folder says what the pack looks for: many apps take `/account/export/x.css`
/// and `/account/export.css` for `/account/export` (path info, format suffixes, catch-all routes).
const ASSETS: [&str; 22] = [
    "js",
    "mjs",
    "css",
    "map",
    "png",
    "jpg",
    "jpeg",
    "gif",
    "svg",
    "webp",
    "avif",
    "ico",
    "woff",
    "woff2",
    "ttf",
    "otf",
    "eot",
    "mp4",
    "webm",
    "mp3",
    "wasm",
    "webmanifest",
];

/// Directories that hold what a page is drawn with, in any app.
const ASSET_FOLDERS: [&str; 16] = [
    "_app", "_next", "_nuxt", "asset", "assets", "bundles", "css", "dist", "fonts", "icons",
    "images", "img", "js", "packs", "scripts", "static",
];

/// Sets of words, one bit each.
type Bits = u128;
/// Sets of pack rows, one bit each.
pub(super) type PackRows = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum On {
    Any,
    Safe,
    Unsafe,
    Delete,
}

/// What a request does, as far as the pack asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Safe,
    Unsafe,
    Delete,
}

impl On {
    fn is(self, deed: Deed) -> bool {
        match self {
            Self::Any => true,
            Self::Safe => deed == Deed::Safe,
            Self::Unsafe => deed != Deed::Safe,
            Self::Delete => deed == Deed::Delete,
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPack {
    version: u32,
    lists: BTreeMap<String, Vec<String>>,
    rows: Vec<RawRow>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRow {
    id: String,
    action: String,
    message: String,
    #[serde(default)]
    never: bool,
    #[serde(default = "privileged")]
    tier: Tier,
    shapes: Vec<RawShape>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawShape {
    on: On,
    #[serde(default)]
    words: Vec<String>,
    #[serde(default)]
    without: Vec<String>,
    last: Option<String>,
    parent: Option<String>,
    above: Option<String>,
}

/// Changing security settings, exporting data and resetting factors is privileged access.
const fn privileged() -> Tier {
    Tier::Privileged
}

#[derive(Debug)]
struct Shape {
    on: On,
    words: Bits,
    without: Bits,
    last: Bits,
    parent: Bits,
    above: Bits,
}

/// One row of the pack.
#[derive(Debug)]
pub(super) struct PackRow {
    pub(super) id: Arc<str>,
    pub(super) action: Arc<str>,
    pub(super) message: Arc<str>,
    pub(super) never: bool,
    /// The least tier of an own row that touches the same.
    pub(super) tier: Tier,
    shapes: Vec<Shape>,
}

/// The compiled pack.
#[derive(Debug)]
pub(super) struct Pack {
    pub(super) version: u32,
    pub(super) rows: Vec<PackRow>,
    words: FnvMap<Box<[u8]>, Bits>,
    /// By length of word, the first bytes that occur: most words of a path are none of ours, and
    /// this says so without hashing them.
    firsts: [u64; MAX_WORD + 1],
}

/// Words seen, by where: in the last segment, the one before, the one above that, and anywhere.
/// `folders` is anywhere but in the last.
#[derive(Clone, Copy, Debug, Default)]
struct Sight {
    all: Bits,
    folders: Bits,
    last: Bits,
    parent: Bits,
    above: Bits,
}

impl Pack {
    /// The shipped pack. A test proves that it compiles; were it broken, loading would say so.
    pub(super) fn shipped() -> Result<&'static Self, &'static str> {
        static PACK: LazyLock<Result<Pack, String>> = LazyLock::new(|| Pack::compile(TEXT));
        PACK.as_ref().map_err(String::as_str)
    }

    fn compile(text: &str) -> Result<Self, String> {
        let raw: RawPack = toml::from_str(text).map_err(|error| error.to_string())?;
        let names: Vec<&String> = raw.lists.keys().collect();
        if names.len() > Bits::BITS as usize || raw.rows.len() > PackRows::BITS as usize {
            return Err("too many lists or rows".to_owned());
        }
        let bit = |name: &String| match names.binary_search(&name) {
            Ok(nth) => Ok(1 << nth),
            Err(_) => Err(format!("no list {name}")),
        };
        let bits = |names: &[String]| {
            names
                .iter()
                .try_fold(0, |all, name| Ok::<Bits, String>(all | bit(name)?))
        };
        let mut words: FnvMap<Box<[u8]>, Bits> = FnvMap::default();
        for (name, list) in &raw.lists {
            for word in list {
                *words.entry(word.as_bytes().into()).or_default() |= bit(name)?;
            }
        }
        let mut rows = Vec::new();
        for row in raw.rows {
            let shape = |shape: &RawShape| -> Result<Shape, String> {
                Ok(Shape {
                    on: shape.on,
                    words: bits(&shape.words)?,
                    without: bits(&shape.without)?,
                    last: bits(shape.last.as_slice())?,
                    parent: bits(shape.parent.as_slice())?,
                    above: bits(shape.above.as_slice())?,
                })
            };
            rows.push(PackRow {
                id: row.id.into(),
                action: row.action.into(),
                message: row.message.into(),
                never: row.never,
                tier: row.tier,
                shapes: row.shapes.iter().map(shape).collect::<Result<_, _>>()?,
            });
        }
        let mut firsts = [0; MAX_WORD + 1];
        for word in words.keys() {
            let slot = firsts.get_mut(word.len());
            *slot.ok_or("a word is too long")? |= first_bit(word);
        }
        Ok(Self {
            version: raw.version,
            rows,
            words,
            firsts,
        })
    }

    /// The number of the row with this id.
    pub(super) fn number(&self, id: &str) -> Option<usize> {
        self.rows.iter().position(|row| *row.id == *id)
    }

    /// All rows.
    pub(super) fn all(&self) -> PackRows {
        u32::try_from(self.rows.len()).map_or(0, |rows| PackRows::MAX >> (PackRows::BITS - rows))
    }

    /// The rows that break-glass does not lift either.
    pub(super) fn never(&self) -> PackRows {
        let never = self.rows.iter().enumerate().filter(|(_, row)| row.never);
        never.fold(0, |all, (nth, _)| all | 1 << nth)
    }

    /// The rows that a path and query come under.
    pub(super) fn path(&self, path: &str, query: Option<&str>, deed: Deed) -> PackRows {
        let bytes = path.as_bytes();
        let mut sight = Sight::default();
        for segment in bytes
            .split(|b| *b == b'/')
            .filter(|segment| !segment.is_empty())
        {
            let seen = self.seen(segment);
            sight = Sight {
                all: sight.all | seen,
                folders: sight.all,
                last: seen,
                parent: sight.last,
                above: sight.parent,
            };
        }
        // Symfony switches the user by this parameter on any path.
        if query.is_some_and(names_switch_user) {
            let word = self.words.get(&b"switchuser"[..]);
            let seen = word.copied().unwrap_or_default();
            sight.all |= seen;
            sight.folders |= seen;
        }
        let is_drawing = deed == Deed::Safe && sight.folders == 0 && is_asset(path);
        if sight.all == 0 || is_drawing {
            return 0;
        }
        self.hits(sight, deed)
    }

    /// The rows that a GraphQL root field comes under.
    pub(super) fn field(&self, name: &str, deed: Deed) -> PackRows {
        let seen = self.seen(name.as_bytes());
        if seen == 0 {
            return 0;
        }
        let sight = Sight {
            all: seen,
            ..Sight::default()
        };
        self.hits(sight, deed)
    }

    fn seen(&self, text: &[u8]) -> Bits {
        let mut seen = 0;
        each_word(text, |word| {
            let firsts = self.firsts.get(word.len()).copied().unwrap_or_default();
            if firsts & first_bit(word) != 0 {
                seen |= self.words.get(word).copied().unwrap_or_default();
            }
        });
        seen
    }

    fn hits(&self, sight: Sight, deed: Deed) -> PackRows {
        let hit = |row: &PackRow| row.shapes.iter().any(|shape| shape.hits(sight, deed));
        let hits = self.rows.iter().enumerate().filter(|(_, row)| hit(row));
        hits.fold(0, |all, (nth, _)| all | 1 << nth)
    }
}

impl Shape {
    fn hits(&self, sight: Sight, deed: Deed) -> bool {
        self.on.is(deed)
            && sight.all & self.words == self.words
            && sight.all & self.without == 0
            && sight.last & self.last == self.last
            && sight.parent & self.parent == self.parent
            && sight.above & self.above == self.above
    }
}

/// Whether some parameter is Symfony's, as PHP reads names: decoded, and with `_` for a dot or a blank.
fn names_switch_user(query: &str) -> bool {
    let mut plain = Vec::with_capacity(query.len());
    let mut rest = query.as_bytes();
    while let [byte, after @ ..] = rest {
        let (byte, tail) = match (byte, after) {
            (b'%', [high, low, tail @ ..]) => super::form::hex(*high)
                .zip(super::form::hex(*low))
                .map_or((b'%', after), |(high, low)| (high << 4 | low, tail)),
            _ => (*byte, after),
        };
        plain.push(match byte {
            b'.' | b'+' | b' ' => b'_',
            other => other.to_ascii_lowercase(),
        });
        rest = tail;
    }
    memchr::memmem::find(&plain, b"switch_user").is_some()
}

/// A bit for a word's first letter or digit.
fn first_bit(word: &[u8]) -> u64 {
    match word.first() {
        Some(letter @ b'a'..=b'z') => 1 << (letter - b'a'),
        Some(digit @ b'0'..=b'9') => 1 << (26 + digit - b'0'),
        _ => 1 << 63,
    }
}

/// Whether the path is a file of a known kind below a folder of a known name.
fn is_asset(path: &str) -> bool {
    let (folders, file) = path.rsplit_once('/').unwrap_or_default();
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    let mut kinds = ASSETS.iter();
    kinds.any(|known| known.eq_ignore_ascii_case(extension))
        && folders
            .split('/')
            .any(|folder| ASSET_FOLDERS.contains(&folder))
}

#[cfg(test)]
mod tests;
