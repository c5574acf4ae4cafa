//! Who looks at which recording, why, and until when. A view is one person's, by their login; a frame is one page in it, on an
//! origin of its own, so that pages that are replayed side by side share nothing.

use super::index::{Cursor, Index};
use super::mapping::Mapping;
use super::settings::Settings;
use crate::audit::export::Facts;
use crate::audit::recording::{Tape, Taped};
use crate::control::refusal::{Kind, Refusal};
use crate::model::{ExchangeId, Secret, SecretHash, SessionId, Timestamp};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Limit;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long the way into a frame is open.
const CODE_TIME: Duration = Duration::from_secs(60);

/// One person's look at one session's recording.
pub struct View {
    pub session: SessionId,
    /// The login that it is good for.
    pub login: SecretHash,
    pub person: String,
    pub reason: String,
    pub until: Timestamp,
    pub tape: Tape,
    pub facts: Facts,
    pub(super) index: Index,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View({} by {})", self.session, self.person)
    }
}

impl View {
    pub fn exchange(&self, id: ExchangeId) -> Option<&Taped> {
        self.place(id).and_then(|at| self.tape.exchanges().get(at))
    }

    fn place(&self, id: ExchangeId) -> Option<usize> {
        let mut all = self.tape.exchanges().iter();
        all.position(|it| it.exchange == id)
    }
}

/// One page that is replayed.
pub(super) struct Frame {
    pub(super) view: Arc<View>,
    /// The first label of its origins' host names: 130 random bits.
    pub(super) label: String,
    /// The exchange that it begins with.
    pub(super) start: usize,
    pub(super) mapping: Mapping,
    pub(super) metrics: Arc<Metrics>,
    pub(super) state: Mutex<State>,
}

/// What changes while a page is replayed.
#[derive(Default)]
pub(super) struct State {
    /// Good once, until then.
    code: Option<(SecretHash, Timestamp)>,
    cookie: Option<SecretHash>,
    /// Into which of its origins somebody came by the code, and from where.
    pub(super) entered: Option<(usize, IpAddr)>,
    pub(super) cursor: Cursor,
    /// The page that the cursor is at.
    pub(super) page: Option<usize>,
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({:?})", self.view)
    }
}

impl Frame {
    /// Takes the code, once. The secret goes into the frame's cookie.
    pub(super) fn enter(
        &self,
        code: &Secret,
        from: (usize, IpAddr),
        now: Timestamp,
    ) -> Option<Secret> {
        let mut state = self.state.lock();
        let (hash, until) = state.code?;
        if now >= until || !hash.matches(code) {
            return None;
        }
        state.code = None;
        let cookie = Secret::fresh().ok()?;
        state.cookie = Some(cookie.hash());
        state.entered = Some(from);
        Some(cookie)
    }

    pub(super) fn has(&self, cookie: &Secret) -> bool {
        let state = self.state.lock();
        state.cookie.is_some_and(|hash| hash.matches(cookie))
    }

    /// Its origins, in the order of the session's.
    pub(super) fn origins(&self, settings: &Settings) -> Vec<String> {
        let count = self.view.index.origins().len().max(1);
        (0..count)
            .map(|n| settings.origin(&label(&self.label, n)))
            .collect()
    }
}

/// The label of origin number `n`.
pub(super) fn label(label: &str, n: usize) -> String {
    match n {
        0 => label.to_owned(),
        n => format!("{label}-{n}"),
    }
}

/// All that is open.
pub struct Views {
    metrics: Arc<Metrics>,
    open: Mutex<HashMap<(SecretHash, SessionId), Arc<View>>>,
    frames: Mutex<Vec<Arc<Frame>>>,
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Views({})", self.open.lock().len())
    }
}

/// Who looks, for [`Views::open`].
#[derive(Clone, Debug)]
pub struct Viewer {
    pub session: SessionId,
    pub login: SecretHash,
    pub person: String,
    pub reason: String,
}

