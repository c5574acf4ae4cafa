//! A small but real web shop: the customer-facing app that stands behind Locum in the demo and in the tests.

mod assertion;
mod options;
mod pages;
mod server;
mod store;
mod web;

use clap::Parser as _;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match server::run(options::Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("storefront: {problem}");
            ExitCode::FAILURE
        }
    }
}
