//! Alerts against receivers that hang, refuse, redirect, break off and lie.

mod delivery;
mod glass;
mod lies;
mod trial;
