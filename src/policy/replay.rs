//! Recorded requests before two policies: which would now be decided otherwise, and of which that cannot be told.
//!
//! A record has the head of a request and the grant, not its body or its header fields. So a request is compared only
//! where what the two policies make of it does not hang on those: where both have the same rows for it, whatever its
//! body, it is decided alike; where they differ and a row needs what was not recorded, that is said.

use super::facts::{Facts, GrantFacts};
use super::load::Policy;
use super::route::Routed;
use super::verdict::{RULES, Verdict};
use crate::model::{Effect, Operator, Scope, Subject, Tenant, Timestamp};
use http::HeaderMap;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;

/// Exchanges named for each group.
const EXAMPLES: usize = 5;

/// One request as it was recorded, and what was decided then.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub exchange: String,
    pub app: String,
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    pub is_websocket: bool,
    pub scopes: Vec<Scope>,
    pub operator: Operator,
    pub subject: Subject,
    pub tenant: Tenant,
    pub ticket: String,
    pub approvals: Vec<String>,
    pub break_glass: bool,
    pub client: Option<IpAddr>,
    pub at: Timestamp,
    /// The digest of the policy that decided.
    pub policy: String,
    pub effect: Effect,
    pub rule: String,
}

/// A decision in short.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Ruling {
    /// `permit` or `deny`.
    pub effect: &'static str,
    pub rule: String,
}

impl Ruling {
    fn new(effect: Effect, rule: &str) -> Self {
        let effect = match effect {
            Effect::Permit => "permit",
            Effect::Deny => "deny",
        };
        Self {
            effect,
            rule: rule.to_owned(),
        }
    }

    fn of(verdict: &Verdict) -> Self {
        Self::new(verdict.decision.effect, &verdict.decision.rule)
    }
}

/// Requests that are decided otherwise in the same way.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Group {
    pub old: Ruling,
    pub new: Ruling,
    pub count: u64,
    /// The first exchanges of them.
    pub examples: Vec<String>,
}

/// Requests of which it cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Untold {
    /// The rule that decided then.
    pub rule: String,
    pub why: &'static str,
    pub count: u64,
    pub examples: Vec<String>,
}

/// All of it. `Display` prints it for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Replayed {
    /// Requests that policy had decided.
    pub requests: u64,
    /// Decided alike by both policies.
    pub same: u64,
    pub otherwise: Vec<Group>,
    pub untold: Vec<Untold>,
    /// Refused before policy saw them: no policy changes that.
    pub not_by_policy: u64,
    /// Decided then by another policy than the old one here, and otherwise than it would.
    pub not_as_recorded: u64,
}

impl Replayed {
    /// Requests that are decided otherwise.
    pub fn differing(&self) -> u64 {
        self.otherwise.iter().map(|group| group.count).sum()
    }
}

/// Counts and the first few of one kind.
#[derive(Debug, Default)]
struct Tally {
    count: u64,
    examples: Vec<String>,
}

impl Tally {
    fn add(&mut self, exchange: &str) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(exchange.to_owned());
        }
    }
}

/// Why it cannot be told.
const BODY: &str = "a row reads the body, which no record has";
const HEADERS: &str = "a row reads header fields, which no record has";
const REDACTED: &str = "a row reads a parameter whose value was not recorded";
const CUT: &str = "the record has only the beginning of a text that rows or conditions read";
const UNFAITHFUL: &str =
    "the old policy itself decided otherwise then: something counted that the record does not have";

/// Marks that redaction and cutting leave (`docs/journal.md`).
const MARKS: [&str; 2] = ["[redacted]", "\u{2026}[cut "];

/// Two policies, and what became of requests before them.
pub struct Replay<'p> {
    old: &'p Policy,
    new: &'p Policy,
    /// What each row is, by its number: rows that are alike have the same in both.
    contents: [Vec<usize>; 2],
    /// Whether what is beside the rows is alike: scopes are compared by request.
    has_same_forbids: bool,
    has_same_persisted: bool,
    replayed: Replayed,
    otherwise: BTreeMap<(Ruling, Ruling), Tally>,
    untold: BTreeMap<(String, &'static str), Tally>,
}

