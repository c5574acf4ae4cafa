//! `policy explain`: the rows tried, the one that decided, and why.

use super::body::Reading;
use super::decide::{Miss, Side};
use super::example::{Example, ExplainQuery};
use super::graphql::Unit;
use super::load::Policy;
use super::route::Routed;
use super::row::Row;
use super::table::{Found, Table};
use super::verdict::{Verdict, Why};
use crate::model::{Effect, Scope, Tier};
use std::fmt;

/// One row, and whether it matched.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Tried {
    pub rule: String,
    /// `allow`, `deny`, `read-only`.
    pub effect: String,
    /// `file:line`; `built-in pack`.
    pub place: String,
    /// The row's `match`.
    pub matching: String,
    /// Why it does not match; `None`: it matches.
    pub miss: Option<String>,
    pub decided: bool,
}

/// The whole story of one decision. `Display` prints it for a person.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Explanation {
    pub request: String,
    pub effect: Effect,
    pub rule: String,
    pub action: String,
    pub resource: String,
    pub tier: Tier,
    pub message: Option<String>,
    pub why: Why,
    /// Why, in a sentence.
    pub because: String,
    /// In the order of trying: deny rows, the pack, allow rows. Rows of quite another path are only counted.
    pub tried: Vec<Tried>,
    pub others: usize,
    pub digest: String,
}

/// Explains one request. `Err`: the query itself makes no sense (no method, no path).
pub fn explain(policy: &Policy, query: &ExplainQuery) -> Result<Explanation, String> {
    let example = Example::new(query)?;
    let verdict = example.decide(policy);
    let (tried, others) =
        example.with_routed(policy, |routed| try_rows(routed, &example, &verdict));
    let decision = &verdict.decision;
    Ok(Explanation {
        request: query.request.clone(),
        effect: decision.effect,
        rule: decision.rule.to_string(),
        action: decision.action.to_string(),
        resource: decision.resource.to_string(),
        tier: decision.tier,
        message: decision.message.as_deref().map(str::to_owned),
        why: verdict.why,
        because: because(policy, &verdict, &query.scopes),
        tried,
        others,
        digest: policy.digest().to_owned(),
    })
}

fn because(policy: &Policy, verdict: &Verdict, scopes: &[Scope]) -> String {
    let action = &*verdict.decision.action;
    let mut carrying: Vec<&str> = policy.scopes.carrying(action).collect();
    carrying.sort_unstable();
    let own: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
    match verdict.why {
        Why::Allowed => {
            let through: Vec<&str> = carrying
                .into_iter()
                .filter(|scope| own.contains(scope))
                .collect();
            format!(
                "{}: {} carries {action}",
                verdict.why.words(),
                through.join(", ")
            )
        }
        Why::OutOfScope if carrying.is_empty() => {
            format!(
                "no scope at all carries {action}; the grant has [{}]",
                own.join(", ")
            )
        }
        Why::OutOfScope => format!(
            "the grant has [{}], but {action} is carried by {}",
            own.join(", "),
            carrying.join(", ")
        ),
        other => other.words().to_owned(),
    }
}

fn try_rows(routed: &Routed<'_>, example: &Example<'_>, verdict: &Verdict) -> (Vec<Tried>, usize) {
    let reading = Reading::new(routed.policy, routed.facts, example.body());
    let units = if routed.needs.graphql {
        reading.units().unwrap_or_default()
    } else {
        Vec::new()
    };
    let mut trial = Trial {
        routed,
        reading,
        units,
        verdict,
        tried: Vec::new(),
        others: 0,
    };
    trial.side(Side::Deny);
    trial.pack();
    trial.side(Side::Allow);
    (trial.tried, trial.others)
}

struct Trial<'t> {
    routed: &'t Routed<'t>,
    reading: Reading<'t>,
    units: Vec<Unit>,
    verdict: &'t Verdict,
    tried: Vec<Tried>,
    others: usize,
}

