//! The index over real journals: what is found, what is said when either of them was changed, and that it heals.

use super::{
    Failed, Feed, Field, Found, IndexError, Keeper, Order, Query, Reached, Searcher, Settings,
};
use crate::audit::Event;
use crate::audit::tests::fixture::{Support, block_on, small_segments, start};
use crate::audit::{Journal, record};
use crate::model::{Clock, Happened, Reach};
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A journal of a few exchanges, refusals and steps, over several segments.
fn journal(dir: &Path) -> Journal {
    let journal = Journal::start(small_segments(dir), Clock::System).expect("start");
    let support = Support::new();
    for nth in 0..20 {
        support.exchange(&journal);
        let tenant = if nth % 2 == 0 { "acme" } else { "globex" };
        let happened = Happened {
            tenant: Some(tenant.to_owned()),
            app: Some("shop".to_owned()),
            ticket: Some(format!("SUP-{nth}")),
            ..Happened::new("vote.approve", "bo@support.example")
        };
        journal.note(&Event::Control(
            &happened.with("reason", "Übergröße order lost"),
        ));
    }
    let refusal = record::Refusal {
        opening: record::Opening {
            decision: None,
            ..support.opening()
        },
        status: 403,
        reason: "no-session",
        detail: "",
    };
    block_on(journal.refuse(&refusal)).expect("recorded");
    journal
}

fn indexed(dir: &Path) -> Settings {
    let settings = Settings {
        batch_records: 7,
        ..Settings::of(dir)
    };
    let mut feed = Feed::open(settings.clone()).expect("open");
    feed.take(u64::MAX, |_| true).expect("taken");
    settings
}

fn search(settings: &Settings, query: &Query) -> Found {
    let searcher = Searcher::open(settings.clone()).expect("open");
    searcher.search(query).expect("found")
}

fn query(field: Field, value: &str) -> Query {
    Query {
        limit: 200,
        ..Query::default()
    }
    .with(field, value)
}

fn text(text: &str) -> Query {
    Query {
        text: text.to_owned(),
        limit: 200,
        ..Query::default()
    }
}

#[test]
fn records_are_found_by_each_value_and_by_words() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = journal(dir.path());
    let settings = indexed(dir.path());
    for (field, value, count) in [
        (Field::Operator, "ada@support.example", 41),
        (Field::Operator, "ADA@support.example", 41),
        (Field::Subject, "kim@acme.example", 41),
        (Field::Tenant, "acme", 51),
        (Field::Tenant, "globex", 10),
        (Field::App, "shop", 61),
        (Field::Ticket, "SUP-3", 1),
        (Field::Action, "orders.read", 40),
        (Field::Action, "orders", 40),
        (Field::Resource, "order:17", 20),
        (Field::Resource, "order", 20),
        (Field::Decision, "permit", 20),
        (Field::Outcome, "done", 20),
        (Field::Outcome, "refused", 1),
        (Field::Rule, "orders-read", 20),
        (Field::Event, "exchange.opened", 20),
        (Field::Event, "exchange", 41),
        (Field::Event, "process.started", 1),
        (Field::Method, "GET", 41),
        (Field::Status, "403", 1),
        (Field::Status, "2xx", 20),
        (Field::Session, "s0", 0),
    ] {
        let found = search(&settings, &query(field, value));
        assert_eq!(found.entries.len(), count, "{} {value}", field.name());
        assert!(found.faults.is_empty());
    }
    for (words, count) in [
        ("orders/17", 21),
        ("/orders/17 mozilla", 21),
        ("ord* items", 21),
        ("17/orders", 0),
        ("übergröße", 20),
        ("übergr* lost", 20),
        ("hunter2", 0),
        ("no-session", 1),
    ] {
        assert_eq!(
            search(&settings, &text(words)).entries.len(),
            count,
            "{words}"
        );
    }
    journal.stop("test");
}

