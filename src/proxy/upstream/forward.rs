//! What the app is told about the way a request came: `Forwarded` (RFC 7239), `X-Forwarded-*`, `Via`
//! (RFC 9110 §7.6.3), `traceparent`, and which `Host` it sees.

mod known;
mod strip;
mod trace;
mod via;

pub use known::{Key, Stamps};
pub use strip::SPOOFABLE;
pub use via::passes;

use http::header::{FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, VIA};
use http::{Version, header};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// As many fields as are set here and by the identity, most likely: room is made once.
const FIELDS: usize = 10;

/// How a URL starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn port(self) -> &'static str {
        match self {
            Self::Http => "80",
            Self::Https => "443",
        }
    }
}

/// Which `Host` the app sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HostRule {
    /// The client's own, port and all.
    #[default]
    Preserve,
    /// Always this one, with a port or without.
    Fixed(String),
    /// This name with the port that the client used, where it named one: for apps that compare `Host`
    /// with `Origin`.
    KeepPort(String),
    /// The address that is connected to.
    Address,
}

/// What is told to one upstream.
#[derive(Clone, Debug)]
pub struct Settings {
    pub host: HostRule,
    /// Set `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`. Default true.
    pub x_forwarded: bool,
    /// Set `Forwarded`. Default true.
    pub forwarded: bool,
    /// Scheme and host (with its port) to tell the app instead of those that the client used: for apps
    /// that build or compare URLs with their own public origin.
    pub public: Option<(Scheme, String)>,
    /// Our name in `Via`. Default `locum`; empty leaves `Via` alone.
    pub pseudonym: String,
    /// Longest chain kept from a trusted proxy, in bytes; a longer one is dropped. Default 4096.
    pub max_chain: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            host: HostRule::default(),
            x_forwarded: true,
            forwarded: true,
            public: None,
            pseudonym: "locum".to_owned(),
            max_chain: 4096,
        }
    }
}

/// How a request reached us.
#[derive(Clone, Copy, Debug)]
pub struct Hop<'a> {
    /// The other end of the connection (or what the PROXY protocol said it is).
    pub peer: IpAddr,
    /// Whether `peer` is a proxy whose word about the client is taken.
    pub trusted: bool,
    pub scheme: Scheme,
    /// The request's authority, port and all.
    pub host: &'a str,
    pub version: Version,
}

/// The ready-made header values for one hop: make it once for a connection and host, apply it to each request.
#[derive(Clone, Debug)]
pub struct Stamp {
    trusted: bool,
    max_chain: usize,
    host: Option<HeaderValue>,
    keep_host: bool,
    x_forwarded: Option<XForwarded>,
    forwarded: Option<HeaderValue>,
    via: Option<HeaderValue>,
}

#[derive(Clone, Debug)]
struct XForwarded {
    client: HeaderValue,
    proto: HeaderValue,
    host: Option<HeaderValue>,
    port: HeaderValue,
}

impl Stamp {
    pub fn new(settings: &Settings, hop: &Hop<'_>) -> Self {
        let (scheme, host) = match &settings.public {
            Some((scheme, host)) => (*scheme, host.as_str()),
            None => (hop.scheme, hop.host),
        };
        let peer = hop.peer.to_canonical();
        let x_forwarded = settings.x_forwarded.then(|| XForwarded {
            client: value(&peer.to_string()),
            proto: HeaderValue::from_static(scheme.as_str()),
            host: HeaderValue::from_str(host).ok(),
            port: value(split_port(host).1.unwrap_or(scheme.port())),
        });
        Self {
            trusted: hop.trusted,
            max_chain: settings.max_chain,
            host: host_value(&settings.host, hop.host),
            keep_host: settings.host == HostRule::Preserve,
            x_forwarded,
            forwarded: settings
                .forwarded
                .then(|| value(&forwarded_element(peer, scheme, host))),
            via: via_value(&settings.pseudonym, hop.version),
        }
    }

    /// Replaces what the client claimed, appends where a trusted proxy spoke, checks the trace context.
    pub fn apply(&self, headers: &mut HeaderMap) {
        strip::strip(headers, self.trusted);
        headers.reserve(FIELDS);
        match &self.host {
            Some(host) => {
                headers.insert(HOST, host.clone());
            }
            // Left out, it becomes the address when the request is sent.
            None if !self.keep_host => {
                headers.remove(HOST);
            }
            None => {}
        }
        if let Some(told) = &self.x_forwarded {
            let chain = chained(headers, &X_FORWARDED_FOR, &told.client, self.max_chain);
            headers.insert(X_FORWARDED_FOR, chain);
            let facts = [
                (X_FORWARDED_PROTO, Some(&told.proto)),
                (X_FORWARDED_HOST, told.host.as_ref()),
                (X_FORWARDED_PORT, Some(&told.port)),
            ];
            for (name, fact) in facts {
                let said = self.trusted && headers.contains_key(&name);
                if let (false, Some(fact)) = (said, fact) {
                    headers.insert(name, fact.clone());
                }
            }
        }
        if let Some(element) = &self.forwarded {
            let chain = chained(headers, &FORWARDED, element, self.max_chain);
            headers.insert(FORWARDED, chain);
        }
        if let Some(via) = &self.via {
            headers.append(VIA, via.clone());
        }
        trace::check(headers);
    }
}

