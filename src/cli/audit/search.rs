//! `locum audit search`.

use super::on_record;
use super::progress::Bar;
use crate::audit::index::each_field;
use crate::audit::index::{
    self, Failed, Fault, Feed, Field, Found, IndexError, Order, Query, Searcher, Settings,
};
use crate::audit::tail::Entry;
use crate::cli::output::{Cell, Tone, tell};
use crate::cli::{Context, Exit, Failure};
use crate::model::Timestamp;
use serde_json::json;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
All conditions must hold; one that is given several times holds with any of its
values. A kind stands for all of it: --event exchange, --resource order,
--action orders, --status 4xx. Words must all occur in the record; ord* is a
beginning, /orders/17 a row of words. Case does not count.

What is shown is read from the journal, and each line checked against its hash
and against what was indexed: what does not fit is named, and the exit code is 1.
The index is brought up to date first, or made where there is none.

Who searched, and for what, goes on record, before the first record is shown. In
a copy of a journal, without the store beside it, there is nothing to put that
on: then this says so.

Examples:
  locum audit search --operator ada@support.example --event exchange.refused
  locum audit search --tenant acme --since 2026-03-01T00:00:00Z refund
  locum audit search --ticket SUP-1042 --oldest --all --format csv > SUP-1042.csv
  locum audit search --dir /evidence/journal --session s01k9… --format jsonl";

/// Records read in one go.
const AT_ONCE: usize = 500;

/// Find records by who, whom, what, when, and by words.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Search {
    /// Words that must all occur.
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    #[command(flatten)]
    conditions: Conditions,
    /// Not before this time, as in 2026-03-01T09:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = crate::cli::time::moment)]
    since: Option<Timestamp>,
    /// Before this time.
    #[arg(long, value_name = "TIME", value_parser = crate::cli::time::moment)]
    until: Option<Timestamp>,
    /// The oldest first, not the newest.
    #[arg(long)]
    oldest: bool,
    /// At most so many.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    /// All of them.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Those after this sequence number: the next page.
    #[arg(long, value_name = "SEQUENCE")]
    after: Option<u64>,
    /// How records are written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The journal's directory [default: the configuration's].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The index's file [default: index.db in the journal's directory].
    #[arg(long, value_name = "FILE")]
    index: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For spreadsheets.
    Csv,
    /// The journal's own lines.
    Jsonl,
}

/// One option a field; `--FIELD VALUE`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Conditions")]
struct Conditions {
    /// This operator, or whoever did it.
    #[arg(long, value_name = "ID")]
    operator: Vec<String>,
    /// This subject.
    #[arg(long, value_name = "ID")]
    subject: Vec<String>,
    /// This tenant.
    #[arg(long, value_name = "ID")]
    tenant: Vec<String>,
    /// This app.
    #[arg(long, value_name = "NAME")]
    app: Vec<String>,
    /// This ticket.
    #[arg(long, value_name = "ID")]
    ticket: Vec<String>,
    /// This session.
    #[arg(long, value_name = "ID")]
    session: Vec<String>,
    /// This grant.
    #[arg(long, value_name = "ID")]
    grant: Vec<String>,
    /// This request for access.
    #[arg(long, value_name = "ID")]
    request: Vec<String>,
    /// This exchange.
    #[arg(long, value_name = "ID")]
    exchange: Vec<String>,
    /// This action, as orders.read, or its kind, as orders.
    #[arg(long, value_name = "NAME")]
    action: Vec<String>,
    /// This resource, as order:17, or its kind, as order.
    #[arg(long, value_name = "NAME")]
    resource: Vec<String>,
    /// `permit` or `deny`.
    #[arg(long, value_name = "WORD")]
    decision: Vec<String>,
    /// How an exchange ended: done, aborted, cut, refused, failed, answered.
    #[arg(long, value_name = "WORD")]
    outcome: Vec<String>,
    /// The rule that decided.
    #[arg(long, value_name = "NAME")]
    rule: Vec<String>,
    /// This event, as exchange.refused, or its kind, as exchange.
    #[arg(long, value_name = "NAME")]
    event: Vec<String>,
    /// The request's method.
    #[arg(long, value_name = "METHOD")]
    method: Vec<String>,
    /// The status, as 403, or its class, as 4xx.
    #[arg(long, value_name = "STATUS")]
    status: Vec<String>,
}

impl Conditions {
    fn fields(self) -> Vec<(Field, String)> {
        let all = each_field!(self);
        let each = |(field, values): (Field, Vec<String>)| {
            values.into_iter().map(move |value| (field, value))
        };
        all.into_iter().flat_map(each).collect()
    }
}

impl Search {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let settings = super::index(self.dir, self.index, context)?;
        bring_up_to_date(&settings, context)?;
        let query = Query {
            fields: self.conditions.fields(),
            text: self.words.join(" "),
            since: self.since,
            until: self.until,
            order: if self.oldest {
                Order::Oldest
            } else {
                Order::Newest
            },
            after: self.after,
            limit: self.limit.min(AT_ONCE),
            reached: None,
        };
        on_record::note(context, &settings.journal, "records.searched", |happened| {
            happened.with("query", query.told())
        })?;
        let most = if self.all { usize::MAX } else { self.limit };
        let searcher = Searcher::open(settings).map_err(super::no_index)?;
        let mut pages = Pages::new(searcher, query, most);
        if context.out.is_json() {
            return as_json(&mut pages, context);
        }
        match self.format {
            Format::Table => as_table(&mut pages, context)?,
            Format::Csv => {
                context.out.raw(index::head().as_bytes())?;
                pages.each(|entry| context.out.raw(index::row(entry).as_bytes()))?;
            }
            Format::Jsonl => pages.each(|entry| context.out.line(entry.raw.trim_end()))?,
        }
        for fault in &pages.faults {
            tell(&format!("record {}: {}", fault.sequence, fault.why));
        }
        Ok(pages.exit())
    }
}

