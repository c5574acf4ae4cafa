//! What a load of the access policy depends on besides the files.

use super::window::ChangeWindow;
use std::path::PathBuf;

/// What a load depends on besides the files.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of tenants' own rules, where it is not `tenants` in one of the policy's folders.
    pub tenant_folder: Option<PathBuf>,
    /// Bytes of one file.
    pub max_file: usize,
    /// The configured tenants; a file of rules for any other is an error. `None`: not known here, or every tenant.
    pub tenants: Option<Vec<String>>,
    pub windows: Vec<ChangeWindow>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tenant_folder: None,
            max_file: 1024 * 1024,
            tenants: None,
            windows: Vec::new(),
        }
    }
}
