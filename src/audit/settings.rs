//! What the journal can be told, with defaults and units. Every limit of this part has its name here.

use super::tree::LogSettings;
use std::fmt;
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
            lock_wait: Duration::from_millis(250),
            sink_drain: Duration::from_secs(2),
            sinks: Vec::new(),
            log: None,
        }
    }
}

/// One place where records stream to.
#[derive(Clone, Debug)]
pub struct SinkSettings {
    /// Unique; names the cursor file, so a renamed sink starts again from the first record. `a-z 0-9 - _`.
    pub name: String,
    pub kind: SinkKind,
    /// Most records in one delivery. Default 500.
    pub batch_records: usize,
    /// Most bytes in one delivery, unless one record alone is larger. Default 1 MiB.
    pub batch_bytes: usize,
    /// How often an idle sink looks for new records: the longest it waits to fill a batch. Default 200 ms.
    pub poll: Duration,
    /// First pause after a failed delivery; doubles each time, with jitter. Default 250 ms.
    pub retry_min: Duration,
    /// Longest pause between deliveries that fail. Default 30 s.
    pub retry_max: Duration,
}

impl SinkSettings {
    pub fn new(name: impl Into<String>, kind: SinkKind) -> Self {
        Self {
            name: name.into(),
            kind,
            batch_records: 500,
            batch_bytes: 1 << 20,
            poll: Duration::from_millis(200),
            retry_min: Duration::from_millis(250),
            retry_max: Duration::from_secs(30),
        }
    }
}

/// What kind of place it is.
#[derive(Clone, Debug)]
pub enum SinkKind {
    File(FileSettings),
    Stdout,
    Webhook(WebhookSettings),
}

/// A copy in a plain file, rotated by size.
#[derive(Clone, Debug)]
pub struct FileSettings {
    pub path: PathBuf,
    /// The file becomes `path.1` before it would grow beyond this. Bytes; default 64 MiB.
    pub max_bytes: u64,
    /// How many rotated files stay. Default 5.
    pub keep: u32,
}

impl FileSettings {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            max_bytes: 64 << 20,
            keep: 5,
        }
    }
}

/// An HTTP endpoint that takes batches by POST.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// `http://` or `https://`.
    pub url: String,
    pub format: WebhookFormat,
    /// Sent with each batch, such as `Authorization`.
    pub headers: Vec<(String, HeaderSecret)>,
    /// PEM file of the authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// From connect to the end of the answer. Default 10 s.
    pub timeout: Duration,
}

impl WebhookSettings {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            format: WebhookFormat::default(),
            headers: Vec::new(),
            ca: None,
            timeout: Duration::from_secs(10),
        }
    }
}

/// How a batch is written into the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookFormat {
    /// One record a line, `application/x-ndjson`.
    #[default]
    Ndjson,
    /// One JSON array, `application/json`.
    Array,
}

/// A header's value that may be a credential: `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderSecret(String);

impl HeaderSecret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the request that carries it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HeaderSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_settings_never_shows_a_header() {
        let mut webhook = WebhookSettings::new("https://siem.example/in");
        webhook
            .headers
            .push(("authorization".into(), HeaderSecret::new("Bearer hunter2")));
        let sink = SinkSettings::new("siem", SinkKind::Webhook(webhook));
        assert!(!format!("{sink:?}").contains("hunter2"));
    }
}
