//! What the data plane keeps with each live session: made once, at its first request.

use super::rewrite::banner;
use super::rewrite::jar::Jar;
use super::rewrite::origins::Origins;
use super::setup::{App, Setup};
use super::upstream::identity::IdentityCache;
use crate::audit::SessionPart;
use crate::model::{Binding, Grant, Secret, Session, SessionId, Timestamp};
use crate::store::live::{LiveSession, Slot, Tombstone};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// How long a browser may take from one of a session's origins to the next.
const HANDOFF: Duration = Duration::from_secs(30);

/// How many hand-offs of one session may be open: one for each origin is enough.
const MAX_HANDOFFS: usize = 16;

/// The state of one session here. Dropped with the session.
pub struct State {
    pub jar: Jar,
    pub part: SessionPart,
    pub origins: Origins,
    pub identity: IdentityCache,
    pub banner: Arc<banner::Prepared>,
    handoffs: Mutex<Vec<Handoff>>,
}

struct Handoff {
    code: crate::model::SecretHash,
    cookie: Secret,
    until: Timestamp,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("jar", &self.jar)
            .finish_non_exhaustive()
    }
}

/// The state of `live`, made now if this is its first request.
pub fn state(live: &LiveSession, app: &App, setup: &Setup) -> Option<Arc<State>> {
    live.keep(Slot::Jar, || State::new(live, app, setup))
}

/// A session that a request named and that may not act (any more): whom its refusal is put down to.
#[derive(Debug)]
pub struct Former {
    pub part: SessionPart,
    pub app: String,
}

impl Former {
    pub fn of_ended(grave: &Tombstone, setup: &Setup) -> Self {
        Self::new(&grave.grant, grave.session, setup)
    }

    pub fn of_live(live: &LiveSession, setup: &Setup) -> Self {
        Self::new(&live.grant, live.id, setup)
    }

    fn new(grant: &Grant, id: SessionId, setup: &Setup) -> Self {
        let session = Session {
            id,
            grant: grant.id,
            cookie: None,
            binding: Binding::default(),
            started_at: None,
            ended: None,
        };
        Self {
            part: SessionPart::new(grant, &session, setup.max_field),
            app: grant.app.clone(),
        }
    }
}

impl State {
    fn new(live: &LiveSession, app: &App, setup: &Setup) -> Self {
        let session = Session {
            id: live.id,
            grant: live.grant.id,
            cookie: None,
            binding: live.binding.clone(),
            started_at: live.started_at,
            ended: None,
        };
        let origins = setup.origins(app, live.id);
        let origin = origins
            .pairs()
            .first()
            .map_or("", |pair| pair.session.as_str());
        Self {
            jar: Jar::new(setup.limits.jar),
            part: SessionPart::new(&live.grant, &session, setup.max_field),
            banner: Arc::new(banner::Prepared::new(&banner::Facts::new(
                live.id,
                &live.grant,
                origin,
            ))),
            origins,
            identity: IdentityCache::default(),
            handoffs: Mutex::default(),
        }
    }

    /// A code that carries `cookie` to the session's next origin: single use, 30 s, in memory only.
    pub fn hand_off(&self, cookie: Secret, now: Timestamp) -> Option<Secret> {
        let code = Secret::fresh().ok()?;
        let mut handoffs = self.handoffs.lock();
        handoffs.retain(|open| open.until > now);
        if handoffs.len() >= MAX_HANDOFFS {
            return None;
        }
        handoffs.push(Handoff {
            code: code.hash(),
            cookie,
            until: now.plus(HANDOFF),
        });
        Some(code)
    }

    /// Redeems what [`State::hand_off`] gave.
    pub fn take_handoff(&self, code: &Secret, now: Timestamp) -> Option<Secret> {
        let mut handoffs = self.handoffs.lock();
        let at = handoffs
            .iter()
            .position(|open| open.code.matches(code) && open.until > now)?;
        Some(handoffs.swap_remove(at).cookie)
    }
}
