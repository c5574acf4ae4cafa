//! `locum certs`: certificates for development.

mod authority;
mod dev;

use super::{Context, Exit, Failure};

/// Make certificates for development.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Certs {
    Dev(dev::Dev),
}

impl Certs {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self {
            Self::Dev(it) => it.run(context),
        }
    }
}
