//! What people must look after, as alerts of the control plane: a sink that lags, a record that one will never take, a disk that
//! is nearly full.

use crate::audit::recording::Recorder;
use crate::audit::{Journal, RoomCounters, SinkCounters, Stand};
use crate::control::desk::Control;
use crate::model::{Alert, AlertId, AlertState, Timestamp};
use crate::store::StoreError;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often all sinks are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What was told of a sink.
#[derive(Default)]
struct Told {
    is_lagging: bool,
    poisoned: u64,
}

/// Raises an alert for each sink that begins to lag, for records set aside, and for each disk with less room than it should have,
/// for ever.
pub(super) async fn watch(control: Arc<Control>, journal: Arc<Journal>, recorder: Recorder) {
    let mut told: Vec<Told> = journal.sinks().iter().map(|_| Told::default()).collect();
    let mut stands = [Stand::Enough; 2];
    loop {
        for ((name, counters), told) in journal.sinks().iter().zip(&mut told) {
            if let Some(alert) = due(name, counters, told, control.now())
                && !raise(&control, alert).await
            {
                *told = Told::default();
            }
        }
        let rooms = [&journal.counters().room, &recorder.counters().room];
        for ((place, room), stand) in ["journal", "recordings"]
            .into_iter()
            .zip(rooms)
            .zip(&mut stands)
        {
            if let Some(alert) = low(place, room, stand, control.now())
                && !raise(&control, alert).await
            {
                *stand = Stand::Enough;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// `false`: it could not be, and is tried again.
async fn raise(control: &Control, mut alert: Alert) -> bool {
    let book = control.book.clone();
    let kind = alert.kind.clone();
    let raised = tokio::task::spawn_blocking(move || {
        book.write("an alert", |tx| {
            tx.insert(&mut alert)?;
            Ok::<_, StoreError>(())
        })
    });
    let Ok(Err(error)) = raised.await else {
        return true;
    };
    tracing::error!(%error, kind, "an alert could not be raised");
    false
}

/// An alert where there is less room than before.
fn low(place: &str, room: &RoomCounters, told: &mut Stand, now: Timestamp) -> Option<Alert> {
    let stand = room.stand();
    let before = std::mem::replace(told, stand);
    if stand <= before {
        return None;
    }
    let free = room.free.load(Ordering::Relaxed).to_string();
    let what = if stand == Stand::Out {
        "Too little room is left: requests are refused"
    } else {
        "Little room is left"
    };
    let details = vec![("place", place.to_owned()), ("free_bytes", free)];
    Some(alert(
        "disk.room",
        format!("{what} (the {place}'s disk)"),
        details,
        now,
    ))
}

fn due(name: &str, counters: &SinkCounters, told: &mut Told, now: Timestamp) -> Option<Alert> {
    let is_lagging = counters.lagging.load(Ordering::Relaxed);
    let poisoned = counters.poisoned.load(Ordering::Relaxed);
    let began = is_lagging && !told.is_lagging;
    let fresh = poisoned.saturating_sub(told.poisoned);
    *told = Told {
        is_lagging,
        poisoned,
    };
    let number = |gauge: &std::sync::atomic::AtomicU64| gauge.load(Ordering::Relaxed).to_string();
    let (kind, summary, details) = if began {
        let details = vec![
            ("records", number(&counters.lag)),
            ("bytes", number(&counters.lag_bytes)),
            ("seconds", number(&counters.lag_seconds)),
        ];
        let summary = format!("Sink {name} is further behind than it may be");
        ("sink.lag", summary, details)
    } else if fresh > 0 {
        let summary = format!("Sink {name} will never take {fresh} records: they are set aside");
        (
            "sink.poisoned",
            summary,
            vec![("records", fresh.to_string())],
        )
    } else {
        return None;
    };
    let sink = std::iter::once(("sink", name.to_owned()));
    Some(alert(kind, summary, sink.chain(details).collect(), now))
}

fn alert(kind: &str, summary: String, details: Vec<(&str, String)>, now: Timestamp) -> Alert {
    Alert {
        id: AlertId::fresh(),
        kind: kind.to_owned(),
        severity: "error".to_owned(),
        summary,
        app: String::new(),
        tenant: String::new(),
        operator: String::new(),
        details: details
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
        at: now,
        state: AlertState::Waiting,
        taken_by: Vec::new(),
        attempts: 0,
        next_at: now,
        version: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_is_told_once() {
        let (counters, mut told) = (SinkCounters::default(), Told::default());
        let mut kinds = |lagging, poisoned| {
            counters.lagging.store(lagging, Ordering::Relaxed);
            counters.poisoned.store(poisoned, Ordering::Relaxed);
            let alert = due("siem", &counters, &mut told, Timestamp::now());
            alert.map(|alert| alert.kind)
        };
        assert_eq!(kinds(false, 0), None);
        assert_eq!(kinds(true, 0).as_deref(), Some("sink.lag"));
        assert_eq!(kinds(true, 0), None);
        assert_eq!(kinds(true, 2).as_deref(), Some("sink.poisoned"));
        assert_eq!(kinds(false, 2), None);
        assert_eq!(kinds(true, 2).as_deref(), Some("sink.lag"));
    }
}
