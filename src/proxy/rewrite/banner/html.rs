//! Puts the banner into an HTML document as it streams by.
//!
//! Three places: style and script first in the head, so that nothing in the document can swallow them and they run
//! before the app's; a prefix in the title; and the bar as plain HTML first in the body, which the script takes out
//! before any script of the app runs, and which stays where scripts do not run. After the last of these the scanner
//! steps aside and bytes pass as they are.

use super::error::RewriteError;
use super::lex::{self, Partial, RawText, Reach, Tag, Token};
use super::meta;
use super::out::Out;
use super::plan::Part;
use super::prepared::Prepared;
use bytes::Bytes;
use encoding_rs::Encoding;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing put in yet.
    Start,
    /// Style and script are in; the body has not begun.
    Head,
    /// All in.
    Done,
}

enum Mode {
    Data,
    Raw(RawText),
    /// In a comment longer than what is worth holding.
    Comment,
}

/// Elements that leave the parser in the head (§13.2.6.4.4).
const HEAD_ELEMENTS: &[&[u8]] = &[
    b"base",
    b"basefont",
    b"bgsound",
    b"head",
    b"html",
    b"link",
    b"meta",
    b"noframes",
    b"noscript",
    b"script",
    b"style",
    b"template",
    b"title",
];

/// Elements whose content is text up to their own end tag, also inside a template.
const RAW_ELEMENTS: &[&[u8]] = &[
    b"iframe",
    b"noembed",
    b"noframes",
    b"noscript",
    b"script",
    b"style",
    b"textarea",
    b"title",
    b"xmp",
];

/// A byte order mark only counts as one in the first place.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A comment before the head is held up to this many bytes; if it is longer, the banner goes before it.
const HELD_COMMENT: usize = 16 * 1024;

/// The scanner of one document.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts of a document that change on their own"
)]
pub(super) struct Html {
    part: Part,
    /// Whether the document's own policy lets scripts run at all.
    runs_scripts: bool,
    prepared: Arc<Prepared>,
    phase: Phase,
    mode: Mode,
    /// How many `<template>` are open.
    templates: usize,
    has_title: bool,
    has_begun: bool,
    held: Vec<u8>,
    most_held: usize,
    /// Whether a `<meta charset>` decides the encoding: no BOM and no header does.
    heeds_meta: bool,
    /// Set where the document says that what follows is in an encoding that is no superset of ASCII.
    switch: Option<&'static Encoding>,
}

/// What a step did.
enum Step {
    /// This many bytes are done with.
    Took(usize),
    /// More bytes are needed.
    Wait,
}

impl Html {
    pub(super) fn new(
        part: Part,
        prepared: Arc<Prepared>,
        most_held: usize,
        heeds_meta: bool,
    ) -> Self {
        Self {
            part,
            runs_scripts: true,
            prepared,
            phase: Phase::Start,
            mode: Mode::Data,
            templates: 0,
            has_title: false,
            has_begun: false,
            held: Vec::new(),
            most_held,
            heeds_meta,
            switch: None,
        }
    }

    /// The document is sandboxed without scripts: one of ours would only be an error in its console.
    pub(super) fn without_scripts(mut self) -> Self {
        self.runs_scripts = false;
        self
    }

