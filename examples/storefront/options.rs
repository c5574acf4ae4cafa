//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use url::Url;

/// A small web shop with real data, sign-in and forms.
#[derive(Debug, clap::Parser)]
#[command(name = "storefront")]
pub(crate) struct Options {
    /// Address to serve plain HTTP/1.1 and HTTP/2 on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", conflicts_with = "unix")]
    pub(crate) listen: SocketAddr,

    /// Unix socket to serve on instead of an address.
    #[arg(long, value_name = "PATH")]
    pub(crate) unix: Option<PathBuf>,

    /// Directory of the data file; without it the data lives in memory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// The URL that customers type; redirects, cookies and origin checks follow it.
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<Url>,

    /// Key set (`http://…` or a file) that the `Locum-Assertion` header is verified against.
    /// Without it the header means nothing.
    #[arg(long, value_name = "URL|FILE", requires_all = ["assertion_issuer", "assertion_audience"])]
    pub(crate) assertion_jwks: Option<String>,

    /// The assertion's `iss`.
    #[arg(long, value_name = "TEXT")]
    pub(crate) assertion_issuer: Option<String>,

    /// The assertion's `aud`.
    #[arg(long, value_name = "TEXT")]
    pub(crate) assertion_audience: Option<String>,

    /// File that gets one JSON line for each request, before it is answered.
    #[arg(long, value_name = "FILE")]
    pub(crate) request_log: Option<PathBuf>,
}
