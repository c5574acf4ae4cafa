//! Every way in which a request can be ambiguous, by name. A name is what a record says and what a
//! policy row lists under `relax`.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $relaxable:literal, $words:literal;)*) => {
        /// Why a request is not canonical. RFC 9112 and RFC 3986 sections are with each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in records, metrics and policy files.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether one route's policy may tolerate it: only where the request still has one
            /// reading after Locum rewrote it.
            pub const fn is_relaxable(self) -> bool {
                match self { $(Self::$variant => $relaxable,)* }
            }

            /// A sentence for the person who is refused.
            pub const fn words(self) -> &'static str {
                match self { $(Self::$variant => $words,)* }
            }
        }
    };
}

reasons! {
    /// RFC 9112 §6.1: both present is a smuggling attempt. Relaxed: Content-Length is dropped.
    LengthAndEncoding = "length-and-encoding", true, "The request has both Content-Length and Transfer-Encoding.";
    /// RFC 9112 §6.1: only `chunked` is understood.
    TransferEncoding = "transfer-encoding", false, "Transfer-Encoding is something other than chunked.";
    /// RFC 9112 §6.3: not one number, or several.
    ContentLength = "content-length", false, "Content-Length is not one plain number.";
    /// RFC 9112 §7.1: chunk framing that parsers read differently.
    Chunk = "chunk", false, "The chunked body is malformed.";
    /// RFC 9112 §3.2: none, or not a host.
    HostInvalid = "host-invalid", false, "The Host header is missing or malformed.";
    /// RFC 9112 §3.2.
    HostDuplicate = "host-duplicate", false, "There is more than one Host header.";
    /// RFC 9113 §8.3.1: `:authority` and `Host` differ.
    HostConflict = "host-conflict", false, "The Host header and the request target name different hosts.";
    /// The host is not one that this session is for.
    HostForeign = "host-foreign", false, "The request is for a host that is not this session's.";
    /// RFC 9112 §3.2.2: absolute-form. Relaxed where it names this very origin.
    TargetAbsolute = "target-absolute", true, "The request target is in absolute form for another authority.";
    /// RFC 9112 §3.2.3: CONNECT's form.
    TargetAuthority = "target-authority", false, "The request target is in authority form.";
    /// RFC 9112 §3.2.4: `*` with anything but OPTIONS.
    TargetAsterisk = "target-asterisk", false, "The request target is an asterisk.";
    /// RFC 9112 §5.2. Relaxed: the fold becomes one space.
    ObsFold = "obs-fold", true, "A header is folded over several lines.";
    /// RFC 9112 §2.2. Relaxed: read as CRLF.
    BareLf = "bare-lf", true, "A line ends in LF without CR.";
    /// RFC 9110 §5.5: control bytes in the head.
    ControlByte = "control-byte", false, "There is a control byte in the head.";
    /// RFC 9112 §3: what is no request line or header line at all.
    Malformed = "malformed", false, "The request is malformed.";
    /// RFC 9112 §2.3: a version other than 1.0, 1.1 or 2.
    Version = "version", false, "The HTTP version is not served.";
    /// RFC 9110 §7.6.1: `Connection` nominates a header that is not hop-by-hop.
    ConnectionNominates = "connection-nominates", true, "The Connection header nominates a header that must not be dropped.";
    /// `%2F` in the path.
    EncodedSlash = "encoded-slash", true, "The path has an encoded slash.";
    /// `\` or `%5C` in the path.
    Backslash = "backslash", true, "The path has a backslash.";
    /// `%00` in the path or query.
    EncodedNul = "encoded-nul", true, "The path or query has an encoded NUL.";
    /// Any other encoded control byte (`%0A`, `%7F`) in the path.
    EncodedControl = "encoded-control", true, "The path has an encoded control byte.";
    /// `.` and `..` segments, plain or encoded.
    DotSegment = "dot-segment", true, "The path has a dot segment.";
    /// `%25` followed by two hex digits.
    DoubleEncoding = "double-encoding", true, "The path is encoded twice.";
    /// RFC 3986 §2.1: `%` without two hex digits.
    MalformedTriplet = "malformed-triplet", true, "The target has a malformed percent-encoding.";
    /// `;` in the path.
    PathParameter = "path-parameter", true, "The path has a ';' parameter.";
    /// `//` in the path.
    EmptySegment = "empty-segment", true, "The path has an empty segment.";
    /// Bytes above 0x7F that are not encoded.
    RawNonAscii = "raw-non-ascii", true, "The target has bytes that are not ASCII.";
    /// `#` in the target.
    Fragment = "fragment", true, "The target has a fragment.";
    /// Other printable bytes that RFC 3986 does not allow raw: quotes, angle and curly brackets, caret, backtick, bar.
    TargetByte = "target-byte", true, "The target has a byte that must be encoded.";
    /// `X-HTTP-Method-Override` and its like.
    MethodOverride = "method-override", true, "A header or parameter asks for another method than the request's own.";
    /// RFC 7540 §3.2: upgrade to h2c.
    H2cUpgrade = "h2c-upgrade", false, "The request asks to upgrade to cleartext HTTP/2.";
    /// RFC 9110 §10.1.1: an expectation other than 100-continue.
    Expectation = "expectation", false, "The Expect header asks for something unknown.";
    /// RFC 9110 §9.1: methods are case-sensitive, but not to every parser.
    MethodCase = "method-case", false, "The method is not in upper case.";
    /// A header name with `_` or `.` that CGI-like parsers read as one that matters.
    HeaderAlias = "header-alias", false, "A header name is a disguise of another.";
    /// RFC 9110 §6.5.1: a trailer that must not be one.
    Trailer = "trailer", false, "A trailer carries a field that is not allowed there.";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Reason {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|reason| reason.name() == text);
        found
            .copied()
            .ok_or_else(|| format!("{text:?} is no canonical-request reason"))
    }
}

/// A set of reasons.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Findings(u64);

impl Findings {
    pub const NONE: Self = Self(0);

    pub fn insert(&mut self, reason: Reason) {
        self.0 |= 1 << reason as u8;
    }

    pub const fn contains(self, reason: Reason) -> bool {
        self.0 & (1 << reason as u8) != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those found that `relaxed` does not tolerate.
    pub const fn without(self, relaxed: Self) -> Self {
        Self(self.0 & !relaxed.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Reason> {
        Reason::ALL
            .iter()
            .copied()
            .filter(move |reason| self.contains(*reason))
    }

    /// The first in the order of the list above: the one that a refusal names.
    pub fn first(self) -> Option<Reason> {
        self.iter().next()
    }
}

impl fmt::Debug for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_fit_the_set() {
        for reason in Reason::ALL {
            assert_eq!(reason.name().parse::<Reason>(), Ok(*reason));
        }
        assert!(Reason::ALL.len() <= 64);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut found = Findings::NONE;
        found.insert(Reason::DotSegment);
        found.insert(Reason::BareLf);
        assert_eq!(found.first(), Some(Reason::BareLf));
        let mut relaxed = Findings::NONE;
        relaxed.insert(Reason::BareLf);
        assert_eq!(
            found.without(relaxed).iter().collect::<Vec<_>>(),
            [Reason::DotSegment]
        );
    }
}
