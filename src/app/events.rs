//! Session events into the journal: each once, also those that happened in another process.

use crate::audit::{Event, SessionPart};
use crate::model::{Session, Used};
use crate::proxy::farewell;
use crate::proxy::worker::Plane;
use crate::store::live::{self, SessionEvent};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// How long to wait before trying again to record an event that the journal refused.
const RETRY: Duration = Duration::from_millis(250);

/// Records events until the store stops sending them.
///
/// `lane`: upstream connections that belong to this thread.
pub(super) async fn record(plane: Arc<Plane>, mut events: Receiver<SessionEvent>, lane: usize) {
    while let Some(event) = events.recv().await {
        let used = see_out(&plane, &event, lane).await;
        while let Err(error) = record_one(&plane, &event, used).await {
            tracing::error!(%error, "a session event waits for the journal");
            tokio::time::sleep(RETRY).await;
        }
        plane.live.recorded(&event);
        let open = i64::try_from(plane.live.stats().open).unwrap_or(i64::MAX);
        plane.metrics.live_sessions.set(open);
    }
}

/// How long the last bytes of what was cut may take to be counted before the summary is written without them.
const SETTLE: Duration = Duration::from_millis(250);

/// Sees an ended session out: its credentials at the app are ended beside, what it was used for is summed up here.
async fn see_out(plane: &Arc<Plane>, event: &SessionEvent, lane: usize) -> Option<Used> {
    let live::Event::Ended { .. } = event.event else {
        return None;
    };
    let remains = plane.live.take_remains(event.session)?;
    tokio::spawn(farewell::say(Arc::clone(plane), Arc::clone(&remains), lane));
    let began = tokio::time::Instant::now();
    while remains.usage().is_busy() && began.elapsed() < SETTLE {
        tokio::time::sleep(SETTLE / 50).await;
    }
    Some(remains.usage().so_far())
}

async fn record_one(
    plane: &Plane,
    event: &SessionEvent,
    used: Option<Used>,
) -> Result<(), crate::audit::Refused> {
    let grant = &event.grant;
    let session = Session {
        id: event.session,
        grant: grant.id,
        cookie: None,
        binding: crate::model::Binding::default(),
        started_at: None,
        ended: None,
    };
    let part = SessionPart::new(grant, &session, plane.setup().max_field);
    match &event.event {
        live::Event::Issued => {
            plane
                .journal
                .event(&Event::GrantIssued {
                    grant: &part,
                    by: &grant.issued_by,
                })
                .await
        }
        live::Event::Started { client, .. } => {
            plane
                .journal
                .event(&Event::SessionStarted {
                    session: &part,
                    client: *client,
                })
                .await
        }
        live::Event::Ended { ended, .. } => {
            plane.recorder.session_ended(event.session);
            plane
                .journal
                .event(&Event::SessionEnded {
                    session: &part,
                    cause: ended.cause,
                    by: &ended.by,
                    used,
                })
                .await
        }
    }
}
