//! The end of an exchange on its tape: what its bodies were, what is missing, how it went.

use super::counters::{Counters, add};
use super::digest;
use super::exchange::{Exchange, Onto};
use super::head::{Begin, BodyEnd, End, GapHead, Head};
use super::kept::Kept;
use super::taped::Which;
use super::work::{Closed, Ending};
use crate::model::{ExchangeId, Record};

/// Why bytes are missing that the recorder never got.
const BEHIND: &str = "the recorder could not keep up";

/// Writes all of it.
pub(super) fn write(
    found: &mut Exchange,
    ending: &Ending,
    onto: &mut Onto<'_>,
    kept: &mut Kept,
    counters: &Counters,
) {
    let x = ending.exchange;
    if let Some(why) = found.failed.clone() {
        // What there is of it may be in a part that was not written to its end.
        onto.head(&Head::Begin(Begin {
            again: true,
            ..found.begin.clone()
        }));
        gap(onto, ending, None, 0, &why);
    }
    if found.record == Record::Bodies {
        bodies(found, ending, onto, kept, counters);
    } else if let Some((_, closed)) = &ending.closing {
        sizes(x, closed, onto, kept);
    }
    if ending.lost.messages > 0 {
        onto.head(&Head::Gap(GapHead {
            x: Some(x),
            at: ending.at,
            side: None,
            bytes: ending.lost.message_bytes,
            messages: ending.lost.messages,
            why: BEHIND.to_owned(),
        }));
    }
    onto.head(&Head::End(End {
        x,
        at: ending.at,
        outcome: ending.outcome.to_owned(),
    }));
}

fn gap(onto: &mut Onto<'_>, ending: &Ending, side: Option<Which>, bytes: u64, why: &str) {
    onto.head(&Head::Gap(GapHead {
        x: Some(ending.exchange),
        at: ending.at,
        side,
        bytes,
        messages: 0,
        why: why.to_owned(),
    }));
}

/// Where only heads are recorded: how large the bodies were.
fn sizes(x: ExchangeId, closed: &Closed, onto: &mut Onto<'_>, kept: &mut Kept) {
    kept.request_sha256 = closed.request_sha256;
    kept.received_sha256 = closed.response_sha256;
    let sides = [
        (Which::Request, closed.request_bytes, closed.request_sha256),
        (
            Which::Received,
            closed.response_bytes,
            closed.response_sha256,
        ),
    ];
    for (side, bytes, sha256) in sides {
        onto.head(&Head::Body(BodyEnd {
            x,
            side,
            bytes,
            sha256: sha256
                .map(|digest| digest::encode(&digest))
                .unwrap_or_default(),
            stored_sha256: None,
            whole: false,
            redacted: false,
            decoded: false,
            withheld: Some("only heads are recorded here".to_owned()),
            same: None,
        }));
    }
}

fn bodies(
    found: &mut Exchange,
    ending: &Ending,
    onto: &mut Onto<'_>,
    kept: &mut Kept,
    counters: &Counters,
) {
    let closed = ending.closing.as_ref().map(|(_, closed)| closed);
    let known = [
        closed.and_then(|closed| closed.request_sha256),
        closed.and_then(|closed| closed.response_sha256),
        None,
    ];
    let which = [Which::Request, Which::Received, Which::Shown];
    let mut received: Option<BodyEnd> = None;
    for ((which, slot), known) in which.into_iter().zip(&mut found.sides).zip(known) {
        let Some(side) = slot else { continue };
        let lost = ending.lost.of(which);
        let is_whole = match which {
            Which::Request => ending.request_is_whole,
            Which::Received | Which::Shown => ending.response_is_whole,
        };
        let is_whole = is_whole && found.failed.is_none();
        let Some(mut end) = side.end(ending.exchange, is_whole, lost, known, onto) else {
            continue;
        };
        if side.is_withheld() {
            add(&counters.withheld, 1);
        }
        if lost > 0 {
            gap(onto, ending, Some(which), lost, BEHIND);
        }
        if which == Which::Shown
            && !ending.is_rewritten
            && let Some(received) = received.take()
        {
            end = BodyEnd {
                side: which,
                same: Some(Which::Received),
                ..received
            };
        }
        let truth = digest::decode(&end.sha256);
        match which {
            Which::Request => kept.request_sha256 = truth,
            Which::Received => kept.received_sha256 = truth,
            Which::Shown => kept.shown_sha256 = truth,
        }
        onto.head(&Head::Body(end.clone()));
        if which == Which::Received {
            received = Some(end);
        }
    }
}
