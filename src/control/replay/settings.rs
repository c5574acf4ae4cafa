//! Where replays live and how much of them there may be.

use std::time::Duration;

/// The replay's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub enabled: bool,
    /// The portal's origin: the only one that may frame a replay.
    pub portal: String,
    /// Replays live at `<label>.<host>`.
    pub host: String,
    /// How long a stated reason is good for.
    pub view_time: Duration,
    /// Recordings open at once, over all viewers. Each holds its index in memory.
    pub max_views: usize,
    /// Pages replayed at once in one view; the oldest gives way.
    pub max_frames: usize,
    /// The longest text whose addresses are mapped. A longer one is passed as it was. Bytes.
    pub max_text: usize,
    /// Whether a customer's own auditors may look at recordings of their sessions.
    pub tenant_auditors: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            portal: "https://localhost:8444".to_owned(),
            host: "replay.localhost".to_owned(),
            view_time: Duration::from_secs(15 * 60),
            max_views: 32,
            max_frames: 8,
            max_text: 8 << 20,
            tenant_auditors: false,
        }
    }
}

impl Settings {
    /// The origin of a label: the portal's scheme and port.
    pub fn origin(&self, label: &str) -> String {
        let (scheme, rest) = self.portal.split_once("://").unwrap_or(("https", ""));
        let port = match rest.rsplit_once(':') {
            Some((_, port)) if !port.contains(']') => format!(":{port}"),
            _ => String::new(),
        };
        format!("{scheme}://{label}.{}{port}", self.host)
    }
}
