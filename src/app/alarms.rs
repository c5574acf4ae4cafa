//! What sinks need people for, as alerts of the control plane: one that lags, a record that one will never take.

use crate::audit::{Journal, SinkCounters};
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

/// Raises an alert for each sink that begins to lag and for records set aside, for ever.
pub(super) async fn watch(control: Arc<Control>, journal: Arc<Journal>) {
    let mut told: Vec<Told> = journal.sinks().iter().map(|_| Told::default()).collect();
    if told.is_empty() {
        return;
    }
    loop {
        for ((name, counters), told) in journal.sinks().iter().zip(&mut told) {
            let Some(mut alert) = due(name, counters, told, control.now()) else {
                continue;
            };
            let book = control.book.clone();
            let raised = tokio::task::spawn_blocking(move || {
                book.write("an alert of a sink", |tx| {
                    tx.insert(&mut alert)?;
                    Ok::<_, StoreError>(())
                })
            });
            if let Ok(Err(error)) = raised.await {
                tracing::error!(%error, sink = name, "an alert of a sink could not be raised");
                *told = Told::default();
            }
        }
        tokio::time::sleep(LOOK).await;
    }
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
    Some(Alert {
        id: AlertId::fresh(),
        kind: kind.to_owned(),
        severity: "error".to_owned(),
        summary,
        app: String::new(),
        tenant: String::new(),
        operator: String::new(),
        details: std::iter::once(("sink", name.to_owned()))
            .chain(details)
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
        at: now,
        state: AlertState::Waiting,
        taken_by: Vec::new(),
        attempts: 0,
        next_at: now,
        version: 0,
    })
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
