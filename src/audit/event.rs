//! What is recorded besides exchanges: ends, grants, loads, alerts, and the journal's own state.

use super::part::SessionPart;
use crate::model::{EndCause, ExchangeId, Happened, SessionId, Step, Timestamp, Used};
use std::net::IpAddr;

/// One event. Texts are bounded and escaped by the journal.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    SessionStarted {
        session: &'a SessionPart,
        client: Option<IpAddr>,
    },
    SessionEnded {
        session: &'a SessionPart,
        cause: EndCause,
        /// `operator:<id>`, `cli:<user>`, `locum`.
        by: &'a str,
        /// What it was used for; `None` where this process saw no use of it.
        used: Option<Used>,
    },
    GrantIssued {
        grant: &'a SessionPart,
        /// `cli:<user>` or `issuer:<iss>`.
        by: &'a str,
    },
    GrantRevoked {
        grant: &'a SessionPart,
        by: &'a str,
    },
    PolicyLoaded {
        digest: &'a str,
        rows: u64,
    },
    /// The last good policy stays.
    PolicyRefused {
        digest: &'a str,
        problem: &'a str,
    },
    ConfigReloaded {
        digest: &'a str,
    },
    ConfigRefused {
        problem: &'a str,
    },
    /// Something that a person should look at.
    Alert {
        /// The machine's word, such as `binding-broken`.
        kind: &'a str,
        session: Option<&'a SessionPart>,
        exchange: Option<ExchangeId>,
        client: Option<IpAddr>,
        detail: &'a str,
    },
    /// A candidate policy decided otherwise.
    ShadowDiffers {
        session: &'a SessionPart,
        exchange: ExchangeId,
        live_rule: &'a str,
        shadow_rule: &'a str,
        shadow_permits: bool,
        shadow_digest: &'a str,
    },
    WebSocketEnded {
        session: &'a SessionPart,
        exchange: ExchangeId,
        messages_in: u64,
        messages_out: u64,
        bytes_in: u64,
        bytes_out: u64,
        refused: u64,
        cause: &'a str,
    },
    SinkState {
        sink: &'a str,
        up: bool,
        /// The last sequence number that the sink took.
        sequence: u64,
        detail: &'a str,
    },
    /// How much room is left for the journal or the recordings, where that is another answer than before.
    Room {
        /// `journal`, `recordings`.
        place: &'a str,
        /// `enough`, `low`, `out`.
        stand: &'a str,
        /// Bytes; and the two marks.
        free: u64,
        alarm: u64,
        refuse: u64,
        /// What was refused while there was too little.
        refused: u64,
    },
    /// The wall clock was set, or the machine slept.
    ClockStepped(Step),
    /// Refusals of requests that named no session, counted where they were too many to be recorded one by one.
    RefusalsCounted {
        since: Timestamp,
        until: Timestamp,
        refusals: u64,
        /// How many for each reason.
        reasons: &'a [(&'a str, u64)],
        /// How many from each address, as far as addresses were told apart.
        addresses: &'a [(&'a str, u64)],
        /// How many from all others.
        elsewhere: u64,
    },
    /// The index of the journal was missing or unusable and is made anew.
    IndexRebuilt {
        why: &'a str,
        /// Records that it will hold.
        records: u64,
    },
    /// How far a tape has come: what its file held by then can be told from anything else.
    RecordingMarked {
        session: SessionId,
        part: u32,
        frames: u64,
        bytes: u64,
        /// Hexadecimal.
        sha256: &'a str,
    },
    /// Whether recordings can be written.
    RecordingState {
        up: bool,
        detail: &'a str,
    },
    /// A step in the control plane.
    Control(&'a Happened),
    ProcessStopped {
        cause: &'a str,
    },
}
