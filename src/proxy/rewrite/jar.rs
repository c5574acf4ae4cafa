//! The server-side cookie jar of one session: the app's cookies stay here, so that the operator never
//! holds a customer's credential. Storage and retrieval follow RFC 6265 §5.3 and §5.4.

use crate::model::Timestamp;
use parking_lot::Mutex;

/// How much one session's jar may hold. RFC 6265 §6.1 asks for at least 50 cookies of 4096 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Cookies in one jar; the oldest goes first.
    pub max_cookies: usize,
    /// Bytes of name and value of one cookie; a larger one is not kept.
    pub max_cookie_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_cookies: 100,
            max_cookie_bytes: 4096,
        }
    }
}

struct Entry {
    name: String,
    value: String,
    /// Lower case, no leading dot.
    domain: String,
    host_only: bool,
    path: String,
    secure: bool,
    expires: Option<Timestamp>,
}

/// Where a cookie comes from or would go to.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The app's host without its port, lower case.
    pub host: &'a str,
    pub path: &'a str,
    pub is_https: bool,
}

/// The cookies that the app set in one session.
#[derive(Default)]
pub struct Jar {
    limits: Limits,
    entries: Mutex<Vec<Entry>>,
}

impl std::fmt::Debug for Jar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Names only: values are the customer's credentials.
        let entries = self.entries.lock();
        f.debug_set()
            .entries(entries.iter().map(|entry| &entry.name))
            .finish()
    }
}

impl Jar {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: Mutex::default(),
        }
    }

    /// Takes one `Set-Cookie` line in. What RFC 6265 §5.3 says to ignore is ignored.
    pub fn store(&self, line: &str, from: Place<'_>, now: Timestamp) {
        let Ok(parsed) = cookie::Cookie::parse(line) else {
            return;
        };
        if parsed.name().len() + parsed.value().len() > self.limits.max_cookie_bytes {
            return;
        }
        let Some(entry) = Entry::accept(&parsed, from, now) else {
            return;
        };
        let mut entries = self.entries.lock();
        let same = |old: &Entry| {
            old.name == entry.name && old.domain == entry.domain && old.path == entry.path
        };
        let place = entries.iter().position(same);
        let is_over = entry.expires.is_some_and(|at| at <= now);
        match (place, is_over) {
            (Some(at), true) => drop(entries.remove(at)),
            (Some(at), false) => {
                if let Some(old) = entries.get_mut(at) {
                    *old = entry;
                }
            }
            (None, true) => {}
            (None, false) => {
                if entries.len() >= self.limits.max_cookies {
                    entries.remove(0);
                }
                entries.push(entry);
            }
        }
    }

    /// Appends `name=value` pairs for a request to `out`, longest path first, separated by `; `.
    pub fn write_cookies(&self, to: Place<'_>, now: Timestamp, out: &mut String) {
        let mut entries = self.entries.lock();
        entries.retain(|entry| entry.expires.is_none_or(|at| at > now));
        let mut fitting: Vec<&Entry> = entries.iter().filter(|entry| entry.fits(to)).collect();
        // A stable sort keeps the order of creation among equals (§5.4 step 2).
        fitting.sort_by_key(|entry| std::cmp::Reverse(entry.path.len()));
        for entry in fitting {
            push_pair(out, &entry.name, &entry.value);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.lock().is_empty()
    }

    /// Forgets everything: the session is over.
    pub fn clear(&self) {
        self.entries.lock().clear();
    }
}

/// Appends `name=value` to a `Cookie` header's text.
pub fn push_pair(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push_str("; ");
    }
    out.push_str(name);
    out.push('=');
    out.push_str(value);
}

impl Entry {
    fn accept(parsed: &cookie::Cookie<'_>, from: Place<'_>, now: Timestamp) -> Option<Self> {
        let named = parsed
            .domain()
            .map(|d| d.trim_start_matches('.').to_ascii_lowercase())
            .filter(|d| !d.is_empty());
        let host_only = named.is_none();
        let domain = named.unwrap_or_else(|| from.host.to_owned());
        if !domain_matches(from.host, &domain) {
            return None;
        }
        let secure = parsed.secure().unwrap_or(false);
        let path = parsed
            .path()
            .filter(|path| path.starts_with('/'))
            .unwrap_or_else(|| default_path(from.path));
        // RFC 6265bis §5.4: the prefixes promise what they name.
        let host_prefix_broken =
            parsed.name().starts_with("__Host-") && !(secure && host_only && path == "/");
        let secure_prefix_broken = parsed.name().starts_with("__Secure-") && !secure;
        if host_prefix_broken || secure_prefix_broken || (secure && !from.is_https) {
            return None;
        }
        Some(Self {
            name: parsed.name().to_owned(),
            value: parsed.value().to_owned(),
            domain,
            host_only,
            path: path.to_owned(),
            secure,
            expires: expiry(parsed, now),
        })
    }

