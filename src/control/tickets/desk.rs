//! All ticket systems together: which one is asked, and what their messages say.

use super::hook::{Hook, HookBounds, HookRefused, HookSays};
use super::pattern::Pattern;
use super::settings::{SetupError, TicketSettings};
use super::system::System;
use crate::control::desk::{Answer, Ticket, TicketRefused, Tickets};
use crate::model::Timestamp;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// The ticket systems of the configuration. Without any, a ticket only has to look like one.
#[derive(Debug)]
pub struct TicketDesk {
    current: ArcSwap<Systems>,
}

/// Systems that were made to work and are not used yet.
#[derive(Debug)]
pub struct Prepared(Arc<Systems>);

#[derive(Debug)]
struct Systems {
    systems: Vec<System>,
    patterns: Vec<Pattern>,
}

impl Systems {
    fn new(settings: &TicketSettings) -> Result<Self, SetupError> {
        let systems = settings.systems.iter();
        Ok(Self {
            systems: systems
                .map(|system| System::new(system, settings))
                .collect::<Result<_, _>>()?,
            patterns: settings
                .patterns
                .iter()
                .map(|it| Pattern::new(it))
                .collect(),
        })
    }

    async fn check(&self, ticket: &str, tenant: &str) -> Result<Ticket, TicketRefused> {
        let ticket = ticket.trim();
        if let Some(system) = self.systems.iter().find(|it| it.may_have(ticket)) {
            return system.check(ticket, tenant).await;
        }
        let looks_right = self.patterns.iter().any(|pattern| pattern.matches(ticket));
        if self.systems.is_empty() && looks_right {
            return Ok(Ticket {
                id: ticket.to_owned(),
                title: None,
            });
        }
        Err(TicketRefused::Unknown)
    }

    /// The system that a message is said to be from.
    fn sender(&self, name: Option<&str>) -> Result<&System, HookRefused> {
        let mut senders = self.systems.iter().filter(|it| it.webhook.is_some());
        match name {
            Some(name) => senders
                .find(|it| it.settings.name == name)
                .ok_or(HookRefused::NoSystem),
            None => match (senders.next(), senders.next()) {
                (Some(only), None) => Ok(only),
                _ => Err(HookRefused::NoSystem),
            },
        }
    }
}

impl TicketDesk {
    /// # Errors
    /// The first system that cannot be made to work.
    pub fn new(settings: &TicketSettings) -> Result<Self, SetupError> {
        Ok(Self {
            current: ArcSwap::from_pointee(Systems::new(settings)?),
        })
    }

    /// Makes new systems without using them: a reload of which another part fails changes nothing.
    ///
    /// # Errors
    /// As [`TicketDesk::new`].
    pub fn prepare(settings: &TicketSettings) -> Result<Prepared, SetupError> {
        Ok(Prepared(Arc::new(Systems::new(settings)?)))
    }

    /// Replaces all systems.
    pub fn put(&self, prepared: Prepared) {
        self.current.store(prepared.0);
    }
}

impl Tickets for TicketDesk {
    fn check<'a>(
        &'a self,
        ticket: &'a str,
        tenant: &'a str,
    ) -> Answer<'a, Result<Ticket, TicketRefused>> {
        let systems = self.current.load_full();
        Box::pin(async move { systems.check(ticket, tenant).await })
    }

    fn hook_bounds(&self, system: Option<&str>) -> Result<HookBounds, HookRefused> {
        let systems = self.current.load();
        let sender = systems.sender(system)?;
        let webhook = sender.webhook.as_ref().ok_or(HookRefused::NoSystem)?;
        Ok(webhook.bounds())
    }

    fn hook(&self, hook: &Hook<'_>) -> Result<HookSays, HookRefused> {
        let systems = self.current.load();
        let sender = systems.sender(hook.system)?;
        let webhook = sender.webhook.as_ref().ok_or(HookRefused::NoSystem)?;
        let says = webhook.read(&sender.settings.name, &sender.settings.mapping, hook)?;
        if let Some(ticket) = &says.closed {
            // A system's secret ends what is its own, never what another's ticket gave.
            let owner = systems.systems.iter().find(|it| it.may_have(ticket));
            if owner.is_none_or(|owner| owner.settings.name != sender.settings.name) {
                return Err(HookRefused::Foreign);
            }
            sender.forget(ticket);
        }
        Ok(says)
    }

    fn hook_done(&self, says: &HookSays, now: Timestamp) {
        let systems = self.current.load();
        let sender = systems.sender(Some(&says.system));
        if let Some(webhook) = sender.ok().and_then(|it| it.webhook.as_ref()) {
            webhook.done(says, now);
        }
    }
}
