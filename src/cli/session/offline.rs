//! Sessions of a state directory, without a portal: its journal, its recordings, and its store where there is one.

use super::super::audit::on_record;
use super::super::grant::by;
use super::super::output::{Cell, Output, Tone, printable, tell};
use super::super::{Context, Exit, Failure};
use crate::app;
use crate::audit::export::package::Dossier;
use crate::audit::export::{
    self, ExportError, Exporter, Facts, Format, Known, Made, Order, Ready, Wanted,
};
use crate::audit::recording::{Library, Settings, Undone, Viewing};
use crate::audit::tree::LogKey;
use crate::model::{AccessRequest, Happened, Ledger, SessionId, Timestamp};
use crate::store::control::{Book, Tx};
use crate::store::{StoreError, sqlite};
use serde_json::json;
use std::path::Path;

/// Records of one session, and the longest body in a HAR: nobody else waits here.
const MAX_RECORDS: usize = 10_000_000;
const MAX_BODY: usize = 64 << 20;

/// Shows one session as its records tell it.
pub(super) fn show(context: &mut Context, dir: &Path, id: &str) -> Result<Exit, Failure> {
    let entries = gathered(
        &dir.join("journal"),
        &Wanted {
            session: id.to_owned(),
            ..Wanted::default()
        },
    )?;
    on_record::note(
        context,
        &dir.join("journal"),
        "records.searched",
        |happened| happened.with("query", format!("session={id}")),
    )?;
    let facts = Facts::of(id, &entries);
    if context.out.is_json() {
        let exchanges: Vec<_> = facts.exchanges.iter().map(told).collect();
        context.out.json(&json!({
            "id": facts.session, "app": facts.app, "operator": facts.operator, "subject": facts.subject,
            "tenant": facts.tenant, "ticket": facts.ticket, "reason": facts.reason, "exchanges": exchanges,
        }))?;
        return Ok(Exit::Ok);
    }
    people(&mut context.out, &facts)
}

fn told(it: &Known) -> serde_json::Value {
    json!({
        "exchange": it.exchange, "at": Timestamp::from_millis(it.at).to_string(), "method": it.method,
        "target": it.target, "action": it.action, "resource": it.resource, "rule": it.rule,
        "decision": it.decision, "status": it.status, "outcome": it.outcome, "records": it.records,
    })
}

fn people(out: &mut Output, facts: &Facts) -> Result<Exit, Failure> {
    let clean = |text: &String| printable(text);
    out.facts(&[
        ("session", clean(&facts.session)),
        ("operator", clean(&facts.operator)),
        ("as", clean(&facts.subject)),
        ("of", clean(&facts.tenant)),
        ("app", clean(&facts.app)),
        ("ticket", clean(&facts.ticket)),
        ("why", clean(&facts.reason)),
    ])?;
    let rows: Vec<Vec<Cell>> = facts.exchanges.iter().map(row).collect();
    if rows.is_empty() {
        return Ok(Exit::Ok);
    }
    out.line("")?;
    let head = ["AT", "REQUEST", "RESOURCE", "DECISION", "RULE", "STATUS"];
    out.table(&head, &rows)?;
    Ok(Exit::Ok)
}

fn row(it: &Known) -> Vec<Cell> {
    let tone = if it.is_own && it.status >= 400 {
        Tone::Warn
    } else {
        Tone::Plain
    };
    vec![
        Timestamp::from_millis(it.at).to_string().into(),
        printable(&format!("{} {}", it.method, it.target)).into(),
        printable(&it.resource).into(),
        Cell::new(&it.decision, tone),
        printable(&it.rule).into(),
        it.status.to_string().into(),
    ]
}

/// An export, ready to be written; that it is made is on record where there is a store to note it in.
pub(super) fn ready(
    context: &Context,
    dir: &Path,
    id: &str,
    format: Format,
    reason: &str,
) -> Result<Ready, Failure> {
    let session: SessionId = id.parse().map_err(|_| {
        Failure::usage(
            format!("{id:?} is no session"),
            "it begins with s, as in `locum session list`",
        )
    })?;
    let settings = recordings(context, dir)?;
    let library = Library::open(&settings)
        .map_err(|why| Failure::cannot(why.to_string(), "mend [recording] in the configuration"))?;
    let store = Store::open(dir)?;
    let (wanted, dossier) = store.dossier(&dir.join("journal"), session)?;
    let viewing = Viewing {
        by: by(),
        account: None,
        reason: reason.to_owned(),
        over: "cli",
        doing: format!("export {format}"),
    };
    let tape = match library.view(session, &viewing, &store) {
        Ok(tape) => Ok(tape),
        Err(Undone::Recording(why)) => {
            // Nothing of the recording is given out; the records are.
            let mut happened = Happened::new("session.exported", &viewing.by).severe(2);
            happened.session = Some(session.to_string());
            let happened = happened
                .with("why", &viewing.reason)
                .with("over", viewing.over)
                .with("doing", &viewing.doing);
            store.put(happened).map_err(unusable)?;
            Err(why)
        }
        Err(Undone::Unrecorded(why)) => return Err(unusable(why)),
    };
    let exporter = Exporter {
        journal: dir.join("journal"),
        library,
        keys: keys(context, dir),
        max_records: MAX_RECORDS,
        max_body: MAX_BODY,
    };
    let order = Order {
        format,
        wanted,
        dossier,
        made: Made {
            at: Timestamp::now(),
            by: by(),
            reason: reason.to_owned(),
        },
    };
    exporter.prepare(order, tape).map_err(failed)
}

