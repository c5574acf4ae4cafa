//! Path patterns: `/orders/{order}`, `/orders/{order}.json`, `/static/{*rest}`.

use std::cmp::Ordering;

/// Segments of one pattern at most.
const MAX_SEGMENTS: usize = 64;

/// One piece between slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Static(Box<str>),
    /// A capture with text around it.
    Mixed {
        prefix: Box<str>,
        suffix: Box<str>,
    },
    /// Any one segment that is not empty.
    Capture,
    /// Everything below, and the empty remainder after a slash. Always last.
    Rest,
}

impl Segment {
    const fn rank(&self) -> u8 {
        match self {
            Self::Static(_) => 3,
            Self::Mixed { .. } => 2,
            Self::Capture => 1,
            Self::Rest => 0,
        }
    }
}

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    segments: Vec<Segment>,
    /// The captures' names with the segment each stands in.
    names: Vec<(Box<str>, usize)>,
}

impl Pattern {
    /// Reads a pattern; an error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some(below) = text.strip_prefix('/') else {
            return Err(format!("the path {text:?} does not begin with a slash"));
        };
        let mut pattern = Self {
            segments: Vec::new(),
            names: Vec::new(),
        };
        let pieces: Vec<&str> = below.split('/').collect();
        if pieces.len() > MAX_SEGMENTS {
            return Err(format!("the path has more than {MAX_SEGMENTS} segments"));
        }
        let last = pieces.len() - 1;
        for (nth, piece) in pieces.into_iter().enumerate() {
            if piece.is_empty() && nth < last {
                return Err("the path has an empty segment".to_owned());
            }
            let segment = pattern.segment(piece, nth)?;
            if segment == Segment::Rest && nth < last {
                return Err(format!("{piece} is not the last segment"));
            }
            pattern.segments.push(segment);
        }
        Ok(pattern)
    }

    fn segment(&mut self, piece: &str, nth: usize) -> Result<Segment, String> {
        let Some((prefix, after)) = piece.split_once('{') else {
            return literal(piece).map(Segment::Static);
        };
        let Some((name, suffix)) = after.split_once('}') else {
            return Err(format!(
                "{piece:?} has an opening bracket without a closing one"
            ));
        };
        let rest = name.strip_prefix('*');
        let label = rest.unwrap_or(name);
        let named = label
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !named || (label.is_empty() && rest.is_none()) {
            return Err(format!("{{{name}}} is no capture: use a-z, 0-9 and _"));
        }
        if !label.is_empty() {
            if self.names.iter().any(|(known, _)| **known == *label) {
                return Err(format!("the capture {{{name}}} is there twice"));
            }
            self.names.push((label.into(), nth));
        }
        let (prefix, suffix) = (literal(prefix)?, literal(suffix)?);
        match (rest, prefix.is_empty() && suffix.is_empty()) {
            (Some(_), true) => Ok(Segment::Rest),
            (Some(_), false) => Err(format!("{piece} has text beside the rest")),
            (None, true) => Ok(Segment::Capture),
            (None, false) => Ok(Segment::Mixed { prefix, suffix }),
        }
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Which segment the capture `name` stands in.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        let found = self.names.iter().find(|(known, _)| **known == *name);
        found.map(|(_, nth)| *nth)
    }

    /// The capture in segment `nth`.
    pub(super) fn name_at(&self, nth: usize) -> Option<&str> {
        let found = self.names.iter().find(|(_, at)| *at == nth);
        found.map(|(name, _)| &**name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| &**name)
    }

    /// The text that the capture in segment `nth` has in `path`. By position only, since a deny
    /// row matches in any case.
    pub(super) fn capture<'p>(&self, nth: usize, path: &'p str) -> &'p str {
        let mut below = path.strip_prefix('/').unwrap_or(path);
        for _ in 0..nth {
            below = below.split_once('/').map_or("", |(_, tail)| tail);
        }
        match self.segments.get(nth) {
            Some(Segment::Rest) => below,
            Some(Segment::Mixed { prefix, suffix }) => {
                let piece = below.split('/').next().unwrap_or_default();
                let end = piece.len().saturating_sub(suffix.len());
                piece.get(prefix.len()..end).unwrap_or_default()
            }
            _ => below.split('/').next().unwrap_or_default(),
        }
    }

    /// Greater is more specific, for two patterns that both match one path: static, then a capture
    /// with text, then a capture, then the rest, from the left.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let ranks = |pattern: &Self| {
            pattern
                .segments
                .iter()
                .map(Segment::rank)
                .collect::<Vec<_>>()
        };
        ranks(self).cmp(&ranks(other))
    }

    /// Whether some path matches both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (mut ours, mut theirs) = (self.segments.iter(), other.segments.iter());
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) | (Some(Segment::Rest), Some(_)) | (Some(_), Some(Segment::Rest)) => {
                    return true;
                }
                (Some(one), Some(two)) if meet(one, two) => {}
                _ => return false,
            }
        }
    }

    /// Whether every path that matches `other` matches this too. With `fold`, as deny rows match:
    /// in any case, with or without a slash at the end.
    pub(super) fn covers(&self, other: &Self, fold: bool) -> bool {
        let slash =
            |segment: &Segment| fold && matches!(segment, Segment::Static(text) if text.is_empty());
        let (mut ours, mut theirs) = (self.segments.iter(), other.segments.iter());
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) | (Some(Segment::Rest), Some(_)) => return true,
                // A deny row matches with and without a slash at the end.
                (Some(Segment::Rest), None) => return fold,
                (Some(one), None) | (None, Some(one)) => return slash(one),
                (Some(one), Some(two)) if holds(one, two, fold) => {}
                _ => return false,
            }
        }
    }
}