impl<'p> Replay<'p> {
    pub fn new(old: &'p Policy, new: &'p Policy) -> Self {
        let mut known: HashMap<String, usize> = HashMap::new();
        let contents = [old, new].map(|policy| {
            let rows = policy.rows.iter().map(|row| {
                let text = format!("{} {:?}", row.id, row.traits(policy.pack));
                let next = known.len();
                *known.entry(text).or_insert(next)
            });
            rows.collect()
        });
        let of_kind = |policy: &Policy, kind: &str| -> Vec<(String, String)> {
            let parts = policy.parts().into_iter();
            parts
                .filter(|((it, _), _)| *it == kind)
                .map(|((_, name), text)| (name, text))
                .collect()
        };
        let same = |kind: &str| of_kind(old, kind) == of_kind(new, kind);
        Self {
            has_same_forbids: same("forbid"),
            has_same_persisted: same("persisted query"),
            old,
            new,
            contents,
            replayed: Replayed::default(),
            otherwise: BTreeMap::new(),
            untold: BTreeMap::new(),
        }
    }

    /// A request that was refused before policy saw it.
    pub fn skip(&mut self) {
        self.replayed.not_by_policy += 1;
    }

    /// One request that policy decided.
    pub fn add(&mut self, recorded: &Recorded) {
        self.replayed.requests += 1;
        let headers = HeaderMap::new();
        let facts = recorded.facts(&headers);
        let (before, after) = (self.old.route(&facts), self.new.route(&facts));
        if self.is_alike(&before, &after, recorded) {
            self.replayed.same += 1;
            return;
        }
        if let Some(why) = unknown(&before, recorded).or_else(|| unknown(&after, recorded)) {
            return self.cannot_tell(recorded, why);
        }
        let grant = recorded.grant();
        let old = Ruling::of(&before.decide(&grant, Some(&[])));
        let new = Ruling::of(&after.decide(&grant, Some(&[])));
        let then = Ruling::new(recorded.effect, &recorded.rule);
        if old != then {
            // A rule that is no row's was found in the body.
            let is_stock = RULES.iter().skip(1).any(|rule| *rule == recorded.rule);
            if recorded.policy == self.old.digest() || is_stock {
                return self.cannot_tell(recorded, UNFAITHFUL);
            }
            self.replayed.not_as_recorded += 1;
        }
        if old == new {
            self.replayed.same += 1;
            return;
        }
        let group = self.otherwise.entry((old, new)).or_default();
        group.add(&recorded.exchange);
    }

    fn cannot_tell(&mut self, recorded: &Recorded, why: &'static str) {
        let group = self.untold.entry((recorded.rule.clone(), why));
        group.or_default().add(&recorded.exchange);
    }

