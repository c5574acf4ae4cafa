//! What each scope by itself would take, told before anything is sent: so that people ask for the least that does.

use super::ask::{Ask, facts};
use crate::control::desk::{Control, ScopeChoice};
use crate::control::duties;
use crate::model::{Caller, Needs, Scope, SubjectClass, Tier};
use crate::policy::access::Answer;
use std::time::Duration;

/// One scope of an app, and what policy would say to it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighed {
    pub scope: ScopeChoice,
    /// `Err`: policy denies it, with its words.
    pub answer: Result<Needs, String>,
}

/// What policy would say to each choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weighing {
    pub scopes: Vec<Weighed>,
    /// Of the lengths of time, in minutes, those that policy gives.
    pub minutes: Vec<u64>,
}

impl Control {
    /// Weighs each scope of the app by itself, and each of these lengths of time with the scopes that are chosen, for
    /// this customer and user. Where that cannot be told yet (no customer or user named, or one that this caller may not
    /// ask for): no scope, and each length.
    pub async fn weigh(&self, caller: &Caller, ask: &Ask, minutes: &[u64]) -> Weighing {
        let (tenant, app, subject) = (ask.tenant.trim(), ask.app.trim(), ask.subject.trim());
        let unknown = Weighing {
            scopes: Vec::new(),
            minutes: minutes.to_vec(),
        };
        if tenant.is_empty() || subject.is_empty() {
            return unknown;
        }
        if duties::may_ask(caller, tenant, app, subject, false).is_err() {
            return unknown;
        }
        let Ok(class) = self.subjects.class(tenant, subject).await else {
            return unknown;
        };
        let settings = self.settings.load_full();
        // One that must be named will be: until then the answer would only say that it is missing.
        let mut ask = ask.clone();
        if settings.ticket_required && ask.ticket.trim().is_empty() {
            "named-later".clone_into(&mut ask.ticket);
        }
        let duration = match ask.minutes {
            0 => settings.default_time,
            minutes => Duration::from_secs(minutes.saturating_mul(60)),
        };
        let decide = |scopes: &[Scope], tier: Tier, time: Duration| {
            let now = self.now();
            let facts = facts(caller, &ask, scopes, tier, class, time, &settings, now);
            settings.access.decide(&facts)
        };
        let known = self.routes.choices(app);
        let chosen: Vec<&ScopeChoice> = known
            .iter()
            .filter(|it| ask.scopes.iter().any(|name| name == it.name.as_str()))
            .collect();
        let gives = |minutes: u64| {
            let time = Duration::from_secs(minutes.saturating_mul(60));
            let given = |scopes: &[Scope], tier: Tier| match decide(scopes, tier, time) {
                Answer::Allow(needs) => needs.max_time.is_zero() || time <= needs.max_time,
                Answer::Deny { .. } => false,
            };
            if chosen.is_empty() {
                let mut alone = known.iter();
                return alone.any(|it| given(std::slice::from_ref(&it.name), it.tier));
            }
            let scopes: Vec<Scope> = chosen.iter().map(|it| it.name.clone()).collect();
            given(
                &scopes,
                chosen.iter().map(|it| it.tier).max().unwrap_or_default(),
            )
        };
        let minutes = minutes.iter().copied().filter(|it| gives(*it)).collect();
        let weighed = known.iter().cloned().map(|scope| {
            let answer = match decide(std::slice::from_ref(&scope.name), scope.tier, duration) {
                Answer::Deny { message, .. } => Err(message),
                Answer::Allow(mut needs) => {
                    if scope.tier == Tier::Privileged {
                        needs.approvals = needs.approvals.max(2);
                    }
                    Ok(needs)
                }
            };
            Weighed { scope, answer }
        });
        Weighing {
            scopes: weighed.collect(),
            minutes,
        }
    }

    /// The longest that breaking the glass can last for anything that this caller may ask for: of the configuration's
    /// bound and the policy's, the shorter one. `None`: policy gives it nowhere.
    pub fn emergency_ceiling(&self, caller: &Caller, apps: &[String]) -> Option<Duration> {
        let settings = self.settings.load_full();
        let most = settings.emergency.max_time;
        let reached = settings.tenants.keys().map(String::as_str);
        let tenants: Vec<&str> = if settings.tenants.is_empty() {
            vec!["any"]
        } else {
            reached.collect()
        };
        let mut longest = None;
        for (tenant, app) in tenants
            .iter()
            .flat_map(|tenant| apps.iter().map(move |app| (*tenant, app)))
        {
            if duties::may_ask(caller, tenant, app, "somebody", true).is_err() {
                continue;
            }
            let ask = Ask {
                app: app.clone(),
                tenant: tenant.to_owned(),
                subject: "somebody".to_owned(),
                ticket: "named-later".to_owned(),
                incident: Some("named-later".to_owned()),
                reason_code: settings
                    .emergency
                    .reason_codes
                    .first()
                    .or(settings.reason_codes.first())
                    .cloned()
                    .unwrap_or_default(),
                ..Ask::default()
            };
            let scopes = &settings.emergency.scopes;
            let (tier, class) = (Tier::Privileged, SubjectClass::Ordinary);
            let now = self.now();
            let facts = facts(caller, &ask, scopes, tier, class, most, &settings, now);
            if let Answer::Allow(needs) = settings.access.decide(&facts) {
                let given = match needs.max_time {
                    Duration::ZERO => most,
                    time => time.min(most),
                };
                longest = longest.max(Some(given));
            }
        }
        longest
    }
}
