//! Reads a whole journal, offline and in bounded memory, and says where its chain does not hold.
//!
//! What a chain alone cannot show: that whole records were cut off the end, or that everything after some record was
//! written anew. Against the first, compare [`Report::last_hash`] with one noted elsewhere.

use super::chain::{self, GENESIS, Head, Hex, Light, Line};
use super::error::StartError;
use super::lines::{Lines, Next};
use super::report::{Break, Fault, Report};
use super::segment;
use super::tree::{Saved, Stands, Trees, VerifierKeys};
use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};

/// How to verify.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many breaks are listed; more are counted. Default 100.
    pub max_breaks: usize,
    /// How many open exchanges are followed at once; more are not counted. Default 1,000,000.
    pub max_open: usize,
    /// Keys of the log and of its witnesses. None: signatures are not checked, and it is said.
    pub keys: VerifierKeys,
    /// Checkpoints that were kept elsewhere: the journal must continue each.
    pub saved: Vec<Saved>,
    /// One of those to begin at: what it covers is not read again, but must be what the tiles say.
    pub from: Option<Saved>,
    /// Told how many bytes were read since the last time.
    pub progress: Option<fn(u64)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_breaks: 100,
            max_open: 1_000_000,
            keys: VerifierKeys::default(),
            saved: Vec::new(),
            from: None,
            progress: None,
        }
    }
}

/// Verifies the journal in `dir`, which may be growing meanwhile.
///
/// # Errors
/// Where there is no journal or a file cannot be read. What is wrong with the journal is in the report.
pub fn verify(dir: &Path, options: &Options) -> Result<Report, StartError> {
    let mut check = Check {
        dir: dir.into(),
        options: options.clone(),
        report: Report::default(),
        last: 0,
        hashes: [GENESIS; 2],
        open: HashSet::new(),
        trees: Trees::open(dir, is_being_written(dir), &options.keys, &options.saved)
            .map_err(StartError::io(dir, "read the log in"))?,
        end: (segment::name(1), 1),
        known: None,
    };
    let mut segments = check.list()?;
    if segments.is_empty() {
        check.report.notes.push("there are no segments".into());
    }
    let mut at = check.resume(&segments);
    while let Some(first) = segments.get(at).copied() {
        at += 1;
        let mut read = check.begin(first)?;
        check.read(&mut read)?;
        if at == segments.len() {
            segments = check.list()?;
            if at < segments.len() {
                // The writer has gone on since, and sealed this one before it began another.
                check.read(&mut read)?;
            }
        }
        check.end(&mut read, at == segments.len())?;
    }
    check.end_of_trees()?;
    let mut report = check.report;
    report.open_exchanges = check.open.len() as u64;
    report.last_sequence = check.last;
    report.last_hash = String::from_utf8_lossy(&check.hashes[0]).into_owned();
    Ok(report)
}

struct Check {
    dir: PathBuf,
    options: Options,
    report: Report,
    /// The highest sequence number so far.
    last: u64,
    /// Its stated and its computed hash: after a changed record either is a fit continuation, so that one change is
    /// one break.
    hashes: [Hex; 2],
    open: HashSet<u128>,
    trees: Option<Trees>,
    /// Where the next record would stand.
    end: (String, u64),
    /// Up to which record the journal is known from a saved checkpoint, and that record's hash.
    known: Option<(u64, [u8; 32])>,
}

/// One segment on its way.
struct Reading {
    path: PathBuf,
    name: String,
    first: u64,
    lines: Lines,
    /// Lines read.
    line: u64,
    /// The line at which the footer stands.
    footer: Option<u64>,
}

impl Reading {
    fn is_sealed_last(&self) -> bool {
        self.footer.is_some_and(|at| at == self.line)
    }
}

impl Check {
    fn list(&self) -> Result<Vec<u64>, StartError> {
        segment::list(&self.dir).map_err(StartError::io(&self.dir, "read the journal in"))
    }

    /// Begins at the segment after a saved checkpoint, if there is one. Its place in the list.
    fn resume(&mut self, segments: &[u64]) -> usize {
        let known = self.options.from.as_ref().zip(self.trees.as_mut());
        self.known = known.and_then(|(from, trees)| trees.resume(from));
        let Some((size, _)) = self.known else {
            return 0;
        };
        // The one that holds the last record known: its hash is compared, and binds those before it.
        let at = segments
            .partition_point(|first| *first <= size)
            .saturating_sub(1);
        if let Some(first) = segments.get(at).filter(|first| **first > 1) {
            self.last = first - 1;
            self.forgive();
        }
        at
    }

    fn begin(&mut self, first: u64) -> Result<Reading, StartError> {
        let path = segment::path(&self.dir, first);
        self.report.segments += 1;
        Ok(Reading {
            lines: Lines::open(&path, 0).map_err(StartError::io(&path, "open"))?,
            name: segment::name(first),
            path,
            first,
            line: 0,
            footer: None,
        })
    }

