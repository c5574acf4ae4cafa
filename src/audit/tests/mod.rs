//! The journal as a whole: what it writes, what it survives, and what a verifier sees.

mod crash;
mod faults;
pub(super) mod fixture;
mod records;
mod segments;
mod tamper;
