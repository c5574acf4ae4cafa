//! Texts as callers send them: each type knows its bounds, checks them as it is read, and says them in the document.

use crate::model::{
    ChangeId, ExchangeId, LockId, LockKey, RequestId, ReviewId, Scope, SessionId, Timestamp,
};
use crate::store::text;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// No control characters, none that are invisible or turn the text around them (`store::text`).
pub(super) const PLAIN: &str = r"^[^\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+$";
/// `all`, or a kind and what begins with no space (`model::lock`).
const KEY: &str = r"^(all|(session|operator|subject|tenant|ticket|app):[^\s\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb][^\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]*)$";
/// What follows the first letter of every id (`model::id`).
macro_rules! digits {
    ($letter:literal) => {
        concat!("^", $letter, "[0-7][0-9a-hjkmnp-tv-z]{25}$")
    };
}

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// The name in the document, and the schema, of a type.
macro_rules! schema {
    ($name:ident, $shown:expr, $schema:expr) => {
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::T(Schema::Object($schema.build()))
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($shown)
            }
        }
    };
}

/// A plain text of at most so many characters.
macro_rules! plain {
    ($name:ident, $most:literal, $about:literal) => {
        #[doc = $about]
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(super) struct $name(pub String);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let value = String::deserialize(from)?;
                if value.chars().count() > $most {
                    return Err(D::Error::custom(concat!(
                        "is longer than ",
                        $most,
                        " characters"
                    )));
                }
                text::check(&value, usize::MAX).map_err(D::Error::custom)?;
                Ok(Self(value))
            }
        }

        schema!(
            $name,
            stringify!($name),
            string()
                .description(Some($about))
                .min_length(Some(1))
                .max_length(Some($most))
                .pattern(Some(PLAIN))
        );
    };
}

plain!(Line, 256, "A name or an id: one printable line.");
plain!(
    Sentence,
    2000,
    "A sentence or two for people: printable, without line breaks."
);

/// A type that a text is parsed to.
macro_rules! parsed {
    ($name:ident($inner:ty), $shown:literal, $about:literal, $schema:expr) => {
        #[doc = $about]
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(super) struct $name(pub $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                text.parse().map(Self).map_err(D::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(&self.0)
            }
        }

        schema!(
            $name,
            $shown,
            string().description(Some($about)).pattern(Some($schema))
        );
    };
}

parsed!(
    RequestRef(RequestId),
    "RequestId",
    "The id of a request for access.",
    digits!("q")
);
parsed!(
    SessionRef(SessionId),
    "SessionId",
    "The id of a session.",
    digits!("s")
);
parsed!(LockRef(LockId), "LockId", "The id of a lock.", digits!("k"));
parsed!(
    ChangeRef(ChangeId),
    "ChangeId",
    "The id of a change of Locum's own rules.",
    digits!("c")
);
parsed!(
    ReviewRef(ReviewId),
    "ReviewId",
    "The id of an after-action review.",
    digits!("r")
);
parsed!(
    ExchangeRef(ExchangeId),
    "ExchangeId",
    "The id of one exchange with an app.",
    digits!("x")
);
parsed!(
    ScopeName(Scope),
    "ScopeName",
    "A scope by its name.",
    "^[a-z0-9_.:-]{1,64}$"
);

/// What a lock is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key(pub LockKey);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let key = Line::deserialize(from)?.0.parse::<LockKey>();
        let key = key.map_err(D::Error::custom)?;
        if key.value().starts_with(char::is_whitespace) {
            return Err(D::Error::custom(
                "a key's value does not begin with a space",
            ));
        }
        Ok(Self(key))
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

schema!(
    Key,
    "LockKey",
    string()
        .description(Some(
            "What is meant: everything, or all of one operator, customer, ticket, …"
        ))
        .max_length(Some(256))
        .pattern(Some(KEY))
        .examples(["tenant:acme"])
);

/// A moment, RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(pub Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let at = text.parse::<jiff::Timestamp>();
        let at =
            at.map_err(|_| D::Error::custom("is no moment: write it as 2026-01-31T12:00:00Z"))?;
        Ok(Self(Timestamp::from_millis(at.as_millisecond())))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

