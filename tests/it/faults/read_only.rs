//! A file system that turns read-only by itself, as ext4 does after an error: what is refused, and what is there afterwards.

use super::disk::NO_MARKS;
use super::load::{Account, Load};
use super::rig::{Rig, wait};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An ext4 file system in a file; unmounted when dropped.
struct Ext4 {
    image: PathBuf,
    at: PathBuf,
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let done = Command::new(program).args(arguments).output();
    done.is_ok_and(|it| it.status.success())
}

impl Ext4 {
    fn make(image: PathBuf, at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).ok()?;
        let file = std::fs::File::create(&image).ok()?;
        file.set_len(32 << 20).ok()?;
        let made = Self {
            image,
            at: at.to_owned(),
        };
        let is_made = runs("mkfs.ext4", &["-q", "-F", made.image.to_str()?]) && made.mount("loop");
        is_made.then_some(made)
    }

    fn mount(&self, options: &str) -> bool {
        let (image, at) = (
            self.image.display().to_string(),
            self.at.display().to_string(),
        );
        runs("mount", &["-t", "ext4", "-o", options, &image, &at])
    }

    fn unmount(&self) -> bool {
        runs("umount", &[&self.at.display().to_string()])
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        let _ = runs("umount", &["-l", &self.at.display().to_string()]);
    }
}

/// Durability `disk`: with `process`, what the system had not written yet is gone with such a file system.
#[test]
fn file_system_that_turned_read_only() {
    let mut rig = Rig::new(&format!("audit.durability = 'disk'\n{NO_MARKS}"));
    let what = "ext4 gone read-only, durability disk";
    let Some(disk) = Ext4::make(rig.dir().join("ext4.img"), &rig.journal()) else {
        println!(
            "{what}: this user may not mount; failing::errors_on_write does it with EROFS from every write"
        );
        return;
    };
    rig.start();
    rig.enter();
    let load = Load::start(&rig, "load", 32);
    assert!(wait(|| load.answered() >= 200), "{}", rig.log());
    // What the kernel does by itself after an error of the device.
    let at = disk.at.display().to_string();
    assert!(runs("mount", &["-o", "remount,abort", &at]), "aborted");
    assert!(wait(|| load.refused() >= 200), "{what}: {}", rig.log());
    let ready = rig.ready().expect("an answer");
    assert_eq!(ready.status, 503, "{}", ready.text);
    assert!(ready.text.contains("ead-only"), "{}", ready.text);
    let sent = load.stop();
    rig.stop();
    // Such a file system must be unmounted and repaired, which no process can keep its files open over.
    assert!(disk.unmount(), "nobody holds it");
    let _ = runs("e2fsck", &["-p", &disk.image.display().to_string()]);
    assert!(disk.mount("loop"), "mounted again");
    rig.verified();
    rig.start();
    assert_eq!(rig.get("/after").expect("an answer").status, 200);
    rig.stop();
    rig.verified();
    let account = Account::of(&rig, "load", &sent);
    assert_eq!(account.broke, 0, "{account}");
    println!("{what}: {account}; verified, and serving again after the repair and a start");
}