#[test]
fn pages_follow_each_other_in_both_orders_and_lose_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let _journal = journal(dir.path());
    let settings = indexed(dir.path());
    for order in [Order::Newest, Order::Oldest] {
        for field in [None, Some((Field::Event, "exchange".to_owned()))] {
            let mut query = Query {
                fields: field.clone().into_iter().collect(),
                order,
                limit: 4,
                ..Query::default()
            };
            let (mut seen, mut pages) = (Vec::new(), 0);
            loop {
                let found = search(&settings, &query);
                assert!(found.entries.len() <= 4);
                seen.extend(found.entries.iter().map(|it| it.sequence));
                pages += 1;
                query.after = found.next;
                if found.next.is_none() {
                    break;
                }
            }
            let mut sorted = seen.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), seen.len(), "no record twice");
            if order == Order::Newest {
                sorted.reverse();
            }
            assert_eq!(sorted, seen);
            assert!(pages > 5);
            if field.is_none() {
                let all = search(
                    &settings,
                    &Query {
                        limit: 10_000,
                        ..Query::default()
                    },
                );
                assert_eq!(all.entries.len(), seen.len());
                assert_eq!(all.indexed, seen.len() as u64);
            }
        }
    }
}

#[test]
fn a_time_is_met_to_the_millisecond() {
    let dir = tempfile::tempdir().expect("dir");
    let _journal = journal(dir.path());
    let settings = indexed(dir.path());
    let all = search(
        &settings,
        &Query {
            limit: 10_000,
            order: Order::Oldest,
            ..Query::default()
        },
    );
    let time = |at: usize| all.entries[at].json["time"].as_i64().expect("time");
    let (first, last) = (time(0), time(all.entries.len() - 1));
    for (since, until) in [
        (first, last + 1),
        (last + 1, last + 9),
        (first, last),
        (first + 1, i64::MAX),
    ] {
        let expected = all
            .entries
            .iter()
            .enumerate()
            .filter(|(at, _)| (since..until).contains(&time(*at)));
        let query = Query {
            since: Some(crate::model::Timestamp::from_millis(since)),
            until: Some(crate::model::Timestamp::from_millis(until)),
            limit: 10_000,
            ..Query::default()
        };
        assert_eq!(search(&settings, &query).entries.len(), expected.count());
    }
}

#[test]
fn whoever_reaches_one_tenant_finds_that_one_alone() {
    let dir = tempfile::tempdir().expect("dir");
    let _journal = journal(dir.path());
    let settings = indexed(dir.path());
    let reached = |tenants: &[&str]| {
        let tenants = Reach::Only(tenants.iter().map(|it| (*it).to_owned()).collect());
        Query {
            reached: Some(vec![Reached {
                tenants,
                apps: Reach::All,
            }]),
            ..text("")
        }
    };
    let tenants = |query: &Query| {
        let found = search(&settings, query);
        let of = |it: &crate::audit::tail::Entry| {
            Field::Tenant.values(&it.json).next().map(str::to_owned)
        };
        let mut all: Vec<_> = found.entries.iter().map(of).collect();
        all.sort();
        all.dedup();
        (found.entries.len(), all)
    };
    assert_eq!(
        tenants(&reached(&["globex"])),
        (10, vec![Some("globex".into())])
    );
    assert_eq!(tenants(&reached(&["GLOBEX"])).0, 0);
    assert_eq!(tenants(&reached(&[])).0, 0);
    let foreign = reached(&["globex"]).with(Field::Tenant, "acme");
    assert_eq!(tenants(&foreign).0, 0);
}

#[test]
fn a_changed_line_is_said_and_not_shown() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = journal(dir.path());
    journal.stop("test");
    let settings = indexed(dir.path());
    let path = crate::audit::segment::path(dir.path(), 1);
    let mut bytes = fs::read(&path).expect("segment");
    let at = memchr::memmem::find(&bytes, b"/orders/17").expect("a path");
    bytes[at + 8] = b'9';
    fs::write(&path, bytes).expect("write");
    let found = search(&settings, &query(Field::Event, "exchange.opened"));
    assert_eq!((found.entries.len(), found.faults.len()), (19, 1));
    assert!(found.faults[0].why.contains("changed"), "{found:?}");
    fs::remove_file(&path).expect("remove");
    let found = search(&settings, &query(Field::Event, "exchange.opened"));
    assert!(found.faults.iter().all(|it| it.why.contains("segment")));
    assert!(!found.faults.is_empty());
}

