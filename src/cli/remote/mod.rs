//! Commands that ask a running Locum: which portal, who asks, and what came of it.

mod answer;
mod client;
mod credentials;
mod problem;
mod reply;
#[cfg(test)]
pub(super) mod stand_in;
#[cfg(test)]
mod tests;
mod tls;
mod token;
mod url;

pub(super) use answer::{flag, list, number, show, text, texts};
pub(super) use client::Client;
use credentials::Kept;
pub(super) use credentials::{Credentials, SignedIn};
pub(super) use token::Token;

use super::{Failure, time};
use std::path::PathBuf;
use std::time::Duration;

/// Where to ask, and as whom.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Portal")]
pub(super) struct Remote {
    /// The portal [default: the one that you signed in to last].
    #[arg(long, global = true, value_name = "URL", env = "LOCUM_URL")]
    pub(super) url: Option<String>,
    /// The CA (PEM) that the portal's certificate must come from [default: as at sign-in, else the system's].
    #[arg(long, global = true, value_name = "FILE", env = "LOCUM_CA")]
    pub(super) ca: Option<PathBuf>,
    /// A file with a token, for scripts and workloads; `LOCUM_TOKEN` is the token itself.
    #[arg(long, global = true, value_name = "FILE", env = "LOCUM_TOKEN_FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// How long one answer may take.
    #[arg(long, global = true, value_name = "SPAN", value_parser = time::span, default_value = "60s")]
    pub(super) timeout: Duration,
}

impl Remote {
    /// Somebody who can ask.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        self.client_of(Credentials::standard(), std::env::var_os("LOCUM_TOKEN"))
    }

    pub(super) fn client_of(
        &self,
        credentials: Result<Credentials, Failure>,
        variable: Option<std::ffi::OsString>,
    ) -> Result<Client, Failure> {
        let given = Token::given(self.token_file.as_deref(), variable)?;
        // A script that says everything needs no home.
        let kept = match (&given, &self.url) {
            (Some(_), Some(_)) => Kept::default(),
            _ => credentials?.read()?,
        };
        let url = match &self.url {
            Some(text) => url::origin(text)?,
            None => kept.current().ok_or_else(nowhere)?,
        };
        let known = kept.at(&url);
        let token = match (given, known) {
            (Some(token), _) => token,
            (None, Some(known)) => known.token(&url)?,
            (None, None) => return Err(nobody(&url)),
        };
        let ca = self
            .ca
            .clone()
            .or_else(|| known.and_then(|it| it.ca.clone()));
        Client::new(url, ca.as_deref(), Some(token), self.timeout)
    }

    /// Whether a portal is named, or was signed in to.
    pub(super) fn is_known(&self) -> bool {
        let kept = || Credentials::standard().and_then(|it| it.read()).ok();
        self.url.is_some() || kept().is_some_and(|kept| kept.current().is_some())
    }

    /// Somebody who can begin to sign in.
    pub(super) fn stranger(&self, credentials: &Credentials) -> Result<Client, Failure> {
        let kept = credentials.read()?;
        let url = match &self.url {
            Some(text) => url::origin(text)?,
            None => kept.current().ok_or_else(nowhere)?,
        };
        let known = kept.at(&url).and_then(|it| it.ca.clone());
        let ca = self.ca.clone().or(known);
        Client::new(url, ca.as_deref(), None, self.timeout)
    }
}

fn nowhere() -> Failure {
    let remedy =
        "name the portal with --url or LOCUM_URL, or sign in first: `locum login --url https://…`";
    Failure::usage("no portal is named", remedy)
}

fn nobody(url: &::url::Url) -> Failure {
    let message = format!("you are not signed in to {}", url::shown(url));
    Failure::sign_in(message, format!("locum login --url {}", url::shown(url)))
}
