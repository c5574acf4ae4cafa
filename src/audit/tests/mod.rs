//! The journal as a whole: what it writes, what it survives, and what a verifier sees.

mod cost;
mod crash;
mod every;
mod faults;
pub(super) mod fixture;
mod kill;
mod records;
mod segments;
mod soon;
mod tamper;
