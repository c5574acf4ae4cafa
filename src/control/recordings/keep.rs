//! Recordings as things that are kept: which there are, holds on them, and their erasing, which takes two people. What they
//! hold is not looked at here.

use super::{Recordings, blocking, stated, unopened};
use crate::audit::recording::{
    Asked, Erased, Hold, HoldOn, Library, RecordingError, Step, Summary, Undone,
};
use crate::control::desk::Control;
use crate::control::duties;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{Caller, Happened, SessionId, Timestamp, Verdict};
use crate::store::control::Tx;
use std::sync::Arc;
use std::time::Duration;

/// Recordings that are looked at for one page of a list.
const LOOKS: usize = 5_000;
/// How long somebody else has to agree to an erasing.
const ASKED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What is to become of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Kept,
    Held,
    /// Somebody asked for it to be erased.
    Asked,
    Erased,
}

impl State {
    pub fn of(summary: &Summary, now: Timestamp) -> Self {
        let asked = summary.about.asked.as_ref();
        if summary.erased().is_some() {
            Self::Erased
        } else if !summary.holds.is_empty() {
            Self::Held
        } else if asked.is_some_and(|asked| now < asked.until) {
            Self::Asked
        } else {
            Self::Kept
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Held => "held",
            Self::Asked => "asked",
            Self::Erased => "erased",
        }
    }
}

/// Which recordings.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    pub tenant: Option<String>,
    pub state: Option<State>,
    pub after: Option<SessionId>,
    pub limit: usize,
}

impl Recordings {
    fn may_know(&self, caller: &Caller, summary: &Summary) -> bool {
        let theirs = self.replay.load().tenant_auditors;
        let about = &summary.about;
        duties::may_see_recordings_of(caller, &about.tenant, &about.app, theirs).is_ok()
    }

    /// Recordings within the caller's seats, the newest first, and where the next page begins.
    pub async fn list(
        self: &Arc<Self>,
        control: &Control,
        caller: &Caller,
        asked: Listing,
    ) -> Result<(Vec<Summary>, Option<SessionId>), Refusal> {
        let (own, caller, now) = (Arc::clone(self), caller.clone(), control.now());
        let read = move || {
            let wanted = |it: &Summary| {
                let tenant = asked.tenant.as_ref();
                tenant.is_none_or(|tenant| *tenant == it.about.tenant)
                    && asked.state.is_none_or(|state| state == State::of(it, now))
                    && own.may_know(&caller, it)
            };
            let library = &own.exporter.library;
            library.page(asked.after, asked.limit, LOOKS, wanted)
        };
        blocking(read).await?.map_err(|why| unopened(&why))
    }

    /// What is known of one from outside.
    pub async fn one(self: &Arc<Self>, caller: &Caller, id: SessionId) -> Result<Summary, Refusal> {
        let library = self.exporter.library.clone();
        let found = blocking(move || library.summary(id)).await?;
        match found {
            Ok(summary) if self.may_know(caller, &summary) => Ok(summary),
            Ok(_) => Err(Refusal::not_found()),
            Err(why) => Err(unknown(&why)),
        }
    }

    /// Holds within the caller's seats, the oldest first.
    pub async fn holds(self: &Arc<Self>, caller: &Caller) -> Result<Vec<Hold>, Refusal> {
        let (own, caller) = (Arc::clone(self), caller.clone());
        let read = move || {
            let library = &own.exporter.library;
            let theirs = own.replay.load().tenant_auditors;
            let mut holds = library.holds()?;
            holds.retain(|hold| {
                let about = session(library, &hold.on);
                let about = about.as_ref().map(|it| &it.about);
                duties::may_see_hold(&caller, &hold.on, about, theirs)
            });
            Ok(holds)
        };
        blocking(read).await?.map_err(|why| unopened(&why))
    }

    /// Forbids erasing.
    pub async fn hold(
        self: &Arc<Self>,
        control: &Arc<Control>,
        caller: &Caller,
        on: HoldOn,
        reason: &str,
    ) -> Result<Hold, Refusal> {
        let reason = stated(reason)?;
        let (own, desk, who) = (Arc::clone(self), Arc::clone(control), caller.clone());
        let about = Happened::default().with("on", &on);
        let work = move || {
            let library = &own.exporter.library;
            let found = session(library, &on);
            duties::may_hold(&who, &on, found.as_ref().map(|it| &it.about))?;
            let hold = Hold::new(on, &reason, &who.person, desk.now());
            library.hold(hold, &*desk).map_err(undone)
        };
        let done = blocking(work).await.and_then(|it| it);
        told(control, caller, "recording.hold", about, done).await
    }

    /// Takes a hold away.
    pub async fn release(
        self: &Arc<Self>,
        control: &Arc<Control>,
        caller: &Caller,
        id: &str,
        reason: &str,
    ) -> Result<Hold, Refusal> {
        let reason = stated(reason)?;
        let (own, desk, who) = (Arc::clone(self), Arc::clone(control), caller.clone());
        let about = Happened::default().with("hold", id);
        let id = id.to_owned();
        let work = move || {
            let library = &own.exporter.library;
            let holds = library.holds().map_err(|why| unopened(&why))?;
            let hold = holds.into_iter().find(|hold| hold.id == id);
            let hold = hold.ok_or_else(Refusal::not_found)?;
            let found = session(library, &hold.on);
            let about = found.as_ref().map(|it| &it.about);
            let theirs = own.replay.load().tenant_auditors;
            if !duties::may_see_hold(&who, &hold.on, about, theirs) {
                return Err(Refusal::not_found());
            }
            duties::may_hold(&who, &hold.on, about)?;
            let released = library.release(&id, &who.person, &reason, &*desk);
            released.map_err(undone)?.ok_or_else(Refusal::not_found)
        };
        let done = blocking(work).await.and_then(|it| it);
        told(control, caller, "recording.release", about, done).await
    }

