//! The two programs of the run as child processes, and `locum` as a command.

use crate::story::{Broken, While as _};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long a stopping program may take before it is killed.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// Where the built programs are: beside this one.
pub(crate) struct Programs {
    pub(crate) locum: PathBuf,
    storefront: PathBuf,
}

impl Programs {
    pub(crate) fn find() -> Result<Self, Broken> {
        let me = std::env::current_exe().while_("to know where this program is")?;
        let examples = me.parent().while_("a directory of this program")?;
        let target = examples
            .parent()
            .while_("a directory above this program's")?;
        let found = Self {
            locum: target.join("locum"),
            storefront: examples.join("storefront"),
        };
        for program in [&found.locum, &found.storefront] {
            if !program.exists() {
                let expected = format!("{} (cargo build --bins --examples)", program.display());
                return Err(Broken::new(expected, "no such file"));
            }
        }
        Ok(found)
    }

    /// Starts the shop on a free port; returns it with its address.
    pub(crate) fn storefront(
        &self,
        dir: &Path,
        arguments: &[String],
    ) -> Result<(Running, String), Broken> {
        let mut command = Command::new(&self.storefront);
        command.args(arguments).stdout(Stdio::piped());
        let mut running = Running::start("storefront", &mut command, &dir.join("storefront.log"))?;
        let out = running
            .child
            .stdout
            .take()
            .while_("the storefront's output")?;
        let mut line = String::new();
        BufReader::new(out)
            .read_line(&mut line)
            .while_("the storefront's first line")?;
        let line: serde_json::Value = serde_json::from_str(&line)
            .map_err(|_| Broken::new("the storefront to say where it listens", running.tail()))?;
        let address = line.get("listening").and_then(|at| at.as_str());
        let address = address.while_("an address in the storefront's first line")?;
        Ok((running, address.to_owned()))
    }

    /// Starts `locum run`.
    pub(crate) fn serve(&self, dir: &Path) -> Result<Running, Broken> {
        let mut command = self.command(dir);
        let log = dir.join("locum.log");
        let out =
            File::create(dir.join("locum.out")).while_("to write Locum's output to a file")?;
        Running::start("locum", command.arg("run").stdout(out), &log)
    }

    fn command(&self, dir: &Path) -> Command {
        let mut command = Command::new(&self.locum);
        command.arg("--config").arg(dir.join("locum.toml"));
        command
    }

    /// Runs `locum …` to its end.
    pub(crate) fn locum(&self, dir: &Path, arguments: &[&str]) -> Result<Output, Broken> {
        let mut command = self.command(dir);
        command.args(arguments).stdin(Stdio::null());
        command
            .output()
            .while_(format_args!("to run locum {}", arguments.join(" ")))
    }
}

/// What a finished command said, both ways.
pub(crate) fn said(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

/// A child that is stopped when dropped.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self, Broken> {
        let errors = File::create(log).while_(format_args!("to write {}", log.display()))?;
        let child = command.stdin(Stdio::null()).stderr(errors).spawn();
        Ok(Self {
            child: child.while_(format_args!("to start {name}"))?,
            log: log.to_owned(),
        })
    }

    /// Whether it is still there.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The end of what it logged.
    pub(crate) fn tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.len().saturating_sub(15);
        lines.get(last..).unwrap_or_default().join("\n")
    }

    /// Asks it to stop, so that what is open is closed and recorded; kills it if it does not.
    fn stop(&mut self) {
        if !self.is_alive() {
            return;
        }
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let began = Instant::now();
        while self.is_alive() && began.elapsed() < STOPS_WITHIN {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
