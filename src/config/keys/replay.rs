//! `[replay]` and `[export]`: recordings shown again, and sessions given out.

use crate::config::net::DnsName;
use crate::config::schema::section;
use crate::config::units::{GIB, HOUR, KIB, MINUTE, Size};
use std::time::Duration;

section! {
    /// Recorded pages, shown in the portal as the operator saw them: on an origin of their own, from the recording only.
    pub struct Replay {
        /// Whether recordings are shown in the portal.
        enabled: bool = true;
        /// The DNS name that replays live under: each at a name of its own below it. Point a wildcard of it at the portal's
        /// listener, and let the certificate cover it. Unset: `replay.` before the portal's own name.
        host: Option<DnsName> = unset;
        /// How long a stated reason is good for; then it is stated again.
        view_time: Duration = "15m" in [MINUTE, 24 * HOUR];
        /// Recordings open at once, over all viewers. Each holds what was asked in memory, not the bodies. Beyond: refused.
        max_views: usize = 32 in [1, 10_000], "views";
        /// Pages of one recording that are shown at once. Beyond: the oldest ends.
        max_frames: usize = 8 in [1, 1000], "pages";
        /// The longest page, script or style sheet whose addresses are made the replay's. A longer one is shown as it was.
        max_text: Size = "8MiB" in [KIB, GIB];
        /// Whether a customer's own auditors may look at recordings of sessions in their accounts.
        tenant_auditors: bool = false;
    }
}

section! {
    /// Sessions given out: `locum session export`, the portal's button, the API.
    pub struct Export {
        /// Records of one session. Beyond: refused.
        max_records: usize = 100_000 in [10, 10_000_000], "records";
        /// The longest body that a HAR has in it. A longer one is in the WARC only.
        max_body: Size = "16MiB" in [KIB, GIB];
        /// Exports made at once. Beyond: refused.
        max_at_once: usize = 4 in [1, 1000], "exports";
    }
}
