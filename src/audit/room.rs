//! How much room is left on a file system: enough; little, which is told; or too little, and then nothing more is let
//! through, while there still is room for what is under way to end.

use rustix::fs::statvfs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Two marks, in bytes that this user may still write. 0: no such mark.
#[derive(Clone, Copy, Debug)]
pub struct RoomSettings {
    /// Below it there is an alarm. Default 1 GiB.
    pub alarm: u64,
    /// Below it nothing is let through. Default 128 MiB.
    pub refuse: u64,
    /// How often it is looked. Default 1 s.
    pub interval: Duration,
}

impl Default for RoomSettings {
    fn default() -> Self {
        Self {
            alarm: 1 << 30,
            refuse: 128 << 20,
            interval: Duration::from_secs(1),
        }
    }
}

impl RoomSettings {
    /// No marks.
    pub const fn none() -> Self {
        Self {
            alarm: 0,
            refuse: 0,
            interval: Duration::from_secs(1),
        }
    }
}

/// How it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stand {
    #[default]
    Enough,
    Low,
    Out,
}

impl Stand {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enough => "enough",
            Self::Low => "low",
            Self::Out => "out",
        }
    }
}

/// Gauges.
#[derive(Debug, Default)]
pub struct RoomCounters {
    /// Bytes that may still be written.
    pub free: AtomicU64,
    /// 0: enough; 1: below the first mark; 2: below the second.
    stand: AtomicU8,
}

impl RoomCounters {
    /// Every gauge with its name, as metrics show them.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("free_bytes", self.free.load(Ordering::Relaxed)),
            ("room_low", u64::from(self.stand() >= Stand::Low)),
            ("room_out", u64::from(self.stand() == Stand::Out)),
        ]
        .into_iter()
    }

    pub fn stand(&self) -> Stand {
        match self.stand.load(Ordering::Relaxed) {
            0 => Stand::Enough,
            1 => Stand::Low,
            _ => Stand::Out,
        }
    }

    fn set(&self, free: u64, stand: Stand) {
        self.free.store(free, Ordering::Relaxed);
        self.stand.store(stand as u8, Ordering::Relaxed);
    }
}

/// It stands otherwise than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) to: Stand,
    pub(super) free: u64,
}

/// The room of one directory.
#[derive(Debug)]
pub(super) struct Room {
    dir: PathBuf,
    settings: RoomSettings,
    stand: Stand,
    looked: Option<Instant>,
    blind: bool,
}

impl Room {
    pub(super) fn new(dir: &Path, settings: RoomSettings) -> Self {
        Self {
            dir: dir.into(),
            settings,
            stand: Stand::Enough,
            looked: None,
            blind: false,
        }
    }

    pub(super) fn settings(&self) -> &RoomSettings {
        &self.settings
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn is_out(&self) -> bool {
        self.stand == Stand::Out
    }

    /// Looks, if it is time to. A directory that cannot be looked at stands as before: writing to it tells what is wrong.
    pub(super) fn look(&mut self, counters: &RoomCounters) -> Option<Changed> {
        let is_early = |at: Instant| at.elapsed() < self.settings.interval;
        if self.looked.is_some_and(is_early) {
            return None;
        }
        self.looked = Some(Instant::now());
        match free(&self.dir) {
            Ok(free) => {
                self.blind = false;
                let changed = self.now(free);
                counters.set(free, self.stand);
                changed
            }
            Err(error) => {
                if !std::mem::replace(&mut self.blind, true) {
                    tracing::warn!(%error, dir = %self.dir.display(), "it cannot be seen how much room is left");
                }
                None
            }
        }
    }

    fn now(&mut self, free: u64) -> Option<Changed> {
        // What was left has to be cleared by some way, so that it does not come and go with each record.
        let cleared = |mark: u64| free >= mark.saturating_add(mark / 8);
        let holds =
            |stand: Stand, mark: u64| free < mark || (self.stand >= stand && !cleared(mark));
        let to = if holds(Stand::Out, self.settings.refuse) {
            Stand::Out
        } else if holds(Stand::Low, self.settings.alarm) {
            Stand::Low
        } else {
            Stand::Enough
        };
        (std::mem::replace(&mut self.stand, to) != to).then_some(Changed { to, free })
    }
}

/// The bytes that this user may still write where `dir` is, or will be.
fn free(dir: &Path) -> io::Result<u64> {
    let there = dir.ancestors().find(|it| it.exists()).unwrap_or(dir);
    let found = statvfs(there)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_is_left_only_when_there_is_clearly_more_room() {
        let settings = RoomSettings {
            alarm: 800,
            refuse: 80,
            interval: Duration::ZERO,
        };
        let mut room = Room::new(Path::new("/"), settings);
        let mut now = |free| room.now(free).map(|changed| changed.to);
        assert_eq!(now(800), None);
        assert_eq!(now(799), Some(Stand::Low));
        assert_eq!(now(899), None);
        assert_eq!(now(900), Some(Stand::Enough));
        assert_eq!(now(79), Some(Stand::Out));
        assert_eq!(now(80), None);
        assert_eq!(now(89), None);
        assert_eq!(now(90), Some(Stand::Low));
        assert_eq!(now(0), Some(Stand::Out));
        assert_eq!(now(u64::MAX), Some(Stand::Enough));
    }

    #[test]
    fn without_marks_nothing_is_told() {
        let mut room = Room::new(Path::new("/"), RoomSettings::none());
        assert_eq!(room.now(0), None);
        assert_eq!(room.now(1), None);
    }

    #[test]
    fn what_is_not_there_yet_has_the_room_of_where_it_will_be() {
        let dir = tempfile::tempdir().expect("dir");
        let will_be = free(&dir.path().join("a/b")).expect("looked");
        assert!(will_be > 0);
        let counters = RoomCounters::default();
        let settings = RoomSettings {
            alarm: u64::MAX,
            refuse: 0,
            interval: Duration::from_secs(60),
        };
        let mut room = Room::new(dir.path(), settings);
        let changed = room.look(&counters).expect("below the mark");
        assert_eq!((changed.to, counters.stand()), (Stand::Low, Stand::Low));
        assert_eq!(room.look(&counters), None, "too early to look again");
    }
}
