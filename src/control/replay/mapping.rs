//! The session's origins become the replay's, wherever they stand in a text: HTML, scripts, JSON, style sheets, header fields.
//! A session's host name holds its id, so nothing else looks like it.

use memchr::memmem;

/// What to put for what.
#[derive(Clone, Debug, Default)]
pub(super) struct Mapping(Vec<(Vec<u8>, Vec<u8>)>);

impl Mapping {
    /// From origins to origins (`https://host:port`), in pairs.
    pub(super) fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let mut all = Vec::new();
        for (from, to) in pairs {
            let (from, to) = (authority(from), authority(&to));
            // In an address that is a parameter of another one, the colon of the port is encoded.
            let encoded = |text: &str| text.replace(':', "%3A");
            if from.contains(':') {
                all.push((encoded(from).into_bytes(), encoded(to).into_bytes()));
                all.push((
                    encoded(from).replace("%3A", "%3a").into_bytes(),
                    encoded(to).into_bytes(),
                ));
            }
            all.push((from.as_bytes().to_vec(), to.as_bytes().to_vec()));
        }
        Self(all)
    }

    pub(super) fn bytes(&self, text: &[u8]) -> Vec<u8> {
        let mut text = text.to_vec();
        for (from, to) in &self.0 {
            if memmem::find(&text, from).is_some() {
                text = replaced(&text, from, to);
            }
        }
        text
    }
}

fn authority(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_, rest)| rest)
}

pub(super) fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 64);
    let mut begin = 0;
    for at in memmem::find_iter(text, from) {
        out.extend_from_slice(text.get(begin..at).unwrap_or_default());
        out.extend_from_slice(to);
        begin = at + from.len();
    }
    out.extend_from_slice(text.get(begin..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_mapped_in_every_spelling() {
        let mapping = Mapping::new([(
            "https://s1.shop.localhost:8443",
            "https://v.replay.localhost:8444".to_owned(),
        )]);
        let text = r#"<a href="https://s1.shop.localhost:8443/a"> //s1.shop.localhost:8443/b "https:\/\/s1.shop.localhost:8443\/c" ?to=https%3A%2F%2Fs1.shop.localhost%3A8443%2Fd wss://s1.shop.localhost:8443/ws s2.shop.localhost:8443"#;
        let mapped = mapping.bytes(text.as_bytes());
        assert_eq!(
            String::from_utf8_lossy(&mapped),
            r#"<a href="https://v.replay.localhost:8444/a"> //v.replay.localhost:8444/b "https:\/\/v.replay.localhost:8444\/c" ?to=https%3A%2F%2Fv.replay.localhost%3A8444%2Fd wss://v.replay.localhost:8444/ws s2.shop.localhost:8443"#
        );
    }
}
