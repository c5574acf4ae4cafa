//! Forged.
