//! Where the access policy comes from, and what it is told of the configuration: the same to serve and to check.

use crate::config::{self, Config};
use crate::policy::access::{ChangeWindow, Options};
use std::path::PathBuf;

/// The files and folders of the access policy.
pub(crate) fn access_paths(config: &Config) -> Vec<PathBuf> {
    config.policy.paths.clone()
}

/// The options that every load of the access policy has.
pub(crate) fn access_options(config: &Config) -> Options {
    Options {
        tenant_folder: None,
        max_file: config.policy.max_file_bytes.len(),
        tenants: None,
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