    /// Asks for a recording to be erased. `version`: what the caller saw (`If-Match`); `None`: whatever.
    pub async fn ask_erasing(
        self: &Arc<Self>,
        control: &Arc<Control>,
        caller: &Caller,
        id: SessionId,
        reason: &str,
        version: Option<i64>,
    ) -> Result<Summary, Refusal> {
        let (reason, now) = (stated(reason)?, control.now());
        let is_live = is_live(control, id).await?;
        let who = caller.clone();
        let decide = move |summary: &Summary| {
            duties::may_ask_erasing(&who, &summary.about)?;
            is_current(summary, version)?;
            if is_live {
                let detail = "The session is not over: end it first.";
                return Err(Refusal::conflict("recording.live", detail));
            }
            if State::of(summary, now) == State::Asked {
                return Err(Refusal::conflict(
                    "erasure.asked",
                    "Somebody asked for this already: it waits for an answer.",
                ));
            }
            Ok(Step::Ask(Asked {
                at: now,
                by: who.person.clone(),
                account: who.account.clone(),
                why: reason,
                until: now.plus(ASKED),
            }))
        };
        self.step(control, caller, id, "recording.erase", decide)
            .await
    }

    /// Another person's answer: a yes erases at once.
    pub async fn answer_erasing(
        self: &Arc<Self>,
        control: &Arc<Control>,
        caller: &Caller,
        id: SessionId,
        verdict: Verdict,
        reason: &str,
        version: Option<i64>,
    ) -> Result<Summary, Refusal> {
        let (reason, now) = (stated(reason)?, control.now());
        let settings = control.settings.load_full();
        let who = caller.clone();
        let decide = move |summary: &Summary| {
            duties::may_ask_erasing(&who, &summary.about)?;
            is_current(summary, version)?;
            let asked = summary.about.asked.as_ref();
            let asked = asked.filter(|asked| now < asked.until).ok_or_else(|| {
                let detail = "Nobody asked for this recording to be erased, or too long ago.";
                Refusal::conflict("erasure.not-asked", detail)
            })?;
            let step_up = &settings.step_up;
            duties::may_answer_erasing(&who, &summary.about, asked, verdict, step_up, now)?;
            Ok(match verdict {
                Verdict::Deny => Step::Refuse {
                    by: who.person.clone(),
                    why: reason,
                },
                Verdict::Approve => Step::Erase(Erased {
                    at: now,
                    by: asked.by.clone(),
                    why: asked.why.clone(),
                    agreed: Some(who.person.clone()),
                }),
            })
        };
        self.step(control, caller, id, "recording.erase-vote", decide)
            .await
    }

    /// Takes a step with one that the caller may know of.
    async fn step(
        self: &Arc<Self>,
        control: &Arc<Control>,
        caller: &Caller,
        id: SessionId,
        step: &'static str,
        decide: impl FnOnce(&Summary) -> Result<Step, Refusal> + Send + 'static,
    ) -> Result<Summary, Refusal> {
        let (own, desk, who) = (Arc::clone(self), Arc::clone(control), caller.clone());
        let about = Happened {
            session: Some(id.to_string()),
            ..Happened::default()
        };
        let work = move || {
            let decide = |summary: &Summary| {
                if !own.may_know(&who, summary) {
                    return Err(Refusal::not_found());
                }
                decide(summary)
            };
            let done = own.exporter.library.step(id, decide, &*desk);
            done.map_err(undone)
        };
        let done = blocking(work).await.and_then(|it| it);
        told(control, caller, step, about, done).await
    }
}

/// What is still being recorded is not erased.
async fn is_live(control: &Control, id: SessionId) -> Result<bool, Refusal> {
    let now = control.now();
    let read = move |tx: &Tx<'_>| Ok::<_, Refusal>(tx.session(id)?);
    let found = control.run("reading a session", read).await?;
    Ok(found.is_some_and(|it| it.session.ended.is_none() && now < it.grant.expires_at))
}

fn session(library: &Library, on: &HoldOn) -> Option<Summary> {
    match on {
        HoldOn::Session(id) => library.summary(*id).ok(),
        _ => None,
    }
}

fn is_current(summary: &Summary, version: Option<i64>) -> Result<(), Refusal> {
    if version.is_some_and(|version| version != summary.version()) {
        let detail = "The recording, or what holds it, has changed since you read it.";
        return Err(Refusal::new(Kind::Stale, "stale", detail));
    }
    Ok(())
}

/// Puts a no on record.
async fn told<T>(
    control: &Control,
    caller: &Caller,
    step: &str,
    about: Happened,
    done: Result<T, Refusal>,
) -> Result<T, Refusal> {
    if let Err(refusal) = &done {
        control.refused(caller, step, about, refusal).await;
    }
    done
}

fn undone(why: Undone<Refusal>) -> Refusal {
    match why {
        Undone::Recording(why @ RecordingError::Erased { .. }) => {
            Refusal::conflict("recording.erased", format!("{why}."))
        }
        Undone::Recording(why) => unknown(&why),
        Undone::Unrecorded(refusal) => refusal,
    }
}

/// One that is not there looks like one that the caller may not know of.
fn unknown(why: &RecordingError) -> Refusal {
    match unopened(why) {
        it if it.reason == "recording.absent" => Refusal::not_found(),
        it => it,
    }
}
