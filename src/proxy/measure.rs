//! How big a head may be over HTTP/2, by the same limits as over HTTP/1, where the guard measures bytes.

use super::guard::Fault;
use super::setup::Limits;
use http::header;
use http::request::Parts;

/// The first limit that the head goes beyond.
pub fn over(parts: &Parts, limits: &Limits) -> Option<Fault> {
    let target = parts
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > limits.max_uri_bytes {
        return Some(Fault::UriTooLong);
    }
    // Browsers send each cookie as a field of its own (RFC 9113 §8.2.3): together they are one.
    let crumbs = parts.headers.get_all(header::COOKIE).iter().count();
    if parts.headers.len() - crumbs.saturating_sub(1) > limits.max_headers {
        return Some(Fault::TooManyHeaders);
    }
    // As it would stand in HTTP/1: `name: value`, CRLF.
    let fields = parts.headers.iter();
    let bytes: usize = fields
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    (bytes + target > limits.max_head_bytes).then_some(Fault::HeadTooLarge)
}

/// What HTTP/2 itself lets in (RFC 9113 §6.5.2 counts 32 more for each field): enough above the limits that a
/// request beyond them is refused by us, on record, rather than by the connection.
pub fn list_size(limits: &Limits) -> u32 {
    let room = 2 * limits.max_head_bytes + limits.max_uri_bytes + 64 * limits.max_headers;
    u32::try_from(room).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: &str, fields: &[(&str, &str)]) -> Result<Parts, http::Error> {
        let mut request = http::Request::builder().uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        Ok(request.body(())?.into_parts().0)
    }

    /// Target, fields, the limit that they are beyond.
    type Case<'c> = (&'c str, &'c [(&'c str, &'c str)], Option<Fault>);

    #[test]
    fn each_limit_is_found() -> Result<(), http::Error> {
        let limits = Limits {
            max_uri_bytes: 20,
            max_headers: 2,
            max_head_bytes: 60,
            ..Limits::default()
        };
        let long = "v".repeat(60);
        let cases: &[Case<'_>] = &[
            ("/", &[("a", "1"), ("b", "2")], None),
            (
                "/",
                &[
                    ("cookie", "a=1"),
                    ("cookie", "b=2"),
                    ("cookie", "c=3"),
                    ("d", "4"),
                ],
                None,
            ),
            ("/a-target-of-21-bytes", &[], Some(Fault::UriTooLong)),
            (
                "/",
                &[("a", "1"), ("b", "2"), ("c", "3")],
                Some(Fault::TooManyHeaders),
            ),
            ("/", &[("a", &long)], Some(Fault::HeadTooLarge)),
        ];
        for (target, fields, wanted) in cases {
            assert_eq!(
                over(&parts(target, fields)?, &limits),
                *wanted,
                "{target} {fields:?}"
            );
        }
        Ok(())
    }
}
