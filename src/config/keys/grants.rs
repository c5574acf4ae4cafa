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
        /// A key signs for this long; then the next one, published beforehand, takes over.
        rotate_after: Duration = "30d" in [HOUR, 3650 * DAY];
        /// How long a key is published before it signs and after it stopped, so that caches keep up.
        overlap: Duration = "1d" in [MINUTE, 30 * DAY];
    }
}

section! {
    /// Where grants and sessions are kept (`locum.db` in `state_dir`), and how fast changes are seen.
    pub struct Store {
        /// How often the store is asked for changes. With it revocation by another process is seen.
        poll_interval: Duration = "10ms" in [1, SECOND];
        /// When the store could not be read for this long, sessions are refused until it can.
        stale_after: Duration = "2s" in [50, MINUTE];
        /// How long a write waits for another process's.
        busy_timeout: Duration = "2s" in [10, MINUTE];
        /// Ended sessions and their grants are removed from the store after this long. The journal
        /// keeps its records.
        keep: Duration = "30d" in [HOUR, 3650 * DAY];
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
