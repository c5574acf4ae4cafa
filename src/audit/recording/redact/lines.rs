//! Server-sent events while they pass: what is JSON in their data is looked through.

use super::Redact;
use super::json::Json;
use crate::audit::recording::settings::Name;

/// The longest event that is looked through. Bytes.
const MAX_EVENT: usize = 1 << 20;

pub(super) struct Lines {
    names: Vec<Name>,
    held: Vec<u8>,
}

impl Lines {
    pub(super) fn new(names: &[Name]) -> Self {
        Self {
            names: names.to_vec(),
            held: Vec::new(),
        }
    }

    /// A whole event. Its data is the lines of `data:` joined (WHATWG HTML §9.2.6); where they are JSON with something to hide, the
    /// redacted text stands in their place, on one line.
    fn event(&self, event: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        let mut data = Vec::new();
        for line in event.split(|byte| matches!(byte, b'\n' | b'\r')) {
            if let Some(rest) = line.strip_prefix(b"data:") {
                data.extend_from_slice(rest.strip_prefix(b" ").unwrap_or(rest));
                data.push(b'\n');
            }
        }
        let first = data.trim_ascii_start().first().copied();
        if !matches!(first, Some(b'{' | b'[')) {
            out.extend_from_slice(event);
            return Ok(());
        }
        let mut looked = Vec::new();
        Json::new(&self.names).push(&data, &mut looked)?;
        if looked == data {
            out.extend_from_slice(event);
            return Ok(());
        }
        let mut is_told = false;
        for line in event.split_inclusive(|byte| *byte == b'\n') {
            if !line.starts_with(b"data:") {
                out.extend_from_slice(line);
            } else if !std::mem::replace(&mut is_told, true) {
                out.extend_from_slice(b"data: ");
                let text = looked.trim_ascii_end();
                out.extend(text.iter().map(|byte| match byte {
                    b'\n' | b'\r' => b' ',
                    other => *other,
                }));
                out.push(b'\n');
            }
        }
        Ok(())
    }

    /// Where the first event ends, with its empty line.
    fn end(&self) -> Option<usize> {
        let after =
            |needle: &[u8]| memchr::memmem::find(&self.held, needle).map(|at| at + needle.len());
        [after(b"\n\n"), after(b"\r\r"), after(b"\r\n\r\n")]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Redact for Lines {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        self.held.extend_from_slice(bytes);
        while let Some(end) = self.end() {
            let rest = self.held.split_off(end);
            let event = std::mem::replace(&mut self.held, rest);
            self.event(&event, out)?;
        }
        if self.held.len() > MAX_EVENT {
            return Err("one of its events is too long to be redacted");
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let rest = std::mem::take(&mut self.held);
        self.event(&rest, out)
    }
}
