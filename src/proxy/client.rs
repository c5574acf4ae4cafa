//! Who is at the other end of a connection, as far as the transport tells.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Facts of one client connection.
#[derive(Clone, Debug)]
pub struct Client {
    /// The address to attribute to the client: the peer's, or what a trusted PROXY header said.
    pub address: SocketAddr,
    /// Whether the peer may speak for others (`X-Forwarded-For`).
    pub is_trusted_proxy: bool,
    /// SHA-256 of the client certificate (DER), hex.
    pub certificate: Option<Arc<str>>,
    pub is_tls: bool,
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
