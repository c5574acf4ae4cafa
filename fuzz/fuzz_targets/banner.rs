//! The banner in any document: split anywhere, it comes out the same, and what comes out carries it.
//! Input: pieces, a byte that chooses the content type, then the document.
#![no_main]

mod pieces;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use libfuzzer_sys::fuzz_target;
use locum::model::{SessionId, Timestamp};
use locum::proxy::rewrite::banner::{Carry, Facts, Prepared, Settings, applies};
use std::sync::{Arc, LazyLock};

static PREPARED: LazyLock<Arc<Prepared>> = LazyLock::new(|| {
    Arc::new(Prepared::new(&Facts {
        operator: "Ada".into(),
        subject: "Kim <b>".into(),
        tenant: "Acme".into(),
        ticket: "SUP-1".into(),
        scopes: "view only".into(),
        reason: "test".into(),
        expires_at: Timestamp::from_millis(1_700_000_000_000),
        session: SessionId::fresh(),
        break_glass: false,
        origin: "https://s.shop.localhost".into(),
    }))
});

const TYPES: [(&str, &str); 6] = [
    ("text/html", ""),
    ("text/html; charset=utf-8", ""),
    ("text/html; charset=utf-16le", ""),
    ("application/xhtml+xml", ""),
    ("text/html", "gzip"),
    ("", ""),
];

fn run(
    kind: (&'static str, &'static str),
    document: &[u8],
    lengths: &[usize],
) -> Option<Result<Vec<u8>, String>> {
    let mut request = HeaderMap::new();
    request.insert("sec-fetch-dest", HeaderValue::from_static("document"));
    let mut response = HeaderMap::new();
    for (name, value) in [
        (header::CONTENT_TYPE, kind.0),
        (header::CONTENT_ENCODING, kind.1),
    ] {
        if !value.is_empty() {
            response.insert(name, HeaderValue::from_static(value));
        }
    }
    let settings = Settings {
        max_decoded_bytes: 1 << 20,
        max_token_bytes: 4096,
        ..Settings::default()
    };
    let Carry::Yes(plan) = applies(&Method::GET, &request, StatusCode::OK, &response, &settings)
    else {
        return None;
    };
    let mut stream = plan
        .stream(Arc::clone(&PREPARED), &settings)
        .expect("a stream");
    let mut out = Vec::new();
    for piece in pieces::cut(document, lengths) {
        match stream.push(Bytes::copy_from_slice(piece)) {
            Ok(pieces) => out.extend(pieces.into_iter().flatten()),
            Err(why) => return Some(Err(why.to_string())),
        }
    }
    Some(stream.finish().map_err(|why| why.to_string()).map(|bytes| {
        out.extend_from_slice(&bytes);
        out
    }))
}

fuzz_target!(|input: &[u8]| {
    let (lengths, rest) = pieces::split(input);
    let Some((kind, document)) = rest.split_first() else {
        return;
    };
    let kind = TYPES[usize::from(*kind) % TYPES.len()];
    let (whole, split) = (run(kind, document, &[]), run(kind, document, &lengths));
    assert_eq!(
        whole.as_ref().map(Result::is_ok),
        split.as_ref().map(Result::is_ok),
        "{kind:?} {lengths:?}"
    );
    let (Some(Ok(whole)), Some(Ok(split))) = (whole, split) else {
        return;
    };
    assert!(whole == split, "{kind:?} {lengths:?}");
    if kind.0.starts_with("text/html") && kind.1.is_empty() {
        let has = |text: &[u8]| whole.windows(text.len()).any(|part| part == text);
        assert!(
            has(b"data-locum"),
            "no banner: {:?}",
            String::from_utf8_lossy(&whole)
        );
        // HTML standard §13.2.3.2: what a browser would read as UTF-16, where the banner is ASCII.
        for mark in [&b"\xff\xfe"[..], b"\xfe\xff", b"<\0?\0x\0", b"\0<\0?\0x"] {
            assert!(!whole.starts_with(mark), "UTF-16 with an ASCII banner");
        }
    }
});
