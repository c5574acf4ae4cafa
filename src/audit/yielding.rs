//! Threads that only have to be done some time soon leave the processor to requests.

/// Lowers the calling thread's priority by `steps` (0 to 19). A system that refuses leaves it as it is.
pub(super) fn yield_to_requests(steps: i32) {
    if let Err(error) = rustix::process::nice(steps) {
        tracing::debug!(%error, "a background thread keeps its priority");
    }
}
