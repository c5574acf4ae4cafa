//! What must hold of any bytes, split anywhere.

use super::framing::{Framing, Outcome, Release};
use super::tests::{Seen, exchange};
use super::{Fault, Limits, Notes};
use crate::model::Findings;
use proptest::prelude::*;

/// Everything that a verdict consists of, however it was delivered.
fn verdict(seen: &[Seen]) -> Vec<(String, Findings, Option<Fault>, Vec<u8>)> {
    let one = |seen: &Seen| {
        let note = seen.note.clone().unwrap_or_default();
        let late = seen.body.as_ref().err().copied().flatten();
        let fault = note.fault.or(late);
        if let Some(fault) = fault {
            return (String::new(), Findings::NONE, Some(fault), Vec::new());
        }
        let body = seen.body.clone().unwrap_or_default();
        (seen.line.clone(), note.findings, None, body)
    };
    seen.iter().map(one).collect()
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        6 => Just("GET /a HTTP/1.1\r\nHost: a\r\n"),
        2 => Just("POST /b?c#d HTTP/1.1\r\nHost: a\r\n"),
        1 => Just("GET /a HTTP/1.1\nHost: a\n"),
        1 => Just("GET /a HTTP/1.3\r\nHost: a\r\n"),
    ];
    let field = prop_oneof![
        6 => Just("Accept: text/html\r\n"),
        1 => Just(" folded\r\n"),
        1 => Just("Bad : a\r\n"),
        1 => Just("X: \u{1}\r\n"),
    ];
    let body = prop_oneof![
        4 => Just("\r\n"),
        3 => Just("Content-Length: 5\r\n\r\nhello"),
        3 => Just("Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"),
        1 => Just("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        1 => Just("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n"),
        1 => Just("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nHost: b\r\n\r\n"),
        1 => Just("Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    ];
    (line, proptest::collection::vec(field, 0..3), body)
        .prop_map(|(line, fields, body)| [line, &fields.concat(), body].concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_verdict_does_not_depend_on_the_split(
        messages in proptest::collection::vec(message(), 1..4),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let raw = messages.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(raw.len())).collect();
        cuts.extend([0, raw.len()]);
        cuts.sort_unstable();
        let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &raw[pair[0]..pair[1]]).collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (_, whole) = exchange(&[&raw], Limits::default()).await;
            let (_, split) = exchange(&parts, Limits::default()).await;
            prop_assert_eq!(verdict(&whole), verdict(&split));
            Ok(())
        })?;
    }

    /// hyper answers what it does not like by itself, and then nobody records it.
    #[test]
    fn what_the_guard_lets_through_hyper_takes(
        target in "/[!-~\u{a1}-\u{ff}]{0,20}",
        name in "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}",
        value in proptest::collection::vec(prop_oneof![Just(9u8), 32..127u8, 128..=255u8], 0..20),
        absolute in "|http://a:80|https?://[a-z0-9.:@\\[\\]_-]{1,8}",
    ) {
        let head = format!("GET {absolute}{target} HTTP/1.1\r\nHost: a\r\n{name}: ");
        let raw = [head.as_bytes(), &value, b"\r\n\r\n"].concat();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (_, seen) = runtime.block_on(exchange(&[&raw], Limits::default()));
        prop_assert_eq!(seen.len(), 1);
    }

    #[test]
    fn no_bytes_panic(raw in proptest::collection::vec(any::<u8>(), 0..400), cut in 0usize..400) {
        let mut framing = Framing::new();
        let (notes, limits) = (Notes::default(), Limits::default());
        let (first, second) = raw.split_at(cut.min(raw.len()));
        let mut release = Release::default();
        let outcome = framing.digest(first, &mut release, &notes, &limits);
        if let Outcome::Hold(from) = outcome {
            let rest = [&first[from..], second].concat();
            let mut release = Release::default();
            framing.digest(&rest, &mut release, &notes, &limits);
        }
    }
}