impl Views {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            open: Mutex::default(),
            frames: Mutex::default(),
        }
    }

    /// The open view of this login on this session.
    pub fn of(&self, login: SecretHash, session: SessionId, now: Timestamp) -> Option<Arc<View>> {
        let views = self.open.lock();
        let view = views.get(&(login, session)).filter(|it| now < it.until);
        view.map(Arc::clone)
    }

    /// Whether there is room for one more; what is over makes room, and a view of the same session by the same login gives way.
    pub fn has_room(
        &self,
        settings: &Settings,
        (login, session): (SecretHash, SessionId),
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut views = self.open.lock();
        views.retain(|_, it| now < it.until);
        self.frames.lock().retain(|it| now < it.view.until);
        if views.len() < settings.max_views || views.contains_key(&(login, session)) {
            return Ok(());
        }
        Err(Refusal::new(
            Kind::TooMany,
            "replay.views",
            "Too many recordings are open at once. Try again in a few minutes, or raise replay.max_views.",
        ))
    }

    /// Opens a view. That it is on record is what the tape came from.
    pub fn open(
        &self,
        settings: &Settings,
        viewer: Viewer,
        tape: Tape,
        facts: Facts,
        now: Timestamp,
    ) -> Arc<View> {
        let view = Arc::new(View {
            session: viewer.session,
            login: viewer.login,
            person: viewer.person,
            reason: viewer.reason,
            until: now.plus(settings.view_time),
            index: Index::of(tape.exchanges()),
            tape,
            facts,
        });
        let key = (view.login, view.session);
        // Pages of the view before this one end with it.
        let is_same = |it: &Arc<Frame>| (it.view.login, it.view.session) == key;
        self.frames.lock().retain(|it| !is_same(it));
        self.open.lock().insert(key, Arc::clone(&view));
        view
    }

    /// Ends all views of a login: it signed out.
    pub fn close(&self, login: SecretHash) {
        self.open.lock().retain(|(it, _), _| *it != login);
        self.frames.lock().retain(|it| it.view.login != login);
    }

    /// How many there are, for the metric.
    pub fn count(&self) -> usize {
        self.open.lock().len()
    }

    /// A frame for one page, and the address that a portal's page puts into it.
    pub fn frame(
        &self,
        settings: &Settings,
        view: &Arc<View>,
        page: ExchangeId,
        now: Timestamp,
    ) -> Result<Framed, Refusal> {
        let start = view.place(page).ok_or_else(Refusal::not_found)?;
        let (code, label) = (Secret::fresh()?, fresh_label()?);
        let origins = view.index.origins().iter().enumerate();
        let pairs = origins.map(|(n, origin)| {
            let own = self::label(&label, n);
            (origin.as_str(), settings.origin(&own))
        });
        let opened = view.tape.exchanges().get(start);
        let opened = opened.map_or(0, |it| it.opened_at.millis());
        let frame = Arc::new(Frame {
            mapping: Mapping::new(pairs),
            metrics: Arc::clone(&self.metrics),
            view: Arc::clone(view),
            start,
            state: Mutex::new(State {
                code: Some((code.hash(), now.plus(CODE_TIME))),
                cursor: Cursor::at(opened),
                ..State::default()
            }),
            label,
        });
        let origins = frame.origins(settings);
        let own = view.tape.exchanges().get(start);
        let own = own.and_then(|it| {
            let mut all = view.index.origins().iter();
            all.position(|origin| *origin == it.origin)
        });
        let front = origins.get(own.unwrap_or(0)).cloned().unwrap_or_default();
        let code = code.reveal();
        let framed = Framed {
            address: format!("{front}/.locum/replay/enter?code={code}"),
            origins,
        };
        let mut frames = self.frames.lock();
        let same = |it: &&Arc<Frame>| Arc::ptr_eq(&it.view, view);
        while frames.iter().filter(same).count() >= settings.max_frames {
            self.metrics.hit(Limit::ReplayFrames);
            let oldest = frames.iter().position(|it| Arc::ptr_eq(&it.view, view));
            oldest.map(|at| frames.remove(at));
        }
        frames.push(frame);
        Ok(framed)
    }

    pub(super) fn labelled(&self, label: &str, now: Timestamp) -> Option<Arc<Frame>> {
        let frames = self.frames.lock();
        let found = frames.iter().find(|it| it.label == label);
        found.filter(|it| now < it.view.until).map(Arc::clone)
    }
}

/// What a portal's page needs to show a frame.
#[derive(Clone, Debug)]
pub struct Framed {
    pub address: String,
    /// The only ones that it may be at.
    pub origins: Vec<String>,
}

/// 26 letters and digits: a label of a host name (RFC 1123 §2.1) that nobody guesses.
fn fresh_label() -> Result<String, Refusal> {
    let mut bytes = [0_u8; 26];
    aws_lc_rs::rand::fill(&mut bytes)?;
    let letters = b"abcdefghijklmnopqrstuvwxyz234567";
    let letter = |byte: &u8| letters.get(usize::from(byte % 32)).copied().unwrap_or(b'a');
    Ok(bytes.iter().map(|it| char::from(letter(it))).collect())
}
