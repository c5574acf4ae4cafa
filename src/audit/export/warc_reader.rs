//! Reads a WARC (ISO 28500:2017) record by record: its fields, and its block in pieces.

use std::io::{self, BufRead, Read};

/// The longest line of a record's head, and the most lines. Bytes, lines.
const MAX_LINE: usize = 64 << 10;
const MAX_LINES: usize = 64;

/// Records, one after another.
#[derive(Debug)]
pub(super) struct Records<R> {
    from: R,
}

/// A record's head.
#[derive(Debug, Default)]
pub(super) struct Head {
    fields: Vec<(String, String)>,
    pub(super) length: u64,
}

impl Head {
    /// The value of a field; names have no case.
    pub(super) fn field(&self, name: &str) -> &str {
        let mut fields = self.fields.iter();
        let found = fields.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from }
    }

    /// The next record's head; its block must be read to the end before the one after it.
    pub(super) fn next(&mut self) -> io::Result<Option<Head>> {
        let Some(first) = self.line()? else {
            return Ok(None);
        };
        if !first.starts_with("WARC/1.") {
            return Err(wrong("a record does not begin with its version"));
        }
        let mut head = Head::default();
        for _ in 0..MAX_LINES {
            let line = self
                .line()?
                .ok_or_else(|| wrong("a record's head is cut"))?;
            if line.is_empty() {
                let length = head.field("content-length").parse();
                head.length = length.map_err(|_| wrong("a record has no length"))?;
                return Ok(Some(head));
            }
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| wrong("a field without a name"))?;
            head.fields.push((name.to_owned(), value.trim().to_owned()));
        }
        Err(wrong("a record's head does not end"))
    }

    /// The block of the record whose head came last.
    pub(super) fn block(&mut self, head: &Head) -> io::Take<&mut R> {
        (&mut self.from).take(head.length)
    }

    /// What stands after a block: two empty lines.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let mut end = [0; 4];
        self.from.read_exact(&mut end)?;
        match &end {
            b"\r\n\r\n" => Ok(()),
            _ => Err(wrong("a record is longer or shorter than it says")),
        }
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let most = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        let read = (&mut self.from).take(most).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        let line = line
            .strip_suffix(b"\r\n")
            .ok_or_else(|| wrong("a line without an end"))?;
        let line = std::str::from_utf8(line).map_err(|_| wrong("a field that is no UTF-8"))?;
        Ok(Some(line.to_owned()))
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
