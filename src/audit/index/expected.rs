//! The index against what one expects without it: each record by itself is what was looked for, or is not.

use super::facts::said;
use super::query::words;
use super::{Feed, Field, Order, Query, Reached, Searcher, Settings};
use crate::audit::tail::{Entry, Filter, From, Tail};
use crate::audit::tests::fixture::{Support, small_segments};
use crate::audit::{Event, Journal};
use crate::model::{Clock, Happened, Reach, Timestamp};
use proptest::prelude::*;
use rusqlite::{Connection, params};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// What records say and searches look for: words of many kinds, and such as meet in one record, or in two.
const TEXTS: [&str; 20] = [
    "order",
    "Orders lost",
    "order 17 lost",
    "/orders/17",
    "zebra",
    "Übergröße",
    "ÜBERGRÖSSE",
    "192.0.2.7",
    "quo\"te back\\slash",
    "line\nbreak",
    "\u{212a}elvin kelvin",
    "İstanbul ıspanak",
    "e\u{301}te",
    "東京/都",
    "\u{e000}abc",
    "ﬁne ǅ",
    "²½ ⅷ",
    "a-b_c",
    "",
    "…",
];

const NAMES: [&str; 6] = ["acme", "ACME", "globex", "order:17", "order", ""];

fn text() -> impl Strategy<Value = &'static str> {
    prop::sample::select(TEXTS.as_slice())
}

fn name() -> impl Strategy<Value = Option<&'static str>> {
    prop::option::weighted(0.8, prop::sample::select(NAMES.as_slice()))
}

