//! What the portal shows of the data plane: the route policy that decides now, and the journal.

use crate::audit::session::Bounds;
use crate::config::Config;
use crate::control::portal::{Explain, Journal, LogOf, PolicyView, Views};
use crate::model::Scope;
use crate::policy::{self, ExplainQuery, Explanation, Policy, RowInfo};
use crate::proxy::worker::Plane;
use std::sync::Arc;

/// The policy of the setup that serves now.
struct Served(Arc<Plane>);

impl Served {
    fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.0.setup().policy)
    }
}

impl PolicyView for Served {
    fn digest(&self) -> String {
        self.policy().digest().to_owned()
    }

    fn rows(&self) -> Vec<RowInfo> {
        self.policy().told()
    }

    fn explain(&self, query: &Explain) -> Result<Explanation, String> {
        let scopes = query.scopes.iter().map(|name| name.parse::<Scope>());
        let scopes = scopes.collect::<Result<Vec<Scope>, _>>();
        let query = ExplainQuery {
            app: query.app.clone(),
            request: query.request.clone(),
            scopes: scopes.map_err(|why| why.to_string())?,
            break_glass: query.emergency,
            ..ExplainQuery::default()
        };
        policy::explain(&self.policy(), &query)
    }

    fn carrying(&self, app: &str, action: &str) -> Vec<Scope> {
        self.policy().scopes_carrying(app, action)
    }

    fn is_for_emergencies(&self, app: &str, scope: &Scope) -> bool {
        let scopes = self.policy().scopes_of(app);
        scopes.iter().any(|it| it.name == *scope && it.break_glass)
    }
}

/// The views of this process.
pub(super) fn views(config: &Config, plane: &Arc<Plane>) -> Views {
    let portal = &config.listeners.portal;
    Views {
        policy: Arc::new(Served(Arc::clone(plane))),
        log: LogOf(config.audit.log.enabled.then(|| config.journal_dir())),
        records: Arc::new(Journal {
            dir: config.journal_dir(),
            bounds: Bounds {
                records: portal.timeline_records,
                bytes: portal.timeline_bytes.len() as u64,
            },
        }),
    }
}
