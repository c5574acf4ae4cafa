//! What alert channels said to a test.

use crate::control::desk::Tried;
use serde::Serialize;
use utoipa::ToSchema;

/// What one channel said.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct TestedChannel {
    /// As in the configuration.
    channel: String,
    /// `webhook`, `slack`, `pagerduty` or `smtp`.
    kind: &'static str,
    taken: bool,
    /// `taken`, or why not in a word: that of the metric `alert_tries`.
    result: &'static str,
    /// Why not, in a sentence.
    detail: Option<String>,
}

/// Each channel, in the order of the configuration.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct TestedChannels {
    pub items: Vec<TestedChannel>,
}

impl From<Tried> for TestedChannel {
    fn from(it: Tried) -> Self {
        Self {
            channel: it.channel,
            kind: it.kind,
            taken: it.why.is_none(),
            result: it.result,
            detail: it.why,
        }
    }
}
