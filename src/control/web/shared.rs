//! What every handler of the portal's listener can reach.

use crate::control::desk::Control;
use crate::control::evidence::Evidence;
use crate::control::gate::Gate;
use crate::control::portal::views::Views;
use crate::control::recordings::Recordings;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// The state of the router.
pub struct Web {
    pub control: Arc<Control>,
    /// Finds records.
    pub evidence: Arc<Evidence>,
    pub gate: Arc<dyn Gate>,
    /// The JWK set; asked for at each request, so that a new key shows at once.
    pub jwks: Arc<dyn Fn() -> Bytes + Send + Sync>,
    /// What pages show of the route policy and the journal.
    pub views: Views,
    /// What was recorded, for those who may see it.
    pub recordings: Arc<Recordings>,
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Web")
    }
}

/// How handlers take it: `State(web): State<Shared>`.
pub type Shared = Arc<Web>;
