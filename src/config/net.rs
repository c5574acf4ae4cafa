//! Addresses, networks, origins and names as keys have them.

use super::setting::Text;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

impl Text for SocketAddr {
    const WORDS: &'static str = "address";
    const REMEDY: &'static str =
        "write an IP address and a port, as in \"127.0.0.1:8443\" or \"[::]:8443\"";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| "not an address with a port".into())
    }
}

/// A network: an address and how many of its leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits count.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether `address` is in it. An IPv4-mapped IPv6 address counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(it)) => {
                (u32::from(net) ^ u32::from(it)).leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(net), IpAddr::V6(it)) => {
                (u128::from(net) ^ u128::from(it)).leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Text for Cidr {
    const WORDS: &'static str = "network";
    const REMEDY: &'static str =
        "write an address and a prefix length, as in \"10.0.0.0/8\" or \"::1/128\"";

    fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| "not a network")?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) => digits.parse().map_err(|_| "not a network")?,
            None => longest,
        };
        if prefix > longest {
            return Err(format!("a prefix is at most {longest} bits here"));
        }
        Ok(Self { address, prefix })
    }
}

/// A lower-case DNS label: letters, digits and inner hyphens, at most 63.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(String);

fn is_label(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(good)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

impl Text for Label {
    const WORDS: &'static str = "name";
    const REMEDY: &'static str =
        "it becomes part of a host name: use a-z, 0-9 and inner hyphens, at most 63";

    fn parse(text: &str) -> Result<Self, String> {
        if is_label(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err("not a DNS label".into())
        }
    }
}

/// A lower-case DNS name without a trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DnsName(String);

impl Text for DnsName {
    const WORDS: &'static str = "DNS name";
    const REMEDY: &'static str =
        "write lower-case labels with dots between, as in \"support.example.com\"";

    fn parse(text: &str) -> Result<Self, String> {
        if text.len() <= 253 && text.split('.').all(is_label) {
            Ok(Self(text.to_owned()))
        } else {
            Err("not a DNS name".into())
        }
    }
}

macro_rules! reads_as_str {
    ($($name:ident),+) => {$(
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )+};
}
reads_as_str!(Label, DnsName, HeaderName, UrlPath);

/// A web origin (RFC 6454): scheme, host and port, nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    text: String,
    tls: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// `https://shop.example.com`, without a slash, the default port left out.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the scheme is https.
    pub fn is_https(&self) -> bool {
        self.tls
    }

    /// Lower-case; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// As a `Host` field has it: the port only where it is not the scheme's own.
    pub fn authority(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, rest)| rest)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Text for Origin {
    const WORDS: &'static str = "origin";
    const STAND_IN: &'static str = "https://x";
    const REMEDY: &'static str =
        "write scheme, host and port only, as in \"https://shop.example.com\"";

    fn parse(text: &str) -> Result<Self, String> {
        let url = url::Url::parse(text).map_err(|e| format!("not an origin: {e}"))?;
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err("not an http or https origin".into()),
        };
        let bare = matches!(url.path(), "" | "/") && url.query().is_none();
        if !bare || url.fragment().is_some() || text.contains('@') || text.ends_with('?') {
            return Err("more than an origin".into());
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err("an origin without a host".into());
        };
        let host = host.to_owned();
        let text = url.origin().ascii_serialization();
        Ok(Self {
            text,
            tls,
            host,
            port,
        })
    }
}

/// Where an upstream listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// Host (a name or an IP address, without brackets), port, and whether TLS is spoken.
    Tcp { host: String, port: u16, tls: bool },
    /// A Unix socket, in plain HTTP.
    Unix(PathBuf),
}

impl Address {
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tcp { tls: true, .. })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, tls } => {
                let scheme = if *tls { "https" } else { "http" };
                if host.contains(':') {
                    write!(f, "{scheme}://[{host}]:{port}")
                } else {
                    write!(f, "{scheme}://{host}:{port}")
                }
            }
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Text for Address {
    const WORDS: &'static str = "upstream address";
    const REMEDY: &'static str =
        "write \"host:port\", \"https://host:port\" or \"unix:/path/to.sock\"";

    fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(Self::Unix(path))
            } else {
                Err("a Unix socket needs an absolute path".into())
            };
        }
        let url = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let origin =
            <Origin as Text>::parse(&url).map_err(|_| "not an upstream address".to_owned())?;
        let has_port = text.contains("://") || text.ends_with(&format!(":{}", origin.port()));
        if !has_port {
            return Err("a port is missing".into());
        }
        Ok(Self::Tcp {
            host: origin.host().trim_matches(['[', ']']).to_owned(),
            port: origin.port(),
            tls: origin.is_https(),
        })
    }
}

