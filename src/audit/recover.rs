//! What a start finds on disk: where the chain stands, what was torn, and which exchanges a crash left open.
//!
//! Only the last two segments are read: the open exchanges of all older ones are carried in the records before a footer.

use super::chain::{self, Head, Light};
use super::error::StartError;
use super::lines::{Lines, Next};
use super::segment;
use crate::model::ExchangeId;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::path::Path;

/// The state of a journal before its writer starts.
#[derive(Debug)]
pub(super) struct Found {
    /// First sequence number, bytes and records of the segment to go on in; none if a new one must begin.
    pub(super) segment: Option<(u64, u64, u64)>,
    pub(super) head: Head,
    pub(super) open: BTreeSet<ExchangeId>,
    pub(super) torn: Option<Torn>,
    /// The last record says that the process stopped in order, or there is none.
    pub(super) is_clean: bool,
}

/// A tail that is no whole record.
#[derive(Debug)]
pub(super) struct Torn {
    pub(super) segment: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Torn {
    fn new(first: u64, tail: &[u8], zeros: u64) -> Self {
        let mut hash = chain::hash_body(tail);
        let some = [0; 4096];
        let mut left = zeros;
        while left > 0 {
            let now = usize::try_from(left).map_or(some.len(), |left| left.min(some.len()));
            hash.update(some.get(..now).unwrap_or(&some));
            left -= now as u64;
        }
        Self {
            segment: segment::name(first),
            bytes: tail.len() as u64 + zeros,
            sha256: String::from_utf8_lossy(&chain::finish(hash)).into_owned(),
        }
    }
}

/// One segment read through.
struct Scan {
    len: u64,
    records: u64,
    sealed: bool,
    torn: Option<Torn>,
}

/// Reads the journal's end. Changes nothing.
pub(super) fn scan(dir: &Path) -> Result<Found, StartError> {
    let segments = segment::list(dir).map_err(StartError::io(dir, "read"))?;
    let mut found = Found {
        segment: None,
        head: Head::START,
        open: BTreeSet::new(),
        torn: None,
        is_clean: true,
    };
    let from = segments.len().saturating_sub(2);
    let recent = segments.get(from..).unwrap_or_default();
    // What comes before the first segment that is read is the verifier's business.
    let mut head = (from == 0).then_some(Head::START);
    for (at, first) in recent.iter().enumerate() {
        let path = segment::path(dir, *first);
        let broken = |line: u64, what: &str| StartError::Broken {
            segment: path.clone(),
            line,
            what: what.into(),
        };
        if head.is_some_and(|head| head.next != *first) {
            return Err(broken(
                1,
                "the segment does not begin where the one before ends: one is missing",
            ));
        }
        let is_last = at + 1 == recent.len();
        let scan = read(&path, *first, &mut head, is_last, &mut found)?;
        if !is_last && !scan.sealed {
            return Err(broken(
                scan.records,
                "the segment has no footer, though another follows: its end is missing",
            ));
        }
        if is_last && !scan.sealed {
            found.segment = Some((*first, scan.len, scan.records));
        }
        found.torn = scan.torn.or(found.torn);
    }
    if let Some(head) = head {
        found.head = head;
    }
    found.is_clean &= found.torn.is_none();
    Ok(found)
}

fn read(
    path: &Path,
    first: u64,
    head: &mut Option<Head>,
    is_last: bool,
    found: &mut Found,
) -> Result<Scan, StartError> {
    let mut lines = Lines::open(path, 0).map_err(StartError::io(path, "open"))?;
    let mut scan = Scan {
        len: 0,
        records: 0,
        sealed: false,
        torn: None,
    };
    loop {
        let broken = |what: &str| StartError::Broken {
            segment: path.into(),
            line: scan.records + 1,
            what: what.into(),
        };
        let line = match lines.next().map_err(StartError::io(path, "read"))? {
            Next::End => break,
            Next::Line(line) => line,
            Next::Partial(tail) if is_last && !scan.sealed && chain::is_torn(tail) => {
                let tail = tail.to_vec();
                scan.torn = Some(Torn::new(first, &tail, lines.zeros()));
                break;
            }
            Next::Partial(_) => {
                return Err(broken("the last line is neither whole nor torn by a crash"));
            }
            Next::TooLong => return Err(broken("the line is longer than any record")),
        };
        if scan.sealed {
            return Err(broken("there is a record after the footer"));
        }
        let parsed = chain::Line::parse(line).filter(chain::Line::is_intact);
        let parsed = parsed.ok_or_else(|| broken("the record was changed"))?;
        let expected = head.unwrap_or(Head {
            next: first,
            hash: *parsed.prev,
        });
        if parsed.seq != expected.next || *parsed.prev != expected.hash {
            return Err(broken("the record does not continue the chain"));
        }
        *head = Some(parsed.head());
        let light = Light::parse(line).ok_or_else(|| broken("the record is not JSON of ours"))?;
        scan.sealed = follow(&light, line, found);
        scan.records += 1;
        scan.len = lines.offset();
    }
    Ok(scan)
}

/// Follows one record; whether it is a footer.
fn follow(light: &Light<'_>, line: &[u8], found: &mut Found) -> bool {
    let exchange = || light.metadata.correlation_uid.and_then(|x| x.parse().ok());
    // A stop seals the segment after it has said so.
    if !matches!(
        light.metadata.event_code,
        "segment.carried" | "segment.sealed"
    ) {
        found.is_clean = light.metadata.event_code == "process.stopped";
    }
    match light.metadata.event_code {
        "exchange.opened" => found.open.extend(exchange()),
        "exchange.closed" | "exchange.aborted" => {
            if let Some(exchange) = exchange() {
                found.open.remove(&exchange);
            }
        }
        "segment.carried" => found.open.extend(carried(line)),
        "segment.sealed" => return true,
        _ => {}
    }
    false
}

#[derive(serde::Deserialize)]
struct Carried {
    locum: CarriedOpen,
}

#[derive(serde::Deserialize)]
struct CarriedOpen {
    open: Vec<ExchangeId>,
}

fn carried(line: &[u8]) -> Vec<ExchangeId> {
    serde_json::from_slice::<Carried>(line).map_or_else(|_| Vec::new(), |c| c.locum.open)
}

/// Takes a torn tail away.
pub(super) fn cut(dir: &Path, found: &Found) -> Result<(), StartError> {
    let (Some((first, len, _)), Some(_)) = (found.segment, &found.torn) else {
        return Ok(());
    };
    let path = segment::path(dir, first);
    OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|file| {
            file.set_len(len)?;
            file.sync_data()
        })
        .map_err(StartError::io(&path, "cut the torn tail of"))
}
