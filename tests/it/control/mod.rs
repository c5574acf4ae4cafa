//! The control plane on the real binary: the portal's listener, personas, the store.

/// Other rules wait for votes.
mod changes;
/// kill -9 at random points of asking, agreeing and activating.
mod crash;
/// A Locum with a portal and demo personas.
mod desk;
/// The journal's log: followed, served, proved.
mod log;
