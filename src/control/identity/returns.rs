//! Where a browser goes after signing in: an absolute path of this origin, never anywhere else (CWE-601).

use url::Url;

/// The longest that is kept.
const MAX: usize = 2048;

/// A path with its query and fragment on the portal's own origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReturnPath(String);

impl ReturnPath {
    /// The first page.
    pub(super) fn home() -> Self {
        Self("/".to_owned())
    }

    /// `text`, if a browser can only read it as a path of this origin, and it is no step of signing in itself.
    pub(super) fn parse(text: &str) -> Option<Self> {
        // Browsers drop tabs and line breaks from URLs, and read `\` as `/` (WHATWG URL, "special" schemes).
        let plain = text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
        let rooted = text.starts_with('/') && !text.starts_with("//");
        if !plain || !rooted || text.len() > MAX {
            return None;
        }
        let base = Url::parse("https://portal.invalid/").ok()?;
        let joined = base.join(text).ok()?;
        if joined.origin() != base.origin() || joined.path().starts_with("//") {
            return None;
        }
        let first = joined.path().split('/').nth(1).unwrap_or_default();
        (!matches!(first, "login" | "logout")).then(|| Self(text.to_owned()))
    }

    /// What was asked for, or the first page.
    pub(super) fn or_home(text: Option<&str>) -> Self {
        text.and_then(Self::parse).unwrap_or_else(Self::home)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_paths_of_this_origin_are_kept() {
        for good in [
            "/",
            "/requests/req_1?state=open#votes",
            "/a//b",
            "/%2f%2fevil.example",
            "/x?to=https://evil.example",
            "/loginx",
        ] {
            assert_eq!(
                ReturnPath::parse(good).as_ref().map(ReturnPath::as_str),
                Some(good)
            );
        }
        for bad in [
            "",
            "requests",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/a\r\nSet-Cookie: x",
            " /a",
            "/a b",
            "/ä",
            "/\u{0}",
            "/.//evil.example",
            "/..//evil.example",
            "/login",
            "/login?to=/",
            "/x/../login/callback",
            "/logout",
            &format!("/{}", "a".repeat(MAX)),
        ] {
            assert_eq!(ReturnPath::parse(bad), None, "{bad:?}");
        }
        assert_eq!(ReturnPath::or_home(Some("//x")), ReturnPath::home());
        assert_eq!(ReturnPath::or_home(None), ReturnPath::home());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Whatever is kept stays on the origin of whatever page it is followed from.
        #[test]
        fn what_is_kept_never_leaves(text in r"[/\\.:@a-z%0-9?#\t\r\n \x00-]{0,40}") {
            if let Some(path) = ReturnPath::parse(&text) {
                for base in ["https://portal.example/login/callback?code=x", "http://localhost:8444/login"] {
                    let base = Url::parse(base).map_err(|e| TestCaseError::fail(e.to_string()))?;
                    let led = base.join(path.as_str()).map_err(|e| TestCaseError::fail(e.to_string()))?;
                    prop_assert_eq!(led.origin(), base.origin());
                    prop_assert!(led.username().is_empty());
                    prop_assert!(http::HeaderValue::from_str(path.as_str()).is_ok());
                }
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = ReturnPath::parse(&text);
        }
    }
}
