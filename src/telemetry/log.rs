//! Logs on stderr. They hold no secret, no body and no header value: those who read logs are many.

use tracing_subscriber::EnvFilter;

/// One line of text for people, or one line of JSON for machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// Starts logging at `level` (an `EnvFilter` text such as `info` or `locum=debug`). A second call changes nothing.
pub fn start(level: &str, format: Format) {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    let started = match format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().try_init(),
    };
    // Only a second start fails, and the first one's choice stands.
    drop(started);
}
