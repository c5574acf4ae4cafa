//! The first phase: the rows that a request's head can match, and what else must be read.

use super::facts::Facts;
use super::load::Policy;
use super::matchers::Needs;
use super::methods::Asked;
use super::pack::{Deed, PackRows};
use super::row::{Row, RowEffect};
use super::scan::OverrideScan;
use super::table::Found;
use crate::model::{Findings, Reason};
use smallvec::SmallVec;
use std::cmp::Ordering;

/// What must be buffered before [`Routed::decide`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyNeed {
    /// Form fields are matched.
    pub form: bool,
    /// JSON fields are matched.
    pub json: bool,
    /// GraphQL operations are read.
    pub graphql: bool,
    /// Bytes to buffer; a longer body is passed to `decide` as `None`.
    pub max_bytes: usize,
}

/// The candidates for one request. `Send`, so that the body may be awaited while it is held.
pub struct Routed<'a> {
    pub(super) policy: &'a Policy,
    pub(super) facts: &'a Facts<'a>,
    /// Most specific first.
    pub(super) allow: Found,
    pub(super) deny: Found,
    pub(super) pack: PackRows,
    pub(super) needs: Needs,
}

impl Policy {
    /// Finds the candidate rows by app, method and path.
    pub fn route<'a>(&'a self, facts: &'a Facts<'a>) -> Routed<'a> {
        let tables = self.apps.get(facts.app).unwrap_or(&self.others);
        let asked = Asked::new(facts.method, facts.is_websocket);
        let mut allow = Found::new();
        tables.allow.find(facts.path.as_bytes(), &mut allow);
        allow.sort_unstable();
        self.retain_allow(&mut allow, asked, facts);
        let mut deny = Found::new();
        if !tables.deny.is_empty() {
            find_folded(&tables.deny, facts.path, &mut deny);
            if let Some(plain) = undisguised(facts.path) {
                find_folded(&tables.deny, &plain, &mut deny);
            }
            deny.retain(|id| self.row(*id).is_some_and(|row| row.may_deny(asked, facts)));
        }
        let pack = match self.pack_on {
            0 => 0,
            on => {
                let plain = undisguised(facts.path);
                let path = plain.as_deref().unwrap_or(facts.path);
                on & self.pack.path(path, facts.query, deed(asked))
            }
        };
        let mut routed = Routed {
            policy: self,
            facts,
            allow,
            deny,
            pack,
            needs: Needs::default(),
        };
        routed.needs = routed.find_needs();
        routed
    }

    pub(super) fn row(&self, id: u16) -> Option<&Row> {
        self.rows.get(usize::from(id))
    }

    /// HEAD goes by the rows that name HEAD where there are any, else by those for GET.
    fn retain_allow(&self, found: &mut Found, asked: Asked<'_>, facts: &Facts<'_>) {
        found.retain(|id| self.row(*id).is_some_and(|row| row.may_allow(asked, facts)));
        if asked.is_head() {
            let names = |id: u16| self.row(id).is_some_and(|row| row.methods.names_head());
            if found.iter().any(|id| names(*id)) {
                found.retain(|id| names(*id));
            }
        }
    }
}

/// A request's lower-case path, with and without a slash at its end: an app that knows no case or
/// no slash must not be reached past a deny row.
pub(super) fn find_folded(table: &super::table::Table, path: &str, found: &mut Found) {
    let mut lower: SmallVec<[u8; 256]> = SmallVec::from_slice(path.as_bytes());
    lower.make_ascii_lowercase();
    table.find(&lower, found);
    if let Some(bare) = lower.strip_suffix(b"/") {
        table.find(bare, found);
    } else {
        lower.push(b'/');
        table.find(&lower, found);
    }
    found.sort_unstable();
    found.dedup();
}

