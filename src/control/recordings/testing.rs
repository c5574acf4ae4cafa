//! The recordings of a test's directory.

use super::{Arc, Exporter, Metrics, Recordings, replay};
use crate::audit::recording::{Library, Settings};
use std::path::Path;

impl Recordings {
    /// Recordings in `dir`, none at first, beside an empty journal.
    pub(in crate::control) fn in_dir(dir: &Path, metrics: Arc<Metrics>) -> Self {
        let settings = Settings::new(dir.join("recordings"));
        for made in [&settings.dir, &dir.join("journal")] {
            std::fs::create_dir_all(made).expect("a directory");
        }
        let exporter = Exporter {
            journal: dir.join("journal"),
            library: Library::open(&settings).expect("a library"),
            keys: Vec::new(),
            max_records: 1000,
            max_body: 1 << 20,
        };
        Self::new(exporter, replay::Settings::default(), 2, metrics)
    }

    /// Whether this limit was hit.
    pub(in crate::control) fn was_hit(&self, limit: &str) -> bool {
        let text = self.metrics.expose();
        let named = format!("limit=\"{limit}\"");
        text.lines()
            .any(|line| line.contains(&named) && !line.ends_with(" 0"))
    }
}
