//! The control plane on the real binary: the portal's listener, personas, the store.

/// kill -9 at random points of asking, agreeing and activating.
mod crash;
/// A Locum with a portal and demo personas.
mod desk;
