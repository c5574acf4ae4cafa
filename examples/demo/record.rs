//! The record of it all, and what becomes of a changed byte.

use crate::programs::said;
use crate::scene::{Scene, text};
use crate::story::{Broken, Story, While as _};
use serde_json::Value;
use std::path::{Path, PathBuf};

pub(crate) fn recorded(scene: &Scene, story: &mut Story) -> Result<(), Broken> {
    story.step("It is all on record");
    let tail = scene
        .programs
        .locum(&scene.dir, &["audit", "tail", "-n", "12"])?;
    story.check(
        tail.status.success() && !tail.stdout.is_empty(),
        "locum audit tail, its last lines:",
        said(&tail),
    )?;
    story.quote(&String::from_utf8_lossy(&tail.stdout));
    let verified = scene.programs.locum(&scene.dir, &["audit", "verify"])?;
    story.check(
        verified.status.success(),
        "locum audit verify: the chain holds",
        said(&verified),
    )?;
    story.quote(&said(&verified));
    Ok(())
}

pub(crate) fn tampered(scene: &Scene, story: &mut Story) -> Result<(), Broken> {
    story.step("One byte is changed in a copy of the journal");
    let copy = scene.dir.join("copy");
    let (segment, mut bytes) = copied(&scene.dir.join("state/journal"), &copy)?;
    let (at, sequence) = victim(&bytes)?;
    let byte = bytes.get_mut(at).while_("the byte to change")?;
    let (old, new) = (char::from(*byte), char::from(*byte ^ 1));
    *byte ^= 1;
    std::fs::write(&segment, &bytes).while_("to write the copy")?;
    story.saw(format_args!(
        "record {sequence}, the refused MFA reset: '{old}' became '{new}' in its path"
    ));
    let verified = scene
        .programs
        .locum(&scene.dir, &["audit", "verify", &text(&copy)])?;
    let said = said(&verified);
    let names = said
        .split(|c: char| !c.is_ascii_digit())
        .any(|number| number == sequence.to_string());
    let code = verified.status.code();
    story.check(
        code == Some(1) && names,
        format_args!("locum audit verify names record {sequence} and exits with 1"),
        format_args!("exit {code:?}: {said}"),
    )?;
    story.quote(&said);
    Ok(())
}

/// Copies the journal and its log; returns the segment that holds the refusal, with its bytes.
fn copied(from: &Path, to: &Path) -> Result<(PathBuf, Vec<u8>), Broken> {
    copy(from, to)?;
    let mut found = None;
    for entry in std::fs::read_dir(to).while_("to list the copy")? {
        let path = entry.while_("to list the copy")?.path();
        if path.extension().is_some_and(|it| it == "jsonl") {
            let bytes = std::fs::read(&path).while_("to read the copy")?;
            if String::from_utf8_lossy(&bytes).contains(PATH) {
                found = Some((path, bytes));
            }
        }
    }
    found.while_(format_args!("a segment with {PATH} in it"))
}

fn copy(from: &Path, to: &Path) -> Result<(), Broken> {
    std::fs::create_dir_all(to).while_("to make a directory for the copy")?;
    for entry in std::fs::read_dir(from).while_(format_args!("a journal in {}", from.display()))? {
        let entry = entry.while_("to list the journal")?;
        let path = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &path)?;
        } else {
            std::fs::copy(entry.path(), &path).while_("to copy the journal")?;
        }
    }
    Ok(())
}

const PATH: &str = "/account/mfa/reset";

/// Where the path stands in the first record that has it, and that record's sequence number.
fn victim(bytes: &[u8]) -> Result<(usize, u64), Broken> {
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if let Some(within) = memchr::memmem::find(line, PATH.as_bytes()) {
            let record: Value = serde_json::from_slice(line).while_("a record in JSON")?;
            let sequence = record.pointer("/seq").and_then(Value::as_u64);
            return Ok((
                start + within + 1,
                sequence.while_("the record's sequence number")?,
            ));
        }
        start += line.len();
    }
    Err(Broken::new(format_args!("a record with {PATH}"), "none"))
}
