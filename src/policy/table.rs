//! A trie of path patterns that finds every row whose pattern matches, not only the best.

use super::pattern::{Pattern, Segment};
use smallvec::SmallVec;

/// A row's place in the policy's list.
pub(super) type RowId = u16;
/// Rows found; sorted, so most specific first.
pub(super) type Found = SmallVec<[RowId; 8]>;

/// Patterns of one app and one side (allow or deny).
#[derive(Debug, Default)]
pub(super) struct Table {
    nodes: Vec<Node>,
}

/// A prefix, a suffix and the node behind.
type Mixed = (Box<[u8]>, Box<[u8]>, usize);

#[derive(Debug, Default)]
struct Node {
    /// Sorted by text.
    statics: Vec<(Box<[u8]>, usize)>,
    mixed: Vec<Mixed>,
    capture: Option<usize>,
    /// Rows whose pattern ends here with the rest.
    rest: Vec<RowId>,
    /// Rows whose pattern ends here.
    here: Vec<RowId>,
}

impl Table {
    /// Adds a row. With `fold` the pattern's text goes in as lower case, for lookups of lower-case paths.
    pub(super) fn insert(&mut self, pattern: &Pattern, row: RowId, fold: bool) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let case = |text: &str| -> Box<[u8]> {
            let mut bytes = text.as_bytes().to_vec();
            if fold {
                bytes.make_ascii_lowercase();
            }
            bytes.into()
        };
        let mut at = 0;
        for segment in pattern.segments() {
            at = match segment {
                Segment::Rest => {
                    self.nodes[at].rest.push(row);
                    return;
                }
                Segment::Static(text) => self.static_child(at, case(text)),
                Segment::Mixed { prefix, suffix } => {
                    self.mixed_child(at, case(prefix), case(suffix))
                }
                Segment::Capture => self.capture_child(at),
            };
        }
        self.nodes[at].here.push(row);
    }

    fn fresh(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    fn static_child(&mut self, at: usize, text: Box<[u8]>) -> usize {
        match self.nodes[at]
            .statics
            .binary_search_by(|(known, _)| known.cmp(&text))
        {
            Ok(found) => self.nodes[at].statics[found].1,
            Err(place) => {
                let child = self.fresh();
                self.nodes[at].statics.insert(place, (text, child));
                child
            }
        }
    }

    fn mixed_child(&mut self, at: usize, prefix: Box<[u8]>, suffix: Box<[u8]>) -> usize {
        let known = &self.nodes[at].mixed;
        if let Some((_, _, child)) = known.iter().find(|(p, s, _)| *p == prefix && *s == suffix) {
            return *child;
        }
        let child = self.fresh();
        self.nodes[at].mixed.push((prefix, suffix, child));
        child
    }

    fn capture_child(&mut self, at: usize) -> usize {
        if let Some(child) = self.nodes[at].capture {
            return child;
        }
        let child = self.fresh();
        self.nodes[at].capture = Some(child);
        child
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds every row whose pattern matches `path`, in no order. Visits each node at most once for
    /// each way to reach it, and a node has one way: so the work is bounded by the number of patterns.
    pub(super) fn find(&self, path: &[u8], found: &mut Found) {
        if let (Some(root), Some((b'/', below))) = (self.nodes.first(), path.split_first()) {
            self.walk(root, below, found);
        }
    }

    fn walk(&self, node: &Node, below: &[u8], found: &mut Found) {
        found.extend_from_slice(&node.rest);
        let (piece, tail) = match memchr::memchr(b'/', below) {
            Some(slash) => (&below[..slash], Some(&below[slash + 1..])),
            None => (below, None),
        };
        let mut step = |child: usize| match (self.nodes.get(child), tail) {
            (Some(next), None) => found.extend_from_slice(&next.here),
            (Some(next), Some(tail)) => self.walk(next, tail, found),
            (None, _) => {}
        };
        if let Ok(nth) = node
            .statics
            .binary_search_by(|(text, _)| (**text).cmp(piece))
        {
            step(node.statics[nth].1);
        }
        for (prefix, suffix, child) in &node.mixed {
            if piece.len() > prefix.len() + suffix.len()
                && piece.starts_with(prefix)
                && piece.ends_with(suffix)
            {
                step(*child);
            }
        }
        if let (Some(child), false) = (node.capture, piece.is_empty()) {
            step(child);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(patterns: &[&str], path: &str) -> Vec<RowId> {
        let mut table = Table::default();
        for (nth, text) in patterns.iter().enumerate() {
            let pattern = Pattern::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            table.insert(&pattern, RowId::try_from(nth).unwrap_or(0), false);
        }
        let mut found = Found::new();
        table.find(path.as_bytes(), &mut found);
        found.sort_unstable();
        found.to_vec()
    }

    #[test]
    fn every_match_is_found() {
        let patterns = ["/", "/{*all}", "/a/{x}", "/a/b", "/a/{x}.csv", "/a/{*rest}"];
        assert_eq!(find(&patterns, "/"), [0, 1]);
        assert_eq!(find(&patterns, "/a/b"), [1, 2, 3, 5]);
        assert_eq!(find(&patterns, "/a/b.csv"), [1, 2, 4, 5]);
        assert_eq!(find(&patterns, "/a/.csv"), [1, 2, 5]);
        assert_eq!(find(&patterns, "/a/"), [1, 5]);
        assert_eq!(find(&patterns, "/a"), [1]);
        assert_eq!(find(&patterns, ""), Vec::<RowId>::new());
    }
}