    /// Reads on to the end of the segment as it is now.
    fn read(&mut self, read: &mut Reading) -> Result<(), StartError> {
        loop {
            let begin = read.lines.offset();
            match read
                .lines
                .next()
                .map_err(StartError::io(&read.path, "read"))?
            {
                Next::End | Next::Partial(_) => return Ok(()),
                Next::TooLong => {
                    read.line += 1;
                    let place = (read.name.clone(), read.line);
                    self.broken(place, None, None, Fault::Malformed);
                    return skip_rest(read);
                }
                Next::Line(line) => {
                    read.line += 1;
                    self.report.records += 1;
                    self.report.bytes += line.len() as u64 + 1;
                    let place = Place {
                        name: &read.name,
                        line: read.line,
                        first: read.first,
                        begin,
                        is_after_footer: read.footer.is_some(),
                    };
                    if self.record(&place, line) {
                        read.footer = Some(read.line);
                    }
                    self.grow(&place, line)?;
                    if let Some(told) = self.options.progress {
                        told(line.len() as u64 + 1);
                    }
                }
            }
        }
    }

    /// Checks one line; whether it is a footer.
    fn record(&mut self, place: &Place<'_>, line: &[u8]) -> bool {
        let light = Light::parse(line);
        let exchange = light.as_ref().and_then(|l| l.metadata.correlation_uid);
        let Some(parsed) = Line::parse(line) else {
            // Most likely it is the next one, changed in its end.
            let guess = Some(self.last + 1);
            self.broken(place.at(), guess, exchange, Fault::Malformed);
            self.last += 1;
            self.hashes = [chain::sha256(line); 2];
            self.forgive();
            return false;
        };
        let fault = |check: &mut Self, fault| {
            check.broken(place.at(), Some(parsed.seq), exchange, fault);
        };
        if place.is_after_footer {
            fault(self, Fault::AfterFooter);
        }
        let expected = self.last + 1;
        // A flipped digit gives any number: only an intact record's own is believed.
        if !parsed.is_intact() {
            self.broken(place.at(), Some(expected), exchange, Fault::Changed);
            self.last = expected;
            self.hashes = [*parsed.stated, parsed.computed()];
            return light.is_some_and(|l| l.metadata.event_code == FOOTER);
        }
        if parsed.seq < expected {
            fault(self, Fault::OutOfOrder);
            return false;
        }
        if parsed.seq > expected {
            let (from, to) = (expected, parsed.seq - 1);
            self.broken(
                place.at(),
                Some(expected),
                None,
                Fault::Missing { from, to },
            );
        } else if !self.follows(parsed.prev) {
            fault(self, Fault::Unchained);
        }
        if place.line == 1 && parsed.seq != place.first {
            fault(self, Fault::WrongName);
        }
        self.accept(place, line, &parsed.head(), light)
    }

    /// Gives a record of an unbroken chain to the trees.
    fn grow(&mut self, place: &Place<'_>, line: &[u8]) -> Result<(), StartError> {
        let Some(trees) = &mut self.trees else {
            return Ok(());
        };
        if !self.report.breaks.is_empty() {
            trees.stop();
            return Ok(());
        }
        if let Some((size, entry)) = self.known.filter(|(size, _)| self.last <= *size) {
            if self.last == size && super::leaf::entry(&self.hashes[0]) != Some(entry) {
                self.broken(place.at(), Some(size), None, Fault::Rewritten);
            }
            return Ok(());
        }
        let exchange = Light::parse(line).and_then(|l| l.metadata.correlation_uid.map(shown));
        let stands = Stands {
            segment: place.name.into(),
            line: place.line,
            sequence: self.last,
            exchange,
        };
        let io = StartError::io(&self.dir, "read the log in");
        trees.record(&self.hashes[0], line, stands).map_err(io)
    }

    fn end_of_trees(&mut self) -> Result<(), StartError> {
        let Some(mut trees) = self.trees.take() else {
            return Ok(());
        };
        if !self.report.breaks.is_empty() {
            trees.stop();
        }
        let found = trees.finish(self.last, self.end.clone());
        let found = found.map_err(StartError::io(&self.dir, "read the log in"))?;
        let room = self
            .options
            .max_breaks
            .saturating_sub(self.report.breaks.len());
        self.report.more_breaks += found.breaks.len().saturating_sub(room) as u64;
        self.report
            .breaks
            .extend(found.breaks.into_iter().take(room));
        self.report.notes.extend(found.notes);
        self.report.tree = found.tree;
        Ok(())
    }

    fn follows(&self, prev: &Hex) -> bool {
        self.hashes.contains(prev) || self.hashes[0] == FORGIVEN
    }

