//! How often a request came through this proxy already, by its `Via` (RFC 9110 §7.6.3): a loop ends itself so.

use http::HeaderMap;
use http::header::VIA;

/// How many members of `Via` name `pseudonym` as the one who received it; 0 where there is no pseudonym.
pub fn passes(headers: &HeaderMap, pseudonym: &str) -> usize {
    if pseudonym.is_empty() {
        return 0;
    }
    let lines = headers.get_all(VIA).iter();
    let members = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    // received-protocol RWS received-by [ RWS comment ]
    let by = |member: &str| member.split_ascii_whitespace().nth(1).map(str::to_owned);
    members
        .filter_map(by)
        .filter(|by| by.eq_ignore_ascii_case(pseudonym))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn only_our_own_name_counts() {
        let mut headers = HeaderMap::new();
        for line in [
            "1.1 locum, 2 edge",
            "HTTP/1.1 Locum (a comment)",
            "1.1 locum.example",
            "locum",
            "",
        ] {
            headers.append(VIA, HeaderValue::from_static(line));
        }
        assert_eq!(passes(&headers, "locum"), 2);
        assert_eq!(passes(&headers, "edge"), 1);
        assert_eq!(passes(&headers, ""), 0);
        assert_eq!(passes(&HeaderMap::new(), "locum"), 0);
    }
}
