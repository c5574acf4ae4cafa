//! A recorded page made fit for the replay: our script first, and nothing that would stop it or reach for the network.

use super::mapping::replaced;
use lol_html::html_content::Element;
use lol_html::{HandlerResult, RewriteStrSettings, element, rewrite_str};

/// The banner's test for being in a frame, where it shows no bar. A replay is always in one: the portal's.
const IN_A_FRAME: &[u8] = b"W.top !== W)";
const IN_A_FRAME_OF_THE_PAGE: &[u8] = b"W.parent !== W.top)";

/// The page, with the script in front. `began`: when the page was opened, in milliseconds.
pub(super) fn prepared(html: &[u8], began: i64) -> Vec<u8> {
    let html = replaced(html, IN_A_FRAME, IN_A_FRAME_OF_THE_PAGE);
    let html = match std::str::from_utf8(&html) {
        Ok(text) => without(text).map_or(html.clone(), String::into_bytes),
        // Another encoding: what would be taken out here is stopped by the policy anyway.
        Err(_) => html,
    };
    let script = format!("<script src=\"/.locum/replay/shim.js\" data-at=\"{began}\"></script>");
    let at = after_the_doctype(&html);
    let mut out = html.get(..at).unwrap_or_default().to_vec();
    out.extend_from_slice(script.as_bytes());
    out.extend_from_slice(html.get(at..).unwrap_or_default());
    out
}

/// Without the page's own policy (its hashes are of texts before the mapping) and without reaching out ahead.
fn without(html: &str) -> Option<String> {
    let policy = |element: &mut Element<'_, '_>| -> HandlerResult {
        let name = element.get_attribute("http-equiv").unwrap_or_default();
        if name
            .trim()
            .to_ascii_lowercase()
            .starts_with("content-security-policy")
        {
            element.remove();
        }
        Ok(())
    };
    let ahead = |element: &mut Element<'_, '_>| -> HandlerResult {
        let rel = element.get_attribute("rel").unwrap_or_default();
        let rel = rel.to_ascii_lowercase();
        let mut kinds = rel.split_ascii_whitespace();
        if kinds.any(|it| matches!(it, "preconnect" | "dns-prefetch" | "prerender")) {
            element.remove();
        }
        Ok(())
    };
    let digest = |element: &mut Element<'_, '_>| -> HandlerResult {
        element.remove_attribute("integrity");
        Ok(())
    };
    let settings = RewriteStrSettings::new()
        .append_element_content_handler(element!("meta[http-equiv]", policy))
        .append_element_content_handler(element!("link[rel]", ahead))
        .append_element_content_handler(element!("*[integrity]", digest))
        .with_strict(false);
    rewrite_str(html, settings).ok()
}

/// Behind a byte order mark, white space, comments and the doctype: a script before that would put the page into quirks mode.
fn after_the_doctype(html: &[u8]) -> usize {
    let mut at = if html.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    loop {
        let rest = html.get(at..).unwrap_or_default();
        let blank = rest
            .iter()
            .take_while(|it| it.is_ascii_whitespace())
            .count();
        let rest = rest.get(blank..).unwrap_or_default();
        let end = if rest.starts_with(b"<!--") {
            memchr::memmem::find(rest, b"-->").map(|end| end + 3)
        } else if rest.starts_with(b"<?") {
            memchr::memchr(b'>', rest).map(|end| end + 1)
        } else {
            let is_doctype = rest
                .get(..9)
                .is_some_and(|it| it.eq_ignore_ascii_case(b"<!doctype"));
            let end = memchr::memchr(b'>', rest).filter(|_| is_doctype);
            return end.map_or(at, |end| at + blank + end + 1);
        };
        match end {
            Some(end) => at += blank + end,
            None => return at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(html: &str) -> String {
        String::from_utf8(prepared(html.as_bytes(), 7)).expect("text")
    }

    #[test]
    fn the_script_comes_right_after_the_doctype() {
        let script = "<script src=\"/.locum/replay/shim.js\" data-at=\"7\"></script>";
        for (before, after) in [
            ("<!DOCTYPE html>", "<html><body>x"),
            ("\u{feff} <!-- <!doctype html> --> <!doctype html>", "\n<p>"),
            ("", "<p>no doctype"),
            ("", "<!doctype"),
        ] {
            assert_eq!(
                page(&format!("{before}{after}")),
                format!("{before}{script}{after}")
            );
        }
    }

    #[test]
    fn what_would_stop_it_or_reach_out_is_taken_out() {
        let seen = page(
            "<!doctype html><head><meta HTTP-EQUIV=\"Content-Security-Policy\" content=\"script-src 'none'\">\
             <link rel=\"dns-prefetch\" href=\"//evil.example\"><link rel=stylesheet href=a.css integrity=sha256-x>\
             <meta charset=utf-8>",
        );
        assert!(
            !seen.contains("script-src 'none'") && !seen.contains("evil.example"),
            "{seen}"
        );
        assert!(seen.contains("<link rel=stylesheet href=a.css"), "{seen}");
        assert!(
            !seen.contains("integrity") && seen.contains("charset=utf-8"),
            "{seen}"
        );
    }

    #[test]
    fn the_banner_shows_its_bar_in_the_portal_s_frame() {
        let seen = page("<!doctype html><script>if (W.top !== W) { return }</script>");
        assert!(seen.contains("if (W.parent !== W.top) {"), "{seen}");
    }
}
