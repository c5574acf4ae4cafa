//! What must hold when things break: the process is killed, the disk is full, the store or a receiver is gone.

/// A disk that takes nothing more, a directory that cannot be written, a journal that somebody removes.
mod disk;
/// kill -9 with 200 requests in flight, and what a start finds.
mod kill;
/// Locum with an app behind, each in its place, for the tests of this directory.
mod rig;
/// A webhook whose receiver is down, slow or stopped.
mod sink;
/// A client that reads slowly.
mod slow;
/// A store that is locked or cannot be read.
mod store;
