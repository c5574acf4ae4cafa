//! Somebody at a command line: signed in with a code, as `locum login` does everywhere.

use crate::persona::Persona;
use crate::programs::said;
use crate::scene::{Scene, text};
use crate::story::{Broken, Story, While as _};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// One person's command line; what it keeps is in a directory of its own.
pub(crate) struct Terminal {
    locum: PathBuf,
    home: PathBuf,
    url: String,
    ca: PathBuf,
}

impl Terminal {
    /// `locum login`, with the code typed into the portal's page by the same person.
    pub(crate) async fn sign_in(
        scene: &Scene,
        story: &Story,
        id: &'static str,
    ) -> Result<Self, Broken> {
        let url = scene.portal_url()?;
        let terminal = Self {
            locum: scene.programs.locum.clone(),
            home: scene.dir.join(id),
            url: url.as_str().trim_end_matches('/').to_owned(),
            ca: scene.dir.join("certs/ca.pem"),
        };
        let mut command =
            terminal.command(&["login", "--url", &terminal.url, "--ca", &text(&terminal.ca)]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().while_("to run locum login")?;
        let mut lines =
            BufReader::new(child.stderr.take().while_("what locum login says")?).lines();
        let code = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("Code   ").map(ToOwned::to_owned));
        let code = code.while_("a code from locum login")?;
        story.saw(format_args!(
            "locum login: open {}/login/device and type {code}",
            terminal.url
        ));
        let mut person = Persona::stranger(scene, id)?;
        person.answer(&code).await?;
        drop(lines);
        let output = child.wait_with_output().while_("locum login to end")?;
        let is_in = output.status.success();
        story.check(
            is_in,
            String::from_utf8_lossy(&output.stdout).trim(),
            said(&output),
        )?;
        Ok(terminal)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.locum);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .env("XDG_STATE_HOME", &self.home);
        command
    }

    /// Runs `locum …` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Output, Broken> {
        let done = self.command(arguments).output();
        done.while_(format_args!("to run locum {}", arguments.join(" ")))
    }
}
