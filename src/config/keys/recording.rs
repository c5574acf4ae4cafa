//! `[recording]`: what is recorded of exchanges, with which keys, for how long.

use super::audit::MinFree;
use crate::config::net::Label;
use crate::config::schema::{choice, section};
use crate::config::units::{DAY, GIB, KIB, MIB, MINUTE, Size};
use std::path::PathBuf;
use std::time::Duration;

section! {
    /// The recording of exchanges: what was sent, what came back, what the operator saw. Break-glass is always
    /// recorded whole. A policy row may say otherwise for its route (`record`).
    pub struct Recording {
        /// The directory of tapes. Unset: `recordings` in `state_dir`.
        dir: Option<PathBuf> = unset;
        /// The room that must be left on the disk of the recordings.
        min_free: MinFree = {};
        /// Exchanges of tier `ordinary`.
        ordinary: RecordingTier = {};
        /// Exchanges of tier `sensitive`.
        sensitive: RecordingTier = {};
        /// Exchanges of tier `privileged`.
        privileged: RecordingTier = {};
        /// Break-glass: what happens where it cannot be recorded. `fail`: the exchange is refused or cut. `gap`: it
        /// goes on, and tape and journal say what is missing.
        break_glass_on_overrun: OnOverrun = "fail";
        /// The master keys that sessions' keys are wrapped with. The first wraps, all unwrap. Empty: a key that
        /// Locum makes beside the tapes, which protects them from nobody who can read the directory.
        keys: Vec<RecordingKey> = [];
        /// What may wait for the recorder. Beyond: see `on_overrun`.
        queue_bytes: Size = "64MiB" in [64 * KIB, 64 * GIB];
        /// WebSocket messages beyond this are recorded without their payload.
        max_message: Size = "4MiB" in [KIB, 256 * MIB];
        /// Tapes that are open at once; beyond, one that is not in use is closed.
        max_open_tapes: usize = 512 in [1, 100_000], "tapes";
        /// How often the journal is told how far a growing tape has come.
        mark_interval: Duration = "5m" in [1000, DAY];
        /// Header fields whose values are not stored, beside those of credentials, which never are; `*` stands for
        /// anything.
        redact_headers: Vec<String> = ["x-api-key", "*-token", "*-secret", "*-assertion"];
        /// Fields of forms and JSON whose values are not stored, in any case; `*` stands for anything.
        redact_fields: Vec<String> = ["password", "*_password", "passwd", "pwd", "passphrase", "secret", "*_secret", "token", "*_token", "api_key", "apikey", "otp", "pin", "cvc", "cvv", "card_number"];
        /// CSS selectors of elements in HTML whose text and `value` are not stored.
        redact_selectors: Vec<String> = ["input[type=password]"];
        /// The longest body that is held in order to be redacted, where that cannot be done as it passes (a
        /// compressed one). A longer one is not stored.
        redact_max_held: Size = "8MiB" in [64 * KIB, GIB];
        /// How long recordings are kept after they were last written to, where no rule of `retention` says. 0: for
        /// ever.
        keep: Duration = "0s" in [0, 36_500 * DAY];
        /// How long the recordings of a tenant or tier are kept. The first that fits decides.
        retention: Vec<Retention> = [];
        /// How often recordings whose time is over are looked for.
        sweep_interval: Duration = "1h" in [1000, 7 * DAY];
    }
}

section! {
    /// What is recorded of exchanges of one tier.
    pub struct RecordingTier {
        /// `none`; `headers`: heads without bodies; `bodies`: everything.
        record: RecordWhat = "none";
        /// What happens where it cannot be recorded: the recorder is behind, or the disk full. `gap`: the exchange goes
        /// on, and tape and journal say what is missing. `fail`: it is refused or cut.
        on_overrun: OnOverrun = "gap";
    }
}

section! {
    /// A master key. It stands in one of four places.
    pub struct RecordingKey {
        /// Its name, in every key that it wraps; never given to another key.
        id: Label = required;
        /// A file with 32 bytes as 64 hexadecimal digits or base64.
        file: Option<PathBuf> = unset;
        /// An environment variable with the same.
        env: Option<String> = unset;
        /// A key management service that wraps and unwraps, asked by POST (`docs/recording.md`).
        kms_url: Option<String> = unset;
        /// `kms_url`: a file with the bearer token.
        kms_secret_file: Option<PathBuf> = unset;
        /// `kms_url`: the environment variable with the bearer token.
        kms_secret_env: Option<String> = unset;
        /// `kms_url`: the CA (PEM) that its certificate must come from. Unset: the system's.
        kms_ca: Option<PathBuf> = unset;
        /// `kms_url`: the time for one question, answer included.
        kms_timeout: Duration = "2s" in [100, MINUTE];
    }
}

section! {
    /// How long some recordings are kept.
    pub struct Retention {
        /// Only this tenant's.
        tenant: Option<String> = unset;
        /// Only those whose highest tier this is; `break-glass`: those of break-glass sessions.
        tier: Option<RetentionTier> = unset;
        /// How long after they were last written to. 0: for ever.
        keep: Duration = required in [0, 36_500 * DAY];
    }
}

choice! {
    /// How much is recorded.
    pub enum RecordWhat {
        None = "none",
        Headers = "headers",
        Bodies = "bodies",
    }
}

choice! {
    /// What happens where something cannot be recorded.
    pub enum OnOverrun {
        Gap = "gap",
        Fail = "fail",
    }
}

choice! {
    /// Which sessions a rule of retention is for.
    pub enum RetentionTier {
        Ordinary = "ordinary",
        Sensitive = "sensitive",
        Privileged = "privileged",
        BreakGlass = "break-glass",
    }
}
