//! Names that only Locum may set towards the upstream, in every spelling that an upstream may take for them.

use http::HeaderMap;
use http::header::HeaderName;

/// The spelling that CGI, WSGI and Rack make of a name: `_`, `.` and `-` are one, case does not count.
pub(super) const fn plain(byte: u8) -> u8 {
    match byte {
        b'_' | b'.' => b'-',
        byte => byte.to_ascii_lowercase(),
    }
}

/// A set of header names that the client must not send. Build once, ask for each request.
#[derive(Clone, Debug, Default)]
pub struct Spoofable {
    names: Vec<Box<str>>,
    prefixes: Vec<Box<str>>,
    /// Bit n: some name has n bytes (63: that many or more).
    lengths: u64,
}

impl Spoofable {
    /// Of header names in any spelling; one that ends in `*` stands for all that start so.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut set = Self::default();
        for name in names {
            let plain: String = name.bytes().map(|byte| char::from(plain(byte))).collect();
            if let Some(prefix) = plain.strip_suffix('*') {
                set.prefixes.push(prefix.into());
            } else {
                set.lengths |= 1 << plain.len().min(63);
                set.names.push(plain.into());
            }
        }
        set
    }

    /// Whether `name` is one of them to anyone.
    pub fn contains(&self, name: &str) -> bool {
        let starts = |prefix: &str| {
            let mut pairs = name.bytes().zip(prefix.bytes());
            name.len() >= prefix.len() && pairs.all(|(a, b)| plain(a) == b)
        };
        let is_candidate = self.lengths & (1 << name.len().min(63)) != 0;
        (is_candidate
            && self
                .names
                .iter()
                .any(|own| own.len() == name.len() && starts(own)))
            || self.prefixes.iter().any(|prefix| starts(prefix))
    }

    /// Removes them all; says how many fields went.
    pub fn strip(&self, headers: &mut HeaderMap) -> usize {
        let is_spoofed = |name: &&HeaderName| self.contains(name.as_str());
        let spoofed: Vec<HeaderName> = headers.keys().filter(is_spoofed).cloned().collect();
        for name in &spoofed {
            headers.remove(name);
        }
        spoofed.len()
    }
}
