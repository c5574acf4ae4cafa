//! That somebody looked at the journal's files by the command line, on record: in the store of the state directory, from
//! where the serving process, or the next one, takes it to the journal, whose one writer it is.

use crate::cli::grant::{book, by};
use crate::cli::output::tell;
use crate::cli::{Context, Failure};
use crate::model::{Happened, Ledger as _};
use crate::store::control::Book;
use crate::store::sqlite;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

/// Puts it on record before anything is shown; says so where there is nothing to put it on, or it is not ours to write.
pub(in crate::cli) fn note(
    context: &Context,
    journal: &Path,
    code: &str,
    with: impl FnOnce(Happened) -> Happened,
) -> Result<(), Failure> {
    let unrecorded = |why: &str| tell(&format!("nothing records that you look: {why}"));
    let Some((path, is_configured)) = store(context, journal) else {
        unrecorded("there is no store beside this journal");
        return Ok(());
    };
    // Whoever may only read files is asked for nothing more: the record would not bind them.
    if OpenOptions::new().write(true).open(&path).is_err() {
        unrecorded(&format!("{} is not yours to write", path.display()));
        return Ok(());
    }
    let book = if is_configured {
        book(&context.load_without_files()?)?
    } else {
        let settings = sqlite::Settings {
            path,
            ..sqlite::Settings::default()
        };
        Book::open(&settings).map_err(|why| {
            Failure::cannot("the store of this directory cannot be used", "").because(why)
        })?
    };
    let happened = with(Happened::new(code, &by())).with("over", "cli");
    book.put(happened).map_err(|why| {
        let message = "it could not be put on record, so nothing is shown";
        Failure::cannot(message, "").because(why)
    })
}

/// The store that belongs to the journal, if there is one, and whether the configuration names it.
fn store(context: &Context, journal: &Path) -> Option<(PathBuf, bool)> {
    let same = |a: &Path, b: &Path| a.canonicalize().ok() == b.canonicalize().ok();
    if context.config.exists()
        && let Ok(config) = context.load_without_files()
        && same(&config.journal_dir(), journal)
    {
        let path = config.database();
        return path.exists().then_some((path, true));
    }
    let beside = journal.canonicalize().ok()?.parent()?.join("locum.db");
    beside.exists().then_some((beside, false))
}
