//! What a route lets a client send.

use std::fmt;
use std::sync::Arc;

/// Which way data may flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Both ways.
    #[default]
    Allow,
    /// The client's data frames are refused. Its control frames pass: without pong and close no connection lives.
    ReceiveOnly,
}

/// Says of a whole client message (payload; whether it is text) why it may not pass, by a name for the record.
/// What a message may say is the route policy's: see [`crate::policy::WsRules::judge`].
#[derive(Clone)]
pub struct Judge(Arc<Judging>);

type Judging = dyn Fn(&[u8], bool) -> Result<(), &'static str> + Send + Sync;

impl Judge {
    pub fn new(
        judge: impl Fn(&[u8], bool) -> Result<(), &'static str> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(judge))
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

/// The rules for one WebSocket. Limits apply to the client's messages, not to the upstream's.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub mode: Mode,
    /// Bytes in one message, all fragments together. 0: no limit, unless `judge` needs to hold messages.
    pub max_message: usize,
    /// Messages in any one second. 0: no limit.
    pub max_rate: u32,
    /// If there is one, messages are held until they are whole, and judged.
    pub judge: Option<Judge>,
}

impl Rules {
    /// Why this message may not pass, if it may not.
    pub(super) fn denying(&self, message: &[u8], is_text: bool) -> Option<&'static str> {
        let judge = self.judge.as_ref()?;
        (judge.0)(message, is_text).err()
    }
}
