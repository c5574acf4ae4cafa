//! Arguments: one file a command.

mod alert;
mod answer;
mod audit;
mod break_glass;
mod certs;
mod change;
mod check_config;
mod completions;
mod exit;
mod grant;
mod lock;
mod login;
mod man;
mod output;
mod policy;
mod recording;
mod remote;
mod request;
mod review;
mod run;
mod session;
mod time;
mod workload;

use clap::{CommandFactory as _, Parser, Subcommand};
pub use exit::{Exit, Failure};
use output::Output;
use std::path::PathBuf;

use crate::config::{Config, Problems, Written};

const AFTER_HELP: &str = "\
Exit codes:
  0  done, and the answer is yes
  1  done, and the answer is no: a check, a test or a verification failed,
     or the portal refused the step and said why
  2  the command line makes no sense
  3  cannot: a file, the store or the network is out of reach, or the
     configuration cannot be used
  4  sign in first, or again: `locum login`

Files:
  config/locum.toml   the configuration; every key is in docs/configuration.md
  config/policy/      route policy; see docs/policy.md
  $XDG_STATE_HOME/locum/credentials.json
                      what `locum login` keeps; nobody else may read it

Begin with:
  locum certs dev          make certificates for this machine
  locum check-config       see whether the configuration is right
  locum run                serve";

/// Let support stand in for a customer: only inside a grant, always with a banner, never unrecorded.
///
/// Locum is a reverse proxy in front of a web app. A support agent who has a grant browses the app as the
/// customer, on the session's own URL; each request is checked against route policy, and recorded before
/// it is forwarded.
#[derive(Debug, Parser)]
#[command(name = "locum", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// The configuration file.
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        env = "LOCUM_CONFIG",
        default_value = "config/locum.toml",
        hide_env_values = true
    )]
    config: PathBuf,
    /// Answer in JSON, for a program to read.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    CheckConfig(check_config::CheckConfig),
    #[command(subcommand)]
    Policy(policy::Policy),
    #[command(subcommand)]
    Grant(grant::Grant),
    #[command(subcommand)]
    Audit(audit::Audit),
    Recording(recording::Recording),
    Login(login::Login),
    Logout(login::Logout),
    Whoami(login::Whoami),
    Request(request::Request),
    Approve(answer::Approve),
    Deny(answer::Deny),
    Session(session::Session),
    Lock(lock::Lock),
    Change(change::Change),
    Alert(alert::Alert),
    BreakGlass(Box<break_glass::BreakGlass>),
    Review(review::Review),
    Workload(workload::Workload),
    #[command(subcommand)]
    Certs(certs::Certs),
    Completions(completions::Completions),
    Man(man::Man),
}

/// What a command works with.
struct Context {
    config: PathBuf,
    out: Output,
}

impl Context {
    /// The configuration, with the process's environment over it, and each key that is written.
    fn load_written(&self) -> Result<(Config, Written), Failure> {
        Config::load_written(&self.config, crate::config::environment()).map_err(unusable)
    }

    /// The configuration, for commands that do not serve: certificates and secrets may be missing.
    fn load_without_files(&self) -> Result<Config, Failure> {
        Config::load_without_files(&self.config, crate::config::environment()).map_err(unusable)
    }
}

/// The configuration cannot be used; each problem has its own remedy.
#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn unusable(problems: Problems) -> Failure {
    if let (true, Some(problem)) = (problems.is_unreadable(), problems.iter().next()) {
        let message = format!("{}: {}", problem.file.display(), problem.message);
        return Failure::cannot(message, problem.remedy.as_str());
    }
    let count = problems.iter().len();
    let s = if count == 1 { "" } else { "s" };
    let message = format!("the configuration has {count} problem{s}:\n{problems}");
    Failure::cannot(
        message,
        "mend what is listed, then run `locum check-config`",
    )
}

/// Runs the command line and returns the process's exit code.
pub fn main() -> std::process::ExitCode {
    // Exits with 0 for help and version, with 2 for arguments that make no sense.
    let arguments = Arguments::parse();
    let mut context = Context {
        config: arguments.global.config,
        out: Output::stdout(arguments.global.json),
    };
    match dispatch(arguments.command, &mut context) {
        Ok(exit) => exit.into(),
        // `locum … | head` is no failure.
        Err(failure) if is_broken_pipe(&failure) => Exit::Ok.into(),
        Err(failure) => {
            output::complain(&failure);
            failure.exit().into()
        }
    }
}

fn dispatch(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Run(it) => it.run(context),
        Command::CheckConfig(it) => it.run(context),
        Command::Policy(it) => it.run(context),
        Command::Grant(it) => it.run(context),
        Command::Audit(it) => it.run(context),
        Command::Recording(it) => it.run(context),
        Command::Login(it) => it.run(context),
        Command::Logout(it) => it.run(context),
        Command::Whoami(it) => it.run(context),
        Command::Request(it) => it.run(context),
        Command::Approve(it) => it.run(context),
        Command::Deny(it) => it.run(context),
        Command::Session(it) => it.run(context),
        Command::Lock(it) => it.run(context),
        Command::Change(it) => it.run(context),
        Command::Alert(it) => it.run(context),
        Command::BreakGlass(it) => it.run(context),
        Command::Review(it) => it.run(context),
        Command::Workload(it) => it.run(context),
        Command::Certs(it) => it.run(context),
        Command::Completions(it) => it.run(context),
        Command::Man(it) => it.run(context),
    }
}

fn is_broken_pipe(failure: &Failure) -> bool {
    let cause = std::error::Error::source(failure);
    let io = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The whole command line, for completions, man pages and `docs/cli.md`.
pub fn command() -> clap::Command {
    Arguments::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }

    #[test]
    fn every_command_and_option_says_what_it_is() {
        fn each(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "{path}");
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{path} {}",
                    argument.get_id()
                );
            }
            for inner in command.get_subcommands() {
                each(inner, &path);
            }
        }
        each(&super::command(), "");
    }
}