/// What `Host` the upstream sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostHeader {
    /// The app's own authority where it has a `public_url`, else what the client sent.
    Preserve,
    /// The upstream's address.
    Upstream,
    /// This.
    Fixed(String),
}

impl Text for HostHeader {
    const WORDS: &'static str = "\"preserve\", \"upstream\" or a host";
    const REMEDY: &'static str =
        "write \"preserve\", \"upstream\" or a host, as in \"shop.example.com:8080\"";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "preserve" => Ok(Self::Preserve),
            "upstream" => Ok(Self::Upstream),
            other => match other.parse::<http::uri::Authority>() {
                Ok(_) if !other.contains('@') => Ok(Self::Fixed(other.to_owned())),
                _ => Err("not a host".into()),
            },
        }
    }
}

/// The name of a header field (RFC 9110 §5.1), as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName(String);

impl Text for HeaderName {
    const WORDS: &'static str = "header name";
    const REMEDY: &'static str = "write a field name, as in \"X-Remote-User\"";

    fn parse(text: &str) -> Result<Self, String> {
        match http::HeaderName::from_bytes(text.as_bytes()) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err("not a header name".into()),
        }
    }
}

/// An absolute path on the app, without a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPath(String);

impl Text for UrlPath {
    const WORDS: &'static str = "URL path";
    const REMEDY: &'static str = "write a path on the app, as in \"/support/mint\"";

    fn parse(text: &str) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'\\');
        if text.starts_with('/') && !text.starts_with("//") && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err("not a path".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn networks_hold_their_addresses_only() {
        let net = |text| Cidr::parse(text).expect("a network");
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("::1", "::2", false),
        ] {
            assert_eq!(
                net(network).contains(ip(address)),
                inside,
                "{network} {address}"
            );
        }
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "::/129",
            "10.0.0.0/-1",
            "a/8",
        ] {
            assert!(Cidr::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let read = |text| <Origin as Text>::parse(text);
        let origin = read("HTTPS://Shop.Example.com:443/").expect("an origin");
        assert_eq!(origin.as_str(), "https://shop.example.com");
        assert_eq!(origin.authority(), "shop.example.com");
        assert_eq!(origin.port(), 443);
        let other = read("http://[::1]:8080").expect("an origin");
        assert_eq!((other.authority(), other.host()), ("[::1]:8080", "[::1]"));
        for text in [
            "shop",
            "ftp://a",
            "https://a/b",
            "https://a?b",
            "https://a#b",
            "https://u@a",
            "",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn upstream_addresses_have_three_forms() {
        for (text, shown) in [
            ("127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("app.internal:80", "http://app.internal:80"),
            ("[::1]:3000", "http://[::1]:3000"),
            ("https://app.internal", "https://app.internal:443"),
            ("https://app.internal:8443", "https://app.internal:8443"),
            ("unix:/run/app.sock", "unix:/run/app.sock"),
        ] {
            let address = <Address as Text>::parse(text).map(|a| a.to_string());
            assert_eq!(address.as_deref(), Ok(shown), "{text}");
        }
        for text in [
            "",
            "app",
            "unix:run/app.sock",
            "https://a/b",
            "ftp://a:1",
            "a:b",
            "a:99999",
        ] {
            assert!(<Address as Text>::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn labels_are_safe_in_host_names() {
        assert!(Label::parse("shop-2").is_ok());
        for text in ["", "Shop", "-a", "a-", "a.b", "a_b", "é", &"a".repeat(64)] {
            assert!(Label::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = Cidr::parse(&text);
            let _ = <Origin as Text>::parse(&text);
            let _ = <Address as Text>::parse(&text);
            let _ = HostHeader::parse(&text);
            let _ = UrlPath::parse(&text);
        }
    }
}
