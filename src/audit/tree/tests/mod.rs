//! The log on a real journal: how it grows, what a crash leaves, what it shows of tampering.

mod crash;
mod evidence;
mod fixture;
mod grow;
mod proofs;
mod witness;
