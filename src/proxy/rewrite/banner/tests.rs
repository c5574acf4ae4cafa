//! The whole rewriting as a table: documents in, where the banner's parts land, and that cuts change nothing.

use super::out::Out;
use super::prepared::tests::{facts, written};
use super::*;
use crate::proxy::rewrite::encoding::{Coding, Encoder};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

pub(super) static PREPARED: LazyLock<Arc<Prepared>> =
    LazyLock::new(|| Arc::new(Prepared::new(&facts())));

pub(super) fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(
            HeaderName::from_static(name),
            HeaderValue::try_from(*value).unwrap(),
        );
    }
    headers
}

pub(super) fn decide(request: &[(&'static str, &str)], response: &[(&'static str, &str)]) -> Carry {
    applies(
        &Method::GET,
        &map(request),
        StatusCode::OK,
        &map(response),
        &Settings::default(),
    )
}

fn plan(response: &[(&'static str, &str)]) -> Plan {
    match decide(
        &[("sec-fetch-dest", "document"), ("accept-encoding", "gzip")],
        response,
    ) {
        Carry::Yes(plan) => plan,
        other => panic!("{other:?}"),
    }
}

/// Rewrites `body`, cut at `cuts`.
fn rewrite(plan: Plan, body: &[u8], cuts: &[usize]) -> Result<Vec<u8>, RewriteError> {
    let mut stream = plan.stream(Arc::clone(&PREPARED), &Settings::default())?;
    let mut out = Vec::new();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).collect();
    cuts.extend([0, body.len()]);
    cuts.sort_unstable();
    for pair in cuts.windows(2) {
        let piece = Bytes::copy_from_slice(&body[pair[0]..pair[1]]);
        out.extend_from_slice(&joined(stream.push(piece)?));
    }
    out.extend_from_slice(&stream.finish()?);
    Ok(out)
}

/// The banner's parts as short words, so that a table shows where they are.
fn shown(out: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(out).into_owned();
    let part = |put: fn(&Prepared, &mut Out)| written(|out| put(&PREPARED, out));
    for (bytes, word) in [
        (part(Prepared::put_head), "{HEAD}"),
        (part(Prepared::put_head_xml), "{HEAD}"),
        (PREPARED.section().to_vec(), "{BAR}"),
        (part(Prepared::put_style), "{STYLE}"),
        (part(Prepared::put_frame), "{FRAME}"),
        (part(Prepared::put_frame_xml), "{FRAME}"),
        (PREPARED.title().to_vec(), "{T}"),
    ] {
        text = text.replace(std::str::from_utf8(&bytes).unwrap(), word);
    }
    text
}

pub(super) const HTML: &[(&str, &str)] = &[("content-type", "text/html")];
const XHTML: &[(&str, &str)] = &[("content-type", "application/xhtml+xml")];

#[track_caller]
fn check(headers: &[(&'static str, &str)], body: &[u8], want: &str) {
    let whole = rewrite(plan(headers), body, &[]).unwrap();
    assert_eq!(
        shown(&whole),
        want,
        "whole: {}",
        String::from_utf8_lossy(body)
    );
    let every: Vec<usize> = (0..body.len()).collect();
    let bytewise = rewrite(plan(headers), body, &every).unwrap();
    assert_eq!(
        shown(&bytewise),
        want,
        "byte by byte: {}",
        String::from_utf8_lossy(body)
    );
}

#[test]
fn html_documents_whole_and_odd() {
    for (body, want) in [
        (
            "<!DOCTYPE html><html lang=en><head><title>A</title></head><body class=x><p>b</body></html>",
            "<!DOCTYPE html><html lang=en><head>{HEAD}<title>{T}A</title></head><body class=x>{BAR}<p>b</body></html>",
        ),
        ("", "{HEAD}{BAR}"),
        ("  \n", "  \n{HEAD}{BAR}"),
        ("hello <b>x</b>", "{HEAD}{BAR}hello <b>x</b>"),
        ("<p>x", "{HEAD}{BAR}<p>x"),
        ("<title>a</title><p>x", "{HEAD}<title>{T}a</title>{BAR}<p>x"),
        (
            "<!doctype html></head>x",
            "<!doctype html>{HEAD}</head>{BAR}x",
        ),
        ("</body>x", "{HEAD}{BAR}</body>x"),
        ("<html></html>", "<html>{HEAD}{BAR}</html>"),
        (
            "<head></head></p> \n<div>",
            "<head>{HEAD}</head></p> \n{BAR}<div>",
        ),
        ("\u{feff}<p>x", "\u{feff}{HEAD}{BAR}<p>x"),
        ("<plaintext><body>", "{HEAD}{BAR}<plaintext><body>"),
        (
            "<frameset><frame></frameset>",
            "{HEAD}<frameset><frame></frameset>",
        ),
        (
            "<svg><title>s</title></svg>",
            "{HEAD}{BAR}<svg><title>s</title></svg>",
        ),
        ("< p", "{HEAD}{BAR}< p"),
        (
            "<html><meta charset=utf-8><body>x",
            "<html>{HEAD}<meta charset=utf-8><body>{BAR}x",
        ),
    ] {
        check(HTML, body.as_bytes(), want);
    }
}

#[test]
fn what_looks_like_a_body_and_is_none() {
    for (body, want) in [
        (
            "<!-- <body> --><head><body>",
            "<!-- <body> --><head>{HEAD}<body>{BAR}",
        ),
        (
            "<head><!-- <body> --><body>x",
            "<head>{HEAD}<!-- <body> --><body>{BAR}x",
        ),
        (
            "<head><script>'<body>'</script><body>x",
            "<head>{HEAD}<script>'<body>'</script><body>{BAR}x",
        ),
        (
            "<script><!--<script></script><body>--></script><body>",
            "{HEAD}<script><!--<script></script><body>--></script><body>{BAR}",
        ),
        (
            "<style><body></style><body>",
            "{HEAD}<style><body></style><body>{BAR}",
        ),
        (
            "<title><body></title><body>",
            "{HEAD}<title>{T}<body></title><body>{BAR}",
        ),
        (
            "<noscript><p>on</noscript><body>",
            "{HEAD}<noscript><p>on</noscript><body>{BAR}",
        ),
        (
            "<template><body><p>t <</template><body>",
            "{HEAD}<template><body><p>t <</template><body>{BAR}",
        ),
        (
            "<meta content='<body>'><body>",
            "{HEAD}<meta content='<body>'><body>{BAR}",
        ),
        ("<body data-x='>'>x", "{HEAD}<body data-x='>'>{BAR}x"),
        (
            "<link title=a/b><BODY>x",
            "{HEAD}<link title=a/b><BODY>{BAR}x",
        ),
    ] {
        check(HTML, body.as_bytes(), want);
    }
}

#[test]
fn documents_that_are_cut_off() {
    for (body, want) in [
        (
            "<!doctype html><!-- died <body>",
            "<!doctype html>{HEAD}<!-- died <body>-->{BAR}",
        ),
        (
            "<!doctype html><head><!--",
            "<!doctype html><head>{HEAD}<!---->{BAR}",
        ),
        ("<!doctype htm", "{HEAD}{BAR}<!doctype htm"),
        ("<head><script>if (1 <", "<head>{HEAD}<script>if (1 <"),
        ("<head><title>half", "<head>{HEAD}<title>{T}half"),
        ("<head><link rel='", "<head>{HEAD}{BAR}<link rel='"),
        ("<body><!-- rest", "{HEAD}<body>{BAR}<!-- rest"),
        ("<bod", "{HEAD}{BAR}<bod"),
    ] {
        check(HTML, body.as_bytes(), want);
    }
}

#[test]
fn xhtml_stays_well_formed() {
    let ns = "xmlns=\"http://www.w3.org/1999/xhtml\"";
    for (body, want) in [
        (
            "<head><title>a</title></head><body><p/></body>",
            "<head>{HEAD}<title>{T}a</title></head><body>{BAR}<p/></body>",
        ),
        ("<head/><body/>", "<head>{HEAD}</head><body>{BAR}</body>"),
        (
            "<head><title/></head><body/>",
            "<head>{HEAD}<title>{T}</title></head><body>{BAR}</body>",
        ),
        ("<body>x</body>", "{HEAD}<body>{BAR}x</body>"),
        (
            "<head><script><![CDATA[<body>]]></script><!-- <body> --></head><body/>",
            "<head>{HEAD}<script><![CDATA[<body>]]></script><!-- <body> --></head><body>{BAR}</body>",
        ),
    ] {
        let prolog = "<?xml version='1.0'?><!DOCTYPE html [ <!-- <html> --> <!ENTITY x \"]>\"> ]>";
        check(
            XHTML,
            format!("{prolog}<html {ns}>{body}</html>").as_bytes(),
            &format!("{prolog}<html {ns}>{want}</html>"),
        );
    }
    for body in [
        "<svg xmlns='http://www.w3.org/2000/svg'/>",
        "<html><body/></html>",
        "plain",
        "",
    ] {
        let result = rewrite(plan(XHTML), body.as_bytes(), &[]);
        assert!(matches!(result, Err(RewriteError::NotHtml)), "{body}");
    }
    check(
        &[("content-type", "text/xml")],
        b"<feed><body/></feed>",
        "<feed><body/></feed>",
    );
}

#[test]
fn other_encodings_become_utf_8() {
    let text = "<title>\u{119}</title><body>\u{1f600}";
    let want = "\u{feff}{HEAD}<title>{T}\u{119}</title><body>{BAR}\u{1f600}";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    check(HTML, &[&[0xff, 0xfe][..], &little].concat(), want);
    check(HTML, &[&[0xfe, 0xff][..], &big].concat(), want);
    check(
        &[("content-type", "text/html; charset=UTF-16LE")],
        &little,
        want,
    );
    // Unmarked: what it begins with says what it is, also when the first byte comes alone.
    for first in ["<!--x-->", "<?xml?>"] {
        let text = format!("{first}<body>");
        let want = format!("\u{feff}{first}{{HEAD}}<body>{{BAR}}");
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        check(HTML, &little, &want);
        check(HTML, &big, &want);
    }
    // In ISO-2022-JP a character's bytes may be `<` and `b`.
    let (japanese, ..) = encoding_rs::ISO_2022_JP.encode("<title>\u{6f22}</title><body>\u{5b57}");
    let want = "<title>{T}\u{6f22}</title><body>{BAR}\u{5b57}";
    check(
        &[("content-type", "text/html; charset=iso-2022-jp")],
        &japanese,
        &format!("\u{feff}{{HEAD}}{want}"),
    );
    let declared = [b"<meta charset=iso-2022-jp>", japanese.as_ref()].concat();
    check(
        HTML,
        &declared,
        &format!("{{HEAD}}<meta charset=\"utf-8\">{want}"),
    );
    // The header outranks the document.
    check(
        &[("content-type", "text/html; charset=utf-8")],
        b"<meta charset=iso-2022-jp><body>",
        "{HEAD}<meta charset=iso-2022-jp><body>{BAR}",
    );
}

#[test]
fn a_policy_in_the_document_is_extended() {
    let body = b"<head><meta http-equiv=content-security-policy content=\"form-action &#39;none&#39;\"><body>";
    let out = shown(&rewrite(plan(HTML), body, &[]).unwrap());
    assert!(
        out.contains("content=\"form-action https://s1.app.test/.locum/\""),
        "{out}"
    );
    let later = b"<body><meta http-equiv=content-security-policy content=\"form-action 'none'\">";
    let out = shown(&rewrite(plan(HTML), later, &[]).unwrap());
    assert!(
        out.contains("form-action 'none'"),
        "a policy outside the head is none: {out}"
    );
}

#[test]
fn frames_are_marked_and_sandboxes_run_no_script() {
    let request = [("sec-fetch-dest", "iframe")];
    let Carry::Yes(frame) = decide(&request, HTML) else {
        panic!()
    };
    let out = rewrite(frame, b"<head><title>f</title><body>", &[]).unwrap();
    assert_eq!(shown(&out), "<head>{FRAME}<title>f</title><body>");
    let sandbox = [
        ("content-type", "text/html"),
        ("content-security-policy", "sandbox allow-forms"),
    ];
    let out = rewrite(plan(&sandbox), b"<head><body>", &[]).unwrap();
    assert_eq!(shown(&out), "<head>{STYLE}<body>{BAR}");
}

#[test]
fn a_missing_type_is_sniffed() {
    check(
        &[],
        b" <!DOCTYPE html><body>",
        " <!DOCTYPE html>{HEAD}<body>{BAR}",
    );
    check(&[], b"\x89PNG<body>", "\u{fffd}PNG<body>");
    check(&[], b"", "");
    // No browser takes these for HTML: they are not transcoded either.
    check(&[], b"<\0p\0>\0", "<\0p\0>\0");
    check(&[], b"\xff\xfe<\0p\0>\0", "\u{fffd}\u{fffd}<\0p\0>\0");
    // What is sniffed are the bytes as they came, whatever the charset.
    let unknown = [("content-type", "application/unknown; charset=iso-2022-jp")];
    check(&unknown, b"<html><body>", "\u{feff}<html>{HEAD}<body>{BAR}");
    check(&unknown, b"%PDF", "%PDF");
}

#[test]
fn a_tag_without_end_is_refused_not_held() {
    let body = [
        b"<head><link href=\"".as_slice(),
        &vec![b'x'; 2 * 1024 * 1024],
    ]
    .concat();
    assert!(matches!(
        rewrite(plan(HTML), &body, &[]),
        Err(RewriteError::TokenTooLong(_))
    ));
}

fn encoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Some(coding)).unwrap();
    let mut out = encoder.push(bytes).unwrap();
    out.extend(encoder.finish().unwrap());
    out
}

#[test]
fn every_piece_leaves_at_once() {
    let mut stream = plan(HTML)
        .stream(Arc::clone(&PREPARED), &Settings::default())
        .unwrap();
    let mut push = |text: &'static str| {
        shown(&joined(
            stream.push(Bytes::from_static(text.as_bytes())).unwrap(),
        ))
    };
    assert_eq!(push("<!doctype html><head>"), "<!doctype html><head>{HEAD}");
    assert_eq!(push("<body>first "), "<body>{BAR}first ");
    assert_eq!(push("second <di"), "second <di");
    assert!(stream.is_pass_through());
    let mut packed = plan(&[("content-type", "text/html"), ("content-encoding", "gzip")])
        .stream(Arc::clone(&PREPARED), &Settings::default())
        .unwrap();
    let mut encoder = Encoder::new(Some(Coding::Gzip)).unwrap();
    for piece in ["<body>", "one", "two"] {
        let sent = encoder.push(piece.as_bytes()).unwrap();
        assert!(
            !packed.push(sent.into()).unwrap().is_empty(),
            "{piece} came through at once"
        );
    }
}