#[test]
fn a_line_written_anew_with_a_fitting_hash_is_said_too() {
    let dir = tempfile::tempdir().expect("dir");
    journal(dir.path()).stop("test");
    let settings = indexed(dir.path());
    let path = crate::audit::segment::path(dir.path(), 1);
    let text = fs::read_to_string(&path).expect("segment");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let hashed = lines[1]
        .rsplit_once(",\"hash\"")
        .expect("hash")
        .0
        .replace("GET", "PUT");
    let hash = crate::audit::chain::sha256(hashed.as_bytes());
    lines[1] = format!(
        "{hashed},\"hash\":\"{}\"}}",
        std::str::from_utf8(&hash).expect("hex")
    );
    fs::write(&path, lines.join("\n") + "\n").expect("write");
    let found = search(&settings, &query(Field::Event, "exchange.opened"));
    assert_eq!(found.faults.len(), 1);
    assert_eq!(found.faults[0].why, "it is not the record that was indexed");
}

/// What a changed line said before could not be found, and a search would not know: the index ends there and says so.
#[test]
fn a_line_changed_before_it_is_indexed_ends_it_and_so_does_a_missing_one() {
    let dir = tempfile::tempdir().expect("dir");
    journal(dir.path()).stop("test");
    let path = crate::audit::segment::path(dir.path(), 1);
    let settings = indexed(dir.path());
    let whole = fs::read_to_string(&path).expect("segment");
    fs::write(&path, whole.replacen("/orders/17", "/orders/99", 1)).expect("write");
    let mut feed = Feed::anew(settings.clone()).expect("open");
    let error = feed.take(u64::MAX, |_| true).expect_err("a change");
    assert!(error.to_string().contains("broken at record"), "{error}");
    drop(feed);
    let lines: Vec<&str> = whole.lines().collect();
    let gap = [&lines[..2], &lines[3..]].concat().join("\n") + "\n";
    fs::write(&path, gap).expect("write");
    let mut feed = Feed::anew(settings).expect("open");
    let error = feed.take(u64::MAX, |_| true).expect_err("a gap");
    assert!(error.to_string().contains("broken at record 3"), "{error}");
}

