//! Tests against a real small provider.
