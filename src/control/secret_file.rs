//! Secrets come from files, never from the configuration itself.

use std::path::Path;

/// The longest secret that is read, bytes.
const MAX: u64 = 64 * 1024;

/// The text of a file without the white space around it. An error says what is wrong with the file and nothing of what is
/// in it.
pub(in crate::control) fn read(path: &Path) -> Result<String, String> {
    use std::io::Read as _;
    let failed = |why: std::io::Error| format!("{}: {why}", path.display());
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX {
        return Err(format!("{}: longer than {MAX} bytes", path.display()));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("{}: not a text", path.display()))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("{}: empty", path.display()));
    }
    Ok(text.to_owned())
}
