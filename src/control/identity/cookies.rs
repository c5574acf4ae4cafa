//! Our two cookies. `__Host-` keeps others' pages and plain HTTP from setting them (RFC 6265bis §4.1.3.2).

use crate::model::Secret;
use http::{HeaderMap, HeaderValue, header};
use std::time::Duration;

/// A login at the portal.
pub(super) const PORTAL: &str = "__Host-locum-portal";
/// Ties sign-ins under way to the browser that began them.
pub(super) const FLOW: &str = "__Host-locum-flow";

/// The secret in the cookie of this name. Two of one name are none: which one is meant cannot be known.
pub(super) fn read(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let lines = headers.get_all(header::COOKIE).iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    let mut found = texts
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name);
    let (_, value) = found.next()?;
    if found.next().is_some() {
        return None;
    }
    Secret::parse(value)
}

/// Sets it. `Lax`, because the identity provider sends the browser back from another site.
pub(super) fn set(name: &str, secret: &Secret, age: Duration) -> Option<HeaderValue> {
    line(name, &secret.reveal(), age.as_secs())
}

/// Takes it back.
pub(super) fn clear(name: &str) -> Option<HeaderValue> {
    line(name, "", 0)
}

fn line(name: &str, value: &str, age: u64) -> Option<HeaderValue> {
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={age}");
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_back_and_two_are_none() -> Result<(), Box<dyn std::error::Error>> {
        let (one, other) = (Secret::fresh()?, Secret::fresh()?);
        let set = set(PORTAL, &one, Duration::from_secs(60)).ok_or("no cookie")?;
        let text = set.to_str()?;
        assert!(text.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60"));
        let pair = text.split(';').next().ok_or("no pair")?;
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("a=b; {pair}; c=d").parse()?);
        let found = read(&headers, PORTAL).ok_or("not found")?;
        assert!(one.hash().matches(&found));
        assert!(read(&headers, FLOW).is_none());
        headers.append(
            header::COOKIE,
            format!("{PORTAL}={}", other.reveal()).parse()?,
        );
        assert!(read(&headers, PORTAL).is_none());
        Ok(())
    }
}
