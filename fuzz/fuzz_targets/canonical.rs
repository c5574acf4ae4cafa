//! The canonical request: what has no finding has one reading, and reading it again gives the same.
//! Input: method, target, then header lines, one a line.
#![no_main]

use http::request::Parts;
use libfuzzer_sys::fuzz_target;
use locum::proxy::canonical::{Seen, canonical};

fn parts(method: &[u8], target: &[u8], lines: &[&[u8]]) -> Option<Parts> {
    let mut request = http::Request::builder().method(method).uri(target);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..colon], &line[colon + 1..]);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

fuzz_target!(|input: &[u8]| {
    let mut lines = input.split(|byte| *byte == b'\n');
    let (method, target) = (
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    );
    let mut lines: Vec<&[u8]> = lines.collect();
    lines.push(b"host:a.example");
    let Some(parts) = parts(method, target, &lines) else {
        return;
    };
    let first = canonical(&parts, &Seen::default());
    let sent = first.upstream_target().into_owned();
    let _ = (first.raw_target(), first.path_and_query());
    if !first.findings.is_empty() {
        return;
    }
    if &*first.path != "*" {
        assert!(first.path.starts_with('/'), "{sent}");
        for bad in [
            "//", "/../", "/./", "%2F", "%2f", "\\", ";", "#", "%00", "%25",
        ] {
            assert!(
                !first.path.contains(bad) || (bad == "%25" && !is_twice(&first.path)),
                "{bad} in {sent}"
            );
        }
    }
    let again = self::parts(method, sent.as_bytes(), &lines).expect("what is sent on is a target");
    let second = canonical(&again, &Seen::default());
    assert!(second.findings.is_empty(), "{sent}: {:?}", second.findings);
    assert_eq!(second.upstream_target(), sent);
});

/// `%25` is fine unless two hex digits follow.
fn is_twice(path: &str) -> bool {
    path.match_indices("%25").any(|(at, _)| {
        let next = path.as_bytes().get(at + 3..at + 5);
        next.is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
    })
}