#[derive(Clone, Debug)]
struct Step {
    code: &'static str,
    names: [Option<&'static str>; 4],
    said: [&'static str; 2],
    pause: i64,
    is_exchange: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let codes = prop::sample::select(vec!["vote.approve", "vote.deny", "lock.set"]);
    let names = [name(), name(), name(), name()];
    let pause = prop::sample::select(vec![0, 1, 999, 40_000, 200_000]);
    (
        codes,
        names,
        [text(), text()],
        pause,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(code, names, said, pause, is_exchange)| Step {
            code,
            names,
            said,
            pause,
            is_exchange,
        })
}

fn write(dir: &Path, steps: &[Step]) {
    let clock = Arc::new(AtomicI64::new(1_767_225_600_000));
    let journal = Journal::start(small_segments(dir), Clock::Fixed(Arc::clone(&clock)));
    let journal = journal.expect("start");
    let support = Support::new();
    for step in steps {
        clock.fetch_add(step.pause, Ordering::Relaxed);
        if step.is_exchange {
            support.exchange(&journal);
        }
        let owned = |at: usize| step.names[at].map(str::to_owned);
        let happened = Happened {
            tenant: owned(0),
            app: owned(1),
            session: owned(2),
            subject: owned(3),
            ..Happened::new(step.code, "bo@support.example")
        };
        let happened = happened.with("reason", step.said[0]);
        journal.note(&Event::Control(&happened.with("findings", step.said[1])));
    }
    journal.stop("written");
}

fn value() -> impl Strategy<Value = (Field, String)> {
    let fields = [
        Field::Tenant,
        Field::App,
        Field::Session,
        Field::Subject,
        Field::Event,
        Field::Resource,
    ];
    let values = ["vote", "exchange", "exchange.opened", "Lock.set", "shop"];
    let values = prop::sample::select([&NAMES[..], &values].concat());
    (prop::sample::select(fields.to_vec()), values)
        .prop_map(|(field, value)| (field, value.to_owned()))
}

/// A word, a beginning, or two texts as one row of words.
fn piece() -> impl Strategy<Value = String> {
    let one = text().prop_map(str::to_owned);
    let beginning = text().prop_map(|text| {
        let word = text.split(' ').next().unwrap_or_default();
        word.chars().take(4).collect::<String>() + "*"
    });
    let row = (text(), text()).prop_map(|(one, two)| format!("{one}/{two}").replace(' ', "."));
    prop_oneof![3 => one, 1 => beginning, 1 => row]
}

fn reached() -> impl Strategy<Value = Option<Vec<Reached>>> {
    let reach = || {
        let names = prop::collection::btree_set(prop::sample::select(NAMES.as_slice()), 0..3);
        let only = names.prop_map(|it| Reach::Only(it.into_iter().map(str::to_owned).collect()));
        prop_oneof![Just(Reach::All), only]
    };
    let seat = (reach(), reach()).prop_map(|(tenants, apps)| Reached { tenants, apps });
    prop::option::weighted(0.3, prop::collection::vec(seat, 0..3))
}

fn query() -> impl Strategy<Value = Query> {
    let minute = || prop::option::weighted(0.2, 0..100_i64);
    let texts = prop::collection::vec(piece(), 0..3);
    let fields = prop::collection::vec(value(), 0..3);
    let order = prop_oneof![Just(Order::Newest), Just(Order::Oldest)];
    (
        fields,
        texts,
        minute(),
        minute(),
        order,
        1..20_usize,
        reached(),
    )
        .prop_map(|(fields, texts, since, until, order, limit, reached)| {
            let at = |it: i64| Timestamp::from_millis(1_767_225_600_000 + it * 60_000);
            Query {
                fields,
                text: texts.join(" "),
                since: since.map(at),
                until: until.map(at),
                order,
                after: None,
                limit,
                reached,
            }
        })
}

/// A row of a full-text table for each record.
struct Table {
    sql: Connection,
    entries: Vec<Entry>,
}

impl Table {
    fn of(dir: &Path) -> Self {
        let sql = Connection::open_in_memory().expect("memory");
        let schema = "CREATE VIRTUAL TABLE words USING fts5(said, tokenize=\"unicode61 remove_diacritics 0\")";
        sql.execute_batch(schema).expect("table");
        let entries = Tail::new(dir, From::Start, false, Filter::default());
        let entries: Vec<Entry> = entries.map(|it| it.expect("record")).collect();
        for entry in &entries {
            let row = params![entry.sequence.cast_signed(), said(&entry.json)];
            sql.execute("INSERT INTO words (rowid, said) VALUES (?1, ?2)", row)
                .expect("row");
        }
        Self { sql, entries }
    }

    fn expected(&self, query: &Query) -> Option<Vec<u64>> {
        let rows = words(&query.text).ok()?;
        let quoted = rows.iter().map(|row| {
            let star = if row.is_beginning { "*" } else { "" };
            format!("\"{}\"{star}", row.text.replace('"', "\"\""))
        });
        let all = quoted.collect::<Vec<_>>().join(" AND ");
        let mut said = self
            .sql
            .prepare("SELECT rowid FROM words WHERE words MATCH ?1")
            .expect("asked");
        let said: BTreeSet<i64> = if rows.is_empty() {
            self.entries
                .iter()
                .map(|it| it.sequence.cast_signed())
                .collect()
        } else {
            let those = said.query_map([all], |row| row.get(0)).expect("told");
            those.map(|it| it.expect("a row")).collect()
        };
        let is_it =
            |it: &&Entry| said.contains(&it.sequence.cast_signed()) && query.takes(&it.json);
        let mut found: Vec<u64> = self
            .entries
            .iter()
            .filter(is_it)
            .map(|it| it.sequence)
            .collect();
        if query.order == Order::Newest {
            found.reverse();
        }
        Some(found)
    }
}

fn found(settings: &Settings, query: &Query) -> Vec<u64> {
    let searcher = Searcher::open(settings.clone()).expect("open");
    let mut query = query.clone();
    let mut all = Vec::new();
    loop {
        let page = searcher.search(&query).expect("found");
        assert!(page.entries.len() <= query.limit && page.faults.is_empty());
        all.extend(page.entries.iter().map(|it| it.sequence));
        if page.next.is_none() {
            return all;
        }
        query.after = page.next;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_found_is_what_each_record_says(
        steps in prop::collection::vec(step(), 1..160),
        batch_records in prop::sample::select(vec![1_usize, 3, 64, 100, 2000]),
        page_reads in prop::sample::select(vec![1_usize, 10, 10_000]),
        queries in prop::collection::vec(query(), 24),
    ) {
        let dir = tempfile::tempdir().expect("dir");
        write(dir.path(), &steps);
        let settings = Settings { batch_records, page_reads, ..Settings::of(dir.path()) };
        let mut feed = Feed::open(settings.clone()).expect("open");
        feed.take(u64::MAX, |_| true).expect("taken");
        let table = Table::of(dir.path());
        for query in queries {
            if let Some(expected) = table.expected(&query) {
                prop_assert_eq!(found(&settings, &query), expected, "{:?}", query);
            }
        }
    }
}
