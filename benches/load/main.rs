//! How much memory Locum holds: large bodies both ways, idle connections and `WebSockets`, through a real `locum run`.
//!
//! `load LOCUM [--small]` starts the program LOCUM and an app of its own on loopback, goes through the phases, prints
//! the peak of the resident set in each, and fails where memory grows with the size of a body.

/// The app: streams, swallows, echoes.
mod app;
/// What clients do in each phase.
mod client;
/// A Locum with one session, and what the system says of its memory.
mod locum;

use locum::Locum;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

const MIB: u64 = 1 << 20;
/// What two runs of one phase may differ by: caches of the allocator and of the kernel's sockets. KiB.
const TOLERANCE: u64 = 16 << 10;

struct Sizes {
    small: u64,
    large: u64,
    idle: usize,
    websockets: usize,
}

fn sizes() -> Sizes {
    if std::env::args().any(|argument| argument == "--small") {
        return Sizes {
            small: 16 * MIB,
            large: 256 * MIB,
            idle: 1000,
            websockets: 100,
        };
    }
    Sizes {
        small: 64 * MIB,
        large: 1024 * MIB,
        idle: 10_000,
        websockets: 1000,
    }
}

/// One line of the table; returns the peak in KiB.
async fn phase<F>(locum: &Locum, name: &str, work: F) -> io::Result<u64>
where
    F: Future<Output = io::Result<String>>,
{
    let before = locum.memory()?;
    locum.forget_peak()?;
    let began = Instant::now();
    let said = work.await?;
    let (took, after) = (began.elapsed(), locum.memory()?);
    println!(
        "{name:34}{:>10.1}{:>10.1}{:>10.1}{:>8.1}  {said}",
        mib(before.resident),
        mib(after.peak),
        mib(after.resident),
        took.as_secs_f64()
    );
    Ok(after.peak)
}

#[allow(clippy::cast_precision_loss)] // printed with one decimal
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

#[allow(clippy::cast_precision_loss)]
fn each(kib: u64, count: usize) -> f64 {
    kib as f64 / count as f64
}

async fn run(program: PathBuf) -> io::Result<bool> {
    let sizes = sizes();
    let app = app::start().await?;
    let locum = Locum::start(&program, app)?;
    println!(
        "{:34}{:>10}{:>10}{:>10}{:>8}",
        "resident set of locum, MiB", "before", "peak", "after", "s"
    );
    let name = |what: &str, bytes: u64| format!("{} MiB {what}", bytes / MIB);
    let down = |bytes| client::down(&locum, bytes);
    let up = |bytes| client::up(&locum, bytes);
    phase(&locum, "100 small requests", client::small(&locum, 100)).await?;
    let small_down = phase(&locum, &name("down", sizes.small), down(sizes.small)).await?;
    let large_down = phase(&locum, &name("down", sizes.large), down(sizes.large)).await?;
    let small_up = phase(&locum, &name("up", sizes.small), up(sizes.small)).await?;
    let large_up = phase(&locum, &name("up", sizes.large), up(sizes.large)).await?;
    let blobs = client::together(&locum, 64, sizes.small / 4);
    phase(&locum, "64 large bodies down at once", blobs).await?;

    let (idle, count) = (sizes.idle, sizes.idle);
    let before = locum.memory()?.resident;
    let name = format!("{count} idle connections");
    let mut held = Vec::new();
    let peak = phase(&locum, &name, client::idle(&locum, idle, &mut held)).await?;
    println!(
        "{:34}{:>10.1} KiB each",
        "",
        each(peak.saturating_sub(before), count)
    );
    drop(held);

    let before = locum.memory()?.resident;
    let count = sizes.websockets;
    let name = format!("{count} WebSockets, with traffic");
    let peak = phase(&locum, &name, client::websockets(&locum, count)).await?;
    println!(
        "{:34}{:>10.1} KiB each",
        "",
        each(peak.saturating_sub(before), count)
    );
    phase(&locum, "100 small requests", client::small(&locum, 100)).await?;

    let is_flat = large_down <= small_down + TOLERANCE && large_up <= small_up + TOLERANCE;
    println!(
        "flat in the size of a body (within {} MiB): {}",
        TOLERANCE / 1024,
        if is_flat { "yes" } else { "NO" }
    );
    Ok(is_flat)
}

fn main() -> io::Result<std::process::ExitCode> {
    let program = std::env::args().nth(1).map(PathBuf::from);
    let program = program.ok_or_else(|| io::Error::other("usage: load LOCUM [--small]"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    Ok(if runtime.block_on(run(program))? {
        std::process::ExitCode::SUCCESS
    } else {
        std::process::ExitCode::FAILURE
    })
}
