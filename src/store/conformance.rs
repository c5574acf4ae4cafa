//! The conformance suite of [`GrantStore`].
