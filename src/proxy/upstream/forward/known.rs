//! The stamp of a connection's last request: nearly always the next one's too.

use super::Stamp;
use arc_swap::ArcSwapOption;
use http::{HeaderMap, Version};
use std::sync::Arc;

/// What a stamp depends on, besides the connection and the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Which configuration: its number.
    pub setup: u64,
    /// Which of its origins: its address in memory, which stays as long as the configuration.
    pub origin: usize,
    pub version: Version,
}

/// One connection's. A copy of the connection begins with none.
#[derive(Debug, Default)]
pub struct Stamps(ArcSwapOption<Known>);

#[derive(Debug)]
struct Known {
    key: Key,
    host: Box<[u8]>,
    stamp: Stamp,
}

impl Clone for Stamps {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Stamps {
    /// Stamps `headers` for `host` with the stamp that is known, or with the one that is made now.
    pub fn apply(
        &self,
        key: Key,
        host: &[u8],
        headers: &mut HeaderMap,
        make: impl FnOnce() -> Stamp,
    ) {
        let known = self.0.load();
        if let Some(known) = known
            .as_ref()
            .filter(|it| it.key == key && *it.host == *host)
        {
            return known.stamp.apply(headers);
        }
        let stamp = make();
        stamp.apply(headers);
        self.0.store(Some(Arc::new(Known {
            key,
            host: host.into(),
            stamp,
        })));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Hop, Scheme, Settings};
    use super::*;
    use std::net::IpAddr;

    fn stamped(stamps: &Stamps, setup: u64, host: &str, made: &mut u32) -> String {
        let key = Key {
            setup,
            origin: 1,
            version: Version::HTTP_11,
        };
        let mut headers = HeaderMap::new();
        stamps.apply(key, host.as_bytes(), &mut headers, || {
            *made += 1;
            let hop = Hop {
                peer: IpAddr::from([192, 0, 2, 7]),
                trusted: false,
                scheme: Scheme::Https,
                host,
                version: Version::HTTP_11,
            };
            Stamp::new(&Settings::default(), &hop)
        });
        let host = headers.get("x-forwarded-host");
        host.and_then(|host| host.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    }

    #[test]
    fn another_host_or_configuration_has_a_stamp_of_its_own() {
        let (stamps, mut made) = (Stamps::default(), 0);
        for (setup, host, times) in [
            (1, "a.example", 1),
            (1, "a.example", 1),
            (1, "b.example", 2),
            (2, "b.example", 3),
            (1, "a.example", 4),
        ] {
            assert_eq!(stamped(&stamps, setup, host, &mut made), host);
            assert_eq!(made, times, "{setup} {host}");
        }
        assert_eq!(
            stamped(&stamps.clone(), 1, "a.example", &mut made),
            "a.example"
        );
        assert_eq!(made, 5);
    }
}
