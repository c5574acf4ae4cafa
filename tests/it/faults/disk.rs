//! A journal that cannot be written: requests are refused, what exists stays, and it goes on by itself.

use super::rig::{Rig, wait};
use std::path::Path;
use std::process::Command;

/// For a file system that is so small that it has less room than it should have from the start, and is to become full.
pub(super) const NO_MARKS: &str = "audit.min_free = { alarm = 0, refuse = 0 }";

/// Refused as it must be: 503, named, the app saw nothing, readiness says why.
fn refuses(rig: &Rig) {
    let before = rig.app.reached();
    let refused = rig.get("/while-full").expect("an answer");
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(
        refused.text.contains("urn:locum:refusal:journal"),
        "{}",
        refused.text
    );
    assert_eq!(rig.app.reached(), before, "no record, no request");
    let ready = rig.ready().expect("an answer");
    assert_eq!(ready.status, 503, "{}", ready.text);
    assert!(ready.text.contains("journal"), "{}", ready.text);
}

/// Works again without a restart, and the journal says that there was an outage.
fn recovers(rig: &Rig, before: u64) {
    let works = || rig.get("/after").is_some_and(|answer| answer.status == 200);
    assert!(wait(works), "{}", rig.log());
    let report = rig.verified();
    assert!(
        report["report"]["records"].as_u64() > Some(before),
        "{report:#}"
    );
    let restored = rig.records("journal.restored");
    let last = restored.last().expect("the end of the outage is on record");
    assert!(last["locum"]["refused"].as_u64() > Some(0), "{last:#}");
    assert_eq!(rig.ready().expect("an answer").status, 200);
}

fn kept(rig: &Rig) -> u64 {
    let report = rig.verified();
    report["report"]["records"].as_u64().expect("a number")
}

/// Takes bytes until there are none.
pub(super) fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).expect("a file");
    let mut size = 64 << 10;
    while size > 0 {
        if file.write_all(&vec![7; size]).is_err() {
            size /= 2;
        }
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    id.stdout == b"0\n"
}

/// A small file system; unmounted when dropped.
pub(super) struct Small(std::path::PathBuf);

impl Small {
    pub(super) fn mount(at: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(at).ok()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700")])
            .arg("locum-test")
            .arg(at)
            .output();
        mounted
            .is_ok_and(|it| it.status.success())
            .then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn full_file_system() {
    for durability in ["process", "disk"] {
        let mut rig = Rig::new(&format!("audit.durability = '{durability}'\n{NO_MARKS}"));
        let Some(_small) = Small::mount(&rig.journal(), "256k") else {
            eprintln!("not root here: the limit on file size stands in (see full_by_limit)");
            return;
        };
        rig.start();
        rig.enter();
        assert_eq!(rig.get("/before").expect("an answer").status, 200);
        let before = kept(&rig);
        fill(&rig.journal().join("filler"));
        // What is left of the last page may take a record or two.
        let full = || rig.get("/filling").is_some_and(|it| it.status == 503);
        assert!(wait(full), "the disk is full, and nothing is refused");
        refuses(&rig);
        assert!(kept(&rig) >= before);
        std::fs::remove_file(rig.journal().join("filler")).expect("removed");
        recovers(&rig, before);
        rig.stop();
        rig.verified();
    }
}

#[test]
fn full_by_limit() {
    let mut rig = Rig::running("");
    assert_eq!(rig.get("/before").expect("an answer").status, 200);
    let before = kept(&rig);
    let segment = rig.segments().pop().expect("a segment");
    let len = std::fs::metadata(segment).expect("a file").len() + 200;
    let limit = |bytes: &str| {
        let limit = Command::new("prlimit")
            .args(["--pid", &rig.pid(), &format!("--fsize={bytes}")])
            .status();
        assert!(limit.expect("prlimit runs").success());
    };
    limit(&format!("{len}:unlimited"));
    refuses(&rig);
    assert!(rig.is_alive(), "a limit on file size does not kill it");
    kept(&rig);
    let limit = Command::new("prlimit")
        .args(["--pid", &rig.pid(), "--fsize=unlimited"])
        .status();
    assert!(limit.expect("prlimit runs").success());
    recovers(&rig, before);
}

#[test]
fn directory_that_may_not_be_written() {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    let mut rig = Rig::new("audit.segment_bytes = '64KiB'");
    if is_root() {
        // Permissions do not hold root back.
        rig.user = Some(65_534);
        std::fs::set_permissions(rig.dir(), std::fs::Permissions::from_mode(0o755)).expect("ours");
        chown(rig.dir(), Some(65_534), None).expect("root may");
    }
    rig.start();
    rig.enter();
    let before = kept(&rig);
    let journal = rig.journal();
    let mode = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&journal, mode).expect("ours");
    };
    mode(0o500);
    // The open segment goes on; the next one cannot begin.
    let refused = || rig.get("/n").is_some_and(|it| it.status == 503);
    assert!(wait(refused), "a second segment was begun");
    refuses(&rig);
    kept(&rig);
    mode(0o700);
    recovers(&rig, before);
    rig.stop();
    std::fs::remove_file(journal.join("lock")).expect("removed");
    mode(0o500);
    let output = rig.locum(&["run"]);
    mode(0o700);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        said.contains("journal") && said.contains("denied"),
        "{said}"
    );
}

#[test]
fn journal_that_somebody_removed() {
    let rig = Rig::running("");
    assert_eq!(rig.get("/before").expect("an answer").status, 200);
    // The index and the log may put a file back while it goes.
    let removed = || std::fs::remove_dir_all(rig.journal()).is_ok();
    assert!(wait(removed), "it cannot be removed");
    let refused = || rig.get("/after").is_some_and(|it| it.status == 503);
    assert!(wait(refused), "records go into a file that nobody can read");
    refuses(&rig);
}

#[test]
fn second_process_on_a_journal() {
    let rig = Rig::running("");
    let output = rig.locum(&["run"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("journal"), "{said}");
    assert!(
        said.contains("another process") || said.contains("in use"),
        "{said}"
    );
    assert_eq!(rig.get("/still").expect("an answer").status, 200);
    rig.verified();
}

/// Ended by force when dropped.
struct Started(Vec<std::process::Child>);

impl Drop for Started {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn of_many_started_at_once_one_serves() {
    let mut rig = Rig::new("");
    let mut started = Started((0..4).map(|_| rig.spawn()).collect());
    let ready = || rig.ready().is_some_and(|it| it.status == 200);
    assert!(wait(ready), "none serves");
    let ended = |child: &mut std::process::Child| matches!(child.try_wait(), Ok(Some(_)));
    let mut over = || {
        started
            .0
            .iter_mut()
            .filter_map(|it| ended(it).then_some(()))
            .count()
    };
    assert!(wait(|| over() == 3), "{} of 4 gave way", over());
    rig.enter();
    assert_eq!(rig.get("/one").expect("an answer").status, 200);
    rig.verified();
    assert_eq!(rig.records("process.started").len(), 1);
    for child in &mut started.0 {
        let mut said = String::new();
        if let (true, Some(mut stderr)) = (ended(child), child.stderr.take()) {
            std::io::Read::read_to_string(&mut stderr, &mut said).expect("text");
            assert!(said.contains("in use by another process"), "{said}");
        }
    }
}
