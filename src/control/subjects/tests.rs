//! Against real HTTP servers.
