//! How long a million records take to index, and how long it takes to find some of them.
//!
//! `search DIR [RECORDS]` writes a journal of RECORDS records (1,000,000 if not given) into DIR through the journal's own
//! writer, unless one is there; makes its index anew; asks it what people ask; and prints times and memory. Fails where
//! a search takes a second.

/// What is asked.
mod questions;
/// Makes records as a busy support team would.
mod team;

use locum::audit::index::{Feed, Searcher, Settings};
use questions::questions;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Each question is asked so often.
const ROUNDS: usize = 11;

/// Peak and present resident set, MiB.
fn memory() -> io::Result<(f64, f64)> {
    let text = fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        number
            .map(|kib| kib / 1024.0)
            .ok_or_else(|| io::Error::other(format!("no {name}")))
    };
    Ok((field("VmHWM:")?, field("VmRSS:")?))
}

/// The peak begins anew (`proc_pid_clear_refs(5)`).
fn forget_peak() -> io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

fn bytes(dir: &Path, ending: &str) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(ending) {
            sum += entry.metadata()?.len();
        }
    }
    Ok(sum)
}

fn rebuild(settings: &Settings) -> io::Result<()> {
    forget_peak()?;
    let began = Instant::now();
    let mut feed = Feed::anew(settings.clone()).map_err(io::Error::other)?;
    let taken = feed.take(u64::MAX, |_| true).map_err(io::Error::other)?;
    drop(feed);
    let (took, (peak, _)) = (began.elapsed(), memory()?);
    let journal = bytes(&settings.journal, ".jsonl")?;
    let index = fs::metadata(&settings.path)?.len();
    println!(
        "| | records | seconds | records a second | journal, MiB | index, MiB | peak memory, MiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    println!(
        "| rebuild | {} | {:.1} | {:.0} | {} | {} | {peak:.0} |\n",
        taken.records,
        took.as_secs_f64(),
        f64::from(u32::try_from(taken.records).unwrap_or(u32::MAX)) / took.as_secs_f64(),
        journal >> 20,
        index >> 20,
    );
    Ok(())
}

fn ask(settings: &Settings, records: u64) -> io::Result<Duration> {
    forget_peak()?;
    let mut slowest = Duration::ZERO;
    println!("| search, 50 records a page | found | first, ms | median, ms | slowest, ms |");
    println!("| --- | --- | --- | --- | --- |");
    for (name, query) in questions(records) {
        let mut times = Vec::new();
        let mut found = 0;
        for _ in 0..ROUNDS {
            // Opened each time, as the portal and the command line do.
            let began = Instant::now();
            let searcher = Searcher::open(settings.clone()).map_err(io::Error::other)?;
            let page = searcher.search(&query);
            times.push(began.elapsed());
            let page = page.map_err(|why| io::Error::other(format!("{name}: {why:?}")))?;
            if !page.faults.is_empty() {
                return Err(io::Error::other(format!("{name}: {:?}", page.faults)));
            }
            found = page.entries.len();
        }
        let first = times.first().copied().unwrap_or_default();
        times.sort();
        let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
        let last = times.last().copied().unwrap_or_default();
        slowest = slowest.max(last);
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        println!(
            "| {name} | {found} | {:.1} | {:.1} | {:.1} |",
            ms(first),
            ms(median),
            ms(last)
        );
    }
    let (peak, _) = memory()?;
    println!("\npeak memory while searching: {peak:.0} MiB");
    Ok(slowest)
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments
        .next()
        .ok_or_else(|| io::Error::other("name a directory"))?;
    let records = arguments
        .next()
        .and_then(|it| it.parse().ok())
        .unwrap_or(1_000_000);
    let settings = Settings::of(Path::new(&dir));
    if !settings.journal.join("lock").exists() {
        let began = Instant::now();
        let written = team::write(&settings.journal, records)?;
        println!(
            "{written} records written in {:.1} s\n",
            began.elapsed().as_secs_f64()
        );
    }
    rebuild(&settings)?;
    let slowest = ask(&settings, records)?;
    if slowest > Duration::from_secs(1) {
        return Err(io::Error::other("a search took more than a second"));
    }
    Ok(())
}
