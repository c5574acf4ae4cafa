//! What a ticket system's signed message says: which ticket is closed, believed once and only for a while.

use super::hook::{Hook, HookBounds, HookRefused, HookSays};
use super::mapping::scalar;
use super::settings::{HookSettings, Mapping, Scheme};
use super::signature::Keys;
use crate::control::lookup;
use crate::model::Timestamp;
use parking_lot::Mutex;
use std::collections::HashMap;

/// Where Jira's messages say when they were sent: milliseconds since 1970.
const HUB_TIME: &str = "/timestamp";

/// The messages of one system.
#[derive(Debug)]
pub(super) struct Webhook {
    settings: HookSettings,
    keys: Keys,
    /// Messages that were acted on. Only signed ones are here, and so many; the store remembers all.
    seen: Mutex<HashMap<[u8; 32], Timestamp>>,
}

impl Webhook {
    pub(super) fn new(settings: &HookSettings) -> Result<Self, lookup::SetupError> {
        let secrets = lookup::secrets(&settings.secret)?;
        let keys = Keys::new(settings.scheme, &secrets);
        let keys = keys.ok_or_else(|| lookup::SetupError::Secret {
            at: settings.secret.to_string(),
            why: "it is not `whsec_` and base64 of 24 bytes or more".to_owned(),
        })?;
        Ok(Self {
            settings: settings.clone(),
            keys,
            seen: Mutex::default(),
        })
    }

    pub(super) fn bounds(&self) -> HookBounds {
        HookBounds {
            bytes: self.settings.max_body,
            time: self.settings.timeout,
        }
    }

    /// What a message says, if it is to be believed.
    pub(super) fn read(
        &self,
        system: &str,
        mapping: &Mapping,
        hook: &Hook<'_>,
    ) -> Result<HookSays, HookRefused> {
        let settings = &self.settings;
        let signed = self.keys.check(settings.scheme, hook.headers, hook.body)?;
        let body: serde_json::Value = serde_json::from_slice(hook.body)
            .map_err(|_| HookRefused::Unreadable("JSON body".to_owned()))?;
        let at = match (signed.at, settings.scheme) {
            (Some(at), _) => at,
            (None, Scheme::Hub) => body
                .pointer(HUB_TIME)
                .and_then(serde_json::Value::as_i64)
                .map(Timestamp::from_millis)
                .ok_or_else(|| HookRefused::Unreadable(HUB_TIME.to_owned()))?,
            (None, _) => return Err(HookRefused::Stale),
        };
        let until = at.plus(settings.tolerance);
        if hook.now > until || at > hook.now.plus(settings.tolerance) {
            return Err(HookRefused::Stale);
        }
        let seen = self.seen.lock().contains_key(&signed.mark);
        let closed = if seen {
            None
        } else {
            self.closed(mapping, &body)?
        };
        Ok(HookSays {
            system: system.to_owned(),
            closed,
            seen: signed.mark,
            until,
        })
    }

    /// The ticket, if what happened closes it.
    fn closed(
        &self,
        mapping: &Mapping,
        body: &serde_json::Value,
    ) -> Result<Option<String>, HookRefused> {
        let settings = &self.settings;
        let at = |place: &Option<String>| place.as_ref().and_then(|place| scalar(body, place));
        let event = at(&settings.event);
        let ends = event.is_some_and(|event| settings.closing_events.contains(&event));
        let state = at(&settings.state);
        // A message about something else (a comment) says no state.
        let closes = ends || state.is_some_and(|state| !mapping.is_open(&state));
        if !closes {
            return Ok(None);
        }
        let ticket = scalar(body, &settings.ticket);
        ticket
            .map(Some)
            .ok_or_else(|| HookRefused::Unreadable(settings.ticket.clone()))
    }

    /// Remembers a message that was acted on, until nobody would believe it any more.
    pub(super) fn done(&self, says: &HookSays, now: Timestamp) {
        let (mut seen, most) = (self.seen.lock(), self.settings.max_remembered);
        if seen.len() >= most {
            seen.retain(|_, until| *until >= now);
        }
        if seen.len() >= most {
            seen.clear();
        }
        seen.insert(says.seen, says.until);
    }
}
