//! The guided run of `make demo`: support through a real app, from a request that people agree to, to what the customer sees.
//!
//! Each step asserts what it prints. The first that does not hold ends the run with exit code 1.

mod asking;
mod browser;
mod customer;
mod emergency;
mod ending;
mod persona;
mod programs;
mod receiver;
mod record;
mod scene;
mod session;
mod story;
mod terminal;

use clap::Parser as _;
use persona::Persona;
use scene::Scene;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use story::{Broken, Story};

/// Walks through support sessions with people who ask, agree, end and look, printing what is observed.
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
    let mut ada = Persona::sign_in(scene, "ada@support.example").await?;
    let request = asking::asked(story, &mut ada).await?;
    asking::agreed(scene, story, &mut ada, &request).await?;
    let helped = asking::activated(story, &mut ada, &request).await?;
    let mut browser = session::redeem(scene, story, &helped).await?;
    session::banner(scene, story, &mut browser, &helped).await?;
    session::allowed(scene, story, &mut browser, &helped).await?;
    session::refused(scene, story, &mut browser, &helped).await?;
    session::elevation(scene, story, (&mut browser, &mut ada), &helped).await?;
    ending::locked(scene, story, (&mut browser, &mut ada), &helped).await?;
    let mut ivo = Persona::sign_in(scene, "ivo@support.example").await?;
    let urgent = emergency::broken(scene, story, &mut ivo).await?;
    emergency::used(scene, story, &mut ivo, &urgent).await?;
    emergency::reviewed(scene, story, &mut ivo).await?;
    customer::seen(scene, story, &helped, &urgent).await?;
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
    let portal = scene.portal_url()?;
    story.line("\nNow you. Everything is up; choose whom to be, as often as you like:");
    story.line(format_args!("  the portal       {portal}"));
    for (who, what, path) in [
        ("Ada Byron", "asks", "requests/new"),
        ("Bo, Cleo", "agree", "approvals"),
        ("Tess Okoye", "watches, ends and locks", "live"),
        ("Ivo Reyes", "breaks the glass", "break-glass"),
        ("Mara Quist", "sees what support did at Acme", "customer"),
    ] {
        story.line(format_args!("  {who:<16} {what}: {portal}{path}"));
    }
    let config = scene.dir.join("locum.toml");
    let locum = scene.programs.locum.display();
    story.line(format_args!(
        "  the record       {locum} --config {} audit tail -f",
        config.display()
    ));
    story.line(format_args!(
        "  metrics          http://{}/metrics",
        scene.ops
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