/// [`Stamp::new`] and [`Stamp::apply`] in one.
pub fn request(headers: &mut HeaderMap, settings: &Settings, hop: &Hop<'_>) {
    Stamp::new(settings, hop).apply(headers);
}

/// Appends our `Via` to a response that came from the app in `version`.
pub fn response(headers: &mut HeaderMap, settings: &Settings, version: Version) {
    if let Some(via) = via_value(&settings.pseudonym, version) {
        headers.append(VIA, via);
    }
}

/// The `Host` for the app under `rule`, where the client said `original`; `None` leaves it to the rest of the way.
pub fn host_value(rule: &HostRule, original: &str) -> Option<HeaderValue> {
    let text = match rule {
        HostRule::Preserve => Cow::Borrowed(original),
        HostRule::Fixed(host) => host.into(),
        HostRule::KeepPort(name) => match split_port(original).1 {
            Some(port) => format!("{name}:{port}").into(),
            None => name.into(),
        },
        HostRule::Address => return None,
    };
    HeaderValue::from_str(&text).ok().filter(|v| !v.is_empty())
}

/// `host` and `port` of an authority; IPv6 keeps its brackets.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port))
            if !port.is_empty()
                && port.bytes().all(|b| b.is_ascii_digit())
                && (!host.contains(':') || host.ends_with(']')) =>
        {
            (host, Some(port))
        }
        _ => (authority, None),
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown"))
}

/// One element of RFC 7239 §4: IPv6 and anything with a port are quoted.
fn forwarded_element(peer: IpAddr, scheme: Scheme, host: &str) -> String {
    let mut out = String::with_capacity(64);
    // Writing to a String cannot fail.
    let _ = match peer {
        IpAddr::V4(ip) => write!(out, "for={ip}"),
        IpAddr::V6(ip) => write!(out, "for=\"[{ip}]\""),
    };
    let _ = write!(out, ";proto={}", scheme.as_str());
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let quotable = |b: u8| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\');
    if !host.is_empty() && host.bytes().all(token) {
        let _ = write!(out, ";host={host}");
    } else if !host.is_empty() && host.bytes().all(quotable) {
        let _ = write!(out, ";host=\"{host}\"");
    }
    out
}

fn via_value(pseudonym: &str, version: Version) -> Option<HeaderValue> {
    let protocol = match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    };
    if pseudonym == "locum" && protocol == "1.1" {
        return Some(HeaderValue::from_static("1.1 locum"));
    }
    let text = format!("{protocol} {pseudonym}");
    HeaderValue::from_str(&text)
        .ok()
        .filter(|_| !pseudonym.is_empty())
}

/// What is left of `name` (only a trusted proxy's survived) and `last`, as one list.
fn chained(headers: &HeaderMap, name: &HeaderName, last: &HeaderValue, max: usize) -> HeaderValue {
    let mut values = headers.get_all(name).iter().peekable();
    if values.peek().is_none() {
        return last.clone();
    }
    let mut chain = Vec::new();
    for one in values {
        chain.extend_from_slice(one.as_bytes());
        chain.extend_from_slice(b", ");
        if chain.len() > max {
            return last.clone();
        }
    }
    chain.extend_from_slice(last.as_bytes());
    HeaderValue::from_bytes(&chain).unwrap_or_else(|_| last.clone())
}