/// Words that stand in one block, and in no record of it: a page ends where it has read so many, and the next goes on.
#[test]
fn a_page_reads_so_many_records_and_the_next_goes_on() {
    let dir = tempfile::tempdir().expect("dir");
    let _journal = journal(dir.path());
    let settings = Settings {
        page_reads: 10,
        ..indexed(dir.path())
    };
    let mut query = text("no-session mozilla");
    let (mut found, mut pages) = (0, 0);
    loop {
        let page = search(&settings, &query);
        (found, pages) = (found + page.entries.len(), pages + 1);
        query.after = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(found, 1);
    query = text("übergröße mozilla");
    let first = search(&settings, &query);
    assert!(
        first.entries.is_empty() && first.next.is_some(),
        "{first:?}"
    );
    assert!(pages < 10);
}

#[test]
fn what_is_damaged_missing_or_of_another_kind_is_made_anew() {
    let dir = tempfile::tempdir().expect("dir");
    journal(dir.path()).stop("test");
    let settings = indexed(dir.path());
    let whole = search(&settings, &text("")).indexed;
    let rebuilt = |why: &str| {
        let mut feed = Feed::open(settings.clone()).expect("open");
        let said = feed.made_anew().expect("made anew").to_owned();
        assert!(said.contains(why), "{said}");
        assert_eq!(
            feed.take(u64::MAX, |_| true).expect("taken").sequence,
            whole
        );
        drop(feed);
        assert_eq!(
            search(&settings, &query(Field::Decision, "permit"))
                .entries
                .len(),
            20
        );
    };
    fs::remove_file(&settings.path).expect("remove");
    assert!(matches!(
        Searcher::open(settings.clone()),
        Err(IndexError::Absent { .. })
    ));
    rebuilt("none");
    fs::write(
        &settings.path,
        b"this is no database, but long enough to be taken for one",
    )
    .expect("write");
    assert!(matches!(
        Searcher::open(settings.clone()),
        Err(IndexError::Broken { .. })
    ));
    rebuilt("not a database");
    let sql = rusqlite::Connection::open(&settings.path).expect("open");
    sql.pragma_update(None, "user_version", 99).expect("update");
    drop(sql);
    assert!(matches!(
        Searcher::open(settings.clone()),
        Err(IndexError::Broken { .. })
    ));
    rebuilt("version 99");
    let other = tempfile::tempdir().expect("dir");
    journal(other.path()).stop("test");
    let theirs = indexed(other.path());
    fs::copy(&theirs.path, &settings.path).expect("copy");
    rebuilt("not of this journal");
}

#[test]
fn a_query_that_cannot_be_asked_is_refused_and_one_writer_is_enough() {
    let dir = tempfile::tempdir().expect("dir");
    journal(dir.path()).stop("test");
    let settings = indexed(dir.path());
    let searcher = Searcher::open(settings.clone()).expect("open");
    assert!(matches!(
        searcher.search(&text("or*")),
        Err(Failed::Query(_))
    ));
    let _one = Feed::open(settings.clone()).expect("open");
    assert!(matches!(Feed::open(settings), Err(IndexError::Kept { .. })));
}

/// Waits until `done`, for as long as a slow machine may take.
fn until(what: &str, done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_serving_process_keeps_the_index_and_mends_it() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = start(dir.path());
    let settings = Settings {
        poll: Duration::from_millis(5),
        batch_records: 4,
        ..Settings::of(dir.path())
    };
    let keeper = Keeper::start(journal.clone(), settings.clone()).expect("keeper");
    let support = Support::new();
    let found = || match Searcher::open(settings.clone()) {
        Ok(searcher) => searcher
            .search(&query(Field::Event, "exchange.closed"))
            .map_or(0, |it| it.entries.len()),
        Err(_) => 0,
    };
    for _ in 0..10 {
        support.exchange(&journal);
    }
    until("ten are found", || found() == 10);
    super::discard(&settings.path).expect("taken away");
    support.exchange(&journal);
    until("eleven are found", || found() == 11);
    assert_eq!(keeper.counters().rebuilds.load(Ordering::Relaxed), 2);
    // A damaged one: everything after the first page is gone, the version still fits.
    let file = fs::OpenOptions::new()
        .write(true)
        .open(&settings.path)
        .expect("open");
    drop(keeper);
    file.set_len(4096).expect("cut");
    let keeper = Keeper::start(journal.clone(), settings.clone()).expect("keeper");
    until("eleven are found again", || found() == 11);
    assert_eq!(keeper.counters().rebuilds.load(Ordering::Relaxed), 1);
    let told = || search(&settings, &query(Field::Event, "index.rebuilt"));
    until("both are on record", || told().entries.len() >= 2);
}

#[test]
fn a_keeper_that_cannot_write_says_so_and_comes_back() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = start(dir.path());
    let place = dir.path().join("elsewhere");
    let settings = Settings {
        path: place.join("index.db"),
        retry: Duration::from_millis(10),
        ..Settings::of(dir.path())
    };
    let keeper = Keeper::start(journal.clone(), settings.clone()).expect("keeper");
    until("it fails", || {
        keeper.counters().down.load(Ordering::Relaxed)
    });
    Support::new().exchange(&journal);
    fs::create_dir(&place).expect("dir");
    until("it comes back", || {
        !keeper.counters().down.load(Ordering::Relaxed)
    });
    until("all is found", || {
        keeper.counters().lag.load(Ordering::Relaxed) == 0
    });
}