/// Makes the index whole, unless a serving process does so, or it may not be written.
fn bring_up_to_date(settings: &Settings, context: &Context) -> Result<(), Failure> {
    let mut feed = match Feed::open(settings.clone()) {
        Ok(feed) => feed,
        Err(IndexError::Kept { .. }) => return Ok(()),
        Err(error) if settings.path.exists() => {
            tell(&format!("the index cannot be brought up to date: {error}"));
            return Ok(());
        }
        Err(error) => return Err(super::no_index(error)),
    };
    if let Some(why) = feed.made_anew() {
        tell(&format!("the index is made anew: {why}"));
    }
    let bar = Bar::new(feed.ahead().map_err(super::no_index)?, context);
    let taken = feed.take(u64::MAX, |progress| bar.told(progress));
    bar.end();
    taken.map(|_| ()).map_err(super::no_index)
}

/// What is found, page after page.
struct Pages {
    searcher: Searcher,
    query: Query,
    /// Records that may still be given.
    left: usize,
    next: Option<u64>,
    faults: Vec<Fault>,
    indexed: u64,
}

impl Pages {
    fn new(searcher: Searcher, query: Query, most: usize) -> Self {
        Self {
            searcher,
            query,
            left: most,
            next: None,
            faults: Vec::new(),
            indexed: 0,
        }
    }

    fn page(&mut self) -> Result<Found, Failure> {
        self.query.limit = self.left.min(AT_ONCE);
        let mut found = self.searcher.search(&self.query).map_err(|why| match why {
            Failed::Query(unfit) => {
                Failure::usage(unfit.to_string(), "see `locum audit search --help`")
            }
            Failed::Index(error) => super::no_index(error),
        })?;
        self.left -= found.entries.len().min(self.left);
        self.next = found.next;
        self.query.after = found.next;
        self.indexed = found.indexed;
        self.faults.append(&mut found.faults);
        Ok(found)
    }

    fn each(&mut self, mut take: impl FnMut(&Entry) -> Result<(), Failure>) -> Result<(), Failure> {
        loop {
            let found = self.page()?;
            found.entries.iter().try_for_each(&mut take)?;
            if self.next.is_none() || self.left == 0 {
                return Ok(());
            }
        }
    }

    /// A record that is not what was indexed makes the answer a no.
    fn exit(&self) -> Exit {
        if self.faults.is_empty() {
            Exit::Ok
        } else {
            Exit::No
        }
    }
}

fn as_json(pages: &mut Pages, context: &mut Context) -> Result<Exit, Failure> {
    let mut records = Vec::new();
    pages.each(|entry| {
        records.push(entry.json.clone());
        Ok(())
    })?;
    context.out.json(&json!({
        "records": records, "next": pages.next, "not_as_indexed": pages.faults, "indexed": pages.indexed,
    }))?;
    Ok(pages.exit())
}

/// Columns cannot be aligned before all rows are known: what is long is shown in parts.
fn as_table(pages: &mut Pages, context: &mut Context) -> Result<(), Failure> {
    const HEAD: [&str; 7] = ["SEQUENCE", "TIME", "EVENT", "WHO", "AS", "WHAT", "RESULT"];
    let mut is_empty = true;
    loop {
        let found = pages.page()?;
        if !found.entries.is_empty() {
            is_empty = false;
            let rows: Vec<_> = found.entries.iter().map(row).collect();
            context.out.table(&HEAD, &rows)?;
        }
        if pages.next.is_none() || pages.left == 0 {
            break;
        }
    }
    match pages.next {
        _ if is_empty => context
            .out
            .line(format!("nothing like that among {} records", pages.indexed)),
        Some(next) => context.out.line(format!("more: --after {next}, or --all")),
        None => Ok(()),
    }
}

fn row(entry: &Entry) -> Vec<Cell> {
    let of = |field: Field| field.values(&entry.json).next().unwrap_or_default();
    let text = |path: &[&str]| entry.text(path).unwrap_or_default();
    let path = text(&["http_request", "url", "path"]);
    let path = if path.is_empty() {
        text(&["locum", "path"])
    } else {
        path
    };
    let what = [
        of(Field::Method),
        path,
        of(Field::Resource),
        text(&["locum", "reason"]),
    ];
    let what: Vec<&str> = match what {
        [method, path, ..] if !path.is_empty() => vec![method, path],
        _ => what.into_iter().filter(|it| !it.is_empty()).collect(),
    };
    let result = [
        of(Field::Decision),
        of(Field::Rule),
        of(Field::Outcome),
        of(Field::Status),
        text(&["status_detail"]),
        text(&["locum", "cause"]),
    ];
    let result: Vec<&str> = result.into_iter().filter(|it| !it.is_empty()).collect();
    let is_no = of(Field::Decision) == "deny" || entry.event().ends_with("refused");
    let millis = entry.json.get("time").and_then(serde_json::Value::as_i64);
    vec![
        entry.sequence.to_string().into(),
        Timestamp::from_millis(millis.unwrap_or(0))
            .to_string()
            .into(),
        entry.event().into(),
        of(Field::Operator).into(),
        of(Field::Subject).into(),
        what.join(" ").into(),
        Cell::new(
            result.join(" "),
            if is_no { Tone::Bad } else { Tone::Plain },
        ),
    ]
}