    fn fits(&self, to: Place<'_>) -> bool {
        let host = if self.host_only {
            to.host == self.domain
        } else {
            domain_matches(to.host, &self.domain)
        };
        host && path_matches(to.path, &self.path) && (to.is_https || !self.secure)
    }
}

/// `Max-Age` wins over `Expires` (§5.3 step 3); none of both: until the session ends.
fn expiry(parsed: &cookie::Cookie<'_>, now: Timestamp) -> Option<Timestamp> {
    if let Some(age) = parsed.max_age() {
        let millis = i64::try_from(age.whole_milliseconds()).unwrap_or(i64::MAX);
        return Some(Timestamp::from_millis(now.millis().saturating_add(millis)));
    }
    let at = parsed.expires_datetime()?;
    Some(Timestamp::from_millis(
        at.unix_timestamp().saturating_mul(1000),
    ))
}

/// RFC 6265 §5.1.3. An address matches only itself.
fn domain_matches(host: &str, domain: &str) -> bool {
    if host == domain {
        return true;
    }
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    !is_address
        && host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.'))
}

/// RFC 6265 §5.1.4.
fn path_matches(path: &str, cookie_path: &str) -> bool {
    match path.strip_prefix(cookie_path) {
        None => false,
        Some(rest) => rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'),
    }
}

/// RFC 6265 §5.1.4: up to, not including, the last slash.
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(at) => path.get(..at).unwrap_or("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn at<'a>(host: &'a str, path: &'a str) -> Place<'a> {
        Place {
            host,
            path,
            is_https: true,
        }
    }

    fn sent(jar: &Jar, to: Place<'_>) -> String {
        let mut out = String::new();
        jar.write_cookies(to, NOW, &mut out);
        out
    }

    /// Each case: the lines that the app at `shop.example/account/orders` set, where a request goes, what it carries.
    #[test]
    fn follows_rfc_6265() {
        let home = at("shop.example", "/account/orders");
        let cases: &[(&[&str], Place<'_>, &str)] = &[
            (&["a=1; Path=/"], at("shop.example", "/x"), "a=1"),
            (&["a=1"], at("shop.example", "/account/other"), "a=1"),
            (&["a=1"], at("shop.example", "/accounting"), ""),
            (&["a=1; Path=/"], at("api.shop.example", "/"), ""),
            (
                &["a=1; Path=/; Domain=shop.example"],
                at("api.shop.example", "/"),
                "a=1",
            ),
            (
                &["a=1; Path=/; Domain=.shop.example"],
                at("evilshop.example", "/"),
                "",
            ),
            (
                &["a=1; Path=/; Domain=other.example"],
                at("other.example", "/"),
                "",
            ),
            (
                &["a=1; Path=/", "a=2; Path=/"],
                at("shop.example", "/"),
                "a=2",
            ),
            (
                &["a=1; Path=/", "a=; Path=/; Max-Age=0"],
                at("shop.example", "/"),
                "",
            ),
            (
                &["a=1; Path=/; Expires=Wed, 21 Oct 2015 07:28:00 GMT"],
                at("shop.example", "/"),
                "",
            ),
            (
                &["a=1; Path=/", "b=2; Path=/account"],
                at("shop.example", "/account"),
                "b=2; a=1",
            ),
            (
                &["__Host-a=1; Path=/x; Secure"],
                at("shop.example", "/x"),
                "",
            ),
            (
                &["__Host-a=1; Path=/; Secure"],
                at("shop.example", "/x"),
                "__Host-a=1",
            ),
        ];
        for (lines, to, want) in cases {
            let jar = Jar::default();
            for line in *lines {
                jar.store(line, home, NOW);
            }
            assert_eq!(sent(&jar, *to), *want, "{lines:?} to {to:?}");
        }
    }

    #[test]
    fn secure_cookies_stay_off_plain_http() {
        let jar = Jar::default();
        jar.store("a=1; Path=/; Secure", at("shop.example", "/"), NOW);
        assert_eq!(
            sent(
                &jar,
                Place {
                    host: "shop.example",
                    path: "/",
                    is_https: false
                }
            ),
            ""
        );
    }

    #[test]
    fn is_bounded_and_never_printed() {
        let jar = Jar::new(Limits {
            max_cookies: 2,
            max_cookie_bytes: 10,
        });
        for line in ["a=1", "b=2", "c=3", "d=12345678901"] {
            jar.store(line, at("shop.example", "/"), NOW);
        }
        assert_eq!(sent(&jar, at("shop.example", "/")), "b=2; c=3");
        assert_eq!(format!("{jar:?}"), r#"{"b", "c"}"#);
    }
}
