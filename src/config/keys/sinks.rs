//! `[[audit.sinks]]`: the places that records stream to.

use crate::config::net::Label;
use crate::config::schema::{choice, section};
use crate::config::units::{DAY, GIB, HOUR, KIB, MIB, MINUTE, Size};
use std::path::PathBuf;
use std::time::Duration;

section! {
    /// A place that records stream to. Each sink reads from the journal at its own pace: at least once, in
    /// order, and a slow one loses nothing. docs/sinks.md has an example of each kind.
    pub struct Sink {
        /// Its name in logs and metrics, and of its place in the journal.
        name: Label = required;
        /// What it is. `kafka` only where locum was built with it.
        kind: SinkKind = required;
        /// `file`: the file, JSON lines.
        path: Option<PathBuf> = unset;
        /// `file`: at this size it is renamed to `path.1` and begun anew.
        max_bytes: Size = "64MiB" in [4 * KIB, 1024 * GIB];
        /// `file`: how many renamed ones stay.
        keep: u32 = 5 in [0, 10_000], "files";
        /// Where to. `webhook`, `otlp`: the whole URL. `splunk`: the collector's root. `elastic`: the root and the
        /// index or data stream. `s3`: the endpoint; unset: Amazon's own.
        url: Option<String> = unset;
        /// `syslog`, `nats`, `kafka`: `host:port`; one for syslog.
        servers: Vec<String> = [];
        /// A file with the token, password or secret key; for `nats` a credentials file (`.creds`) too.
        secret_file: Option<PathBuf> = unset;
        /// The environment variable with it.
        secret_env: Option<String> = unset;
        /// Who logs in: `nats`, `webhook`, `elastic` and `otlp` with a password, `s3` its access key.
        user: Option<String> = unset;
        /// `webhook`, `elastic`, `otlp`: the header that the secret goes in by itself. Unset: `Authorization`, as
        /// `Bearer`, as `ApiKey` for `elastic`, or as `Basic` where there is a user.
        secret_header: Option<String> = unset;
        /// The CA (PEM) that the receiver's certificate must come from. Unset: the system's.
        ca: Option<PathBuf> = unset;
        /// A certificate (PEM) to show to the receiver.
        client_cert: Option<PathBuf> = unset;
        /// Its key.
        client_key: Option<PathBuf> = unset;
        /// `syslog`, `nats`: whether to speak TLS. Without: to loopback only.
        tls: bool = true;
        /// The time for one delivery, answer included.
        timeout: Duration = "10s" in [100, 10 * MINUTE];
        /// `webhook`: how many records make one body.
        format: BodyFormat = "ndjson";
        /// `splunk`: wait until the indexers have each batch. `syslog`: a connection for each batch, which counts once
        /// the receiver has read it to its end; without, what is under way when a receiver dies is lost.
        acknowledge: Option<bool> = unset;
        /// `splunk`: the index, where the token's own is not the right one.
        index: Option<String> = unset;
        /// `splunk`: the source type.
        sourcetype: String = "locum:ocsf";
        /// `syslog`: what stands in a message. `json`: the record. `cef`: Common Event Format.
        message: MessageFormat = "json";
        /// `syslog`: the facility; 13 is "log audit" (RFC 5424).
        facility: u8 = 13 in [0, 23], "number";
        /// `syslog`: the host in each message.
        host: String = "locum";
        /// `syslog`: your private enterprise number, for the name of the structured data.
        enterprise: u32 = 32473 in [1, 4_294_967_295], "number";
        /// `syslog`: the longest message that the receiver takes whole. A longer one is set aside, never cut.
        max_message: Size = "64KiB" in [1024, 16 * MIB];
        /// `otlp`: `http` (protobuf) or `grpc`.
        protocol: OtlpProtocol = "http";
        /// `nats`: the subject; a stream must take it.
        subject: String = "locum.audit";
        /// `kafka`: the topic.
        topic: String = "locum-audit";
        /// `kafka`: the key of every record: one partition keeps the order.
        key: String = "locum";
        /// `s3`: the bucket.
        bucket: Option<String> = unset;
        /// `s3`: its region.
        region: String = "us-east-1";
        /// `s3`: what stands before each object's name.
        prefix: String = "locum/";
        /// `s3`: Object Lock. `governance`: nobody without a permission for it may delete or change an object
        /// before `lock_for` is over; `compliance`: nobody at all.
        lock: LockMode = "off";
        /// `s3`: how long.
        lock_for: Duration = "365d" in [MINUTE, 36_500 * DAY];
        /// Records sent together at most.
        batch_records: usize = 500 in [1, 100_000], "records";
        /// Bytes sent together at most, unless one record is larger.
        batch_bytes: Size = "1MiB" in [1024, 256 * MIB];
        /// How long a record waits at most for others to go with it.
        batch_time: Duration = "200ms" in [1, 10 * MINUTE];
        /// The wait after a first failure; it doubles with each.
        retry_min: Duration = "250ms" in [1, HOUR];
        /// Up to this; a sink is tried for ever.
        retry_max: Duration = "60s" in [1, HOUR];
        /// What happens when it is further behind than the three bounds below. `alarm`: a record and an alert. `refuse`:
        /// requests are refused too (503) until it has caught up.
        on_lag: OnLag = "alarm";
        /// The age of the oldest record that it has not taken. 0: no bound.
        max_lag: Duration = "15m" in [0, 365 * DAY];
        /// How many records. 0: no bound.
        max_lag_records: u32 = 100_000 in [0, 4_000_000_000], "records";
        /// How many bytes of the journal. 0: no bound.
        max_lag_bytes: Size = "256MiB" in [0, 1024 * GIB];
        /// Only these members are sent, by path (`locum.subject.uid`), and what identifies a record. Empty: all.
        include: Vec<String> = [];
        /// These are not sent.
        exclude: Vec<String> = [];
        /// These are sent as `[redacted]`.
        redact: Vec<String> = [];
        /// Each text in these is sent as a pseudonym: a keyed HMAC-SHA256, the same for the same text.
        pseudonyms: Vec<String> = [];
        /// A file with the key of the pseudonyms, at least 16 bytes.
        pseudonym_key_file: Option<PathBuf> = unset;
        /// The environment variable with it.
        pseudonym_key_env: Option<String> = unset;
    }
}

choice! {
    /// What a sink is.
    pub enum SinkKind {
        File = "file",
        Stdout = "stdout",
        Webhook = "webhook",
        Splunk = "splunk",
        Elastic = "elastic",
        Syslog = "syslog",
        Otlp = "otlp",
        Nats = "nats",
        Kafka = "kafka",
        S3 = "s3",
    }
}

choice! {
    /// How records make a body.
    pub enum BodyFormat {
        Ndjson = "ndjson",
        Array = "array",
    }
}

choice! {
    /// What stands in a syslog message.
    pub enum MessageFormat {
        Json = "json",
        Cef = "cef",
    }
}

choice! {
    /// How OTLP travels.
    pub enum OtlpProtocol {
        Http = "http",
        Grpc = "grpc",
    }
}

choice! {
    /// S3 Object Lock.
    pub enum LockMode {
        Off = "off",
        Governance = "governance",
        Compliance = "compliance",
    }
}

choice! {
    /// What a sink that is too far behind does.
    pub enum OnLag {
        Alarm = "alarm",
        Refuse = "refuse",
    }
}
