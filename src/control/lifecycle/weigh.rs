//! What each scope by itself would take, told before anything is sent: so that people ask for the least that does.

use super::ask::{Ask, facts};
use crate::control::desk::{Control, ScopeChoice};
use crate::control::duties;
use crate::model::{Caller, Needs, Tier};
use crate::policy::access::Answer;
use std::time::Duration;

/// One scope of an app, and what policy would say to it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighed {
    pub scope: ScopeChoice,
    /// `Err`: policy denies it, with its words.
    pub answer: Result<Needs, String>,
}

impl Control {
    /// Weighs each scope of the app by itself for this customer and user. Empty where that cannot be told yet: no
    /// customer or user named, or one that this caller may not ask for.
    pub async fn weigh(&self, caller: &Caller, ask: &Ask) -> Vec<Weighed> {
        let (tenant, app, subject) = (ask.tenant.trim(), ask.app.trim(), ask.subject.trim());
        if tenant.is_empty() || subject.is_empty() {
            return Vec::new();
        }
        if duties::may_ask(caller, tenant, app, subject, false).is_err() {
            return Vec::new();
        }
        let Ok(class) = self.subjects.class(tenant, subject).await else {
            return Vec::new();
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
        let weighed = self.routes.choices(app).into_iter().map(|scope| {
            let alone = [scope.name.clone()];
            let facts = facts(
                caller,
                &ask,
                &alone,
                scope.tier,
                class,
                duration,
                &settings,
                self.now(),
            );
            let answer = match settings.access.decide(&facts) {
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
        weighed.collect()
    }
}
