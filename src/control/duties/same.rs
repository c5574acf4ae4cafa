//! Who is the same person.

/// Persons are compared without regard to case: an address is one person however it is typed.
pub fn same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}
