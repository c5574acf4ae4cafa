//! How long recordings are kept: the first rule that fits decides, holds aside.

use super::library::Summary;
use crate::model::{Tier, Timestamp};
use std::time::Duration;

/// All rules.
#[derive(Clone, Debug, Default)]
pub struct Retention {
    pub rules: Vec<Rule>,
    /// Where no rule fits. Zero: for ever.
    pub keep: Duration,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    pub tenant: Option<String>,
    pub on: Option<RuleOn>,
    /// After the last write. Zero: for ever.
    pub keep: Duration,
}

/// Which sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleOn {
    Tier(Tier),
    BreakGlass,
}

impl Rule {
    fn fits(&self, summary: &Summary) -> bool {
        let about = &summary.about;
        let is_on = match self.on {
            None => true,
            Some(RuleOn::BreakGlass) => about.break_glass,
            Some(RuleOn::Tier(tier)) => !about.break_glass && about.tier == tier,
        };
        is_on && self.tenant.as_ref().is_none_or(|it| *it == about.tenant)
    }
}

impl Retention {
    /// Why a recording's time is over; `None` where it is not, where it is held, or erased already.
    pub fn is_over(&self, summary: &Summary, now: Timestamp) -> Option<String> {
        if summary.erased().is_some() || !summary.holds.is_empty() {
            return None;
        }
        let rule = self.rules.iter().position(|rule| rule.fits(summary));
        let keep = rule
            .and_then(|at| self.rules.get(at))
            .map_or(self.keep, |rule| rule.keep);
        if keep.is_zero() || now < summary.written_at.plus(keep) {
            return None;
        }
        let rule = rule.map_or("recording.keep".to_owned(), |at| {
            format!("recording.retention[{at}]")
        });
        Some(format!("its time is over: {rule}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::recording::{About, Erased, Hold, HoldOn};
    use crate::model::{GrantId, SessionId};

    fn summary(tenant: &str, tier: Tier, break_glass: bool) -> Summary {
        let at = Timestamp::from_millis(0);
        Summary {
            about: About {
                version: 1,
                session: SessionId::fresh(),
                grant: GrantId::fresh(),
                app: "shop".into(),
                tenant: tenant.into(),
                subject: "kim".into(),
                operator: "ada".into(),
                tier,
                break_glass,
                opened_at: at,
                asked: None,
                erased: None,
            },
            bytes: 1,
            written_at: at,
            holds: Vec::new(),
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides_and_a_hold_stops_it() {
        let day = Duration::from_hours(24);
        let rule = |tenant: Option<&str>, on, days| Rule {
            tenant: tenant.map(str::to_owned),
            on,
            keep: day * days,
        };
        let retention = Retention {
            rules: vec![
                rule(Some("acme"), Some(RuleOn::Tier(Tier::Privileged)), 0),
                rule(Some("acme"), None, 10),
                rule(None, Some(RuleOn::BreakGlass), 100),
            ],
            keep: day,
        };
        let over = |summary: &Summary, days: u32| {
            let now = Timestamp::from_millis(0).plus(day * days);
            retention.is_over(summary, now)
        };
        let acme = summary("acme", Tier::Ordinary, false);
        assert_eq!(over(&acme, 9), None);
        assert!(over(&acme, 10).unwrap().contains("retention[1]"));
        assert_eq!(over(&summary("acme", Tier::Privileged, false), 9999), None);
        assert!(over(&summary("other", Tier::Privileged, false), 1).is_some());
        assert_eq!(over(&summary("other", Tier::Ordinary, true), 99), None);
        let mut held = summary("other", Tier::Ordinary, false);
        let at = Timestamp::from_millis(0);
        let on = HoldOn::Tenant("other".into());
        held.holds.push(Hold::new(on, "case 7", "cli:root", at));
        assert_eq!(over(&held, 50), None);
        let mut erased = summary("other", Tier::Ordinary, false);
        erased.about.erased = Some(Erased {
            at,
            by: "locum".into(),
            why: "x".into(),
            agreed: None,
        });
        assert_eq!(over(&erased, 50), None);
    }
}
