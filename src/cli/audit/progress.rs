//! How far long work has come, on a terminal.

use crate::audit::index::Progress;
use crate::cli::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;

/// A bar on stderr; none where stderr is no terminal or the answer is for a program.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// `bytes`: how much there is to do.
    pub(super) fn new(bytes: u64, context: &Context) -> Self {
        let shown = std::io::stderr().is_terminal() && !context.out.is_json();
        let target = if shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style =
            ProgressStyle::with_template("indexing {bar:40} {bytes} of {total_bytes}, {eta} left");
        let bar = ProgressBar::with_draw_target(Some(bytes), target);
        Self(style.map_or(bar.clone(), |style| bar.with_style(style)))
    }

    /// Goes on; always wants more.
    pub(super) fn told(&self, progress: Progress) -> bool {
        self.0.set_position(progress.bytes);
        true
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
