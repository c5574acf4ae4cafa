//! What must hold when things break: the process is killed, the disk is full, the store or a receiver is gone.

/// A clock that is set while Locum serves.
mod clock;
/// A disk that takes nothing more, a directory that cannot be written, a journal that somebody removes.
mod disk;
/// Disks that refuse writes and syncs, take parts of them, or take their time, under load.
mod failing;
/// kill -9 with 200 requests in flight, and what a start finds.
mod kill;
/// kill -9 and the loss of power at random moments, many times.
mod kills;
/// A sink that lags and may not: requests are refused until it has caught up.
mod lag;
/// Requests that can each be told from every other, and the account of what became of them.
mod load;
/// A file system that turns read-only by itself.
mod read_only;
/// Locum with an app behind, each in its place, for the tests of this directory.
pub(crate) mod rig;
/// A disk that is nearly full.
mod room;
/// A disk that fails on demand and a clock that is set, between Locum and the system.
mod shim;
/// A webhook whose receiver is down, slow or stopped.
mod sink;
/// A client that reads slowly.
mod slow;
/// A store that is locked or cannot be read.
mod store;
/// Strangers who are refused by the thousand.
mod strangers;
