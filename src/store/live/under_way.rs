//! What is open of a session: its summary waits for it.

use super::session::LiveSession;
use std::sync::Arc;

/// An exchange of a session that is not closed yet.
#[derive(Debug)]
pub struct UnderWay(Arc<LiveSession>);

impl UnderWay {
    pub fn new(session: &Arc<LiveSession>) -> Self {
        session.usage().begun();
        Self(Arc::clone(session))
    }

    pub fn session(&self) -> &Arc<LiveSession> {
        &self.0
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.usage().done();
    }
}
