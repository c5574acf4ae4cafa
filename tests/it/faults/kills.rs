//! kill -9 and the loss of power at random moments under load. `LOCUM_KILLS` says how often (`make evidence`: 100 each),
//! `LOCUM_SEED` repeats a run.

use super::load::{Account, Load};
use super::rig::Rig;
use super::shim::Shim;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const CLIENTS: usize = 48;
/// How often without `LOCUM_KILLS`.
const FEW: usize = 4;
/// Kills of one journal; then another begins, so that no test reads ever longer ones.
const OF_ONE_JOURNAL: usize = 10;

/// xorshift64: nothing here needs better numbers, only the same ones from the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

fn set(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn seed() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().expect("it is after 1970");
    set("LOCUM_SEED").unwrap_or(u64::try_from(since.as_nanos()).unwrap_or(1)) | 1
}

#[derive(Default)]
struct Total {
    kills: usize,
    /// Of them, while it was starting and putting the journal right.
    starting: usize,
    account: Account,
    aborted: usize,
    recovered: usize,
    /// Bytes that were written and not synced when the power went.
    lost: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Killed,
    /// What no sync has brought to the disk is gone, too.
    PowerLost,
}

fn end(rig: &mut Rig, how: How, total: &mut Total) {
    rig.kill();
    total.kills += 1;
    if let (How::PowerLost, Some(shim)) = (how, &rig.shim) {
        total.lost += shim.lose_power(&rig.journal());
    }
    // What is torn is a note, not a break.
    rig.verified();
}

fn one_kill(rig: &mut Rig, how: How, dice: &mut Dice, total: &mut Total) {
    let name = format!("k{}", total.kills);
    rig.app.delay.store(dice.below(12), Ordering::SeqCst);
    let load = Load::start(rig, &name, CLIENTS);
    thread::sleep(Duration::from_millis(dice.below(220)));
    end(rig, how, total);
    let sent = load.stop();
    if dice.below(4) == 0 {
        rig.begin();
        thread::sleep(Duration::from_millis(dice.below(90)));
        end(rig, how, total);
        total.starting += 1;
    }
    rig.start();
    let report = rig.verified();
    assert_eq!(report["report"]["open_exchanges"], 0, "{report:#}");
    total.account.add(&Account::of(rig, &name, &sent));
}

fn many(durability: &str, how: How) {
    let (wanted, seed, began) = (
        set("LOCUM_KILLS").map_or(FEW, |it| usize::try_from(it).unwrap_or(FEW)),
        seed(),
        Instant::now(),
    );
    let what = if how == How::Killed {
        "kill -9"
    } else {
        "loss of power"
    };
    println!("{what}, durability {durability}: LOCUM_SEED={seed}");
    let (mut dice, mut total) = (Dice(seed), Total::default());
    while total.kills < wanted {
        let mut rig = Rig::new(&format!(
            "audit.durability = '{durability}'\naudit.segment_bytes = '256KiB'"
        ));
        if how == How::PowerLost {
            rig.shim = Some(Shim::new(rig.dir()));
        }
        rig.start();
        rig.enter();
        let most = wanted.min(total.kills + OF_ONE_JOURNAL);
        while total.kills < most {
            one_kill(&mut rig, how, &mut dice, &mut total);
        }
        total.aborted += rig.records("exchange.aborted").len();
        total.recovered += rig.records("journal.recovered").len();
        let again = rig.get("/page").expect("an answer");
        assert_eq!(again.status, 200, "the session goes on: {}", again.text);
        rig.stop();
        rig.verified();
    }
    println!(
        "{what} x{} ({} while starting), durability {durability}, in {:.0?}: {}; {} marked aborted; {} torn ends cut; {} unsynced bytes lost; \
         every start by itself, every journal verified, nothing that the app saw without its record",
        total.kills,
        total.starting,
        began.elapsed(),
        total.account,
        total.aborted,
        total.recovered,
        total.lost
    );
}

#[test]
fn process() {
    many("process", How::Killed);
}

#[test]
fn disk() {
    many("disk", How::Killed);
}

#[test]
fn power() {
    many("disk", How::PowerLost);
}
