//! Recordings for people: who may see one, that a reason is stated and on record before anything is shown, and how many are
//! open at once.

mod keep;

pub use keep::{Listing, State};

use super::desk::Control;
use super::duties;
use super::refusal::{Kind, Problem, Refusal};
use super::replay::{self, View, Viewer, Views};
use crate::audit::export::{
    self, ExportError, Exporter, Facts, Format, Made, Order, Ready, Wanted, package::Dossier,
};
use crate::audit::recording::{RecordingError, Tape, Undone, Viewing};
use crate::model::{Caller, Grant, Happened, Ledger, SecretHash, SessionId, Timestamp};
use crate::store::Stored;
use crate::store::control::{Noted, Tx};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Limit;
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The recordings, as the portal and the API have them.
pub struct Recordings {
    pub exporter: Exporter,
    pub views: Views,
    pub replay: ArcSwap<replay::Settings>,
    exports: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Recordings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recordings({:?})", self.views)
    }
}

/// Why somebody wants to see a recording, and by which way.
#[derive(Clone, Debug)]
pub struct Purpose {
    pub reason: String,
    /// `portal`, `api`.
    pub over: &'static str,
    /// `replay`, `export har`, …
    pub doing: String,
}

impl Ledger for Control {
    type Error = Refusal;

    fn put(&self, happened: Happened) -> Result<(), Refusal> {
        let now = self.now();
        let note = |tx: &Tx<'_>| Ok::<_, Refusal>(tx.note(happened, now)?);
        self.book.write("putting on record what happens", note)
    }
}

impl Recordings {
    pub fn new(
        exporter: Exporter,
        settings: replay::Settings,
        max_exports: usize,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            exporter,
            views: Views::new(Arc::clone(&metrics)),
            replay: ArcSwap::from_pointee(settings),
            exports: Arc::new(Semaphore::new(max_exports)),
            metrics,
        }
    }

    /// The session, for somebody who may see its recording.
    async fn admitted(
        &self,
        control: &Control,
        caller: &Caller,
        id: SessionId,
        step: &str,
    ) -> Result<(Stored, Vec<Noted>), Refusal> {
        let found = control.session(caller, id).await;
        let found = found.and_then(|(stored, history)| {
            let settings = self.replay.load();
            duties::may_see_recording(caller, &stored.grant, settings.tenant_auditors)?;
            Ok((stored, history))
        });
        if let Err(refusal) = &found {
            let about = Happened {
                session: Some(id.to_string()),
                ..Happened::default()
            };
            control.refused(caller, step, about, refusal).await;
        }
        found
    }

    /// Opens a view for a login, once it is on record.
    pub async fn look(
        &self,
        control: &Arc<Control>,
        caller: &Caller,
        login: SecretHash,
        id: SessionId,
        purpose: Purpose,
    ) -> Result<Arc<View>, Refusal> {
        let (stored, _) = self.admitted(control, caller, id, "recording.view").await?;
        let settings = self.replay.load_full();
        if let Err(refusal) = self.views.has_room(&settings, (login, id), control.now()) {
            self.metrics.hit(Limit::ReplayViews);
            return Err(refusal);
        }
        let reason = stated(&purpose.reason)?;
        let viewer = Viewer {
            session: id,
            login,
            person: caller.person.clone(),
            reason,
        };
        let tape = self.open(control, caller, id, purpose).await?;
        let tape = tape.map_err(|why| unopened(&why))?;
        let wanted = wanted(&stored, None);
        let exporter = self.exporter.clone();
        let read = move || {
            export::records(&exporter.journal, &wanted, exporter.max_records)
                .map(|entries| Facts::of(&wanted.session, &entries))
        };
        let facts = match blocking(read).await? {
            Ok(facts) => facts,
            // A recording without records: it is shown, and its exchanges say that no record tells of them.
            Err(ExportError::Unknown(session)) => Facts::of(&session, &[]),
            Err(why) => return Err(self.failed(&why)),
        };
        let now = control.now();
        Ok(self.views.open(&settings, viewer, tape, facts, now))
    }

    /// The recording, after it is on record that it is looked at, and why.
    async fn open(
        &self,
        control: &Arc<Control>,
        caller: &Caller,
        id: SessionId,
        purpose: Purpose,
    ) -> Result<Result<Tape, RecordingError>, Refusal> {
        let viewing = Viewing {
            by: caller.person.clone(),
            account: Some(caller.account.clone()),
            reason: stated(&purpose.reason)?,
            over: purpose.over,
            doing: purpose.doing,
        };
        let (library, control) = (self.exporter.library.clone(), Arc::clone(control));
        match blocking(move || library.view(id, &viewing, &*control)).await? {
            Ok(tape) => Ok(Ok(tape)),
            Err(Undone::Recording(why)) => Ok(Err(why)),
            Err(Undone::Unrecorded(why)) => Err(why),
        }
    }

    /// An export, ready to be sent. The permit is held until it is.
    pub async fn export(
        &self,
        control: &Arc<Control>,
        caller: &Caller,
        id: SessionId,
        format: Format,
        purpose: Purpose,
    ) -> Result<(Ready, OwnedSemaphorePermit), Refusal> {
        let (stored, history) = self.admitted(control, caller, id, "session.export").await?;
        let Ok(permit) = Arc::clone(&self.exports).try_acquire_owned() else {
            self.metrics.hit(Limit::Exports);
            let detail = "Too many exports are being made. Try again in a minute, or raise export.max_at_once.";
            return Err(Refusal::new(Kind::TooMany, "export.busy", detail));
        };
        let reason = stated(&purpose.reason)?;
        let made = Made {
            at: control.now(),
            by: caller.person.clone(),
            reason,
        };
        let request = stored.grant.issued_by.strip_prefix("request:");
        let request = request.map(str::to_owned);
        let (dossier, since) = dossier(control, &stored, &history, request).await?;
        let opened = self.open(control, caller, id, purpose.clone()).await?;
        if opened.is_err() {
            // Without a recording nothing of it was put on record yet; the records that are given out are.
            self.note_export(control, caller, &stored.grant, id, &purpose)
                .await?;
        }
        let order = Order {
            format,
            wanted: wanted(&stored, since),
            dossier,
            made,
        };
        let exporter = self.exporter.clone();
        let ready = blocking(move || exporter.prepare(order, opened)).await?;
        Ok((ready.map_err(|why| self.failed(&why))?, permit))
    }

    fn failed(&self, why: &ExportError) -> Refusal {
        if matches!(why, ExportError::TooMuch { .. }) {
            self.metrics.hit(Limit::SessionRecords);
        }
        failed(why)
    }

    async fn note_export(
        &self,
        control: &Control,
        caller: &Caller,
        grant: &Grant,
        id: SessionId,
        purpose: &Purpose,
    ) -> Result<(), Refusal> {
        let happened = about("session.exported", caller, grant, id)
            .with("why", purpose.reason.trim())
            .with("doing", &purpose.doing)
            .with("over", purpose.over);
        let now = control.now();
        control
            .run("recording an export", move |tx| Ok(tx.note(happened, now)?))
            .await
    }
}

