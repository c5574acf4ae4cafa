//! Who is at the other end of a connection, as far as the transport tells.

use super::upstream::forward::Stamps;
use http::{HeaderMap, header};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Facts of one client connection.
#[derive(Clone, Debug)]
pub struct Client {
    /// The other end of the connection, or what a trusted PROXY header said it is.
    pub peer: SocketAddr,
    /// The address to attribute to the client: the peer's, or the one that a trusted peer names.
    pub address: SocketAddr,
    /// Whether the peer may speak for others (`X-Forwarded-For`).
    pub is_trusted_proxy: bool,
    /// Who may speak for others.
    pub trusted: Arc<[Network]>,
    /// SHA-256 of the client certificate (DER), hex.
    pub certificate: Option<Arc<str>>,
    pub is_tls: bool,
    /// What the app is told of it.
    pub stamps: Stamps,
}

impl Client {
    /// Of a connection whose other end is `peer`.
    pub fn new(peer: SocketAddr, trusted: &Arc<[Network]>, is_tls: bool) -> Self {
        Self {
            peer,
            address: peer,
            is_trusted_proxy: is_among(trusted, peer.ip()),
            trusted: Arc::clone(trusted),
            certificate: None,
            is_tls,
            stamps: Stamps::default(),
        }
    }

    /// Whom a trusted peer says that a request came from: the last address in `X-Forwarded-For`, else in
    /// `Forwarded` (RFC 7239 §7.4), that is no trusted proxy itself. What stands before it anybody can write.
    pub fn named_by_proxy(&self, headers: &HeaderMap) -> Option<IpAddr> {
        if !self.is_trusted_proxy {
            return None;
        }
        let chain = if headers.contains_key(X_FORWARDED_FOR) {
            chain(headers, X_FORWARDED_FOR, |element| Some(element))
        } else {
            chain(headers, header::FORWARDED.as_str(), forwarded_for)
        };
        let mut named = None;
        for address in chain.into_iter().rev() {
            let Some(address) = address else { break };
            named = Some(address);
            if !is_among(&self.trusted, address) {
                break;
            }
        }
        named
    }
}

const X_FORWARDED_FOR: &str = "x-forwarded-for";

fn is_among(ranges: &[Network], address: IpAddr) -> bool {
    ranges.iter().any(|range| range.contains(address))
}

/// The addresses of a list field, in order; `None` for one that is no address (`unknown`, `_hidden`).
fn chain(
    headers: &HeaderMap,
    name: &str,
    address: impl Fn(&str) -> Option<&str>,
) -> Vec<Option<IpAddr>> {
    let values = headers.get_all(name).iter();
    let elements = values.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    elements
        .map(|element| node(address(element.trim())?))
        .collect()
}

/// The value of `for=` in one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    Some(value.trim().trim_matches('"'))
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn node(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(text)
        .parse()
        .or_else(|_| text.parse().map(|with_port: SocketAddr| with_port.ip()))
        .ok()
}

/// An address range, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    pub address: IpAddr,
    /// Bits that must agree.
    pub prefix: u8,
}

impl Network {
    /// Whether `other` is inside. An IPv4 address written as IPv6 (`::ffff:a.b.c.d`) counts as IPv4.
    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address.to_canonical(), other.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => agree(
                u128::from(a.to_bits()) << 96,
                u128::from(b.to_bits()) << 96,
                self.prefix.min(32),
            ),
            (IpAddr::V6(a), IpAddr::V6(b)) => agree(a.to_bits(), b.to_bits(), self.prefix.min(128)),
            _ => false,
        }
    }
}

fn agree(a: u128, b: u128, bits: u8) -> bool {
    bits == 0 || (a ^ b) >> (128 - u32::from(bits)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Peer, fields, whom they name.
    type Case<'c> = (&'c str, &'c [(&'static str, &'c str)], Option<&'c str>);

    #[test]
    fn the_last_address_that_is_no_proxy_is_the_client() -> Result<(), Box<dyn std::error::Error>> {
        let ranges = [("10.0.0.0", 8), ("2001:db8::", 32)];
        let trusted = ranges.map(|(address, prefix)| {
            Some(Network {
                address: address.parse().ok()?,
                prefix,
            })
        });
        let trusted: Arc<[Network]> = trusted.into_iter().flatten().collect();
        let cases: &[Case<'_>] = &[
            ("10.0.0.1:1", &[], None),
            (
                "10.0.0.1:1",
                &[("x-forwarded-for", "6.6.6.6, 192.0.2.7")],
                Some("192.0.2.7"),
            ),
            (
                "10.0.0.1:1",
                &[("x-forwarded-for", "192.0.2.7, 10.0.0.2")],
                Some("192.0.2.7"),
            ),
            (
                "10.0.0.1:1",
                &[
                    ("x-forwarded-for", "192.0.2.7"),
                    ("x-forwarded-for", "10.0.0.2"),
                ],
                Some("192.0.2.7"),
            ),
            (
                "10.0.0.1:1",
                &[("x-forwarded-for", "10.0.0.3, 10.0.0.2")],
                Some("10.0.0.3"),
            ),
            (
                "10.0.0.1:1",
                &[("x-forwarded-for", "192.0.2.7, unknown, 10.0.0.2")],
                Some("10.0.0.2"),
            ),
            ("10.0.0.1:1", &[("x-forwarded-for", "nonsense")], None),
            (
                "10.0.0.1:1",
                &[(
                    "forwarded",
                    "for=6.6.6.6, for=\"[2001:db9::1]:80\";proto=https",
                )],
                Some("2001:db9::1"),
            ),
            ("192.0.2.1:1", &[("x-forwarded-for", "6.6.6.6")], None),
        ];
        for (peer, fields, wanted) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in *fields {
                headers.append(header::HeaderName::from_static(name), value.parse()?);
            }
            let named = Client::new(peer.parse()?, &trusted, true).named_by_proxy(&headers);
            let wanted: Option<IpAddr> = wanted.and_then(|text| text.parse().ok());
            assert_eq!(named, wanted, "{peer} {fields:?}");
        }
        Ok(())
    }

    #[test]
    fn ranges_hold_what_they_should() -> Result<(), std::net::AddrParseError> {
        let cases = [
            ("10.0.0.0", 8, "10.255.1.2", true),
            ("10.0.0.0", 8, "11.0.0.1", false),
            ("10.0.0.0", 8, "::ffff:10.1.1.1", true),
            ("0.0.0.0", 0, "203.0.113.9", true),
            ("0.0.0.0", 0, "2001:db8::1", false),
            ("2001:db8::", 32, "2001:db8:1::1", true),
            ("2001:db8::", 32, "2001:db9::1", false),
            ("192.0.2.7", 32, "192.0.2.7", true),
        ];
        for (address, prefix, other, want) in cases {
            let network = Network {
                address: address.parse()?,
                prefix,
            };
            assert_eq!(
                network.contains(other.parse()?),
                want,
                "{address}/{prefix} {other}"
            );
        }
        Ok(())
    }
}
