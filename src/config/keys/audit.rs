//! `[audit]` and `[log]`: the record of every request, and what Locum says of itself.

use super::audit_log::AuditLog;
use super::search::Index;
use super::sinks::Sink;
use crate::config::schema::{choice, section};
use crate::config::units::{DAY, GIB, HOUR, KIB, MIB, Size, TIB};
use std::path::PathBuf;
use std::time::Duration;

section! {
    /// The record of every request: durable before anything is forwarded.
    pub struct Audit {
        /// The journal's directory. Unset: `journal` in `state_dir`.
        dir: Option<PathBuf> = unset;
        /// When a record counts as kept. `process`: written to the system before the request is
        /// forwarded; survives the end of the process. `disk`: on disk (fdatasync, many requests at once);
        /// survives the loss of power.
        durability: Durability = "process";
        /// A segment file is closed at this size and the next begun.
        segment_bytes: Size = "64MiB" in [64 * KIB, 16 * GIB];
        /// A segment file with records is closed at this age too, and at a clean stop, so that an archive (a sink of kind
        /// `s3`) has every record by then. 0: at its size alone.
        segment_age: Duration = "1h" in [0, 30 * DAY];
        /// The room that must be left on the journal's disk.
        min_free: MinFree = {};
        /// Query parameters whose values are not recorded, by name in any case; `*` at an end matches
        /// anything.
        redact_query: Vec<String> = ["code", "token", "*_token", "password", "secret", "*_secret", "api_key", "apikey", "signature", "sig", "otp"];
        /// The longest text field in a record (target, user agent); what is beyond is cut, and marked.
        max_field_bytes: Size = "8KiB" in [256, MIB];
        /// Whose bodies' SHA-256 is in the record. `sensitive`: every request's, and the response's where the route is
        /// above the ordinary tier or the exchange is recorded. `all`: both of every exchange. `none`: no body's that is
        /// not recorded.
        digests: Digests = "sensitive";
        /// Records that wait to be written at once. Beyond: requests wait, then 503.
        max_pending: usize = 65_536 in [16, 10_000_000], "records";
        /// Refusals of requests that name no session, recorded one by one. What is beyond is counted: one record a
        /// second says how many were refused, why, and from where. 0: each is recorded by itself.
        max_stranger_records: u32 = 20 in [0, 1_000_000], "records a second";
        /// A step of the system's clock, against the time that really passed, that is recorded.
        clock_step: Duration = "1s" in [10, HOUR];
        /// The index by which records are found.
        index: Index = {};
        /// The signed log over the records.
        log: AuditLog = {};
        /// Where records stream to, beside the journal.
        sinks: Vec<Sink> = [];
    }
}

section! {
    /// The room that must be left on a disk: space for this user, as `df` tells it.
    pub struct MinFree {
        /// Below this there is an alarm: a log line, a record, an alert, `room_low` in the metrics. 0: none.
        alarm: Size = "1GiB" in [0, 1024 * TIB];
        /// Below this it is refused before the disk is full, so that what is under way can end; it goes on by
        /// itself when there is an eighth more. 0: only when the disk is full. The journal's: each request, with 503 and the
        /// reason `journal-room`. The recordings': each exchange that must be recorded.
        refuse: Size = "128MiB" in [0, 1024 * TIB];
        /// How often it is looked.
        interval: Duration = "1s" in [100, HOUR];
    }
}

section! {
    /// What Locum says of itself, on stderr. Never secrets, never customers' data.
    pub struct Log {
        /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,locum::proxy=debug`.
        level: String = "info";
        /// `text` for people, `json` for machines, `auto`: text on a terminal, else json.
        format: LogFormat = "auto";
        /// Repeated warnings of one kind are folded into one line for each such span.
        fold: Duration = "10s" in [0, DAY];
    }
}

choice! {
    /// When a record counts as kept.
    pub enum Durability {
        Process = "process",
        Disk = "disk",
    }
}

choice! {
    /// Whose bodies' digests are in the record.
    pub enum Digests {
        All = "all",
        Sensitive = "sensitive",
        None = "none",
    }
}

choice! {
    /// How log lines look.
    pub enum LogFormat {
        Auto = "auto",
        Text = "text",
        Json = "json",
    }
}