impl Trial<'_> {
    fn side(&mut self, side: Side) {
        let policy = self.routed.policy;
        for (nth, row) in policy.rows.iter().enumerate() {
            let on_side = if side == Side::Deny {
                row.denies()
            } else {
                row.allows()
            };
            if !on_side {
                continue;
            }
            if !self.is_for(row, side) {
                self.others += 1;
                continue;
            }
            let candidates = if side == Side::Deny {
                &self.routed.deny
            } else {
                &self.routed.allow
            };
            let miss = if candidates.iter().any(|id| usize::from(*id) == nth) {
                self.miss(row, side)
            } else {
                Some(self.head_miss(row))
            };
            let decided = self.decided(&row.id) && miss.is_none();
            self.tried.push(Tried {
                rule: row.id.to_string(),
                effect: row.effect.name().to_owned(),
                place: format!("{}:{}", row.file, row.line),
                matching: row.written.to_string(),
                miss,
                decided,
            });
        }
    }

    fn decided(&self, id: &str) -> bool {
        *self.verdict.decision.rule == *id && !self.tried.iter().any(|tried| tried.decided)
    }

    /// Whether the row is for this app and path, whatever the rest.
    fn is_for(&self, row: &Row, side: Side) -> bool {
        let facts = self.routed.facts;
        let mut table = Table::default();
        let mut found = Found::new();
        table.insert(&row.pattern, 0, side == Side::Deny);
        match side {
            Side::Deny => super::route::find_folded(&table, facts.path, &mut found),
            Side::Allow => table.find(facts.path.as_bytes(), &mut found),
        }
        !found.is_empty() && row.app.as_deref().is_none_or(|app| app == facts.app)
    }

    fn head_miss(&self, row: &Row) -> String {
        let facts = self.routed.facts;
        match (row.matchers.websocket.is_some(), facts.is_websocket) {
            (true, false) => "it is for WebSockets only".to_owned(),
            (false, true) if row.allows() => "a WebSocket needs a row with `websocket`".to_owned(),
            _ => format!("the method is {}", facts.method),
        }
    }

    fn miss(&self, row: &Row, side: Side) -> Option<String> {
        let judge = |unit: Option<&Unit>| self.routed.miss(row, side, &self.reading, unit);
        let judged = if self.units.is_empty() {
            judge(None)
        } else {
            let all = self.units.iter().map(|unit| judge(Some(unit)));
            all.reduce(|one, two| if matches!(one, Ok(None)) { one } else { two })
                .unwrap_or(Ok(None))
        };
        match judged {
            Ok(None) => None,
            Ok(Some(miss)) => Some(words(row, miss)),
            Err(_) => Some("it cannot be judged on this request".to_owned()),
        }
    }

    fn pack(&mut self) {
        let pack = self.routed.policy.pack;
        for (nth, row) in pack.rows.iter().enumerate() {
            let by_path = self.routed.pack & (1 << nth) != 0;
            let decided = self.decided(&row.id);
            if by_path || decided {
                let overridden = !decided && by_path;
                self.tried.push(Tried {
                    rule: row.id.to_string(),
                    effect: "deny".to_owned(),
                    place: "built-in pack".to_owned(),
                    matching: format!("words of the path ({:?})", self.routed.deed())
                        .to_lowercase(),
                    miss: (overridden && self.verdict.is_permit())
                        .then(|| "a row overrides it".to_owned()),
                    decided,
                });
            }
        }
    }
}

fn words(row: &Row, miss: Miss<'_>) -> String {
    let fields = |rules: &[super::field_rule::FieldRule]| {
        let rules = rules
            .iter()
            .map(|rule| format!("{} = {}", rule.name, rule.value.written()));
        rules.collect::<Vec<_>>().join(", ")
    };
    match miss {
        Miss::WebSocket => "it is for WebSockets only".to_owned(),
        Miss::Header(name) => format!("the header {name} is not as asked"),
        Miss::Query(name) => format!("the parameter {name} is not as asked"),
        Miss::GraphQl => "no GraphQL operation is as asked".to_owned(),
        Miss::ReadOnly => "it is read-only, and this is the other side of it".to_owned(),
        Miss::Form => format!("the form has not {}", fields(&row.matchers.form)),
        Miss::Json => format!("the JSON has not {}", fields(&row.matchers.json)),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = if self.effect == Effect::Permit {
            "PERMIT"
        } else {
            "DENY"
        };
        writeln!(f, "{effect}  {}", self.request)?;
        writeln!(f, "  rule      {}", self.rule)?;
        writeln!(f, "  action    {}  ({})", self.action, self.tier.as_str())?;
        if !self.resource.is_empty() {
            writeln!(f, "  resource  {}", self.resource)?;
        }
        writeln!(f, "  because   {}", self.because)?;
        if let Some(message) = &self.message {
            writeln!(f, "  message   {message}")?;
        }
        writeln!(f, "  rows tried")?;
        for tried in &self.tried {
            let outcome = match (&tried.miss, tried.decided) {
                (_, true) => "decides".to_owned(),
                (None, false) => "matches".to_owned(),
                (Some(miss), _) => format!("no: {miss}"),
            };
            writeln!(
                f,
                "    {:<9} {:<24} {:<34} {outcome}  [{}]",
                tried.effect, tried.rule, tried.matching, tried.place
            )?;
        }
        writeln!(f, "    and {} of other paths or apps", self.others)?;
        write!(f, "  policy    {}", self.digest)
    }
}