/// The recordings of the directory, with the configuration's keys where there is one.
fn recordings(context: &Context, dir: &Path) -> Result<Settings, Failure> {
    let here = dir.join("recordings");
    if !context.config.exists() {
        return Ok(Settings::new(here));
    }
    let config = context.load_without_files()?;
    let mut settings = app::recording_settings(&config)
        .map_err(|why| Failure::cannot(why.to_string(), "mend [recording] in the configuration"))?;
    if config.recording.keys.is_empty() {
        settings = Settings::new(&here);
    }
    settings.dir = here;
    Ok(settings)
}

/// The log's keys, where they came along: a package is signed with them.
fn keys(context: &Context, dir: &Path) -> Vec<LogKey> {
    let own = LogKey::load(&dir.join("log.key")).map(|key| vec![key]);
    let told = || {
        let config = context.load_without_files().ok()?;
        app::log_keys(&config, false).ok()
    };
    own.ok().or_else(told).unwrap_or_default()
}

/// The store of a state directory, if it came along.
struct Store(Option<Book>);

impl Ledger for Store {
    type Error = StoreError;

    /// A copy without a store has nothing that it could be noted in: that was said when it was opened.
    fn put(&self, happened: Happened) -> Result<(), StoreError> {
        self.0.as_ref().map_or(Ok(()), |book| book.put(happened))
    }
}

impl Store {
    fn open(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join("locum.db");
        if !path.exists() {
            tell(
                "there is no locum.db here: request, votes and grant are not in the export, and nothing records that it is made",
            );
            return Ok(Self(None));
        }
        let settings = sqlite::Settings {
            path,
            ..sqlite::Settings::default()
        };
        Ok(Self(Some(Book::open(&settings).map_err(unusable)?)))
    }

    /// What names the session, and what the control plane knew of it.
    fn dossier(&self, journal: &Path, id: SessionId) -> Result<(Wanted, Dossier), Failure> {
        let named = Wanted {
            session: id.to_string(),
            ..Wanted::default()
        };
        let Some(book) = &self.0 else {
            let own = gathered(journal, &named)?;
            return Ok((export::names(&own, &named.session), Dossier::default()));
        };
        let read = |tx: &Tx<'_>| found(tx, id);
        let dossier = book.write("reading a session", read).map_err(unusable)?;
        let text = |value: &Option<serde_json::Value>| {
            let id = value.as_ref().and_then(|it| it.get("id"));
            id.and_then(serde_json::Value::as_str).map(str::to_owned)
        };
        let wanted = Wanted {
            grant: text(&dossier.grant),
            request: text(&dossier.request),
            ..named
        };
        Ok((wanted, dossier))
    }
}

fn found(tx: &Tx<'_>, id: SessionId) -> Result<Dossier, StoreError> {
    let mut dossier = Dossier::default();
    let Some(stored) = tx.session(id)? else {
        return Ok(dossier);
    };
    dossier.grant = serde_json::to_value(&stored.grant).ok();
    let mut history = tx.history(&id.to_string())?;
    if let Some(request) = stored.grant.issued_by.strip_prefix("request:") {
        history.extend(tx.history(request)?);
        if let Some(found) = tx.find::<AccessRequest>(request)? {
            let votes = tx.votes(found.id)?;
            dossier.votes = votes
                .iter()
                .filter_map(|vote| serde_json::to_value(vote).ok())
                .collect();
            dossier.request = serde_json::to_value(found).ok();
        }
    }
    history.sort_by_key(|noted| noted.sequence);
    history.dedup_by_key(|noted| noted.sequence);
    let history = history
        .iter()
        .map(|noted| serde_json::to_value(&noted.happened));
    dossier.history = history.filter_map(Result::ok).collect();
    Ok(dossier)
}

fn gathered(journal: &Path, wanted: &Wanted) -> Result<Vec<crate::audit::tail::Entry>, Failure> {
    export::records(journal, wanted, MAX_RECORDS).map_err(failed)
}

#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn failed(why: ExportError) -> Failure {
    let remedy = "see whether --dir is the state directory and its files are yours to read";
    Failure::cannot(why.to_string(), remedy)
}

fn unusable(why: StoreError) -> Failure {
    Failure::cannot("the store of this directory cannot be used", "").because(why)
}