schema!(
    Moment,
    "Moment",
    string()
        .description(Some(
            "A moment, RFC 3339; answers are in UTC with milliseconds."
        ))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
);

/// The digest of a request for access: SHA-256 in hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digest(pub String);

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let good = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 64 && text.bytes().all(good) {
            return Ok(Self(text));
        }
        Err(D::Error::custom("is no digest: 64 of 0-9 a-f"))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

schema!(
    Digest,
    "Digest",
    string()
        .description(Some("SHA-256 of all that people agree to, in hex."))
        .pattern(Some("^[0-9a-f]{64}$"))
);

/// The id of a legal hold on recordings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HoldRef(pub String);

impl<'de> Deserialize<'de> for HoldRef {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let good = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        match text.strip_prefix('h') {
            Some(digits) if digits.len() == 16 && digits.bytes().all(good) => Ok(Self(text)),
            _ => Err(D::Error::custom("is no hold: h and 16 of 0-9 a-f")),
        }
    }
}

impl Serialize for HoldRef {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

schema!(
    HoldRef,
    "HoldId",
    string()
        .description(Some("The id of a legal hold on recordings."))
        .pattern(Some("^h[0-9a-f]{16}$"))
);

/// A list of so many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Few<T, const LOW: usize, const HIGH: usize>(pub Vec<T>);

/// Where nobody says, and none is enough.
impl<T, const HIGH: usize> Default for Few<T, 0, HIGH> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const LOW: usize, const HIGH: usize> Deserialize<'de>
    for Few<T, LOW, HIGH>
{
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let list = Vec::deserialize(from)?;
        if (LOW..=HIGH).contains(&list.len()) {
            return Ok(Self(list));
        }
        Err(D::Error::custom(format!("has {LOW} to {HIGH} members")))
    }
}

/// A number between two others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Within<const LOW: u64, const HIGH: u64>(pub u64);

impl<'de, const LOW: u64, const HIGH: u64> Deserialize<'de> for Within<LOW, HIGH> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(from)?;
        if (LOW..=HIGH).contains(&number) {
            return Ok(Self(number));
        }
        Err(D::Error::custom(format!("is not between {LOW} and {HIGH}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: serde::de::DeserializeOwned>(value: impl Serialize) -> Result<T, String> {
        serde_json::from_value(serde_json::to_value(value).unwrap()).map_err(|why| why.to_string())
    }

    #[test]
    fn texts_are_held_to_their_bounds() {
        assert_eq!(read::<Line>("SUP-1042"), Ok(Line("SUP-1042".into())));
        assert!(
            read::<Line>("ä".repeat(256)).is_ok(),
            "characters, not bytes"
        );
        for wrong in [
            String::new(),
            "a\nb".into(),
            "\u{202e}evil".into(),
            "a".repeat(257),
        ] {
            assert!(read::<Line>(&wrong).is_err(), "{wrong:?}");
        }
        assert!(read::<RequestRef>(RequestId::from_bits(7).to_string()).is_ok());
        assert!(read::<RequestRef>(SessionId::from_bits(7).to_string()).is_err());
        assert!(read::<Digest>("0".repeat(64)).is_ok());
        assert!(read::<Digest>("A".repeat(64)).is_err());
    }

    #[test]
    fn keys_moments_lists_and_numbers_are_held_to_theirs() {
        assert!(read::<Key>("tenant:acme").is_ok());
        for wrong in ["tenant: x", "tenant:", "planet:x", "all "] {
            assert!(read::<Key>(wrong).is_err(), "{wrong}");
        }
        let moment = read::<Moment>("2026-01-31T13:00:00+01:00").unwrap();
        assert_eq!(moment.0.to_string(), "2026-01-31T12:00:00.000Z");
        assert!(read::<Moment>("tomorrow").is_err());
        assert!(read::<Few<u8, 1, 2>>([1, 2]).is_ok());
        assert!(read::<Few<u8, 1, 2>>([0u8; 3]).is_err());
        assert!(read::<Few<u8, 1, 2>>([0u8; 0]).is_err());
        assert_eq!(read::<Within<1, 9>>(9), Ok(Within(9)));
        assert!(read::<Within<1, 9>>(10).is_err());
    }
}
