//! One document's way: undo the content codings, make the bytes ASCII-compatible, put the banner in, encode again.
//! Each piece that comes in goes out at once, but for the few bytes that need their successors to be understood.

use super::error::RewriteError;
use super::html::Html;
use super::out::Out;
use super::plan::{Kind, Plan};
use super::prepared::Prepared;
use super::sniff::{self, Sniffed};
use super::xml::Xml;
use super::{Settings, text::Text};
use crate::proxy::rewrite::encoding::{Decoder, Encoder};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// Compressed input is looked at in pieces of this size, so that a bomb is noticed before it has unfolded far.
const SLICE: usize = 1024;

enum Scanner {
    /// The first bytes decide what this is (WHATWG MIME Sniffing §7.1).
    Sniff(Vec<u8>),
    Html(Html),
    Xml(Xml),
    /// No HTML after all.
    Pass,
}

/// The rewriting of one response body.
pub struct Stream {
    plan: Plan,
    prepared: Arc<Prepared>,
    most_held: usize,
    decoder: Decoder,
    text: Text,
    scanner: Scanner,
    encoder: Encoder,
}

impl Plan {
    /// The rewriting of the body.
    ///
    /// # Errors
    /// Where a coding's library cannot be set up.
    pub fn stream(
        self,
        prepared: Arc<Prepared>,
        settings: &Settings,
    ) -> Result<Stream, RewriteError> {
        Stream::new(self, prepared, settings)
    }
}

impl Stream {
    fn new(plan: Plan, prepared: Arc<Prepared>, settings: &Settings) -> Result<Self, RewriteError> {
        let decoder = Decoder::new(&plan.decode, settings.max_decoded_bytes, settings.max_ratio)?;
        let encoder = Encoder::new(plan.encode)?;
        let mut stream = Self {
            text: Text::new(plan.charset, plan.kind != Kind::Html),
            scanner: Scanner::Sniff(Vec::new()),
            most_held: settings.max_token_bytes,
            plan,
            prepared,
            decoder,
            encoder,
        };
        match stream.plan.kind {
            Kind::Sniff => {}
            kind => stream.scanner = stream.scanner_for(kind),
        }
        Ok(stream)
    }

    fn scanner_for(&self, kind: Kind) -> Scanner {
        let (part, prepared) = (self.plan.part, Arc::clone(&self.prepared));
        match kind {
            Kind::Xhtml => Scanner::Xml(Xml::new(part, prepared, self.most_held, false)),
            Kind::Xml => Scanner::Xml(Xml::new(part, prepared, self.most_held, true)),
            Kind::Html | Kind::Sniff => {
                let heeds_meta = self.plan.charset.is_none();
                let html = Html::new(part, prepared, self.most_held, heeds_meta);
                Scanner::Html(if self.plan.runs_scripts {
                    html
                } else {
                    html.without_scripts()
                })
            }
        }
    }

    /// Whether the bytes that follow leave as they come, at no cost.
    pub fn is_pass_through(&self) -> bool {
        let is_done = match &self.scanner {
            Scanner::Html(html) => html.is_done(),
            Scanner::Xml(xml) => xml.is_done(),
            Scanner::Pass => true,
            Scanner::Sniff(_) => false,
        };
        let is_plain = self.text.is_plain() || matches!(self.scanner, Scanner::Pass);
        is_done && is_plain && self.decoder.is_identity() && self.encoder.is_identity()
    }

    /// Whether what comes out may be far longer than what goes in.
    pub fn unfolds(&self) -> bool {
        !self.decoder.is_identity()
    }

