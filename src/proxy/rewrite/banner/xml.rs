//! Puts the banner into an XHTML document as it streams by, so that it stays well-formed.
//!
//! XML implies no elements, so the places are named: the head (or the root, where there is none), the title, the body.

use super::error::RewriteError;
use super::lex::{self, Tag};
use super::meta;
use super::out::Out;
use super::plan::Part;
use super::prepared::Prepared;
use std::sync::Arc;

const XHTML: &[u8] = b"http://www.w3.org/1999/xhtml";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Prolog,
    /// After the root's start tag: the head comes next, or it is missing.
    Root,
    Head,
    Done,
}

/// The scanner of one document.
pub(super) struct Xml {
    part: Part,
    prepared: Arc<Prepared>,
    phase: Phase,
    /// Whether any XML is at hand, of which only XHTML carries a banner.
    is_lenient: bool,
    has_title: bool,
    held: Vec<u8>,
    most_held: usize,
}

impl Xml {
    pub(super) fn new(
        part: Part,
        prepared: Arc<Prepared>,
        most_held: usize,
        is_lenient: bool,
    ) -> Self {
        Self {
            part,
            prepared,
            phase: Phase::Prolog,
            is_lenient,
            has_title: false,
            held: Vec::new(),
            most_held,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done && self.held.is_empty()
    }

    pub(super) fn push(&mut self, input: &[u8], out: &mut Out) -> Result<(), RewriteError> {
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(input);
        let mut at = 0;
        while let Some(rest) = held.get(at..).filter(|rest| !rest.is_empty()) {
            if self.phase == Phase::Done {
                out.extend_from_slice(rest);
                return Ok(());
            }
            match self.step(rest, out)? {
                Some(taken) => at += taken,
                None => break,
            }
        }
        held.drain(..at.min(held.len()));
        if held.len() > self.most_held {
            return Err(RewriteError::TokenTooLong(self.most_held));
        }
        self.held = held;
        Ok(())
    }

    /// A document without a root is none that a browser shows, except as an error.
    pub(super) fn finish(&mut self, out: &mut Out) -> Result<(), RewriteError> {
        out.extend_from_slice(&std::mem::take(&mut self.held));
        match self.phase {
            Phase::Prolog if !self.is_lenient => Err(RewriteError::NotHtml),
            _ => Ok(()),
        }
    }

    fn step(&mut self, rest: &[u8], out: &mut Out) -> Result<Option<usize>, RewriteError> {
        let pass = |length: Option<usize>, out: &mut Out| {
            if let Some(bytes) = length.and_then(|length| rest.get(..length)) {
                out.extend_from_slice(bytes);
            }
            length
        };
        let find = |what: &[u8]| memchr::memmem::find(rest, what).map(|at| at + what.len());
        Ok(match rest {
            [b'<', b'!', b'-', b'-', ..] => {
                let end = rest
                    .get(4..)
                    .and_then(|more| memchr::memmem::find(more, b"-->"));
                pass(end.map(|at| at + 7), out)
            }
            [b'<', b'!', b'[', ..] => pass(find(b"]]>"), out),
            [b'<', b'!', next, ..] if *next != b'-' => pass(doctype_end(rest), out),
            [b'<', b'?', ..] => {
                let end = find(b"?>");
                if let Some(declaration) = end.and_then(|end| rest.get(..end)) {
                    check_declaration(declaration)?;
                    check_stylesheet(declaration)?;
                }
                pass(end, out)
            }
            [b'<', b'/', ..] => {
                if self.phase == Phase::Root {
                    self.put_head(out);
                }
                pass(find(b">"), out)
            }
            [b'<'] | [b'<', b'!'] | [b'<', b'!', b'-'] => None,
            [b'<', ..] => match lex::tag(rest, 1) {
                Some(tag) => {
                    self.start(rest.get(..tag.end).unwrap_or_default(), &tag, out)?;
                    Some(tag.end)
                }
                None => None,
            },
            _ => {
                let length = memchr::memchr(b'<', rest).unwrap_or(rest.len());
                pass(Some(length), out)
            }
        })
    }

    fn put_head(&mut self, out: &mut Out) {
        match self.part {
            Part::Document => {
                self.prepared.put_head_xml(out);
                self.phase = Phase::Head;
            }
            Part::Frame => {
                self.prepared.put_frame_xml(out);
                self.phase = Phase::Done;
            }
        }
    }

    fn start(&mut self, whole: &[u8], tag: &Tag, out: &mut Out) -> Result<(), RewriteError> {
        let name = whole.get(tag.name.clone()).unwrap_or_default();
        match (self.phase, name) {
            (Phase::Prolog, _) => return self.root(whole, tag, name, out),
            (Phase::Root, b"head") => self.opened(whole, tag, out, Self::put_head),
            (Phase::Root, _) => {
                self.put_head(out);
                return self.start(whole, tag, out);
            }
            (Phase::Head, b"title") if !self.has_title => {
                self.has_title = true;
                self.opened(whole, tag, out, |scanner, out| {
                    out.extend_from_slice(scanner.prepared.title());
                });
            }
            (Phase::Head, b"meta") => match meta::policy(whole, tag, self.prepared.needs()) {
                Some(changed) => out.extend_from_slice(&changed),
                None => out.extend_from_slice(whole),
            },
            (Phase::Head, b"body") => self.opened(whole, tag, out, |scanner, out| {
                out.extend_from_slice(scanner.prepared.section());
                scanner.phase = Phase::Done;
            }),
            _ => out.extend_from_slice(whole),
        }
        Ok(())
    }

    fn root(
        &mut self,
        whole: &[u8],
        tag: &Tag,
        name: &[u8],
        out: &mut Out,
    ) -> Result<(), RewriteError> {
        let namespace = tag
            .attribute(whole, "xmlns")
            .and_then(|xmlns| whole.get(xmlns.value.clone()));
        let is_html = name == b"html" && namespace == Some(XHTML) && !tag.is_self_closed;
        if !is_html && !self.is_lenient {
            return Err(RewriteError::NotHtml);
        }
        if is_html && tag.attribute(whole, "xml:base").is_some() {
            return Err(RewriteError::NotHtml);
        }
        self.phase = if is_html { Phase::Root } else { Phase::Done };
        out.extend_from_slice(whole);
        Ok(())
    }

    /// Passes a start tag and puts something in behind it; opens it first where it closes itself.
    fn opened(
        &mut self,
        whole: &[u8],
        tag: &Tag,
        out: &mut Out,
        put: impl FnOnce(&mut Self, &mut Out),
    ) {
        if !tag.is_self_closed {
            out.extend_from_slice(whole);
            put(self, out);
            return;
        }
        let open = whole.strip_suffix(b"/>").unwrap_or(whole);
        out.extend_from_slice(open);
        out.extend_from_slice(b">");
        put(self, out);
        out.extend_from_slice(b"</");
        out.extend_from_slice(whole.get(tag.name.clone()).unwrap_or_default());
        out.extend_from_slice(b">");
    }
}

/// XSLT makes a page of any XML, after all that could be looked at here: such a document cannot carry the banner. A
/// style sheet in CSS makes none.
fn check_stylesheet(bytes: &[u8]) -> Result<(), RewriteError> {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some(rest) = text.strip_prefix("<?xml-stylesheet") else {
        return Ok(());
    };
    if rest.contains("text/css")
        && !rest.contains("xsl")
        && !rest.contains("xml")
        && !rest.contains('&')
    {
        Ok(())
    } else {
        Err(RewriteError::NotHtml)
    }
}

/// The declared encoding must be one in which ASCII is ASCII; the others come here transcoded, by BOM or header.
fn check_declaration(bytes: &[u8]) -> Result<(), RewriteError> {
    if !bytes.starts_with(b"<?xml") {
        return Ok(());
    }
    let text = String::from_utf8_lossy(bytes);
    let Some((_, after)) = text.split_once("encoding") else {
        return Ok(());
    };
    let label = after.trim_start().trim_start_matches('=').trim_start();
    let label = label.trim_start_matches(['"', '\'']);
    let label = label.split(['"', '\'']).next().unwrap_or_default();
    match encoding_rs::Encoding::for_label(label.as_bytes()) {
        Some(encoding)
            if encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE =>
        {
            Ok(())
        }
        Some(encoding) if !encoding.is_ascii_compatible() => {
            Err(RewriteError::Encoding(encoding.name()))
        }
        _ => Ok(()),
    }
}

/// One past the `>` of a document type declaration, whose internal subset may hold quotes and comments.
fn doctype_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    let mut depth = 0usize;
    loop {
        let rest = bytes.get(at..)?;
        match rest {
            [b'<', b'!', b'-', b'-', ..] => at += memchr::memmem::find(rest.get(4..)?, b"-->")? + 7,
            [b'<', b'?', ..] => at += memchr::memmem::find(rest, b"?>")? + 2,
            [quote @ (b'"' | b'\''), ..] => at += memchr::memchr(*quote, rest.get(1..)?)? + 2,
            [b'[', ..] => {
                depth += 1;
                at += 1;
            }
            [b']', ..] => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            [b'>', ..] if depth == 0 => return Some(at + 1),
            [_, ..] => at += 1,
            [] => return None,
        }
    }
}