/// The path as most apps read it, where that differs: `%3A` is no `:` by RFC 3986 §2.2, but what denies must not be
/// got around by spelling. `None`: it is as it is. What is a separator or ends the path stays encoded.
fn undisguised(path: &str) -> Option<String> {
    memchr::memchr(b'%', path.as_bytes())?;
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        let decoded = match (byte, after) {
            (b'%', [high, low, tail @ ..]) => super::form::hex(*high)
                .zip(super::form::hex(*low))
                .map(|(high, low)| (high << 4 | low, tail))
                .filter(|(value, _)| value.is_ascii_graphic() && !b"%/?#".contains(value)),
            _ => None,
        };
        let (byte, tail) = decoded.unwrap_or((*byte, after));
        out.push(byte);
        rest = tail;
    }
    // Only ASCII took another's place.
    String::from_utf8(out).ok().filter(|plain| plain != path)
}

pub(super) fn deed(asked: Asked<'_>) -> Deed {
    if asked.is_safe() {
        Deed::Safe
    } else if asked.is_delete() {
        Deed::Delete
    } else {
        Deed::Unsafe
    }
}

impl Row {
    /// Whether this row can allow such a head: a WebSocket is for rows with `websocket` alone.
    pub(super) fn may_allow(&self, asked: Asked<'_>, facts: &Facts<'_>) -> bool {
        self.matchers.websocket.is_some() == facts.is_websocket
            && self.methods.allow(asked)
            && (self.effect != RowEffect::ReadOnly || asked.is_safe() || self.needs.graphql)
    }

    /// Whether this row can deny such a head.
    pub(super) fn may_deny(&self, asked: Asked<'_>, facts: &Facts<'_>) -> bool {
        (self.matchers.websocket.is_none() || facts.is_websocket)
            && self.methods.deny(asked)
            && (self.effect != RowEffect::ReadOnly || !asked.is_safe() || self.needs.graphql)
    }
}

impl Routed<'_> {
    fn find_needs(&self) -> Needs {
        // Nothing to permit: the body cannot change that.
        if self.allow.is_empty() || self.facts.is_websocket {
            return Needs::default();
        }
        let rows = self.allow.iter().chain(&self.deny);
        let rows = rows.filter_map(|id| self.policy.row(*id));
        let mut needs = rows.fold(Needs::default(), |needs, row| needs.and(row.needs));
        needs.graphql |= self.policy.pack_on != 0 && is_graphql(self.facts.path);
        needs
    }

    /// The canonical-request reasons that this route tolerates: what every allow row of the most
    /// specific pattern relaxes, since a body may decide between them later.
    pub fn relaxed(&self) -> Findings {
        let mut rows = self.allow.iter().filter_map(|id| self.policy.row(*id));
        let Some(first) = rows.next() else {
            return Findings::NONE;
        };
        let equals = rows.take_while(|row| row.pattern.compare(&first.pattern) == Ordering::Equal);
        equals.fold(first.relax, |relaxed, row| {
            relaxed.without(relaxed.without(row.relax))
        })
    }

    /// What of the body must be buffered to decide; `None`: decide at once.
    pub fn body_need(&self) -> Option<BodyNeed> {
        self.needs.any().then_some(BodyNeed {
            form: self.needs.form,
            json: self.needs.json,
            graphql: self.needs.graphql,
            max_bytes: self.policy.settings.body_buffer,
        })
    }

    /// A scanner for `_method` in a form or JSON body that streams by; `None` where the body is neither,
    /// is buffered anyway, or the route relaxes `method-override`. The method is what most
    /// frameworks look for an override under: POST.
    pub fn override_scan(&self) -> Option<OverrideScan> {
        if self.facts.method != "POST"
            || self.needs.any()
            || self.relaxed().contains(Reason::MethodOverride)
        {
            return None;
        }
        OverrideScan::of(self.facts.headers)
    }
}

/// Whether a path is by custom a GraphQL endpoint, which the pack reads even if no row does.
fn is_graphql(path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    let last = path.rsplit('/').next().unwrap_or_default();
    last.eq_ignore_ascii_case("graphql") || last.eq_ignore_ascii_case("gql")
}
