//! Finds and reads the files of the access policy: `access.cedar`, `access-*.cedar` and `tenants/<tenant>.cedar`.

use super::options::Options;
use crate::policy::files::{is_access, is_tenants};
use crate::policy::problem::Problem;
use std::path::{Path, PathBuf};

/// Whether a path is of the access policy by its name: `access.cedar`, `access-*.cedar`, the folder `tenants`.
pub fn is_own(path: &Path) -> bool {
    is_access(path) || is_tenants(path)
}

/// One file as it was read.
#[derive(Debug)]
pub(super) struct Source {
    file: PathBuf,
    /// As opened, for messages.
    pub(super) path: String,
    /// `access.cedar`, `tenants/acme.cedar`: what the digest covers, so that a moved policy stays the same.
    pub(super) name: String,
    /// Whose rules these are; `None`: the provider's own.
    pub(super) tenant: Option<String>,
    pub(super) text: String,
}

/// Reads everything below the policy's paths that is access policy, in the order of names.
pub(super) fn gather(
    paths: &[PathBuf],
    options: &Options,
    problems: &mut Vec<Problem>,
) -> Vec<Source> {
    let mut sources = Vec::new();
    let own = options.tenant_folder.iter().filter(|path| path.exists());
    let own = own.map(|path| (path, tenants(path)));
    for (path, found) in paths.iter().map(|path| (path, find(path))).chain(own) {
        let files = match found {
            Ok(files) => files,
            Err(error) => {
                problems.push(unreadable(path, error.to_string()));
                continue;
            }
        };
        for (file, tenant) in files {
            if sources.iter().any(|it: &Source| it.file == file) {
                continue;
            }
            match read(&file, options.max_file) {
                Ok(text) => {
                    let folder = if tenant.is_some() { "tenants/" } else { "" };
                    sources.push(Source {
                        file: file.clone(),
                        path: file.display().to_string(),
                        name: format!("{folder}{}", file_name(&file)),
                        tenant,
                        text,
                    });
                }
                Err(what) => problems.push(unreadable(&file, what)),
            }
        }
    }
    sources
}

type Found = Vec<(PathBuf, Option<String>)>;

fn find(path: &Path) -> std::io::Result<Found> {
    if !path.is_dir() {
        // A file that is named is meant, whatever its name; one that is not there permits nothing.
        let is_own = path.extension().is_some_and(|it| it == "cedar") && path.exists();
        return Ok(is_own
            .then(|| (path.to_owned(), None))
            .into_iter()
            .collect());
    }
    if is_tenants(path) {
        return tenants(path);
    }
    let mut files = Vec::new();
    let mut folder = None;
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        if file.is_dir() && is_tenants(&file) {
            folder = Some(file);
        } else if is_access(&file) && file.is_file() {
            files.push((file, None));
        }
    }
    files.sort();
    if let Some(folder) = folder {
        files.extend(tenants(&folder)?);
    }
    Ok(files)
}

/// The rules of tenants: the file's name without its ending is the tenant's id.
fn tenants(folder: &Path) -> std::io::Result<Found> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let file = entry?.path();
        let name = file_name(&file);
        let Some(tenant) = name.strip_suffix(".cedar") else {
            continue;
        };
        // Editors leave `.#name` and the like beside a file that is being edited.
        if !tenant.is_empty() && !tenant.starts_with('.') && file.is_file() {
            let tenant = tenant.to_owned();
            files.push((file, Some(tenant)));
        }
    }
    files.sort();
    Ok(files)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn read(path: &Path, max: usize) -> Result<String, String> {
    let size = std::fs::metadata(path)
        .map_err(|error| error.to_string())?
        .len();
    if size > max as u64 {
        return Err(format!("has {size} bytes; at most {max} are read"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

fn unreadable(path: &Path, what: String) -> Problem {
    Problem {
        file: path.display().to_string(),
        line: 0,
        key: String::new(),
        what,
        remedy: "Make it readable, or remove it".to_owned(),
    }
}
