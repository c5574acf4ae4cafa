//! `[grants]`, `[[issuers]]`, `[keys]` and `[store]`: the authority behind sessions.

use super::upstreams::Algorithm;
use crate::config::net::Label;
use crate::config::schema::{choice, section};
use crate::config::units::{DAY, HOUR, MINUTE, SECOND};
use std::path::PathBuf;
use std::time::Duration;

section! {
    /// The authority that Locum gives by itself.
    pub struct Grants {
        /// The longest that a grant may last.
        max_ttl: Duration = "8h" in [MINUTE, 30 * DAY];
        /// How long it lasts when nobody says.
        default_ttl: Duration = "30m" in [MINUTE, 30 * DAY];
        /// The longest that a break-glass grant may last.
        break_glass_max_ttl: Duration = "1h" in [MINUTE, 30 * DAY];
        /// A session that nobody uses for this long ends.
        session_idle: Duration = "15m" in [MINUTE, DAY];
        /// How long the one-time code in a start URL is good.
        code_ttl: Duration = "30s" in [SECOND, 10 * MINUTE];
    }
}

section! {
    /// An outside issuer whose signed grants (JWT, RFC 9068 and RFC 8693 `act`) are honoured.
    pub struct Issuer {
        /// The exact `iss`.
        issuer: String = required;
        /// The `aud` that a grant must have.
        audience: String = required;
        /// The issuer's keys (JWKS): an `https://` URL or a file.
        jwks: String = required;
        /// The CA (PEM) that the URL's certificate must come from. Unset: the system's.
        ca: Option<PathBuf> = unset;
        /// Signature algorithms that are honoured.
        algorithms: Vec<JwtAlgorithm> = ["ES256"];
        /// Values of the header's `typ` that are honoured, in any case, without `application/`.
        typ: Vec<String> = ["at+jwt"];
        /// The longest from `iat` to `exp`.
        max_lifetime: Duration = "15m" in [SECOND, DAY];
        /// How far the issuer's clock may differ.
        leeway: Duration = "5s" in [0, 5 * MINUTE];
        /// The apps that its grants may be for.
        apps: Vec<Label> = required;
        /// The tenants that its grants may be for. Empty: every tenant.
        tenants: Vec<String> = [];
        /// How old fetched keys may be before they are fetched again.
        refresh: Duration = "10m" in [10 * SECOND, DAY];
        /// How old fetched keys may be, if they cannot be fetched again, before its grants are
        /// refused.
        max_stale: Duration = "1h" in [10 * SECOND, 7 * DAY];
        /// An unknown key id makes Locum fetch again, at most once in this time.
        cooldown: Duration = "30s" in [SECOND, HOUR];
    }
}

section! {
    /// The keys that sign assertions and checkpoints. Made on the first start, mode 0600.
    pub struct Keys {
        /// Their directory. Unset: `keys` in `state_dir`.
        dir: Option<PathBuf> = unset;
        /// How assertions are signed.
        algorithm: Algorithm = "ES256";
    }
}

section! {
    /// Where grants and sessions are kept (`locum.db` in `state_dir`), and how fast changes are seen.
    pub struct Store {
        /// How often the store is asked for changes. This is how a revocation by another process is
        /// seen, so it bounds how fast such a revocation cuts.
        poll_interval: Duration = "10ms" in [1, 50];
        /// How long sessions stay good when the store cannot be read. Then they are refused until it
        /// can.
        lease: Duration = "5s" in [50, MINUTE];
        /// How long a write waits for another process's.
        busy_timeout: Duration = "2s" in [10, MINUTE];
        /// Ended sessions and their grants are removed from the store after this long. The journal
        /// keeps its records.
        keep_ended: Duration = "30d" in [HOUR, 3650 * DAY];
        /// How often what is too old is removed.
        purge_interval: Duration = "1h" in [MINUTE, DAY];
        /// How often sessions' last uses, and what they were used for by then, are written down. A crash forgets the counts
        /// since: that much of a workload's budget comes back.
        touch_interval: Duration = "5s" in [100, HOUR];
        /// How far the wall clock may step back before nothing is live any more.
        max_clock_step: Duration = "60s" in [SECOND, HOUR];
        /// Ended sessions that are remembered, to tell their operators who ended them, and so that none of them is taken in again by
        /// a reading of the store that began before it ended.
        max_tombstones: usize = 10_000 in [100, 10_000_000], "sessions";
        /// Events of sessions that wait in memory to be recorded; more wait in the store.
        max_events: usize = 4096 in [16, 1_000_000], "events";
        /// Calls that wait for the store. Beyond: 503.
        max_calls: usize = 1024 in [1, 1_000_000], "calls";
        /// Requests that wait for the store to say whether their session lives, while not all sessions are read after the
        /// start. Beyond: 503.
        max_lookups: usize = 512 in [1, 1_000_000], "requests";
    }
}

choice! {
    /// What an outside issuer may sign with. Symmetric algorithms and `none` are not among them.
    pub enum JwtAlgorithm {
        Es256 = "ES256",
        EdDsa = "EdDSA",
        Rs256 = "RS256",
    }
}
