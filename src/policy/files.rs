//! Finds and reads the policy's files.

use super::options::Settings;
use super::problem::Problem;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rows,
    Cases,
    Cedar,
}

/// One file as it was read.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) kind: Kind,
    /// As opened, for messages.
    pub(super) path: String,
    /// Without its folder: what the digest covers, so that a moved policy stays the same.
    pub(super) name: String,
    pub(super) text: String,
}

/// Whether a file is of the access policy, which decides on requests for access: none of the route policy's.
pub(super) fn is_access(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let stem = name.and_then(|name| name.strip_suffix(".cedar"));
    stem.is_some_and(|stem| stem == "access" || stem.starts_with("access-"))
}

/// Whether a folder is that of tenants' own access rules.
pub(super) fn is_tenants(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "tenants")
}

/// Reads the files and the folders' files in the order of their names; there must be rows among them.
pub(super) fn gather(
    paths: &[PathBuf],
    settings: &Settings,
    problems: &mut Vec<Problem>,
) -> Vec<Source> {
    let sources = read_all(paths, settings, problems);
    if problems.is_empty() && !sources.iter().any(|source| source.kind == Kind::Rows) {
        let at = paths
            .first()
            .map_or_else(|| Path::new("policy"), PathBuf::as_path);
        problems.push(unreadable(at, "has no policy file (*.toml)".to_owned()));
    }
    sources
}

/// Reads the files and the folders' files in the order of their names.
pub(super) fn read_all(
    paths: &[PathBuf],
    settings: &Settings,
    problems: &mut Vec<Problem>,
) -> Vec<Source> {
    let mut sources = Vec::new();
    for path in paths {
        match list(path) {
            Ok(files) => {
                for file in files {
                    match read(&file, settings) {
                        Ok(source) => sources.extend(source),
                        Err(what) => problems.push(unreadable(&file, what)),
                    }
                }
            }
            Err(error) => problems.push(unreadable(path, error.to_string())),
        }
    }
    sources
}

fn list(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if is_access(path) || (path.is_dir() && is_tenants(path)) {
        return Ok(Vec::new());
    }
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        if kind(&file).is_some() && !is_access(&file) && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn kind(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    // Editors leave `.#name` and the like beside a file that is being edited.
    match name.rsplit_once('.')? {
        ("", _) => None,
        (stem, _) if stem.starts_with('.') => None,
        (stem, "toml")
            if stem
                .rsplit_once('.')
                .is_some_and(|(_, kind)| kind == "cases") =>
        {
            Some(Kind::Cases)
        }
        (_, "toml") => Some(Kind::Rows),
        (_, "cedar") => Some(Kind::Cedar),
        _ => None,
    }
}

fn read(path: &Path, settings: &Settings) -> Result<Option<Source>, String> {
    let Some(kind) = kind(path) else {
        return Err("is neither *.toml nor *.cedar".to_owned());
    };
    let size = std::fs::metadata(path)
        .map_err(|error| error.to_string())?
        .len();
    if size > settings.max_file as u64 {
        return Err(format!(
            "has {size} bytes; at most {} are read",
            settings.max_file
        ));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    Ok(Some(Source {
        kind,
        path: path.display().to_string(),
        name: name.unwrap_or_default(),
        text,
    }))
}

fn unreadable(path: &Path, what: String) -> Problem {
    Problem {
        file: path.display().to_string(),
        line: 0,
        key: String::new(),
        what,
        remedy: "Name a readable policy file, or a folder that has one".to_owned(),
    }
}