/// The names that [`Stamp::apply`] sets, for whoever lists what clients may not.
pub fn set_names() -> impl Iterator<Item = HeaderName> {
    [
        X_FORWARDED_FOR,
        X_FORWARDED_PROTO,
        X_FORWARDED_HOST,
        X_FORWARDED_PORT,
        header::FORWARDED,
    ]
    .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hop(trusted: bool) -> Hop<'static> {
        Hop {
            peer: IpAddr::from([192, 0, 2, 7]),
            trusted,
            scheme: Scheme::Https,
            host: "s1.shop.localhost:8443",
            version: Version::HTTP_11,
        }
    }

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        headers
    }

    fn get<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
        let all = headers.get_all(name).iter();
        all.map(|v| v.to_str().expect("text")).collect()
    }

    const SPOOFED: &[(&str, &str)] = &[
        ("host", "s1.shop.localhost:8443"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-for", "10.0.0.2"),
        ("x_forwarded_for", "10.0.0.3"),
        ("x-forwarded.host", "evil"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "for=10.0.0.1"),
        ("x-real-ip", "10.0.0.1"),
        ("via", "1.1 edge"),
        ("x-kept", "1"),
    ];

    #[test]
    fn a_clients_own_claims_are_replaced() {
        let mut headers = map(SPOOFED);
        request(&mut headers, &Settings::default(), &hop(false));
        assert_eq!(get(&headers, "x-forwarded-for"), ["192.0.2.7"]);
        assert_eq!(get(&headers, "x-forwarded-proto"), ["https"]);
        assert_eq!(
            get(&headers, "x-forwarded-host"),
            ["s1.shop.localhost:8443"]
        );
        assert_eq!(get(&headers, "x-forwarded-port"), ["8443"]);
        assert_eq!(
            get(&headers, "forwarded"),
            ["for=192.0.2.7;proto=https;host=\"s1.shop.localhost:8443\""]
        );
        assert_eq!(get(&headers, "via"), ["1.1 edge", "1.1 locum"]);
        assert_eq!(get(&headers, "host"), ["s1.shop.localhost:8443"]);
        assert_eq!(get(&headers, "x-kept"), ["1"]);
        for gone in ["x-real-ip", "x_forwarded_for", "x-forwarded.host"] {
            assert!(!headers.contains_key(gone), "{gone}");
        }
    }

    #[test]
    fn a_trusted_proxys_chain_grows() {
        let mut headers = map(SPOOFED);
        request(&mut headers, &Settings::default(), &hop(true));
        assert_eq!(
            get(&headers, "x-forwarded-for"),
            ["10.0.0.1, 10.0.0.2, 192.0.2.7"]
        );
        assert_eq!(get(&headers, "x-forwarded-proto"), ["http"]);
        assert_eq!(get(&headers, "x-real-ip"), ["10.0.0.1"]);
        assert!(!headers.contains_key("x_forwarded_for"));
        let forwarded = get(&headers, "forwarded").join("");
        assert!(
            forwarded.starts_with("for=10.0.0.1, for=192.0.2.7;"),
            "{forwarded}"
        );
    }

    #[test]
    fn a_chain_too_long_is_dropped() {
        let mut headers = map(&[("x-forwarded-for", &"1.2.3.4, ".repeat(600))]);
        request(&mut headers, &Settings::default(), &hop(true));
        assert_eq!(get(&headers, "x-forwarded-for"), ["192.0.2.7"]);
    }

    #[test]
    fn ipv6_is_quoted_and_mapped_ipv4_is_plain() {
        let six = forwarded_element("2001:db8::1".parse().expect("ip"), Scheme::Http, "app");
        assert_eq!(six, "for=\"[2001:db8::1]\";proto=http;host=app");
        let mapped = Hop {
            peer: "::ffff:192.0.2.9".parse().expect("ip"),
            ..hop(false)
        };
        let mut headers = HeaderMap::new();
        request(&mut headers, &Settings::default(), &mapped);
        assert_eq!(get(&headers, "x-forwarded-for"), ["192.0.2.9"]);
    }

    #[test]
    fn host_rules() {
        let check = |rule: HostRule, original: &str, want: Option<&str>| {
            let got = host_value(&rule, original);
            assert_eq!(got.as_ref().and_then(|v| v.to_str().ok()), want, "{rule:?}");
        };
        check(HostRule::Preserve, "a.b:81", Some("a.b:81"));
        check(
            HostRule::Fixed("shop.example".into()),
            "a.b:81",
            Some("shop.example"),
        );
        check(
            HostRule::KeepPort("shop.example".into()),
            "a.b:81",
            Some("shop.example:81"),
        );
        check(
            HostRule::KeepPort("shop.example".into()),
            "[::1]",
            Some("shop.example"),
        );
        check(HostRule::Address, "a.b:81", None);
    }

    #[test]
    fn the_public_origin_is_told_where_configured() {
        let settings = Settings {
            host: HostRule::Address,
            public: Some((Scheme::Http, "shop.example".into())),
            ..Settings::default()
        };
        let mut headers = map(&[("host", "x")]);
        request(&mut headers, &settings, &hop(false));
        assert_eq!(get(&headers, "x-forwarded-host"), ["shop.example"]);
        assert_eq!(get(&headers, "x-forwarded-port"), ["80"]);
        assert!(!headers.contains_key("host"));
    }

    #[test]
    fn via_names_the_protocol_that_was_received() {
        let mut headers = HeaderMap::new();
        response(&mut headers, &Settings::default(), Version::HTTP_2);
        assert_eq!(get(&headers, "via"), ["2 locum"]);
    }

    proptest! {
        #[test]
        fn no_host_panics_or_breaks_the_element(host in "\\PC{0,40}") {
            let element = forwarded_element(IpAddr::from([1, 2, 3, 4]), Scheme::Http, &host);
            prop_assert!(HeaderValue::from_str(&element).is_ok());
            prop_assert_eq!(element.matches('"').count() % 2, 0);
            let _ = split_port(&host);
        }
    }
}
