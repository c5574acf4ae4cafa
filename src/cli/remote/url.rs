//! The portal's address: https, or this machine; an origin and nothing more.

use crate::cli::Failure;
use ::url::{Host, Url};

/// Reads what somebody wrote for a portal.
pub(super) fn origin(text: &str) -> Result<Url, Failure> {
    let wrong = |why: &str| {
        let message = format!("{text:?} is no portal: {why}");
        Failure::usage(message, "write it as in https://portal.example")
    };
    let url = Url::parse(text).map_err(|why| wrong(&why.to_string()))?;
    if !is_confidential(&url) {
        return Err(wrong("a token is sent over https only, or to this machine"));
    }
    let is_bare =
        matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if !is_bare || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it is more than scheme, host and port"));
    }
    Ok(url)
}

/// Without the slash at its end.
pub(super) fn shown(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Whether nobody on the way can read what is sent there.
fn is_confidential(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Domain(name))) => name == "localhost" || name.ends_with(".localhost"),
        ("http", Some(Host::Ipv4(ip))) => ip.is_loopback(),
        ("http", Some(Host::Ipv6(ip))) => ip.is_loopback(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_origin_that_nobody_overhears() {
        for good in [
            "https://portal.example",
            "https://portal.example:8444/",
            "http://127.0.0.1:1",
            "http://localhost:8444",
        ] {
            assert!(origin(good).is_ok(), "{good}");
        }
        for bad in [
            "portal.example",
            "http://portal.example",
            "http://127.0.0.1.evil.example/",
            "https://portal.example/x",
            "https://portal.example/?a",
            "https://ada@portal.example/",
            "ftp://localhost",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
