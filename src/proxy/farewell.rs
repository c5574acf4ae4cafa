//! After a session's end: its cookies are forgotten, its tokens revoked, and the app is told, once. Whatever fails is
//! recorded and counted, and never tried again: the session is over here in any case.

use super::rewrite::jar::Place;
use super::session::State;
use super::setup::{AppOrigin, Setup};
use super::subject::{about, note, tell};
use super::upstream::forward::host_value;
use super::upstream::identity::{Live, LogoutError, Way};
use super::worker::Plane;
use crate::store::live::{LiveSession, Slot};
use http::StatusCode;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many sessions are seen out at once. The others wait for their turn; none is left out.
static TURNS: Semaphore = Semaphore::const_new(64);

/// Sees one session out. `lane`: connections that belong to the calling thread.
pub async fn say(plane: Arc<Plane>, session: Arc<LiveSession>, lane: usize) {
    let Some(state) = session.kept::<State>(Slot::Jar) else {
        return;
    };
    // The semaphore is never closed.
    let _turn = TURNS.acquire().await;
    let setup = plane.setup().clone();
    let tokens = state.identity.close();
    for origin in origins(&setup, &session) {
        log_out(&plane, &session, &state, origin, lane).await;
    }
    state.jar.clear();
    for left in tokens {
        if let Some(news) = left.revoke(plane.clock.now()).await {
            tell(&plane, &session.grant, session.id, left.upstream(), &news);
        }
    }
}

/// The app's origins, one for each upstream.
fn origins<'s>(setup: &'s Setup, session: &LiveSession) -> Vec<&'s AppOrigin> {
    let apps = setup.apps.iter();
    let mut found: Vec<&AppOrigin> = Vec::new();
    for origin in apps
        .filter(|app| app.name == session.grant.app)
        .flat_map(|app| &app.origins)
    {
        if !found
            .iter()
            .any(|known| known.upstream_name == origin.upstream_name)
        {
            found.push(origin);
        }
    }
    found
}

async fn log_out(
    plane: &Plane,
    session: &LiveSession,
    state: &State,
    origin: &AppOrigin,
    lane: usize,
) {
    let live = Live {
        session: session.id,
        grant: &session.grant,
        cache: &state.identity,
    };
    origin.identity.settle(live).await;
    let Some(logout) = origin.identity.logout(live) else {
        return;
    };
    let mut cookies = String::new();
    let place = Place {
        host: &origin.host,
        path: &logout.path,
        is_https: origin.is_https,
    };
    state
        .jar
        .write_cookies(place, plane.clock.now(), &mut cookies);
    let host = host_value(&origin.forward.host, &origin.authority);
    let way = Way {
        upstream: &origin.upstream,
        lane,
        host: host.as_ref(),
    };
    let done = origin.identity.leave(logout, way, live, &cookies).await;
    record(plane, session, origin, &done);
}

fn record(
    plane: &Plane,
    session: &LiveSession,
    origin: &AppOrigin,
    done: &Result<StatusCode, LogoutError>,
) {
    let about = about(&session.grant, session.id, &origin.upstream_name);
    let happened = match done {
        Ok(status) => {
            plane.metrics.ended_at_app("logout", "done");
            about("app.logged-out").with("status", status.as_u16())
        }
        Err(why) => {
            plane.metrics.ended_at_app("logout", "failed");
            let cause = std::error::Error::source(why).map(ToString::to_string);
            tracing::warn!(error = %why, cause, upstream = origin.upstream_name, "the app was not told that a session is over");
            about("app.not-logged-out").severe(3).with("problem", why)
        }
    };
    note(plane, &happened);
}
