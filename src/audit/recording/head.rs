//! The heads: JSON frames that say what happened and which chunks hold the bytes.

use super::taped::{From, Kind, Which};
use crate::model::{ExchangeId, SessionId, Timestamp};
use serde::{Deserialize, Serialize};

/// One head. `t` names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub(super) enum Head {
    /// The first frame of each part.
    Part(Part),
    Begin(Begin),
    Headers(Headers),
    Data(Data),
    Body(BodyEnd),
    Message(MessageHead),
    Gap(GapHead),
    End(End),
}

/// Who wrote the part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) session: SessionId,
    #[serde(rename = "part")]
    pub(super) number: u32,
    pub(super) at: Timestamp,
    /// Locum's version.
    pub(super) locum: String,
}

/// An exchange begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Begin {
    pub(super) x: ExchangeId,
    pub(super) at: Timestamp,
    pub(super) app: String,
    pub(super) origin: String,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) protocol: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) rule: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) action: String,
    pub(super) mode: String,
    /// It began before, in a part that may not hold that any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) again: bool,
}

/// A side's status and fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Headers {
    pub(super) x: ExchangeId,
    pub(super) side: Which,
    pub(super) at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    pub(super) fields: Vec<Field>,
}

/// One field: its value is text, or base64 where its bytes are no UTF-8.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Field {
    pub(super) n: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) v: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) b: Option<String>,
}

/// The next piece of a side's body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Data {
    pub(super) x: ExchangeId,
    pub(super) side: Which,
    pub(super) at: Timestamp,
    /// SHA-256 of the chunk, in hexadecimal digits.
    pub(super) chunk: String,
}

/// A side's body is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct BodyEnd {
    pub(super) x: ExchangeId,
    pub(super) side: Which,
    /// Of the true body.
    pub(super) bytes: u64,
    /// Of the true body; empty where it is not known.
    pub(super) sha256: String,
    /// Of what is stored, where that is not the true body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stored_sha256: Option<String>,
    pub(super) whole: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) redacted: bool,
    /// Redacting made the content coding undone: what is stored is plain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) decoded: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) withheld: Option<String>,
    /// The bytes are those of this side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) same: Option<Which>,
}

/// A WebSocket message or a server-sent event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct MessageHead {
    pub(super) x: ExchangeId,
    pub(super) at: Timestamp,
    pub(super) from: From,
    pub(super) kind: Kind,
    /// Of the true message.
    pub(super) bytes: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) chunks: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) redacted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) withheld: Option<String>,
}

/// Something is missing here, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct GapHead {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) x: Option<ExchangeId>,
    pub(super) at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) side: Option<Which>,
    /// Bytes that are missing.
    pub(super) bytes: u64,
    /// Messages that are missing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) messages: u64,
    pub(super) why: String,
}

/// An exchange is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) x: ExchangeId,
    pub(super) at: Timestamp,
    pub(super) outcome: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's shape
fn is_zero(n: &u64) -> bool {
    *n == 0
}
