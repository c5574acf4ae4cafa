//! Heads as tables: which answers carry the banner, and what their headers say after.

use super::tests::{HTML, PREPARED, decide, map};
use super::*;
use http::{Method, StatusCode};

#[test]
fn who_carries_it() {
    let no = |request: &[(&'static str, &str)], response| {
        assert_eq!(decide(request, response), Carry::No);
    };
    let yes = |request: &[(&'static str, &str)], response| {
        assert!(
            matches!(decide(request, response), Carry::Yes(_)),
            "{request:?}"
        );
    };
    yes(&[("sec-fetch-dest", "document")], HTML);
    no(
        &[("sec-fetch-dest", "empty"), ("accept", "text/html")],
        HTML,
    );
    no(&[("sec-fetch-dest", "script")], HTML);
    yes(
        &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8")],
        HTML,
    );
    no(&[("accept", "*/*")], HTML);
    no(&[("accept", "text/html"), ("hx-request", "true")], HTML);
    let document = [("sec-fetch-dest", "document")];
    no(&document, &[("content-type", "application/json")]);
    no(&document, &[("content-type", "image/svg+xml")]);
    no(
        &document,
        &[
            ("content-type", "text/html"),
            ("content-disposition", "attachment; filename=a.html"),
        ],
    );
    yes(
        &document,
        &[
            ("content-type", "text/html"),
            ("content-disposition", "inline"),
        ],
    );
    yes(
        &document,
        &[
            ("content-type", "text/plain"),
            ("content-type", "text/html"),
        ],
    );
    no(&document, &[("x-content-type-options", "nosniff")]);
    let refused = |response: &[(&'static str, &str)]| {
        assert!(matches!(decide(&document, response), Carry::Refuse(_)));
    };
    refused(&[
        ("content-type", "text/html"),
        ("content-encoding", "compress"),
    ]);
    refused(&[("content-type", "multipart/x-mixed-replace; boundary=x")]);
    let status = |method: &Method, status| {
        applies(
            method,
            &map(&document),
            status,
            &map(HTML),
            &Settings::default(),
        )
    };
    assert_eq!(status(&Method::HEAD, StatusCode::OK), Carry::No);
    assert_eq!(status(&Method::GET, StatusCode::NOT_MODIFIED), Carry::No);
    assert_eq!(
        status(&Method::GET, StatusCode::PARTIAL_CONTENT),
        Carry::Refuse(Unfit::Partial)
    );
    assert!(matches!(
        status(&Method::POST, StatusCode::INTERNAL_SERVER_ERROR),
        Carry::Yes(_)
    ));
}

#[test]
fn the_head_holds_for_the_rewritten_body() {
    let mut response = map(&[
        ("content-type", "text/html; charset=utf-16"),
        ("content-length", "9"),
        ("etag", "\"a\""),
        ("content-encoding", "br"),
        ("digest", "x"),
        ("accept-ranges", "bytes"),
        ("content-security-policy", "script-src 'none'"),
        ("content-security-policy", "img-src *"),
        ("content-security-policy-report-only", "script-src 'none'"),
    ]);
    let Carry::Yes(plan) = applies(
        &Method::GET,
        &map(&[
            ("sec-fetch-dest", "document"),
            ("accept-encoding", "gzip, br"),
        ]),
        StatusCode::OK,
        &response,
        &Settings::default(),
    ) else {
        panic!()
    };
    plan.adjust_headers(&mut response, &PREPARED);
    for name in ["content-length", "etag", "digest", "accept-ranges"] {
        assert!(!response.contains_key(name), "{name}");
    }
    assert_eq!(response["content-encoding"], "gzip");
    assert_eq!(response["content-type"], "text/html; charset=utf-8");
    assert_eq!(
        response["content-security-policy-report-only"],
        "script-src 'none'"
    );
    let policies: Vec<_> = response.get_all("content-security-policy").iter().collect();
    assert_eq!(
        policies[0],
        format!("script-src {}", PREPARED.needs().script).as_str()
    );
    assert_eq!(policies[1], "img-src *");
    let mut request = map(&[
        ("sec-fetch-dest", "document"),
        ("range", "bytes=0-9"),
        ("if-none-match", "\"a\""),
        ("accept-encoding", "dcb, gzip"),
    ]);
    adjust_request(&mut request);
    assert!(!request.contains_key("range") && !request.contains_key("if-none-match"));
    assert_eq!(request["accept-encoding"], "gzip, br, zstd, deflate");
}
