//! What `disk.c` is told and what it counted: it is built here, and preloaded into Locum.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Places in the file that is shared with `disk.c`, each of 32 bits.
#[derive(Clone, Copy)]
pub(super) enum Place {
    WriteError,
    ShortWrites,
    SyncError,
    SyncDelayMillis,
    ClockStepSeconds,
    FailedWrites,
    CutWrites,
    FailedSyncs,
    SlowSyncs,
}

pub(super) const EIO: i32 = 5;
pub(super) const EROFS: i32 = 30;

pub(crate) struct Shim {
    file: File,
    path: PathBuf,
    synced: PathBuf,
}

impl Shim {
    /// Keeps its files in `dir`.
    pub(super) fn new(dir: &Path) -> Self {
        let path = dir.join("faults");
        std::fs::write(&path, [0; 64]).expect("a file");
        let file = File::options().read(true).write(true).open(&path);
        Self {
            file: file.expect("just made"),
            path,
            synced: dir.join("synced"),
        }
    }

    pub(super) fn preload(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", library())
            .env("LOCUM_FAULTS", &self.path)
            .env("LOCUM_SYNCED", &self.synced);
    }

    pub(super) fn set(&self, place: Place, value: i32) {
        let at = 4 * place as u64;
        self.file
            .write_all_at(&value.to_ne_bytes(), at)
            .expect("shared");
    }

    pub(super) fn get(&self, place: Place) -> u32 {
        let mut bytes = [0; 4];
        self.file
            .read_exact_at(&mut bytes, 4 * place as u64)
            .expect("shared");
        u32::from_ne_bytes(bytes)
    }

    /// Takes from each file in `journal` what no sync has brought to the disk, as a loss of power may. Returns the bytes taken.
    pub(super) fn lose_power(&self, journal: &Path) -> u64 {
        let log = std::fs::read_to_string(&self.synced).unwrap_or_default();
        let mut lost = 0;
        for entry in std::fs::read_dir(journal).expect("a journal").flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|it| it != "jsonl") {
                continue;
            }
            let text = path.display().to_string();
            let mut lengths = log.lines().filter_map(|line| {
                let (length, of) = line.split_once(' ')?;
                (of == text).then(|| length.parse::<u64>().ok())?
            });
            let (synced, now) = (lengths.next_back().unwrap_or(0), entry.metadata());
            let now = now.expect("a file").len();
            lost += now.saturating_sub(synced);
            let file = File::options().write(true).open(&path).expect("ours");
            file.set_len(synced.min(now)).expect("cut");
        }
        lost
    }
}

/// `disk.c`, built once by each run of the tests.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/faults/disk.c");
        let made =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("disk-{}.so", std::process::id()));
        let built = Command::new("cc")
            .args([
                "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o",
            ])
            .arg(&made)
            .arg(source)
            .output()
            .expect("a C compiler (tools/setup build)");
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        made
    })
}
