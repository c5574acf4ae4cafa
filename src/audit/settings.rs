//! What the journal can be told, with defaults and units. Every limit of this part has its name here.

use super::room::RoomSettings;
/// As other parts call it.
pub use super::sink::settings::Secret as HeaderSecret;
use super::sink::settings::SinkSettings;
use super::tree::LogSettings;
use std::path::PathBuf;
use std::time::Duration;

/// When a record counts as kept, so that the request may go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Given to the operating system by `write(2)`: survives the death of the process.
    #[default]
    Process,
    /// `fdatasync`ed, many records at a time: survives the loss of power.
    Disk,
}

impl Durability {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Disk => "disk",
        }
    }
}

/// The journal's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory of segments, lock and sink cursors; made (0700) if absent.
    pub dir: PathBuf,
    pub durability: Durability,
    /// A segment is sealed before it would grow beyond this. Bytes; default 64 MiB.
    pub segment_bytes: u64,
    /// Query parameters whose values are never written; compared decoded, ignoring case.
    pub redact_query: Vec<String>,
    /// The longest text from outside that is kept whole; the rest is cut with a mark. Bytes; default 2048.
    pub max_field: usize,
    /// Closings and notes held in memory while the disk refuses; more are counted and said. Records; default 4096.
    pub close_queue: usize,
    /// A segment with records is sealed at this age, and at a stop; zero: at neither. Default zero.
    pub segment_age: Duration,
    /// The marks of the room on the disk. Default: none.
    pub room: RoomSettings,
    /// How long a start waits for another process to let go of the journal. Default 250 ms.
    pub lock_wait: Duration,
    /// How long a stop waits for sinks to catch up; what is left is sent after the next start. Default 2 s.
    pub sink_drain: Duration,
    pub sinks: Vec<SinkSettings>,
    /// The Merkle tree over the records and its signed checkpoints. `None`: the chain alone.
    pub log: Option<LogSettings>,
}

/// Parameters that carry secrets by custom: RFC 6749, RFC 6750 §2.3, signed URLs, and plain words.
pub const REDACT_QUERY: [&str; 11] = [
    "token",
    "code",
    "password",
    "secret",
    "key",
    "api_key",
    "access_token",
    "id_token",
    "session",
    "sig",
    "signature",
];

impl Default for Settings {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("journal"),
            durability: Durability::default(),
            segment_bytes: 64 << 20,
            redact_query: REDACT_QUERY.map(String::from).to_vec(),
            max_field: 2048,
            close_queue: 4096,
            segment_age: Duration::ZERO,
            room: RoomSettings::none(),
            lock_wait: Duration::from_millis(250),
            sink_drain: Duration::from_secs(2),
            sinks: Vec::new(),
            log: None,
        }
    }
}