fn literal(text: &str) -> Result<Box<str>, String> {
    if text == "." || text == ".." {
        return Err("the path has a dot segment, which no canonical path has".to_owned());
    }
    let wrong = |c: char| c.is_whitespace() || c.is_control() || "?#\\{}*\"<>^`|".contains(c);
    match text.chars().find(|c| wrong(*c)) {
        Some('*') => {
            Err("`*` in a path: write {name} for one segment, {*rest} for all below".to_owned())
        }
        Some('?') => Err("`?` in a path: use the key `query` for parameters".to_owned()),
        Some(other) => Err(format!("{other:?} in a path")),
        None => Ok(text.into()),
    }
}

fn meet(one: &Segment, two: &Segment) -> bool {
    use Segment::{Capture, Mixed, Static};
    match (one, two) {
        (Static(a), Static(b)) => a == b,
        (Static(text), Mixed { prefix, suffix }) | (Mixed { prefix, suffix }, Static(text)) => {
            around(text, prefix, suffix)
        }
        (Static(text), Capture) | (Capture, Static(text)) => !text.is_empty(),
        (
            Mixed {
                prefix: p1,
                suffix: s1,
            },
            Mixed {
                prefix: p2,
                suffix: s2,
            },
        ) => {
            (p1.starts_with(&**p2) || p2.starts_with(&**p1))
                && (s1.ends_with(&**s2) || s2.ends_with(&**s1))
        }
        _ => true,
    }
}

/// Whether `text` is a prefix, at least one character, and a suffix.
pub(super) fn around(text: &str, prefix: &str, suffix: &str) -> bool {
    text.len() > prefix.len() + suffix.len() && text.starts_with(prefix) && text.ends_with(suffix)
}

fn holds(outer: &Segment, inner: &Segment, fold: bool) -> bool {
    use Segment::{Capture, Mixed, Static};
    let lower = |text: &str| {
        if fold {
            text.to_ascii_lowercase()
        } else {
            text.to_owned()
        }
    };
    match (outer, inner) {
        (Static(a), Static(b)) => lower(a) == lower(b),
        (Capture, Static(text)) => !text.is_empty(),
        (Capture, Mixed { .. } | Capture) => true,
        (Mixed { prefix, suffix }, Static(text)) => {
            around(&lower(text), &lower(prefix), &lower(suffix))
        }
        (
            Mixed {
                prefix: p1,
                suffix: s1,
            },
            Mixed {
                prefix: p2,
                suffix: s2,
            },
        ) => lower(p2).starts_with(&lower(p1)) && lower(s2).ends_with(&lower(s1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Pattern {
        Pattern::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn bad_patterns_are_refused() {
        for bad in [
            "orders",
            "/a//b",
            "/{a",
            "/{A}",
            "/{}",
            "/{*rest}/x",
            "/x{*rest}",
            "/{a}/{a}",
            "/a*",
            "/a?b",
            "/../x",
            "/a b",
        ] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn captures_come_out_by_position() {
        let pattern = parse("/o/{order}.json/{*rest}");
        assert_eq!(pattern.capture(1, "/o/17.json/a/b"), "17");
        assert_eq!(pattern.capture(2, "/o/17.json/a/b"), "a/b");
        assert_eq!(pattern.position("order"), Some(1));
    }

    #[test]
    fn the_more_specific_wins_from_the_left() {
        for (more, less) in [
            ("/a/b", "/a/{x}"),
            ("/a/{x}.csv", "/a/{x}"),
            ("/a/{x}", "/a/{*rest}"),
            ("/a/b/{y}", "/a/{x}/c"),
        ] {
            assert_eq!(
                parse(more).compare(&parse(less)),
                Ordering::Greater,
                "{more} {less}"
            );
        }
    }

    #[test]
    fn covering_and_overlapping() {
        assert!(parse("/a/{x}").covers(&parse("/a/b"), false));
        assert!(parse("/{*rest}").covers(&parse("/a/{x}/c"), false));
        assert!(!parse("/a/{x}").covers(&parse("/a/{*rest}"), false));
        assert!(!parse("/A").covers(&parse("/a"), false));
        assert!(parse("/A").covers(&parse("/a"), true));
        assert!(parse("/a/{x}/c").overlaps(&parse("/a/b/{y}")));
        assert!(!parse("/a/{x}.csv").overlaps(&parse("/a/b")));
        assert!(!parse("/a").overlaps(&parse("/a/{*rest}")));
    }
}