    /// Whether all that follows passes as it is.
    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done && self.held.is_empty()
    }

    /// A byte order mark has decided the encoding.
    pub(super) fn ignore_meta(&mut self) {
        self.heeds_meta = false;
    }

    /// The encoding of what follows, and the bytes of it that were already taken in.
    pub(super) fn take_switch(&mut self) -> Option<(&'static Encoding, Vec<u8>)> {
        let encoding = self.switch.take()?;
        self.heeds_meta = false;
        Some((encoding, std::mem::take(&mut self.held)))
    }

    pub(super) fn push(&mut self, input: Bytes, out: &mut Out) -> Result<(), RewriteError> {
        let input = if self.held.is_empty() {
            input
        } else {
            self.held.extend_from_slice(&input);
            std::mem::take(&mut self.held).into()
        };
        out.lend(&input);
        let mut at = 0;
        while let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) {
            if self.switch.is_some() {
                break;
            }
            if self.phase == Phase::Done {
                out.extend_from_slice(rest);
                return Ok(());
            }
            match self.step(rest, out, false) {
                Step::Took(taken) => at += taken,
                Step::Wait => break,
            }
        }
        let held = input.get(at..).unwrap_or_default();
        if held.len() > self.most_held && self.switch.is_none() {
            return Err(RewriteError::TokenTooLong(self.most_held));
        }
        self.held = held.to_vec();
        Ok(())
    }

    /// The document is over, whether or not it was whole.
    pub(super) fn finish(&mut self, out: &mut Out) {
        let held = std::mem::take(&mut self.held);
        let mut at = 0;
        while let Some(rest) = held.get(at..).filter(|rest| !rest.is_empty()) {
            if self.phase == Phase::Done {
                break;
            }
            match self.step(rest, out, true) {
                Step::Took(taken) => at += taken,
                Step::Wait => break,
            }
        }
        if self.phase == Phase::Start {
            self.put_head(out);
        }
        if self.phase == Phase::Head {
            match self.mode {
                // Browsers end a comment at the end of the document; said aloud, the bar can follow it.
                Mode::Comment => {
                    out.extend_from_slice(held.get(at..).unwrap_or_default());
                    at = held.len();
                    out.extend_from_slice(b"-->");
                }
                // What is cut off in a script, style or title cannot be closed without changing what it does: there
                // the style's own words stand in for the bar.
                Mode::Raw(_) => self.phase = Phase::Done,
                Mode::Data => {}
            }
            self.put_section(out);
        }
        out.extend_from_slice(held.get(at..).unwrap_or_default());
    }

    fn put_head(&mut self, out: &mut Out) {
        match self.part {
            Part::Document => {
                if self.runs_scripts {
                    self.prepared.put_head(out);
                } else {
                    self.prepared.put_style(out);
                }
                self.phase = Phase::Head;
            }
            Part::Frame => {
                if self.runs_scripts {
                    self.prepared.put_frame(out);
                }
                self.phase = Phase::Done;
            }
        }
    }

    fn put_section(&mut self, out: &mut Out) {
        if self.phase == Phase::Head {
            out.extend_from_slice(self.prepared.section());
            self.phase = Phase::Done;
        }
    }

    fn step(&mut self, rest: &[u8], out: &mut Out, at_end: bool) -> Step {
        match &mut self.mode {
            Mode::Comment => self.step_comment(rest, out),
            Mode::Raw(raw) => {
                let (length, ends) = match raw.scan(rest) {
                    Reach::Ends(length) => (length, true),
                    Reach::Unsure(length) => (length, false),
                };
                out.extend_from_slice(rest.get(..length).unwrap_or_default());
                if ends {
                    self.mode = Mode::Data;
                }
                if length == 0 && !ends {
                    Step::Wait
                } else {
                    Step::Took(length)
                }
            }
            Mode::Data => self.step_data(rest, out, at_end),
        }
    }

    fn step_comment(&mut self, rest: &[u8], out: &mut Out) -> Step {
        let plain = memchr::memmem::find(rest, b"-->").map(|at| at + 3);
        let bang = memchr::memmem::find(rest, b"--!>").map(|at| at + 4);
        let end = match (plain, bang) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if end.is_some() {
            self.mode = Mode::Data;
        }
        let length = end.unwrap_or(rest.len().saturating_sub(3));
        out.extend_from_slice(rest.get(..length).unwrap_or_default());
        if length == 0 {
            Step::Wait
        } else {
            Step::Took(length)
        }
    }

    fn step_data(&mut self, rest: &[u8], out: &mut Out, at_end: bool) -> Step {
        let pass = |length: usize, out: &mut Out| {
            out.extend_from_slice(rest.get(..length).unwrap_or_default());
            Step::Took(length)
        };
        if !self.has_begun {
            if rest.len() < MARK.len() && MARK.starts_with(rest) && !at_end {
                return Step::Wait;
            }
            self.has_begun = true;
            if rest.starts_with(MARK) {
                return pass(MARK.len(), out);
            }
        }
        match lex::token(rest) {
            Token::Blank(length) | Token::Comment(length) | Token::Doctype(length) => {
                pass(length, out)
            }
            Token::Text if self.templates > 0 => {
                // A lone `<` is text too: go past it.
                let next = rest.get(1..).and_then(|more| memchr::memchr(b'<', more));
                pass(next.map_or(rest.len(), |at| at + 1), out)
            }
            Token::Text => {
                self.put_all(out);
                Step::Took(0)
            }
            Token::Start(tag) => {
                self.start(rest, &tag, out);
                Step::Took(tag.end)
            }
            Token::End(tag) => {
                self.end(&tag.name(rest), out);
                pass(tag.end, out)
            }
            Token::Partial(Partial::Comment) if rest.starts_with(b"<!--") => {
                let is_long = rest.len() > HELD_COMMENT || at_end || self.phase == Phase::Head;
                if !is_long || (rest.len() < 8 && !at_end) {
                    return Step::Wait;
                }
                if self.phase == Phase::Start {
                    self.put_head(out);
                }
                self.mode = Mode::Comment;
                let length = if at_end { rest.len() } else { rest.len() - 3 };
                pass(length, out)
            }
            Token::Partial(_) => Step::Wait,
        }
    }

    /// Head and bar both go here: what follows begins the body.
    fn put_all(&mut self, out: &mut Out) {
        if self.phase == Phase::Start {
            self.put_head(out);
        }
        self.put_section(out);
    }

    fn start(&mut self, rest: &[u8], tag: &Tag, out: &mut Out) {
        let name = tag.name(rest);
        let name = name.as_slice();
        let whole = rest.get(..tag.end).unwrap_or_default();
        if self.phase == Phase::Start && name != b"html" && name != b"head" {
            self.put_head(out);
        }
        if self.phase == Phase::Done {
            out.extend_from_slice(whole);
            return;
        }
        let is_head = HEAD_ELEMENTS.contains(&name);
        if self.templates == 0 && !is_head && name != b"body" && name != b"frameset" {
            self.put_section(out);
            out.extend_from_slice(whole);
            return;
        }
        if name == b"meta" && self.templates == 0 {
            self.meta(whole, tag, out);
        } else {
            out.extend_from_slice(whole);
        }
        if RAW_ELEMENTS.contains(&name) {
            self.mode = Mode::Raw(RawText::new(name));
        }
        match name {
            b"template" => self.templates = self.templates.saturating_add(1),
            _ if self.templates > 0 => {}
            b"head" if self.phase == Phase::Start => self.put_head(out),
            b"title" if !self.has_title => {
                self.has_title = true;
                out.extend_from_slice(self.prepared.title());
            }
            b"body" => self.put_section(out),
            // A bar in the body would undo the frameset; the style's own words and the script's bar carry it.
            b"frameset" => self.phase = Phase::Done,
            _ => {}
        }
    }

    fn end(&mut self, name: &[u8], out: &mut Out) {
        let begins_body = matches!(name, b"body" | b"html" | b"br");
        match name {
            b"template" => self.templates = self.templates.saturating_sub(1),
            _ if self.templates > 0 => {}
            b"head" if self.phase == Phase::Start => self.put_head(out),
            _ if begins_body => self.put_all(out),
            _ => {}
        }
    }

    fn meta(&mut self, whole: &[u8], tag: &Tag, out: &mut Out) {
        if self.heeds_meta
            && let Some(encoding) = meta::encoding(whole, tag)
        {
            self.heeds_meta = false;
            if !encoding.is_ascii_compatible() {
                out.extend_from_slice(b"<meta charset=\"utf-8\">");
                self.switch = Some(encoding);
                return;
            }
        }
        match meta::policy(whole, tag, self.prepared.needs()) {
            Some(changed) => out.extend_from_slice(&changed),
            None => out.extend_from_slice(whole),
        }
    }
}
