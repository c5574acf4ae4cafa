//! Recordings as things that are kept, and holds on them.

use super::word::{RecordingState, Tier};
use crate::audit::recording::{Hold, HoldOn, Summary};
use crate::control::api::text::{HoldRef, Moment, SessionRef};
use crate::control::recordings::State;
use crate::model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// What is known of a session's recording from outside. What it holds is shown by the portal and by exports alone.
#[derive(Serialize, ToSchema)]
#[schema(as = Recording)]
pub(in crate::control::api) struct RecordingView {
    session: SessionRef,
    grant: String,
    app: String,
    tenant: String,
    subject: String,
    operator: String,
    /// The highest of what was recorded.
    tier: Tier,
    break_glass: bool,
    opened_at: Moment,
    /// Last.
    written_at: Moment,
    /// Sealed, on the disk.
    bytes: u64,
    state: RecordingState,
    /// It is not erased while there is one.
    holds: Vec<HoldView>,
    /// Somebody asked for it to be erased.
    erasure: Option<ErasureView>,
    /// It was.
    erased: Option<ErasedView>,
    /// The `ETag`.
    version: i64,
}

/// Asked for; somebody else must agree.
#[derive(Serialize, ToSchema)]
#[schema(as = Erasure)]
pub(in crate::control::api) struct ErasureView {
    by: String,
    reason: String,
    at: Moment,
    /// Not agreed to by then: void.
    until: Moment,
}

/// How it went.
#[derive(Serialize, ToSchema)]
#[schema(as = Erased)]
pub(in crate::control::api) struct ErasedView {
    by: String,
    reason: String,
    at: Moment,
    agreed_by: Option<String>,
}

/// A legal hold.
#[derive(Serialize, ToSchema)]
#[schema(as = Hold)]
pub(in crate::control::api) struct HoldView {
    id: HoldRef,
    #[schema(example = "tenant:acme")]
    key: String,
    reason: String,
    by: String,
    at: Moment,
}

/// Some recordings, newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct Recordings {
    pub items: Vec<RecordingView>,
    /// Give it as `after` for the next page; `null`: that was all.
    pub next: Option<String>,
}

/// All holds, oldest first.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct Holds {
    pub items: Vec<HoldView>,
}

impl RecordingView {
    pub(in crate::control::api) fn of(it: &Summary, now: Timestamp) -> Self {
        let about = &it.about;
        let asked = about.asked.as_ref().filter(|asked| now < asked.until);
        Self {
            session: SessionRef(about.session),
            grant: about.grant.to_string(),
            app: about.app.clone(),
            tenant: about.tenant.clone(),
            subject: about.subject.clone(),
            operator: about.operator.clone(),
            tier: Tier(about.tier.as_str()),
            break_glass: about.break_glass,
            opened_at: Moment(about.opened_at),
            written_at: Moment(it.written_at),
            bytes: it.bytes,
            state: RecordingState(State::of(it, now).as_str()),
            holds: it.holds.iter().map(HoldView::from).collect(),
            erasure: asked.map(|asked| ErasureView {
                by: asked.by.clone(),
                reason: asked.why.clone(),
                at: Moment(asked.at),
                until: Moment(asked.until),
            }),
            erased: it.erased().map(|erased| ErasedView {
                by: erased.by.clone(),
                reason: erased.why.clone(),
                at: Moment(erased.at),
                agreed_by: erased.agreed.clone(),
            }),
            version: it.version(),
        }
    }
}

impl From<&Hold> for HoldView {
    fn from(it: &Hold) -> Self {
        let key = match &it.on {
            HoldOn::Session(id) => format!("session:{id}"),
            HoldOn::Tenant(id) => format!("tenant:{id}"),
            HoldOn::Subject(id) => format!("subject:{id}"),
        };
        Self {
            id: HoldRef(it.id.clone()),
            key,
            reason: it.reason.clone(),
            by: it.by.clone(),
            at: Moment(it.at),
        }
    }
}