    /// After a line that is no record the next one's claim about it cannot be checked.
    fn forgive(&mut self) {
        self.hashes = [FORGIVEN; 2];
    }

    fn accept(
        &mut self,
        place: &Place<'_>,
        line: &[u8],
        head: &Head,
        light: Option<Light<'_>>,
    ) -> bool {
        self.last = head.next - 1;
        self.hashes = [head.hash; 2];
        let Some(light) = light else {
            self.broken(place.at(), Some(self.last), None, Fault::Malformed);
            return false;
        };
        let exchange = light.metadata.correlation_uid;
        let bits = exchange.and_then(|x| x.parse::<crate::model::ExchangeId>().ok());
        match (light.metadata.event_code, bits) {
            ("exchange.opened", Some(id)) if self.open.len() < self.options.max_open => {
                self.open.insert(id.to_bits());
            }
            ("exchange.closed" | "exchange.aborted", Some(id)) => {
                self.open.remove(&id.to_bits());
            }
            (FOOTER, _) => {
                if !footer_fits(line, place) {
                    self.broken(place.at(), Some(self.last), None, Fault::WrongFooter);
                }
                return true;
            }
            _ => {}
        }
        false
    }

    /// What is left at the end of a segment.
    fn end(&mut self, read: &mut Reading, is_last: bool) -> Result<(), StartError> {
        let place = (read.name.clone(), read.line + 1);
        let next = Some(self.last + 1);
        self.end.clone_from(&place);
        let tail = match read
            .lines
            .next()
            .map_err(StartError::io(&read.path, "read"))?
        {
            Next::Partial(tail) => tail.to_vec(),
            _ => Vec::new(),
        };
        let length = tail.len() as u64 + read.lines.zeros();
        if !is_last {
            if !tail.is_empty() {
                self.broken(place, next, None, Fault::BadTail);
            } else if !read.is_sealed_last() {
                self.broken(place, next, None, Fault::NoFooter);
            }
            return Ok(());
        }
        if !tail.is_empty() {
            self.report.bytes += length;
            let what = format!(
                "{} line {}: {length} bytes without a newline",
                place.0, place.1
            );
            if is_being_written(&self.dir) {
                self.report
                    .notes
                    .push(format!("{what}, a record being written at present"));
            } else if chain::is_torn(&tail) && !read.is_sealed_last() {
                self.report.notes.push(format!(
                    "{what}, torn by a crash; the next start cuts them and says so"
                ));
            } else {
                self.broken(place, next, None, Fault::BadTail);
            }
        }
        Ok(())
    }

    fn broken(
        &mut self,
        at: (String, u64),
        sequence: Option<u64>,
        exchange: Option<&str>,
        fault: Fault,
    ) {
        if self.report.breaks.len() >= self.options.max_breaks {
            self.report.more_breaks += 1;
            return;
        }
        self.report.breaks.push(Break {
            segment: at.0,
            line: at.1,
            sequence,
            exchange: exchange.map(shown),
            fault,
        });
    }
}

/// An exchange's id as it may be shown, whatever somebody wrote there.
fn shown(exchange: &str) -> String {
    let good = exchange.chars().filter(char::is_ascii_alphanumeric);
    good.take(40).collect()
}

/// Nothing after a line without end can be told apart.
fn skip_rest(read: &mut Reading) -> Result<(), StartError> {
    let io = StartError::io(&read.path, "read");
    let len = std::fs::metadata(&read.path).map_err(io)?.len();
    read.lines = Lines::open(&read.path, len).map_err(StartError::io(&read.path, "open"))?;
    Ok(())
}

const FOOTER: &str = "segment.sealed";
/// No SHA-256 in hexadecimal.
const FORGIVEN: Hex = [b'?'; 64];

/// Where a line stands.
struct Place<'a> {
    name: &'a str,
    line: u64,
    first: u64,
    /// Bytes before it.
    begin: u64,
    is_after_footer: bool,
}

impl Place<'_> {
    fn at(&self) -> (String, u64) {
        (self.name.into(), self.line)
    }
}

#[derive(serde::Deserialize)]
struct Footer {
    locum: FooterCounts,
}

#[derive(serde::Deserialize)]
struct FooterCounts {
    first: u64,
    records: u64,
    bytes: u64,
}

fn footer_fits(line: &[u8], place: &Place<'_>) -> bool {
    serde_json::from_slice::<Footer>(line).is_ok_and(|Footer { locum }| {
        locum.first == place.first && locum.records == place.line && locum.bytes == place.begin
    })
}

/// Whether a writer holds the journal: the lock is tried, and let go at once.
fn is_being_written(dir: &Path) -> bool {
    File::open(dir.join("lock")).is_ok_and(|file| {
        matches!(
            file.try_lock_shared(),
            Err(std::fs::TryLockError::WouldBlock)
        )
    })
}