fn about(code: &str, caller: &Caller, grant: &Grant, id: SessionId) -> Happened {
    let mut happened = Happened::by(code, caller).about_grant(grant);
    happened.session = Some(id.to_string());
    happened
}

fn stated(reason: &str) -> Result<String, Refusal> {
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let most = 1000;
    if reason.is_empty() || reason.chars().count() > most {
        return Err(Refusal::invalid(vec![Problem {
            field: "reason".to_owned(),
            message: format!("say in 1 to {most} characters why you look: it goes on record"),
        }]));
    }
    Ok(reason)
}

/// What names the session in records, from the moment at which it was asked for.
fn wanted(stored: &Stored, since: Option<Timestamp>) -> Wanted {
    let request = stored.grant.issued_by.strip_prefix("request:");
    Wanted {
        session: stored.session.id.to_string(),
        grant: Some(stored.grant.id.to_string()),
        request: request.map(str::to_owned),
        since: since.or(Some(stored.grant.issued_at)),
    }
}

/// What the control plane knows of it, and when that began.
async fn dossier(
    control: &Control,
    stored: &Stored,
    history: &[Noted],
    request: Option<String>,
) -> Result<(Dossier, Option<Timestamp>), Refusal> {
    let json = |value: Result<serde_json::Value, serde_json::Error>| value.ok();
    let mut dossier = Dossier {
        grant: json(serde_json::to_value(&stored.grant)),
        history: history
            .iter()
            .filter_map(|noted| json(serde_json::to_value(&noted.happened)))
            .collect(),
        ..Dossier::default()
    };
    let first = history.iter().filter_map(|noted| noted.happened.at).min();
    if let Some(request) = request {
        let read = move |tx: &Tx<'_>| {
            let found = tx.find::<crate::model::AccessRequest>(&request)?;
            let votes = match &found {
                Some(it) => tx.votes(it.id)?,
                None => Vec::new(),
            };
            Ok::<_, Refusal>((found, votes))
        };
        let (request, votes) = control.run("reading a request", read).await?;
        dossier.votes = votes
            .iter()
            .filter_map(|vote| json(serde_json::to_value(vote)))
            .collect();
        dossier.request = request.and_then(|it| json(serde_json::to_value(it)));
    }
    Ok((dossier, first))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| {
        let detail = "The recording could not be read. Try again in a moment.";
        Refusal::new(Kind::Unavailable, "recording.reading", detail)
    })
}

/// A recording that is not there, or cannot be read: which of it, in words.
fn unopened(why: &RecordingError) -> Refusal {
    let (kind, reason) = match why {
        RecordingError::Absent { .. } => (Kind::NotFound, "recording.absent"),
        RecordingError::Erased { .. } => (Kind::NotFound, "recording.erased"),
        RecordingError::Sealed { .. } => (Kind::Conflict, "recording.sealed"),
        RecordingError::Held { .. } => (Kind::Conflict, "recording.held"),
        _ => (Kind::Unavailable, "recording.unreadable"),
    };
    if kind == Kind::Unavailable {
        tracing::error!(error = %why, "a recording cannot be read");
    }
    Refusal::new(kind, reason, format!("{why}."))
}

fn failed(why: &ExportError) -> Refusal {
    match why {
        ExportError::NoRecording(_) => {
            Refusal::new(Kind::NotFound, "recording.absent", format!("{why}."))
        }
        ExportError::Unknown(_) => Refusal::not_found(),
        ExportError::TooMuch { .. } => {
            Refusal::new(Kind::Conflict, "export.bounds", format!("{why}."))
        }
        ExportError::Recording(why) => unopened(why),
        _ => {
            tracing::error!(error = %why, "an export cannot be made");
            let detail = "The evidence cannot be read now. The log of the server says why.";
            Refusal::new(Kind::Unavailable, "export.reading", detail)
        }
    }
}

#[cfg(test)]
mod testing;
