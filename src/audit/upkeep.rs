//! What the journal looks after by the clock: the room on its disk, the file of the next segment, and that no segment
//! stays open for too long.

use super::core::Core;
use super::error::Refused;
use super::event::Event;
use super::room::{Changed, Room, Stand};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often it is looked, at most.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is looked for a spare file. A segment is full within a second at full load.
const SPARE: Duration = Duration::from_millis(100);

/// After a failure it is tried again so much later.
const RETRY: Duration = Duration::from_secs(60);

pub(super) struct Upkeep {
    core: Arc<Core>,
    room: Room,
    /// A segment is sealed at this age; zero: at none.
    segment_age: Duration,
    /// Refusals when the gate was closed.
    refused: u64,
    /// When a spare file could not be made.
    failed: Option<Instant>,
}

impl Upkeep {
    pub(super) fn new(core: Arc<Core>, room: Room, segment_age: Duration) -> Self {
        Self {
            core,
            room,
            segment_age,
            refused: 0,
            failed: None,
        }
    }

    /// Until the other end of `stop` is gone.
    pub(super) fn run(mut self, stop: &Receiver<()>) {
        let span = self.room.settings().interval.min(LOOK);
        let mut looked = Instant::now();
        while stop.recv_timeout(span.min(SPARE)) == Err(RecvTimeoutError::Timeout) {
            self.prepare();
            if looked.elapsed() < span {
                continue;
            }
            looked = Instant::now();
            self.look();
            if !self.segment_age.is_zero() {
                self.core.writer.lock().seal_old(self.segment_age);
            }
        }
    }

    /// Makes a spare file if there should be one.
    fn prepare(&mut self) {
        if self.core.counters.room.stand() != Stand::Enough {
            return self.core.writer.lock().forget_spare();
        }
        if self.failed.is_some_and(|at| at.elapsed() < RETRY) {
            return;
        }
        let Some(wanted) = self.core.writer.lock().wants_spare() else {
            return;
        };
        match wanted.make() {
            Ok(spare) => self.core.writer.lock().keep_spare(spare),
            // The next segment takes its room itself, or finds that there is none.
            Err(error) => {
                self.failed = Some(Instant::now());
                tracing::debug!(%error, "no room is taken ahead for the next segment");
            }
        }
    }

    /// Looks at the room, and closes or opens the gate.
    pub(super) fn look(&mut self) {
        let core = Arc::clone(&self.core);
        let Some(changed) = self.room.look(&core.counters.room) else {
            return;
        };
        let Changed { to, free } = changed;
        let now = core.now();
        let total = core.counters.refused.load(Ordering::Relaxed);
        let refused = std::mem::replace(&mut self.refused, total);
        let was_closed = core.room_gate.check().is_err();
        // Told before it is let through again, and after it is not any more.
        if to == Stand::Out {
            let why = Refused::no_room(now, self.room.dir(), free, self.room.settings().refuse);
            core.room_gate.set(Some(why));
        }
        tell(
            &core,
            &self.room,
            changed,
            if was_closed { total - refused } else { 0 },
        );
        if to != Stand::Out {
            core.room_gate.set(None);
        }
    }
}

fn tell(core: &Core, room: &Room, changed: Changed, refused: u64) {
    let Changed { to, free } = changed;
    let dir = room.dir().display().to_string();
    match to {
        Stand::Enough => tracing::info!(dir, free, "there is room for records again"),
        Stand::Low => tracing::warn!(dir, free, "there is little room left for records"),
        Stand::Out => tracing::error!(
            dir,
            free,
            "there is too little room left for records: requests are refused until there is more"
        ),
    }
    core.note(&Event::Room {
        place: "journal",
        stand: to.as_str(),
        free,
        alarm: room.settings().alarm,
        refuse: room.settings().refuse,
        refused,
    });
    if to != Stand::Enough {
        core.note(&Event::Alert {
            kind: "room",
            session: None,
            exchange: None,
            client: None,
            detail: &format!("{free} bytes are left in {dir}"),
        });
    }
}