const TRICKY: &[&str] = &[
    "<!doctype html>",
    "<html>",
    "<head>",
    "</head>",
    "<body class=a>",
    "</body>",
    "<title>",
    "</title>",
    "<!--",
    "-->",
    "--!>",
    "<!-->",
    "<script>",
    "</script>",
    "<script",
    "<style>",
    "</style>",
    "<template>",
    "</template>",
    "<noscript>",
    "</noscript>",
    "<meta charset=iso-2022-jp>",
    "<meta http-equiv=content-security-policy content=\"",
    "\"",
    "'",
    ">",
    "<",
    "</",
    "/>",
    "<p a='",
    "text",
    " ",
    "\n",
    "<frameset>",
    "<plaintext>",
    "\u{feff}",
    "\u{e9}",
    "<?xml?>",
    "<![CDATA[",
    "]]>",
    "--",
    "-",
    "<br>",
    "</br>",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn cuts_change_nothing(
        pieces in prop::collection::vec(prop::sample::select(TRICKY), 0..14),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
        is_xml in any::<bool>(),
    ) {
        let body = pieces.concat();
        let headers = if is_xml { &[("content-type", "text/xml")][..] } else { HTML };
        let whole = rewrite(plan(headers), body.as_bytes(), &[]).map(|out| shown(&out));
        let parts = rewrite(plan(headers), body.as_bytes(), &cuts).map(|out| shown(&out));
        prop_assert_eq!(whole.map_err(|e| e.to_string()), parts.map_err(|e| e.to_string()));
    }

    #[test]
    fn nothing_of_the_document_is_lost(
        pieces in prop::collection::vec(prop::sample::select(TRICKY), 0..14),
    ) {
        let body = pieces.concat();
        prop_assume!(!body.contains("iso-2022-jp") && !body.contains("http-equiv"));
        let mut out = shown(&rewrite(plan(HTML), body.as_bytes(), &[]).unwrap());
        prop_assert_eq!(out.matches("{HEAD}").count(), 1);
        for word in ["{HEAD}", "{BAR}", "{T}"] {
            out = out.replacen(word, "", 1);
        }
        // A comment that the document's end closes may be closed aloud.
        prop_assert!(out == body || out == format!("{body}-->"), "{} became {}", body, out);
    }

    #[test]
    fn any_bytes_in_any_coding(
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
        outer in 0usize..4,
        inner in 0usize..4,
    ) {
        let codings = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];
        let body = [b"<body>", bytes.as_slice()].concat();
        let packed = encoded(codings[outer], &encoded(codings[inner], &body));
        let names = format!("{}, {}", codings[inner].name(), codings[outer].name());
        let mut plan = plan(&[("content-type", "text/html"), ("content-encoding", &names)]);
        plan.encode = None;
        let out = rewrite(plan.clone(), &packed, &cuts).unwrap();
        let head = written(|out| PREPARED.put_head(out));
        let want = [&head[..], b"<body>", PREPARED.section(), &bytes].concat();
        prop_assert_eq!(out, want);
        prop_assert!(rewrite(plan, &packed[..packed.len() - 1], &cuts).is_err());
    }
}
