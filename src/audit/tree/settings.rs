//! What the log can be told, with defaults and units.

use super::key::LogKey;
use super::note::VerifierKey;
use std::path::PathBuf;
use std::time::Duration;

/// What happens while no checkpoint covers the records for too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLag {
    /// An alert; requests go on.
    #[default]
    Alarm,
    /// Requests are refused until a checkpoint covers them.
    Refuse,
}

/// The log's settings.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// The keys that sign, each under the origin's name; the first is the one that stays.
    pub keys: Vec<LogKey>,
    /// The longest time that a new record waits for a checkpoint. Default 10 s.
    pub interval: Duration,
    /// A checkpoint comes sooner once so many records wait. Default 10,000.
    pub count: u64,
    /// Records that may wait to be added to the trees without being read again. Default 65,536.
    pub queue: usize,
    /// A tree for each tenant, too. Default yes.
    pub tenants: bool,
    pub witnesses: Vec<WitnessSettings>,
    /// A checkpoint is published once so many of them cosigned. Default 0.
    pub required: usize,
    /// They are asked for tenants' trees too. Default true.
    pub witness_tenants: bool,
    /// Beyond this age of the oldest record without a checkpoint the log lags. Default 5 minutes.
    pub max_lag: Duration,
    pub on_lag: OnLag,
}

impl LogSettings {
    /// A log that signs with `keys` and asks nobody.
    pub fn new(keys: Vec<LogKey>) -> Self {
        Self {
            keys,
            interval: Duration::from_secs(10),
            count: 10_000,
            queue: 65_536,
            tenants: true,
            witnesses: Vec::new(),
            required: 0,
            witness_tenants: true,
            max_lag: Duration::from_secs(300),
            on_lag: OnLag::default(),
        }
    }
}

/// Somebody else who cosigns checkpoints (<https://c2sp.org/tlog-witness>).
#[derive(Clone, Debug)]
pub struct WitnessSettings {
    /// The submission prefix: `/add-checkpoint` is added.
    pub url: String,
    pub key: VerifierKey,
    /// PEM file of the authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// For one answer. Default 5 s.
    pub timeout: Duration,
}
