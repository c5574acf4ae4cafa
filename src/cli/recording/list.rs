//! `locum recording list`.

use crate::cli::output::{Cell, Tone};
use crate::cli::{Context, Exit, Failure};
use serde_json::json;

/// List recordings, the oldest first, and the holds on them.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct List {
    /// Only those of a tenant.
    #[arg(long, value_name = "ID")]
    pub(super) tenant: Option<String>,
    /// Only those that are held.
    #[arg(long)]
    pub(super) held: bool,
    /// How many at most; over the API only, and the newest first.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub(super) limit: u16,
    /// Those after this session: the next page; over the API only.
    #[arg(long, value_name = "ID")]
    pub(super) after: Option<String>,
}

pub(super) const HEAD: [&str; 8] = [
    "SESSION", "STATE", "TENANT", "SUBJECT", "OPERATOR", "APP", "BYTES", "WRITTEN",
];

impl List {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let library = super::library(&context.load_without_files()?)?;
        let all = library.sessions().map_err(super::unusable)?;
        let wanted = all.into_iter().filter(|one| {
            self.tenant
                .as_ref()
                .is_none_or(|it| *it == one.about.tenant)
                && (!self.held || !one.holds.is_empty())
        });
        let wanted: Vec<_> = wanted.collect();
        let holds = library.holds().map_err(super::unusable)?;
        if context.out.is_json() {
            let one = |it: &crate::audit::recording::Summary| {
                json!({
                    "about": it.about, "bytes": it.bytes, "written_at": it.written_at.to_string(), "holds": it.holds,
                })
            };
            let recordings: Vec<_> = wanted.iter().map(one).collect();
            context
                .out
                .json(&json!({ "recordings": recordings, "holds": holds }))?;
            return Ok(Exit::Ok);
        }
        let rows: Vec<Vec<Cell>> = wanted
            .iter()
            .map(|it| {
                let (state, tone) = match (it.erased(), it.holds.first()) {
                    (Some(_), _) => ("erased".to_owned(), Tone::Faint),
                    (None, Some(hold)) => (format!("held by {}", hold.id), Tone::Bad),
                    (None, None) => ("kept".to_owned(), Tone::Plain),
                };
                let about = &it.about;
                vec![
                    about.session.to_string().into(),
                    Cell::new(&state, tone),
                    about.tenant.as_str().into(),
                    about.subject.as_str().into(),
                    about.operator.as_str().into(),
                    about.app.as_str().into(),
                    it.bytes.to_string().into(),
                    it.written_at.to_minute().into(),
                ]
            })
            .collect();
        context.out.table(&HEAD, &rows)?;
        for hold in &holds {
            context.out.line(format!(
                "hold {} on {}: {} ({}, {})",
                hold.id,
                hold.on,
                hold.reason,
                hold.by,
                hold.at.to_minute()
            ))?;
        }
        Ok(Exit::Ok)
    }
}
