//! The control plane on the real binary: the portal's listener, personas, the store.

/// Each step of one evidence chain is a record.
mod chain;
/// Other rules wait for votes.
mod changes;
/// kill -9 at random points of asking, agreeing and activating.
mod crash;
/// A Locum with a portal and demo personas.
mod desk;
/// One session's recording: looked at, exported, held, erased; by the API and the command line.
mod evidence;
/// A browser inside a session, and an app for it.
mod inside;
/// The journal's log: followed, served, proved.
mod log;
/// Letters to customers, by a real mail server.
mod receivers;
