//! The guided run of `make demo`: one support session through a real app, from grant to evidence.
//!
//! Each step asserts what it prints. The first that does not hold ends the run with exit code 1.

mod browser;
mod programs;
mod record;
mod scene;
mod session;
mod story;

use clap::Parser as _;
use scene::Scene;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use story::{Broken, Story};

/// Walks through one support session, printing what is observed.
#[derive(clap::Parser)]
#[command(name = "demo")]
struct Options {
    /// Directory for everything that the run makes; emptied first.
    #[arg(long, value_name = "DIR", default_value = "target/demo")]
    dir: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let mut story = Story::begin();
    story.head("Locum, a guided run");
    story.line("Ada Byron of support helps Kim Park of Acme, a customer of the shop Harbour & Pine. All of it happens now, here.");
    let mut scene = match Scene::set(&options.dir).await {
        Ok(scene) => scene,
        Err(broken) => {
            story.fail(&broken);
            return ExitCode::FAILURE;
        }
    };
    match run(&mut scene, &mut story).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(broken) => {
            story.fail(&broken);
            story.line(format_args!(
                "\nThe end of Locum's log ({}):",
                scene.dir.join("locum.log").display()
            ));
            story.quote(&scene.locum.tail());
            ExitCode::FAILURE
        }
    }
}

async fn run(scene: &mut Scene, story: &mut Story) -> Result<(), Broken> {
    session::health(scene, story).await?;
    session::without_grant(scene, story).await?;
    let issued = session::grant(scene, story)?;
    let mut ada = session::redeem(scene, story, &issued).await?;
    session::banner(scene, story, &mut ada, &issued).await?;
    session::allowed(scene, story, &mut ada, &issued).await?;
    session::refused(scene, story, &mut ada, &issued).await?;
    record::revoked(scene, story, &mut ada, &issued).await?;
    record::recorded(scene, story)?;
    record::tampered(scene, story)?;
    story.head("\nEvery step held.");
    if std::io::stdout().is_terminal() {
        stay(scene, story).await?;
    }
    Ok(())
}

/// Leaves everything up for somebody to click through.
async fn stay(scene: &mut Scene, story: &Story) -> Result<(), Broken> {
    let issued = session::issue(scene, "SUP-1043")?;
    story.line("\nNow you. Open this within five minutes; it works once:");
    story.line(format_args!("  {}", issued.start));
    story.line("\nThen look at the banner, write a note on an order, and try Security or Export in the menu.");
    story.line(format_args!(
        "  the session    {}",
        scene.origin(&issued.session)?
    ));
    story.line(format_args!(
        "  metrics        http://{}/metrics",
        scene.ops
    ));
    story.line(format_args!(
        "  another grant  {} --config {} grant issue --help",
        scene.programs.locum.display(),
        scene.dir.join("locum.toml").display()
    ));
    story.line(format_args!(
        "  the record     {} --config {} audit tail -f",
        scene.programs.locum.display(),
        scene.dir.join("locum.toml").display()
    ));
    story.line(format_args!(
        "\nThe browser will ask about the certificate, unless it trusts {}.",
        scene.dir.join("certs/ca.pem").display()
    ));
    story.line("Ctrl-C stops everything.");
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {
                if !scene.locum.is_alive() {
                    return Err(Broken::new("Locum to stay up", "it stopped"));
                }
            }
        }
    }
}
