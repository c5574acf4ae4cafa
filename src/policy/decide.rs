//! The second phase: Permit or Deny, and the rule that decided. The only place that says Permit.

use super::body::{ContentKind, Reading, Stop};
use super::cedar::Ask;
use super::facts::GrantFacts;
use super::field_rule::FieldRule;
use super::graphql::{Kind, Unit};
use super::json::Ambiguous;
use super::methods::Asked;
use super::pack::{Deed, PackRows};
use super::route::{Routed, deed};
use super::row::{Row, RowEffect};
use super::scan::OverrideScan;
use super::values::Value;
use super::verdict::{RULES, Verdict, Why};
use super::websocket::WsMode;
use crate::model::{Decision, Effect, Findings, Reason, Tier};
use std::sync::{Arc, LazyLock};

/// Shared strings of [`RULES`], so that deciding allocates nothing for them.
struct Stock {
    unlisted: Arc<str>,
    empty: Arc<str>,
    rules: [Arc<str>; 6],
    messages: [Arc<str>; 4],
}

static STOCK: LazyLock<Stock> = LazyLock::new(|| Stock {
    unlisted: "unlisted".into(),
    empty: "".into(),
    rules: RULES.map(Into::into),
    messages: [
        "Two readers of this request could disagree on what it asks, so it was not passed on"
            .into(),
        "What this request asks could not be read, so it was not passed on".into(),
        "This request is too large to be judged, so it was not passed on".into(),
        "This stored query is not known to the policy".into(),
    ],
});

/// Which side of a row is asked: an allow row must hold for all, a deny row for any.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Allow,
    Deny,
}

/// What decided about one unit.
struct Ruling<'p> {
    why: Why,
    row: Option<&'p Row>,
    rule: Option<Arc<str>>,
    pack: Option<usize>,
}

impl<'p> Ruling<'p> {
    fn by(why: Why, row: &'p Row) -> Self {
        Self {
            why,
            row: Some(row),
            rule: None,
            pack: None,
        }
    }
}

