//! `[audit.log]`: the Merkle tree over the records, whose heads are signed, so that others can check that nothing was changed.

use super::sinks::OnLag;
use crate::config::schema::section;
use crate::config::units::{DAY, MINUTE};
use std::path::PathBuf;
use std::time::Duration;

section! {
    /// The signed log over the records: a Merkle tree, and one for each tenant, whose checkpoints others can keep and
    /// compare. The whole one is served on the portal's listener under `/log/`.
    pub struct AuditLog {
        /// Whether there is one. Without it the hash chain alone binds the records.
        enabled: bool = true;
        /// The name that checkpoints and keys bear. Unset: the one that the log has already, else the portal's host
        /// and `/log`.
        origin: Option<String> = unset;
        /// The files of the signing keys (`locum audit key new`). All of them sign, so that a new one can begin before
        /// an old one ends. Empty: `log.key` in `state_dir`, made at the first start.
        keys: Vec<PathBuf> = [];
        /// The longest time that a new record waits for a checkpoint.
        interval: Duration = "10s" in [100, DAY];
        /// A checkpoint comes sooner once so many records wait.
        count: usize = 100_000 in [1, 100_000_000], "records";
        /// How many written records may wait to be added to the trees in memory (about 100 bytes each). Those beyond are
        /// read from the journal again.
        queue: usize = 65_536 in [1, 10_000_000], "records";
        /// A tree for each tenant too, so that a customer can check its own records and see nobody else's.
        tenants: bool = true;
        /// Who cosigns the log's checkpoints (C2SP tlog-witness).
        witnesses: Vec<Witness> = [];
        /// How many of them must have cosigned before a checkpoint is published.
        required_witnesses: usize = 0 in [0, 100], "witnesses";
        /// Tenants' checkpoints are cosigned too, so that no customer is shown another history than its witness saw. A
        /// witness must then know each tenant's log: its origin is the log's, `/tenant/` and the tenant.
        witness_tenants: bool = true;
        /// The log lags when the oldest record without a checkpoint is older than this.
        max_lag: Duration = "5m" in [1000, DAY];
        /// What happens then. `alarm`: an alert. `refuse`: requests are refused too, until a checkpoint is published.
        on_lag: OnLag = "alarm";
    }
}

section! {
    /// Somebody else who sees that the log only grows, and says so by a cosignature.
    pub struct Witness {
        /// Its submission prefix: `/add-checkpoint` is added.
        url: String = required;
        /// Its verifier key: name, id and base64, joined by `+`.
        key: String = required;
        /// The CA (PEM) that its certificate must come from. Unset: the system's.
        ca: Option<PathBuf> = unset;
        /// The time for one answer.
        timeout: Duration = "5s" in [100, 10 * MINUTE];
    }
}
