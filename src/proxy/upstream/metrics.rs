//! Counts for each upstream. Each lane has its own, so that threads never share a cache line.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One lane's counts.
        #[derive(Debug, Default)]
        pub(super) struct Counts { $(pub(super) $name: AtomicU64,)* }

        /// An upstream's counts since it was built, summed over its lanes, and its present state.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Snapshot {
            $($(#[$doc])* pub $name: u64,)*
            /// Requests without a complete response at this moment.
            pub in_flight: u64,
            /// Open connections, idle and upgraded ones included.
            pub open: u64,
            /// Requests that wait for a free connection.
            pub waiting: u64,
            /// Addresses that rest after failures.
            pub resting: u64,
        }

        impl Snapshot {
            /// Every count with its name, as metrics show them.
            pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [
                    $((stringify!($name), self.$name),)*
                    ("in_flight", self.in_flight),
                    ("open", self.open),
                    ("waiting", self.waiting),
                    ("resting", self.resting),
                ]
                .into_iter()
            }
        }

        impl Counts {
            pub(super) fn add_to(&self, sum: &mut Snapshot) {
                $(sum.$name += self.$name.load(Ordering::Relaxed);)*
            }
        }
    };
}

counts! {
    /// Requests that were given to this upstream.
    requests,
    /// Connections made.
    connects,
    /// Requests sent on a connection that had served one before.
    reuses,
    /// Further attempts after a first one failed.
    retries,
    failed_connect,
    failed_timeout,
    failed_closed,
    failed_protocol,
    failed_busy,
    failed_tls,
    failed_client_body,
    /// Response bodies that ended before their end.
    failed_body,
}

/// Adds one; nothing is ordered by it.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
