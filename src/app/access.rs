//! What the access policy is told of the configuration: the same to serve and to check.

use crate::config::{self, Config};
use crate::policy::access::{ChangeWindow, Options};

/// The options that every load of the access policy has.
pub(crate) fn access_options(config: &Config) -> Options {
    let tenants: Vec<String> = config.tenants.iter().map(|it| it.id.clone()).collect();
    Options {
        tenant_folder: Some(config.access.tenant_policy.clone()),
        max_file: config.policy.max_file_bytes.len(),
        tenants: (!tenants.is_empty()).then_some(tenants),
        windows: config.change_windows.iter().map(window).collect(),
    }
}

fn window(from: &config::ChangeWindow) -> ChangeWindow {
    ChangeWindow {
        app: from.app.as_ref().map(|app| app.as_str().to_owned()),
        tenant: from.tenant.clone(),
        from: from.from.at(),
        to: from.to.at(),
    }
}
