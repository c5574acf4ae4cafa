//! The app's trailers on their way to the client: what its headers would not have passed on goes here too, cookies
//! above all.

use crate::proxy::guard::is_forbidden_trailer;
use http::{HeaderMap, HeaderName};

/// Beyond what no trailer may be: fields that are taken out of the app's headers.
const ALSO: [&str; 7] = [
    "set-cookie2",
    "location",
    "refresh",
    "alt-svc",
    "strict-transport-security",
    "clear-site-data",
    "service-worker-allowed",
];

/// Takes out of the app's trailers what the client may not get.
pub fn clean(trailers: &mut HeaderMap) {
    let is_ours = |name: &&HeaderName| {
        is_forbidden_trailer(name.as_str().as_bytes()) || ALSO.contains(&name.as_str())
    };
    let dropped: Vec<HeaderName> = trailers.keys().filter(is_ours).cloned().collect();
    for name in &dropped {
        trailers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_apps_cookies_do_not_leave_in_a_trailer() {
        let names = ["set-cookie", "grpc-status", "alt-svc", "locum-assertion"];
        let pair = |name| (HeaderName::from_static(name), HeaderValue::from_static("x"));
        let mut trailers: HeaderMap = names.into_iter().map(pair).collect();
        clean(&mut trailers);
        assert_eq!(trailers.keys().collect::<Vec<_>>(), ["grpc-status"]);
    }
}
