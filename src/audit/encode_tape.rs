//! What the closing record of an exchange says of its tape.

use super::escape::{self, number};
use super::recording::{Kept, Spot};

/// The longest reason that is written whole. Bytes.
const REASON: usize = 512;

/// Writes `,"recording":{…}`.
pub(super) fn write(out: &mut Vec<u8>, kept: &Kept) {
    out.extend_from_slice(b",\"recording\":{\"mode\":\"");
    out.extend_from_slice(kept.record.as_str().as_bytes());
    out.push(b'"');
    for (name, spot) in [("from", kept.first), ("to", kept.last)] {
        place(out, name, spot);
    }
    for (name, digest) in [
        ("request_sha256", &kept.request_sha256),
        ("received_sha256", &kept.received_sha256),
        ("shown_sha256", &kept.shown_sha256),
    ] {
        if let Some(digest) = digest {
            out.push(b',');
            escape::key(out, name);
            out.push(b'"');
            escape::lower_hex(out, digest);
            out.push(b'"');
        }
    }
    if !kept.why.is_empty() {
        out.extend_from_slice(b",\"gap\":{\"bytes\":");
        number(out, kept.lost_bytes);
        out.extend_from_slice(b",\"messages\":");
        number(out, kept.lost_messages);
        out.extend_from_slice(b",\"why\":");
        escape::string(out, kept.why.as_bytes(), REASON);
        out.push(b'}');
    }
    out.push(b'}');
}

/// `"from":"1/17"`: part and frame.
fn place(out: &mut Vec<u8>, name: &str, spot: Spot) {
    out.push(b',');
    escape::key(out, name);
    out.push(b'"');
    number(out, u64::from(spot.part));
    out.push(b'/');
    number(out, spot.frame);
    out.push(b'"');
}