    /// Whether both have the same rows for the request, in the same order, and the grant covers the same of them: then
    /// they decide alike whatever else the request holds.
    fn is_alike(&self, before: &Routed<'_>, after: &Routed<'_>, recorded: &Recorded) -> bool {
        let same = |old: &[u16], new: &[u16]| {
            let content = |side: usize, id: u16| {
                let rows = self.contents.get(side);
                rows.and_then(|rows| rows.get(usize::from(id)))
            };
            old.len() == new.len()
                && old
                    .iter()
                    .zip(new)
                    .all(|(old, new)| content(0, *old) == content(1, *new))
        };
        let covers = |routed: &Routed<'_>| -> Vec<bool> {
            let rows = routed.allow.iter().filter_map(|id| routed.policy.row(*id));
            let scopes = &routed.policy.scopes;
            rows.map(|row| scopes.cover(&recorded.scopes, row.action_number, recorded.break_glass))
                .collect()
        };
        same(&before.allow, &after.allow)
            && same(&before.deny, &after.deny)
            && before.pack == after.pack
            && self.old.pack_on == self.new.pack_on
            && self.has_same_forbids
            && (self.has_same_persisted || !before.needs.graphql)
            && covers(before) == covers(after)
    }

    /// What became of all of them, the largest groups first.
    pub fn done(self) -> Replayed {
        let mut replayed = self.replayed;
        let otherwise = self.otherwise.into_iter();
        replayed.otherwise = otherwise
            .map(|((old, new), tally)| Group {
                old,
                new,
                count: tally.count,
                examples: tally.examples,
            })
            .collect();
        let untold = self.untold.into_iter();
        replayed.untold = untold
            .map(|((rule, why), tally)| Untold {
                rule,
                why,
                count: tally.count,
                examples: tally.examples,
            })
            .collect();
        replayed
            .otherwise
            .sort_by_key(|it| std::cmp::Reverse(it.count));
        replayed
            .untold
            .sort_by_key(|it| std::cmp::Reverse(it.count));
        replayed
    }
}

/// What a policy would need of the request that the record has not.
fn unknown(routed: &Routed<'_>, recorded: &Recorded) -> Option<&'static str> {
    let marked = |text: &str| MARKS.iter().any(|mark| text.contains(mark));
    let rows = || {
        let ids = routed.allow.iter().chain(&routed.deny);
        ids.filter_map(|id| routed.policy.row(*id))
    };
    let has_conditions = routed.policy.forbids.is_some() || rows().any(|row| row.when.is_some());
    let mut texts = [
        &recorded.operator.id,
        &recorded.subject.id,
        &recorded.tenant.id,
        &recorded.ticket,
    ]
    .into_iter()
    .chain(&recorded.approvals);
    if marked(&recorded.path) || (has_conditions && texts.any(|text| marked(text))) {
        return Some(CUT);
    }
    if routed.needs.any() {
        return Some(BODY);
    }
    if rows().any(|row| !row.matchers.headers.is_empty()) {
        return Some(HEADERS);
    }
    let is_redacted = recorded.query.as_deref().is_some_and(marked);
    if is_redacted && rows().any(|row| !row.matchers.query.is_empty()) {
        return Some(REDACTED);
    }
    None
}

impl Recorded {
    fn facts<'a>(&'a self, headers: &'a HeaderMap) -> Facts<'a> {
        Facts {
            app: &self.app,
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers,
            is_websocket: self.is_websocket,
        }
    }

    fn grant(&self) -> GrantFacts<'_> {
        GrantFacts {
            scopes: &self.scopes,
            operator: &self.operator,
            subject: &self.subject,
            tenant: &self.tenant,
            ticket: &self.ticket,
            approvals: &self.approvals,
            break_glass: self.break_glass,
            client: self.client,
            now: self.at,
        }
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in &self.otherwise {
            writeln!(
                f,
                "{:>8}  {} by {} → {} by {}  {}",
                group.count,
                group.old.effect,
                group.old.rule,
                group.new.effect,
                group.new.rule,
                group.examples.join(" ")
            )?;
        }
        let untold: u64 = self.untold.iter().map(|group| group.count).sum();
        for group in &self.untold {
            writeln!(
                f,
                "{:>8}  cannot be told, then by {}: {}  {}",
                group.count,
                group.rule,
                group.why,
                group.examples.join(" ")
            )?;
        }
        if self.not_as_recorded > 0 {
            writeln!(
                f,
                "{:>8}  were decided by another policy then, and otherwise than the old one here does",
                self.not_as_recorded
            )?;
        }
        if self.not_by_policy > 0 {
            writeln!(
                f,
                "{:>8}  were refused before any policy saw them",
                self.not_by_policy
            )?;
        }
        write!(
            f,
            "{} requests: {} decided alike, {} otherwise, {untold} cannot be told",
            self.requests,
            self.same,
            self.differing()
        )
    }
}
