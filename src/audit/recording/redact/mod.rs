//! What is taken out before anything is stored. What cannot be looked through is not stored at all.
//!
//! Plain bodies are looked through while they pass, and nothing of them is held but a name or a tag. Compressed ones are held up
//! to a bound, looked through at their end, and stored as they were where nothing was found.

mod coding;
mod form;
mod headers;
mod html;
mod json;
mod lines;
mod multipart;

pub(super) use headers::fields;

use super::error::RecordingError;
use super::settings::Redaction;
use super::taped::Kind;
use coding::Coding;
use http::{HeaderMap, header};
use std::borrow::Cow;

/// Takes bytes as they pass, gives those that may be stored. After an error nothing more may be.
trait Redact: Send {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str>;
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), &'static str>;
}

/// Whether the rules can be used.
pub(super) fn check(rules: &Redaction) -> Result<(), RecordingError> {
    html::check(&rules.selectors).map_err(|what| RecordingError::Setting { what })
}

/// A WebSocket message as it may be stored: one that is JSON is looked through.
pub(super) fn message<'a>(
    rules: &Redaction,
    kind: Kind,
    bytes: &'a [u8],
) -> Result<Cow<'a, [u8]>, &'static str> {
    let first = bytes.trim_ascii_start().first();
    let may_be_json =
        matches!(kind, Kind::Text | Kind::Binary) && matches!(first, Some(b'{' | b'['));
    if rules.fields.is_empty() || !may_be_json {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut json = json::Json::new(&rules.fields);
    match json.push(bytes, &mut out) {
        Ok(()) => Ok(Cow::Owned(out)),
        // It only looked like JSON, and has no members that could be named.
        Err(_) if serde_json::from_slice::<serde_json::Value>(bytes).is_err() && !names(bytes) => {
            Ok(Cow::Borrowed(bytes))
        }
        Err(why) => Err(why),
    }
}

/// Whether there may be anything like a member with a name.
fn names(bytes: &[u8]) -> bool {
    bytes.contains(&b':') || bytes.contains(&b'=')
}

/// Looks through one body as it passes.
pub(super) struct Filter(Inner);

enum Inner {
    /// There is nothing to look for.
    Pass,
    /// As it passes.
    Plain(Box<dyn Redact>),
    /// Compressed: held whole.
    Held {
        coding: Coding,
        kind: Box<dyn Redact>,
        bytes: Vec<u8>,
        max: usize,
    },
    /// It cannot be looked through.
    Never(&'static str),
}

/// How a body's looking through ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Finished {
    /// What was given out is without the content coding that the headers name.
    pub(super) is_decoded: bool,
}

impl Filter {
    /// For a body with these headers.
    pub(super) fn of(rules: &Redaction, headers: &HeaderMap) -> Self {
        let Some(kind) = kind(rules, headers) else {
            return Self(Inner::Pass);
        };
        Self(match (kind, coding::of(headers)) {
            (Err(why), _) | (_, Err(why)) => Inner::Never(why),
            (Ok(kind), Ok(None)) => Inner::Plain(kind),
            (Ok(kind), Ok(Some(coding))) => Inner::Held {
                coding,
                kind,
                bytes: Vec::new(),
                max: rules.max_held,
            },
        })
    }

    /// Takes the next bytes, gives what may be stored of them.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        match &mut self.0 {
            Inner::Pass => out.extend_from_slice(bytes),
            Inner::Plain(kind) => kind.push(bytes, out)?,
            Inner::Never(why) => return Err(why),
            Inner::Held {
                bytes: held, max, ..
            } => {
                if held.len() + bytes.len() > *max {
                    self.0 = Inner::Never("it is compressed, and too long to be redacted");
                    return Err("it is compressed, and too long to be redacted");
                }
                held.extend_from_slice(bytes);
            }
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<Finished, &'static str> {
        match std::mem::replace(&mut self.0, Inner::Pass) {
            Inner::Pass | Inner::Never(_) => {}
            Inner::Plain(mut kind) => kind.finish(out)?,
            Inner::Held { bytes, .. } if bytes.is_empty() => {}
            Inner::Held {
                coding,
                mut kind,
                bytes,
                max,
            } => {
                let plain = coding.decode(&bytes, max.saturating_mul(8))?;
                let mut looked = Vec::with_capacity(plain.len());
                kind.push(&plain, &mut looked)?;
                kind.finish(&mut looked)?;
                if looked == plain {
                    out.extend_from_slice(&bytes);
                } else {
                    out.append(&mut looked);
                    return Ok(Finished { is_decoded: true });
                }
            }
        }
        Ok(Finished::default())
    }
}

type Chosen = Result<Box<dyn Redact>, &'static str>;

/// What a body of this type is looked through with; `None` where nothing could be in it that is looked for.
fn kind(rules: &Redaction, headers: &HeaderMap) -> Option<Chosen> {
    let value = headers.get(header::CONTENT_TYPE)?;
    let Ok(content_type) = value.to_str() else {
        return Some(Err(
            "its content type is not readable, so it cannot be redacted",
        ));
    };
    let lower = content_type.to_ascii_lowercase();
    let media = lower.split(';').next().unwrap_or_default().trim();
    let chosen: Box<dyn Redact> = match media {
        _ if rules.fields.is_empty() && rules.selectors.is_empty() => return None,
        "text/html" | "application/xhtml+xml" if rules.selectors.is_empty() => return None,
        "text/html" | "application/xhtml+xml" => {
            return Some(html::Html::new(&rules.selectors, &lower).map(|html| Box::new(html) as _));
        }
        _ if rules.fields.is_empty() => return None,
        "application/x-www-form-urlencoded" => Box::new(form::Form::new(&rules.fields)),
        "multipart/form-data" => match multipart::Multipart::new(&rules.fields, content_type) {
            Some(inner) => Box::new(multipart::Leading { inner, skip: 2 }),
            None => return Some(Err("its parts have no boundary, so it cannot be redacted")),
        },
        "text/event-stream" => Box::new(lines::Lines::new(&rules.fields)),
        _ if is_json(media) => Box::new(json::Json::new(&rules.fields)),
        _ => return None,
    };
    // Forms, JSON and events are UTF-8 by their own specifications, whatever is said of them.
    let is_wide = lower.contains("utf-16") || lower.contains("utf-32");
    Some(if is_wide {
        Err("its characters are not bytes, so it cannot be redacted")
    } else {
        Ok(chosen)
    })
}

fn is_json(media: &str) -> bool {
    media.ends_with("/json")
        || media.ends_with("+json")
        || media.ends_with("/x-ndjson")
        || media.ends_with("/jsonl")
        || media.ends_with("/x-json-stream")
}

#[cfg(test)]
mod tests;
