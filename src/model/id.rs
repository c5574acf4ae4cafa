//! Identifiers: 128 bits, sortable by time, safe as a DNS label, a path segment and a file name.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

/// Lower-case Crockford base32: no `i`, `l`, `o`, `u`, so that an id can be read over the phone.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 26;
/// What a byte counts as a digit; [`NONE`] where it is none.
const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut digit = 0_u8;
    while (digit as usize) < ALPHABET.len() {
        values[ALPHABET[digit as usize] as usize] = digit;
        digit += 1;
    }
    values
};
const NONE: u8 = 0xff;

/// A text that is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidId {
    kind: &'static str,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a {} id", self.kind)
    }
}

impl std::error::Error for InvalidId {}

/// 48 bits of milliseconds since 1970, then 80 random bits.
fn fresh() -> u128 {
    let millis = u128::try_from(super::Timestamp::now().millis()).unwrap_or(0) & ((1 << 48) - 1);
    (millis << 80) | (random() & ((1 << 80) - 1))
}

/// Random bits for several ids at a time: asking the generator costs the same for 16 bytes as for many.
fn random() -> u128 {
    const IDS: usize = 64;
    thread_local! {
        static DRAWN: RefCell<Vec<[u8; 16]>> = const { RefCell::new(Vec::new()) };
    }
    DRAWN.with_borrow_mut(|drawn| {
        let next = drawn.pop().unwrap_or_else(|| {
            let mut bytes = [0; 16 * IDS];
            // The system's generator cannot fail after the process started; if it did, an all-zero tail
            // would only cost uniqueness within the millisecond, and ids are not secrets.
            let _ = aws_lc_rs::rand::fill(&mut bytes);
            let (all, _) = bytes.as_chunks::<16>();
            let (first, rest) = all.split_first().unwrap_or((&[0; 16], &[]));
            drawn.extend_from_slice(rest);
            *first
        });
        u128::from_be_bytes(next)
    })
}

fn encode(value: u128) -> [u8; DIGITS] {
    let mut out = [b'0'; DIGITS];
    // Twelve digits are 60 bits: in steps of that, the arithmetic fits a register.
    let mut rest = value;
    for slots in out.rchunks_mut(12) {
        let mut part = (rest & ((1 << 60) - 1)) as u64;
        rest >>= 60;
        for slot in slots.iter_mut().rev() {
            *slot = ALPHABET[(part & 31) as usize];
            part >>= 5;
        }
    }
    out
}

fn decode(text: &[u8]) -> Option<u128> {
    // 26 digits hold 130 bits: a first digit above 7 would overflow.
    if text.len() != DIGITS || *text.first()? > b'7' {
        return None;
    }
    let mut value = 0u128;
    // In steps that fit a register, as in [`encode`].
    for part in text.chunks(12) {
        let mut sum = 0u64;
        for byte in part {
            let digit = VALUES[usize::from(*byte)];
            if digit == NONE {
                return None;
            }
            sum = (sum << 5) | u64::from(digit);
        }
        value = (value << (5 * part.len())) | u128::from(sum);
    }
    Some(value)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u128);

        impl $name {
            /// A new one, later in order than those made in earlier milliseconds.
            pub fn fresh() -> Self {
                Self(fresh())
            }

            /// The id with these 128 bits, where it must follow from something else.
            pub const fn from_bits(bits: u128) -> Self {
                Self(bits)
            }

            /// The 128 bits.
            pub const fn to_bits(self) -> u128 {
                self.0
            }

            /// The text form into a caller's buffer, for paths where a `String` costs too much.
            pub fn write(self, out: &mut Vec<u8>) {
                out.extend_from_slice($prefix.as_bytes());
                out.extend_from_slice(&encode(self.0));
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let digits = encode(self.0);
                f.write_str($prefix)?;
                f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix($prefix)
                    .and_then(|digits| decode(digits.as_bytes()))
                    .map(Self)
                    .ok_or(InvalidId { kind: $kind })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A grant: `g` and 26 digits.
    GrantId, "g", "grant"
);
id!(
    /// A session: `s` and 26 digits; the first label of the session's own origin.
    SessionId, "s", "session"
);
id!(
    /// An exchange (one request and its response): `x` and 26 digits. People quote it.
    ExchangeId, "x", "exchange"
);

id!(
    /// A request for access: `q` and 26 digits.
    RequestId, "q", "request"
);
id!(
    /// A lock: `k` and 26 digits.
    LockId, "k", "lock"
);
id!(
    /// An after-action review: `r` and 26 digits.
    ReviewId, "r", "review"
);
id!(
    /// An alert: `a` and 26 digits.
    AlertId, "a", "alert"
);
id!(
    /// A change of Locum's own rules: `c` and 26 digits.
    ChangeId, "c", "change"
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_form_round_trips(bits: u128) {
            let id = SessionId(bits);
            prop_assert_eq!(id.to_string().parse::<SessionId>(), Ok(id));
        }

        #[test]
        fn another_byte_anywhere_means_another_id_or_none(bits: u128, at in 0..=DIGITS, byte in 0_u8..0x80) {
            let mut text = SessionId(bits).to_string().into_bytes();
            text[at] = byte;
            let text = String::from_utf8(text).expect("ASCII");
            if let Ok(id) = text.parse::<SessionId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }

        #[test]
        fn no_text_panics_and_only_one_text_means_an_id(text in ".{0,40}") {
            if let Ok(id) = text.parse::<GrantId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn kinds_are_not_interchangeable_and_overflow_is_refused() {
        assert!(GrantId::fresh().to_string().parse::<SessionId>().is_err());
        assert!("szzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<SessionId>().is_err());
    }
}
