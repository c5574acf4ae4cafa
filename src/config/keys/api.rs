//! `[api]`: bounds on what one caller of the JSON API can make Locum do.

use crate::config::schema::section;
use crate::config::units::{KIB, MIB, MINUTE, Size};
use std::time::Duration;

section! {
    /// Bounds on what one caller of the JSON API (on the portal's listener) can make Locum do. Each
    /// has a metric of the same name that counts how often it was met.
    pub struct Api {
        /// The body of a call. Beyond: 413.
        max_body: Size = "64KiB" in [KIB, MIB];
        /// From the head of a call to the end of its body. Beyond: 408.
        body_timeout: Duration = "10s" in [100, 5 * MINUTE];
        /// Calls that one person or workload may make steadily. Beyond, and with the burst spent: 429.
        person_rate: u32 = 600 in [1, 1_000_000], "calls a minute";
        /// Calls that one person or workload may make at once.
        person_burst: u32 = 120 in [1, 1_000_000], "calls";
        /// Calls from one IPv4 address, or one IPv6 network of 64 bits, signed in or not. Beyond, and with
        /// the burst spent: 429. Raise it where a proxy stands before the portal.
        address_rate: u32 = 1200 in [1, 10_000_000], "calls a minute";
        /// Calls from one address at once.
        address_burst: u32 = 240 in [1, 10_000_000], "calls";
        /// Persons, and addresses, whose calls are counted apart at once. Beyond: all further ones share a
        /// rate.
        max_callers: usize = 100_000 in [16, 10_000_000], "callers";
    }
}
