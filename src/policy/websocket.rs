//! The rules of a WebSocket route: direction, size, rate and what a client message may say.

use super::field_rule::FieldRule;
use super::json;

/// Which way messages may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WsMode {
    #[default]
    Allow,
    /// No WebSocket at all: the row denies.
    Deny,
    /// The app may speak, the client may not: every client message with data is denied.
    ReceiveOnly,
}

/// What a permitted WebSocket may carry.
#[derive(Clone, Debug, PartialEq)]
pub struct WsRules {
    pub mode: WsMode,
    /// Bytes of one client message, all its frames together.
    pub max_message: usize,
    /// Client messages in one second; `None`: no limit.
    pub max_rate: Option<u32>,
    /// A client message is denied if every one of these fields has a value that matches.
    pub(super) deny_message: Vec<FieldRule>,
}

/// Why a client message may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageDenied {
    /// The route is receive-only.
    ReceiveOnly,
    /// Larger than `max_message`.
    TooLarge,
    /// A field matches `deny_message`.
    Matched,
    /// `deny_message` is set and the message is not JSON with unique keys in a text frame.
    Unreadable,
}

impl MessageDenied {
    /// The name in records and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReceiveOnly => "websocket-receive-only",
            Self::TooLarge => "websocket-message-too-large",
            Self::Matched => "websocket-message-denied",
            Self::Unreadable => "websocket-message-unreadable",
        }
    }
}

impl WsRules {
    /// Bytes of one client message where the row does not say.
    pub const MAX_MESSAGE: usize = 1024 * 1024;

    /// Whether messages must be whole before they may go on (rather than frame by frame).
    pub fn reads_messages(&self) -> bool {
        !self.deny_message.is_empty()
    }

    /// Judges one whole client message (all fragments, decompressed). The rate is the caller's.
    pub fn judge(&self, message: &[u8], is_text: bool) -> Result<(), MessageDenied> {
        if self.mode != WsMode::Allow {
            return Err(MessageDenied::ReceiveOnly);
        }
        if message.len() > self.max_message {
            return Err(MessageDenied::TooLarge);
        }
        if self.deny_message.is_empty() {
            return Ok(());
        }
        if !is_text {
            return Err(MessageDenied::Unreadable);
        }
        let documents = json::Documents::read(message).map_err(|_| MessageDenied::Unreadable)?;
        match documents.any(&self.deny_message) {
            Ok(true) => Err(MessageDenied::Matched),
            Ok(false) => Ok(()),
            Err(json::Ambiguous) => Err(MessageDenied::Unreadable),
        }
    }
}
