//! Elements of HTML, by CSS selectors: their text and their `value` are taken out while the document passes.

use super::Redact;
use encoding_rs::Encoding;
use lol_html::html_content::ContentType;
use lol_html::send::{ElementContentHandlers, HtmlRewriter, Settings};
use lol_html::{AsciiCompatibleEncoding, MemorySettings, Selector};
use parking_lot::Mutex;
use std::borrow::Cow;
use std::sync::Arc;

/// Takes what the rewriter gives out.
type Out = Box<dyn FnMut(&[u8]) + Send>;

/// What the parser may hold of a document. Bytes.
const MEMORY: usize = 4 << 20;

const MARK: &str = "[redacted]";

/// Whether each selector can be used.
pub(super) fn check(selectors: &[String]) -> Result<(), String> {
    for text in selectors {
        if let Err(why) = text.parse::<Selector>() {
            return Err(format!(
                "recording.redact_selectors: {text:?} is no selector that can be used: {why}"
            ));
        }
    }
    Ok(())
}

type Handler = (Cow<'static, Selector>, ElementContentHandlers<'static>);

type Rewriter = HtmlRewriter<'static, Box<dyn FnMut(&[u8]) + Send>>;

pub(super) struct Html {
    rewriter: Option<Rewriter>,
    out: Arc<Mutex<Vec<u8>>>,
}

impl Html {
    /// `content_type`: in lower case.
    pub(super) fn new(selectors: &[String], content_type: &str) -> Result<Self, &'static str> {
        let named = content_type.split_once("charset=").map(|(_, rest)| {
            let end = rest.find([';', ' ']).unwrap_or(rest.len());
            rest.get(..end).unwrap_or_default().trim_matches('"')
        });
        let encoding = match named {
            None => encoding_rs::UTF_8,
            Some(name) => Encoding::for_label(name.as_bytes())
                .ok_or("its charset is not known, so it cannot be redacted")?,
        };
        let encoding = AsciiCompatibleEncoding::new(encoding)
            .ok_or("its characters are not bytes, so it cannot be redacted")?;
        let out = Arc::<Mutex<Vec<u8>>>::default();
        let to = Arc::clone(&out);
        let sink: Out = Box::new(move |bytes: &[u8]| to.lock().extend_from_slice(bytes));
        let mut settings = Settings::new_send()
            .with_encoding(encoding)
            .with_memory_settings(MemorySettings::new().with_max_allowed_memory_usage(MEMORY))
            .with_strict(false);
        for selector in selectors.iter().filter_map(|text| text.parse().ok()) {
            let handler: Handler = (Cow::Owned(selector), hiding());
            settings = settings.append_element_content_handler(handler);
        }
        Ok(Self {
            rewriter: Some(HtmlRewriter::new(settings, sink)),
            out,
        })
    }

    fn give(&self, out: &mut Vec<u8>) {
        out.append(&mut self.out.lock());
    }
}

fn hiding() -> ElementContentHandlers<'static> {
    ElementContentHandlers::default().element(|element: &mut lol_html::send::Element<'_, '_>| {
        for name in ["value", "content"] {
            if element.has_attribute(name) {
                element.set_attribute(name, MARK)?;
            }
        }
        element.set_inner_content(MARK, ContentType::Text);
        Ok(())
    })
}

const BROKEN: &str = "its HTML could not be looked through, so it cannot be redacted";

impl Redact for Html {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        let Some(rewriter) = &mut self.rewriter else {
            return Err(BROKEN);
        };
        let written = rewriter.write(bytes);
        self.give(out);
        if written.is_err() {
            self.rewriter = None;
            return Err(BROKEN);
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let ended = self.rewriter.take().map(HtmlRewriter::end);
        self.give(out);
        match ended {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(BROKEN),
        }
    }
}
