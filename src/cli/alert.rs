//! `locum alert`: whether the alert channels take what is sent.

use super::output::{Cell, Output, Tone};
use super::remote::{Remote, flag, list, show, text};
use super::request::word;
use super::{Context, Exit, Failure};
use serde_json::{Value, json};

const AFTER_HELP: &str = "\
Break-glass opens only when a channel took its alert: test them before that
day. The test is marked as one, goes by each channel whatever alerts the channel
is for, and is on record. It is for the security and admin roles over every
customer and app.";

/// Test the alert channels.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Alert {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Send a marked test alert, and say what each channel did with it.
    Test {
        /// One channel, by its name [default: each].
        #[arg(value_name = "CHANNEL", value_parser = word)]
        channel: Option<String>,
    },
}

impl Alert {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let (client, out) = (self.remote.client()?, &mut context.out);
        let What::Test { channel } = self.what;
        let body = channel.map_or_else(|| json!({}), |name| json!({ "channel": name }));
        // Without a key: an answer that got lost is no reason to wake people twice.
        let (_, tested) = client.ask(&["alerts", "test"], &body)?;
        show(out, &tested, table)?;
        let all = list(&tested, "/items").iter().all(|it| flag(it, "/taken"));
        Ok(if all { Exit::Ok } else { Exit::No })
    }
}

fn table(out: &mut Output, tested: &Value) -> Result<(), Failure> {
    let row = |it: &Value| {
        let (word, tone) = if flag(it, "/taken") {
            ("taken".to_owned(), Tone::Good)
        } else {
            ("NOT taken".to_owned(), Tone::Bad)
        };
        vec![
            text(it, "/channel").into(),
            text(it, "/kind").into(),
            Cell::new(&word, tone),
            text(it, "/detail").into(),
        ]
    };
    let rows: Vec<_> = list(tested, "/items").iter().map(row).collect();
    out.table(&["CHANNEL", "KIND", "RESULT", "WHY"], &rows)
}
