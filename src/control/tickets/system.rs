//! One ticket system: asked by HTTP, its answers read by a mapping, its messages verified.

use super::cache::Cache;
use super::pattern::Pattern;
use super::settings::{SetupError, SystemSettings, TicketSettings};
use super::webhook::Webhook;
use crate::control::desk::{Ticket, TicketRefused};
use crate::control::lookup::Lookup;
use std::fmt;

/// A system as it is used.
pub(super) struct System {
    pub(super) settings: SystemSettings,
    pub(super) webhook: Option<Webhook>,
    patterns: Vec<Pattern>,
    lookup: Lookup,
    cache: Cache,
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "System({})", self.settings.name)
    }
}

impl System {
    pub(super) fn new(from: &SystemSettings, all: &TicketSettings) -> Result<Self, SetupError> {
        let wrong = |why| SetupError {
            what: format!("tickets.systems.{}", from.name),
            why,
        };
        let webhook = from.hook.as_ref().map(Webhook::new);
        Ok(Self {
            settings: from.clone(),
            webhook: webhook.transpose().map_err(wrong)?,
            patterns: from.patterns.iter().map(|it| Pattern::new(it)).collect(),
            lookup: Lookup::new(&from.lookup).map_err(wrong)?,
            cache: Cache::new(all.cache_ttl, all.cache_entries),
        })
    }

    /// Whether a ticket of this id could be one of this system's.
    pub(super) fn may_have(&self, ticket: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(ticket))
    }

    pub(super) async fn check(&self, id: &str, tenant: &str) -> Result<Ticket, TicketRefused> {
        let mapping = &self.settings.mapping;
        if let Some(told) = self.cache.get(id) {
            return mapping.judge(&told, tenant);
        }
        let answer = self.lookup.get(&[("ticket", id)]).await;
        let answer = answer
            .map_err(|why| TicketRefused::Unavailable(format!("{}: {why}", self.settings.name)))?;
        let told = mapping.read(&answer.ok_or(TicketRefused::Unknown)?, id)?;
        self.cache.put(id, &told);
        mapping.judge(&told, tenant)
    }

    pub(super) fn forget(&self, ticket: &str) {
        self.cache.forget(ticket);
    }
}