impl Routed<'_> {
    /// Decides. `body`: all of it where [`Routed::body_need`] asked for one (empty if there is none),
    /// `None` where it was larger than `max_bytes`; ignored where nothing was asked for.
    pub fn decide(&self, grant: &GrantFacts<'_>, body: Option<&[u8]>) -> Verdict {
        let body = match (self.needs.any(), body) {
            (false, _) => &[][..],
            (true, Some(body)) if body.len() <= self.policy.settings.body_buffer => body,
            (true, _) => return self.stopped(Stop::TooLarge),
        };
        let reading = Reading::new(self.policy, self.facts, body);
        let relaxed = self.relaxed().contains(Reason::MethodOverride);
        if !relaxed && (self.query_overrides_method() || reading.overrides_method()) {
            return self.overridden();
        }
        let units = if self.needs.graphql {
            match reading.units() {
                Ok(units) => units,
                Err(stop) => return self.stopped(stop),
            }
        } else {
            Vec::new()
        };
        if units.is_empty() {
            return self.one(grant, &reading, None);
        }
        let verdicts = units
            .iter()
            .map(|unit| self.one(grant, &reading, Some(unit)));
        combine(verdicts).unwrap_or_else(|| self.stopped(Stop::Unreadable))
    }

    fn query_overrides_method(&self) -> bool {
        let Some(query) = self.facts.query else {
            return false;
        };
        // Only a parameter with an encoded byte or the very word can be the one.
        let query = query.as_bytes();
        if memchr::memchr(b'%', query).is_none() && memchr::memchr(b'_', query).is_none() {
            return false;
        }
        let mut scan = OverrideScan::url_encoded();
        scan.feed(query) || scan.finish()
    }

    fn one(&self, grant: &GrantFacts<'_>, reading: &Reading<'_>, unit: Option<&Unit>) -> Verdict {
        match self.rule(grant, reading, unit) {
            Ok(ruling) => self.verdict(&ruling),
            Err(stop) => self.stopped(stop),
        }
    }

    /// The algorithm: the most specific allow row speaks for the request; any deny row, the pack,
    /// the scopes and the conditions may still say no.
    fn rule(
        &self,
        grant: &GrantFacts<'_>,
        reading: &Reading<'_>,
        unit: Option<&Unit>,
    ) -> Result<Ruling<'_>, Stop> {
        let policy = self.policy;
        let mut allow = None;
        for row in self.allow.iter().filter_map(|id| policy.row(*id)) {
            if self.miss(row, Side::Allow, reading, unit)?.is_none() {
                allow = Some(row);
                break;
            }
        }
        let lifted = grant.break_glass && allow.is_some_and(|row| row.break_glass);
        for row in self.deny.iter().filter_map(|id| policy.row(*id)) {
            if (lifted && !row.never) || self.miss(row, Side::Deny, reading, unit)?.is_some() {
                continue;
            }
            match self.condition(row, grant) {
                Some(Ok(false)) => {}
                Some(Err(failed)) => return Ok(failed),
                None | Some(Ok(true)) => return Ok(Ruling::by(Why::DenyRow, row)),
            }
        }
        if let Some(nth) = self.pack_row(allow, lifted, unit) {
            return Ok(Ruling {
                why: Why::Pack,
                row: allow,
                rule: None,
                pack: Some(nth),
            });
        }
        Ok(match allow {
            Some(row) => self.permit(row, grant),
            None => Ruling {
                why: Why::Unlisted,
                row: None,
                rule: None,
                pack: None,
            },
        })
    }

    fn permit<'s>(&'s self, row: &'s Row, grant: &GrantFacts<'_>) -> Ruling<'s> {
        if row.break_glass && !grant.break_glass {
            return Ruling::by(Why::BreakGlassOnly, row);
        }
        if row.never && grant.break_glass && row.effect == RowEffect::Allow {
            return Ruling::by(Why::NeverInBreakGlass, row);
        }
        let scopes = &self.policy.scopes;
        if !scopes.cover(grant.scopes, row.action_number, grant.break_glass) {
            return Ruling::by(Why::OutOfScope, row);
        }
        match self.condition(row, grant) {
            Some(Ok(false)) => return Ruling::by(Why::Condition, row),
            Some(Err(failed)) => return failed,
            None | Some(Ok(true)) => {}
        }
        let Some(forbids) = &self.policy.forbids else {
            return Ruling::by(Why::Allowed, row);
        };
        let resource = row.resource.fill(&row.pattern, self.facts.path);
        match forbids.forbidding(&self.ask(row, grant, &resource)) {
            Ok(None) => Ruling::by(Why::Allowed, row),
            Ok(Some(name)) => Ruling {
                rule: Some(name),
                ..Ruling::by(Why::Forbid, row)
            },
            Err(_) => Ruling::by(Why::ConditionFailed, row),
        }
    }

    fn ask<'s>(&'s self, row: &'s Row, grant: &'s GrantFacts<'s>, resource: &'s str) -> Ask<'s> {
        Ask {
            facts: self.facts,
            grant,
            action: &row.action,
            rule: &row.id,
            resource,
            tier: row.tier,
        }
    }

    /// `None`: the row has no condition. A failure is a ruling, since it denies.
    fn condition<'s>(
        &'s self,
        row: &'s Row,
        grant: &GrantFacts<'_>,
    ) -> Option<Result<bool, Ruling<'s>>> {
        let condition = row.when.as_ref()?;
        let resource = row.resource.fill(&row.pattern, self.facts.path);
        let held = condition.holds(&self.ask(row, grant, &resource));
        Some(held.map_err(|_| Ruling::by(Why::ConditionFailed, row)))
    }

    /// The first pack row that denies, by number.
    fn pack_row(&self, allow: Option<&Row>, lifted: bool, unit: Option<&Unit>) -> Option<usize> {
        let mut hits = self.pack;
        if let Some(unit) = unit {
            let deed = if unit.kind == Kind::Mutation {
                Deed::Unsafe
            } else {
                Deed::Safe
            };
            hits |= self.policy.pack_on & self.policy.pack.field(&unit.field, deed);
        }
        if hits == 0 {
            return None;
        }
        hits &= !allow.map_or(0, |row| row.overrides);
        if lifted {
            hits &= self.policy.pack.never();
        }
        (hits != 0).then(|| usize::try_from(PackRows::trailing_zeros(hits)).unwrap_or_default())
    }

    fn verdict(&self, ruling: &Ruling<'_>) -> Verdict {
        let permit = ruling.why == Why::Allowed;
        let effect = if permit { Effect::Permit } else { Effect::Deny };
        let Some(row) = ruling.row else {
            return self.pack_verdict(ruling, None);
        };
        if ruling.pack.is_some() {
            return self.pack_verdict(ruling, Some(row));
        }
        let message = match ruling.why {
            Why::OutOfScope => Some(Arc::clone(&row.out_of_scope)),
            _ => row.message.clone(),
        };
        let websocket = row.matchers.websocket.as_ref();
        Verdict {
            decision: Decision {
                effect,
                rule: ruling.rule.clone().unwrap_or_else(|| Arc::clone(&row.id)),
                action: Arc::clone(&row.action),
                resource: row.resource.fill(&row.pattern, self.facts.path),
                tier: row.tier,
                message,
            },
            why: ruling.why,
            record: row.record,
            websocket: websocket.filter(|_| permit).cloned(),
            findings: Findings::NONE,
            also: Vec::new(),
        }
    }

    /// A denial by the pack or by default; `row` is the allow row that would have decided.
    fn pack_verdict(&self, ruling: &Ruling<'_>, row: Option<&Row>) -> Verdict {
        let stock = &*STOCK;
        let pack = ruling.pack.and_then(|nth| self.policy.pack.rows.get(nth));
        let resource = row.map(|row| row.resource.fill(&row.pattern, self.facts.path));
        Verdict {
            decision: Decision {
                effect: Effect::Deny,
                rule: Arc::clone(pack.map_or(&stock.rules[0], |row| &row.id)),
                action: Arc::clone(pack.map_or(&stock.unlisted, |row| &row.action)),
                resource: resource.unwrap_or_else(|| Arc::clone(&stock.empty)),
                tier: pack.map_or(Tier::Ordinary, |_| Tier::Privileged),
                message: pack.map(|row| Arc::clone(&row.message)),
            },
            why: ruling.why,
            record: None,
            websocket: None,
            findings: Findings::NONE,
            also: Vec::new(),
        }
    }

    /// A denial because the request cannot be judged. The action is what its path alone would mean.
    fn stopped(&self, stop: Stop) -> Verdict {
        let (rule, message, why) = match stop {
            Stop::Ambiguous => (1, 0, Why::Ambiguous),
            Stop::Unreadable => (2, 1, Why::Unreadable),
            Stop::TooLarge => (3, 2, Why::TooLarge),
            Stop::UnknownPersisted => (5, 3, Why::UnknownPersisted),
        };
        self.stock_verdict(rule, message, why, Findings::NONE)
    }

    fn overridden(&self) -> Verdict {
        let mut findings = Findings::NONE;
        findings.insert(Reason::MethodOverride);
        self.stock_verdict(4, 0, Why::MethodOverride, findings)
    }

    fn stock_verdict(&self, rule: usize, message: usize, why: Why, findings: Findings) -> Verdict {
        let stock = &*STOCK;
        let row = self.allow.first().and_then(|id| self.policy.row(*id));
        let resource = row.map(|row| row.resource.fill(&row.pattern, self.facts.path));
        Verdict {
            decision: Decision {
                effect: Effect::Deny,
                rule: Arc::clone(stock.rules.get(rule).unwrap_or(&stock.rules[0])),
                action: Arc::clone(row.map_or(&stock.unlisted, |row| &row.action)),
                resource: resource.unwrap_or_else(|| Arc::clone(&stock.empty)),
                tier: row.map_or(Tier::Ordinary, |row| row.tier),
                message: stock.messages.get(message).cloned(),
            },
            why,
            record: row.and_then(|row| row.record),
            websocket: None,
            findings,
            also: Vec::new(),
        }
    }

    /// Why a row does not match; `None`: it does. Method and path have matched already.
    pub(super) fn miss<'s>(
        &self,
        row: &'s Row,
        side: Side,
        reading: &Reading<'_>,
        unit: Option<&Unit>,
    ) -> Result<Option<Miss<'s>>, Stop> {
        let matchers = &row.matchers;
        if side == Side::Deny
            && matchers
                .websocket
                .as_ref()
                .is_some_and(|rules| rules.mode != WsMode::Deny)
        {
            return Ok(Some(Miss::WebSocket));
        }
        for (name, value) in &matchers.headers {
            if !self.header(name, value, side)? {
                return Ok(Some(Miss::Header(name.as_str())));
            }
        }
        for rule in &matchers.query {
            let found = reading.query()?.get(&rule.name)?;
            if !found.is_some_and(|text| rule.value.matches(text, side == Side::Deny)) {
                return Ok(Some(Miss::Query(&rule.name)));
            }
        }
        if let Some(rule) = &matchers.graphql {
            let asked = unit.filter(|unit| rule.matches(unit));
            let Some(unit) = asked else {
                return Ok(Some(Miss::GraphQl));
            };
            let safe = unit.kind == Kind::Query;
            if row.effect == RowEffect::ReadOnly && safe == (side == Side::Deny) {
                return Ok(Some(Miss::ReadOnly));
            }
        }
        if !matchers.form.is_empty() && !self.form(&matchers.form, side, reading)? {
            return Ok(Some(Miss::Form));
        }
        if !matchers.json.is_empty() && !self.json(&matchers.json, side, reading)? {
            return Ok(Some(Miss::Json));
        }
        Ok(None)
    }

    fn header(&self, name: &http::HeaderName, value: &Value, side: Side) -> Result<bool, Stop> {
        if self.facts.has_alias(name) {
            return Err(Stop::Ambiguous);
        }
        let mut values = self.facts.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(false),
            (Some(only), None) => {
                let text = only.to_str().map_err(|_| Stop::Ambiguous)?;
                Ok(value.matches(text, side == Side::Deny))
            }
            (Some(_), Some(_)) => Err(Stop::Ambiguous),
        }
    }

    fn form(&self, rules: &[FieldRule], side: Side, reading: &Reading<'_>) -> Result<bool, Stop> {
        if !self.is_kind(ContentKind::Form, side, reading)? {
            return Ok(false);
        }
        for rule in rules {
            let found = reading.form()?.get(&rule.name)?;
            if !found.is_some_and(|text| rule.value.matches(text, side == Side::Deny)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn json(&self, rules: &[FieldRule], side: Side, reading: &Reading<'_>) -> Result<bool, Stop> {
        if !self.is_kind(ContentKind::Json, side, reading)? {
            return Ok(false);
        }
        let documents = reading.json()?;
        Ok(match side {
            Side::Allow => documents.every(rules)?,
            Side::Deny => documents.any(rules)?,
        })
    }

    /// Whether the body is of the kind that a row reads. An allow row does not match another kind; a
    /// deny row cannot tell, so the request is denied, unless a deny row for that kind is there too.
    fn is_kind(
        &self,
        wanted: ContentKind,
        side: Side,
        reading: &Reading<'_>,
    ) -> Result<bool, Stop> {
        let kind = reading.kind;
        if kind == wanted {
            return Ok(true);
        }
        if kind == ContentKind::Unclear {
            return Err(Stop::Unreadable);
        }
        if kind == ContentKind::Empty || side == Side::Allow {
            return Ok(false);
        }
        let judges = |row: &Row| match kind {
            ContentKind::Form => row.needs.form,
            ContentKind::Json => row.needs.json,
            _ => false,
        };
        let mut denies = self.deny.iter().filter_map(|id| self.policy.row(*id));
        if denies.any(judges) {
            Ok(false)
        } else {
            Err(Stop::Unreadable)
        }
    }

    /// What the request's head asks for, as the pack sees it.
    pub(super) fn deed(&self) -> Deed {
        deed(Asked::new(self.facts.method, self.facts.is_websocket))
    }
}

impl From<Ambiguous> for Stop {
    fn from(_: Ambiguous) -> Self {
        Self::Ambiguous
    }
}

/// Why a row whose method and path match does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miss<'r> {
    WebSocket,
    Header(&'r str),
    Query(&'r str),
    GraphQl,
    ReadOnly,
    Form,
    Json,
}

/// All units must be permitted: the first denial speaks, else the permit of the highest tier.
fn combine(verdicts: impl Iterator<Item = Verdict>) -> Option<Verdict> {
    let mut all: Vec<Verdict> = Vec::new();
    for verdict in verdicts {
        if !all.iter().any(|known| known.decision == verdict.decision) {
            all.push(verdict);
        }
    }
    let denied = all.iter().position(|verdict| !verdict.is_permit());
    let highest = || {
        let tiers = all.iter().enumerate().rev();
        tiers
            .max_by_key(|(_, verdict)| verdict.decision.tier)
            .map(|(nth, _)| nth)
    };
    let speaks = denied.or_else(highest)?;
    let record = all.iter().filter_map(|verdict| verdict.record).max();
    let mut chosen = all.remove(speaks);
    chosen.record = record;
    chosen.also = all.into_iter().map(|verdict| verdict.decision).collect();
    Some(chosen)
}
