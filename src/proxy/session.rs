//! What the data plane keeps with each live session: made once, at its first request.

use super::handoffs::{Handoffs, NoHandoff};
use super::rewrite::banner;
use super::rewrite::jar::Jar;
use super::rewrite::origins::Origins;
use super::setup::{App, Setup};
use super::upstream::identity::IdentityCache;
use super::worker::Plane;
use crate::audit::SessionPart;
use crate::model::{Binding, Grant, Secret, Session, SessionId};
use crate::store::live::{LiveSession, Slot, Tombstone};
use std::sync::Arc;

/// The state of one session here. Dropped with the session.
pub struct State {
    pub jar: Jar,
    pub part: SessionPart,
    pub origins: Origins,
    pub identity: IdentityCache,
    pub banner: Arc<banner::Prepared>,
    handoffs: Handoffs,
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
            handoffs: Handoffs::default(),
        }
    }

    /// A code that carries `cookie` to the session's next origin.
    pub fn hand_off(&self, plane: &Plane, setup: &Setup, cookie: Secret) -> Option<Secret> {
        let limits = &setup.limits;
        let now = plane.clock.now();
        let given = self
            .handoffs
            .give(cookie, now, limits.handoff_timeout, limits.max_handoffs);
        counted(plane, given)
    }

    /// Redeems what [`State::hand_off`] gave.
    pub fn take_handoff(&self, plane: &Plane, code: &Secret) -> Option<Secret> {
        counted(plane, self.handoffs.take(code, plane.clock.now()))
    }
}

fn counted(plane: &Plane, done: Result<Secret, NoHandoff>) -> Option<Secret> {
    if let Some(limit) = done.as_ref().err().and_then(|why| why.limit()) {
        plane.metrics.hit(limit);
    }
    done.ok()
}
