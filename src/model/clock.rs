//! Time as the product uses it: whole milliseconds since 1970, UTC.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The system's wall clock. A clock before 1970 reads as 0, which every grant's not-before refuses.
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds, rounded down, as JWT claims want them.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment and `span` later; saturates at the end of time.
    pub fn plus(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// For a page that a person reads: `2023-11-14 22:13 UTC`.
    pub fn to_minute(self) -> String {
        jiff::Timestamp::from_millisecond(self.0).map_or_else(
            |_| self.to_string(),
            |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        )
    }

    /// How long until `later`; zero if it has passed.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

/// RFC 3339 in UTC with milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where the time comes from, so that tests can move it.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    System,
    /// Milliseconds since 1970, set by the test.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Fixed(millis) => Timestamp(millis.load(Ordering::Relaxed)),
        }
    }

    /// Time that passed in this process, by the clock that nobody can set. A fixed clock's stands still: each move of it is a
    /// step.
    pub fn monotonic(&self) -> Duration {
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        match self {
            Self::System => BEGAN.get_or_init(Instant::now).elapsed(),
            Self::Fixed(_) => Duration::ZERO,
        }
    }
}

/// The wall clock was set, or the machine slept: it is not where the time that passed would have taken it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What the wall clock says now.
    pub wall: Timestamp,
    /// What it would say if nobody had set it.
    pub expected: Timestamp,
    /// [`Clock::monotonic`] now.
    pub monotonic: Duration,
}

impl Step {
    /// How far it was set; below zero: back. Milliseconds.
    pub fn millis(&self) -> i64 {
        self.wall.0.saturating_sub(self.expected.0)
    }
}

/// Notices steps of the wall clock. Rates are not looked at: whoever slews a clock (adjtime(3)) slews both.
#[derive(Debug)]
pub struct Steps {
    /// What is no step yet. Milliseconds.
    bound: u64,
    /// Wall clock less monotonic, at the beginning or after the last step. Milliseconds.
    offset: i64,
}

impl Steps {
    pub fn new(bound: Duration, clock: &Clock) -> Self {
        Self {
            bound: u64::try_from(bound.as_millis()).unwrap_or(u64::MAX),
            offset: clock.now().0.saturating_sub(millis(clock.monotonic())),
        }
    }

    /// A step since the last look, if there was one. Small ones add up until they are one.
    pub fn look(&mut self, clock: &Clock) -> Option<Step> {
        let (wall, monotonic) = (clock.now(), clock.monotonic());
        let expected = Timestamp(self.offset.saturating_add(millis(monotonic)));
        let step = Step {
            wall,
            expected,
            monotonic,
        };
        if step.millis().unsigned_abs() <= self.bound {
            return None;
        }
        self.offset = wall.0.saturating_sub(millis(monotonic));
        Some(step)
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_rfc_3339() {
        assert_eq!(
            Timestamp::from_millis(1_700_000_000_042).to_string(),
            "2023-11-14T22:13:20.042Z"
        );
    }

    #[test]
    fn is_read_by_people_to_the_minute() {
        let at = Timestamp::from_millis(1_700_000_000_042);
        assert_eq!(at.to_minute(), "2023-11-14 22:13 UTC");
    }

    #[test]
    fn a_step_is_noticed_once_and_small_ones_add_up() {
        let wall = Arc::new(AtomicI64::new(50_000));
        let clock = Clock::Fixed(Arc::clone(&wall));
        let mut steps = Steps::new(Duration::from_secs(1), &clock);
        let mut by = |millis: i64| {
            wall.fetch_add(millis, Ordering::Relaxed);
            steps.look(&clock).map(|step| step.millis())
        };
        assert_eq!(by(0), None);
        assert_eq!(by(-3_600_000), Some(-3_600_000));
        assert_eq!(by(0), None, "told once");
        assert_eq!(by(600), None);
        assert_eq!(by(600), Some(1200));
        let mut steps = Steps::new(Duration::from_secs(60), &Clock::System);
        assert_eq!(steps.look(&Clock::System), None);
    }

    #[test]
    fn arithmetic_saturates() {
        let end = Timestamp::from_millis(i64::MAX);
        assert_eq!(end.plus(Duration::from_secs(1)), end);
        assert_eq!(end.until(Timestamp::from_millis(0)), Duration::ZERO);
    }
}