    /// Takes bytes of the app's body, gives bytes for the browser's, in pieces; may give none yet.
    ///
    /// # Errors
    /// The body must be ended with an error; nothing more may be pushed.
    pub fn push(&mut self, input: Bytes) -> Result<VecDeque<Bytes>, RewriteError> {
        if self.is_pass_through() {
            return Ok(VecDeque::from([input]));
        }
        let mut out = Out::default();
        if self.decoder.is_identity() {
            self.decoded(input, &mut out)?;
        } else {
            for piece in input.chunks(SLICE) {
                let bytes = self.decoder.push(piece)?;
                self.decoded(bytes.into(), &mut out)?;
            }
        }
        let pieces = out.take();
        if self.decoder.is_identity() && self.encoder.is_identity() {
            return Ok(pieces);
        }
        // Each slice has made a piece: alone, each would be a frame, and flushed by the encoder.
        let whole = joined(pieces);
        let whole = if self.encoder.is_identity() {
            whole
        } else {
            self.encoder.push(&whole)?.into()
        };
        Ok(VecDeque::from([whole]))
    }

    /// The app's body is over: the last bytes.
    ///
    /// # Errors
    /// As [`Stream::push`]; a compressed body that is cut short.
    pub fn finish(mut self) -> Result<Bytes, RewriteError> {
        self.decoder.finish()?;
        let mut out = Out::default();
        if let Scanner::Sniff(held) = &mut self.scanner {
            let held = std::mem::take(held);
            self.decide(held, true, &mut out)?;
        }
        if !matches!(self.scanner, Scanner::Pass) {
            let last = self.text.finish();
            self.scanned(last, &mut out)?;
        }
        match &mut self.scanner {
            Scanner::Html(html) => html.finish(&mut out),
            Scanner::Xml(xml) => xml.finish(&mut out)?,
            Scanner::Pass | Scanner::Sniff(_) => {}
        }
        let pieces = out.take();
        if self.encoder.is_identity() {
            return Ok(joined(pieces));
        }
        let mut bytes = Vec::new();
        for piece in pieces {
            bytes.extend(self.encoder.push(&piece)?);
        }
        bytes.extend(self.encoder.finish()?);
        Ok(bytes.into())
    }

    fn decoded(&mut self, bytes: Bytes, out: &mut Out) -> Result<(), RewriteError> {
        // A missing content type is sniffed on bytes as they came, and what is no document stays as it came.
        let is_raw = matches!(self.scanner, Scanner::Sniff(_) | Scanner::Pass);
        if is_raw || self.text.is_plain() {
            return self.scanned(bytes, out);
        }
        let text = self.text.push(bytes);
        if self.text.has_bom()
            && let Scanner::Html(html) = &mut self.scanner
        {
            html.ignore_meta();
        }
        self.scanned(text, out)
    }

    fn scanned(&mut self, text: Bytes, out: &mut Out) -> Result<(), RewriteError> {
        match &mut self.scanner {
            Scanner::Pass => out.put(&text),
            Scanner::Xml(xml) => xml.push(&text, out)?,
            Scanner::Html(html) => {
                html.push(text, out)?;
                if let Some((encoding, rest)) = html.take_switch() {
                    self.text.switch(encoding);
                    let more = self.text.push(rest.into());
                    return self.scanned(more, out);
                }
            }
            Scanner::Sniff(held) => {
                held.extend_from_slice(&text);
                let held = std::mem::take(held);
                self.decide(held, false, out)?;
            }
        }
        Ok(())
    }

    fn decide(&mut self, held: Vec<u8>, at_end: bool, out: &mut Out) -> Result<(), RewriteError> {
        self.scanner = match sniff::sniff(&held, at_end) {
            Sniffed::Unsure => {
                self.scanner = Scanner::Sniff(held);
                return Ok(());
            }
            Sniffed::Html => self.scanner_for(Kind::Html),
            Sniffed::Xml => self.scanner_for(Kind::Xml),
            Sniffed::Other => Scanner::Pass,
        };
        self.decoded(held.into(), out)
    }
}

/// Pieces as one.
pub fn joined(mut pieces: VecDeque<Bytes>) -> Bytes {
    match pieces.len() {
        0 | 1 => pieces.pop_front().unwrap_or_default(),
        _ => pieces.make_contiguous().concat().into(),
    }
}
