//! What a sink can be told, with defaults and units.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

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
    /// How long a record waits at most for others to fill a batch. Default 200 ms.
    pub batch_time: Duration,
    /// First pause after a failed delivery; doubles each time, with jitter. Default 250 ms.
    pub retry_min: Duration,
    /// Longest pause between deliveries that fail. Default 30 s.
    pub retry_max: Duration,
    pub lag: LagSettings,
    pub transform: TransformSettings,
}

impl SinkSettings {
    pub fn new(name: impl Into<String>, kind: SinkKind) -> Self {
        Self {
            name: name.into(),
            kind,
            batch_records: 500,
            batch_bytes: 1 << 20,
            batch_time: Duration::from_millis(200),
            retry_min: Duration::from_millis(250),
            retry_max: Duration::from_secs(30),
            lag: LagSettings::default(),
            transform: TransformSettings::default(),
        }
    }
}

/// How far a sink may fall behind, and what happens then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LagSettings {
    pub on_lag: OnLag,
    /// Records that the sink has not taken; 0 for no bound. Default 100,000.
    pub records: u64,
    /// Their bytes in the journal; 0 for no bound. Default 256 MiB.
    pub bytes: u64,
    /// The age of the oldest of them; zero for no bound. Default 15 minutes.
    pub time: Duration,
}

impl Default for LagSettings {
    fn default() -> Self {
        Self {
            on_lag: OnLag::default(),
            records: 100_000,
            bytes: 256 << 20,
            time: Duration::from_secs(15 * 60),
        }
    }
}

/// What a sink beyond its bounds does to requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLag {
    /// Nothing: it is recorded and alerted.
    #[default]
    Alarm,
    /// They are refused with 503, besides.
    Refuse,
}

/// What a sink gets of a record. Paths are names with dots between them, as in `locum.subject.uid`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransformSettings {
    /// Only these members, and what identifies the record; all if empty.
    pub include: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
    /// `[redacted]` instead of these.
    pub redact: Vec<String>,
    /// A keyed HMAC instead of each text in these.
    pub pseudonyms: Vec<String>,
    /// The key of `pseudonyms`; at least 16 bytes.
    pub key: Option<Secret>,
}

/// What kind of place it is.
#[derive(Clone, Debug)]
pub enum SinkKind {
    File(FileSettings),
    Stdout,
    Webhook(WebhookSettings),
    Splunk(SplunkSettings),
    Elastic(HttpSettings),
    Syslog(SyslogSettings),
    Otlp(OtlpSettings),
    Nats(NatsSettings),
    Kafka(KafkaSettings),
    S3(S3Settings),
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

/// Whom to trust, and who to be.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// PEM file of the authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// PEM files of a client certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// An HTTP endpoint that takes batches by POST.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// `http://` or `https://`.
    pub url: String,
    /// Sent with each batch, such as `Authorization`.
    pub headers: Vec<(String, Secret)>,
    pub tls: TlsSettings,
    /// From connect to the end of the answer. Default 10 s.
    pub timeout: Duration,
}

impl HttpSettings {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
            tls: TlsSettings::default(),
            timeout: Duration::from_secs(10),
        }
    }
}

/// Records as they are, many in one body.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    pub http: HttpSettings,
    pub format: WebhookFormat,
}

impl WebhookSettings {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            http: HttpSettings::new(url),
            format: WebhookFormat::default(),
        }
    }
}

/// How a batch is written into the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WebhookFormat {
    /// One record a line, `application/x-ndjson`.
    #[default]
    Ndjson,
    /// One JSON array, `application/json`.
    Array,
}

/// Splunk's HTTP event collector.
#[derive(Clone, Debug)]
pub struct SplunkSettings {
    /// `url` is the collector's root, such as `https://splunk.example:8088`.
    pub http: HttpSettings,
    /// Where the token's own index is not the right one.
    pub index: Option<String>,
    pub sourcetype: String,
    /// Wait until the indexers have each batch. The token must have acknowledgement enabled.
    pub acknowledge: bool,
}

/// A syslog receiver, RFC 5424 over TCP (RFC 6587, octet counting) or TLS (RFC 5425).
#[derive(Clone, Debug)]
pub struct SyslogSettings {
    /// `host:port`.
    pub server: String,
    /// TLS where there is something here.
    pub tls: Option<TlsSettings>,
    pub message: SyslogMessage,
    /// RFC 5424 §6.2.1; 13 is "log audit".
    pub facility: u8,
    /// The HOSTNAME of every message.
    pub host: String,
    /// The number in the name of the structured data (RFC 5424 §7.2.2). 32473 is the one for documentation (RFC 5612).
    pub enterprise: u32,
    /// The longest message that the receiver takes whole. Bytes; a longer one is set aside, not cut.
    pub max_message: usize,
    /// A connection for each batch, and the batch counts once the receiver has read it to the end.
    pub acknowledge: bool,
    pub timeout: Duration,
}

/// What stands in a syslog message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyslogMessage {
    /// The record.
    #[default]
    Json,
    /// `ArcSight`'s Common Event Format.
    Cef,
}

/// An OpenTelemetry collector.
#[derive(Clone, Debug)]
pub struct OtlpSettings {
    /// For HTTP the whole URL, as a rule `…/v1/logs`; for gRPC the endpoint.
    pub http: HttpSettings,
    pub protocol: OtlpProtocol,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OtlpProtocol {
    #[default]
    Http,
    Grpc,
}

/// A NATS `JetStream` stream.
#[derive(Clone, Debug)]
pub struct NatsSettings {
    /// `nats://` or `tls://`; more than one for a cluster.
    pub servers: Vec<String>,
    pub subject: String,
    pub login: NatsLogin,
    /// `None` for a server without TLS.
    pub tls: Option<TlsSettings>,
    pub timeout: Duration,
}

#[derive(Clone, Debug, Default)]
pub enum NatsLogin {
    #[default]
    Nobody,
    Token(Secret),
    Password(String, Secret),
    /// The text of a credentials file.
    Credentials(Secret),
}

/// A Kafka topic.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// `host:port`, with commas between them.
    pub brokers: String,
    pub topic: String,
    /// All records have this key, so that one partition keeps their order.
    pub key: String,
    /// More of librdkafka's own settings.
    pub options: Vec<(String, Secret)>,
    pub timeout: Duration,
}

/// An S3-compatible bucket for sealed segments.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// `None` for Amazon's own.
    pub endpoint: Option<String>,
    pub bucket: String,
    pub region: String,
    /// Before each object's name.
    pub prefix: String,
    pub access_key: String,
    pub secret_key: Option<Secret>,
    pub ca: Option<PathBuf>,
    /// How long nobody can delete or change an object; the bucket must have Object Lock.
    pub lock: Option<(LockMode, Duration)>,
    /// The journal's directory, where the segments are.
    pub journal: PathBuf,
    pub timeout: Duration,
}

/// S3 Object Lock: who may lift the retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// Whoever has the permission for it.
    Governance,
    /// Nobody.
    Compliance,
}

/// A text that may be a credential: `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for what carries it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_settings_never_shows_a_header() {
        let mut webhook = WebhookSettings::new("https://siem.example/in");
        let header = ("authorization".into(), Secret::new("Bearer hunter2"));
        webhook.http.headers.push(header);
        let sink = SinkSettings::new("siem", SinkKind::Webhook(webhook));
        assert!(!format!("{sink:?}").contains("hunter2"));
    }
}
