//! Heads, in the order of the tape, put together into exchanges.

use super::digest::{self, Digest};
use super::head::{Begin, BodyEnd, Data, Field, GapHead, Head, Headers, MessageHead};
use super::taped::{Body, Gap, Message, Piece, Side, Taped, Which};
use crate::model::{ExchangeId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;

/// Exchanges as far as they are read.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    pub(super) exchanges: Vec<Taped>,
    at: HashMap<ExchangeId, usize>,
    /// Messages whose payload is still to be fetched: exchange, message, chunks.
    pub(super) payloads: Vec<(usize, usize, Vec<Digest>)>,
    /// What is missing and belongs to no exchange.
    pub(super) gaps: Vec<Gap>,
}

impl Assembly {
    /// Takes the next head. An error says what cannot be.
    pub(super) fn take(&mut self, head: Head) -> Result<(), String> {
        match head {
            Head::Part(_) => Ok(()),
            Head::Begin(begin) => self.begin(begin),
            Head::Headers(headers) => self.headers(headers),
            Head::Data(data) => self.data(&data),
            Head::Body(end) => self.body(end),
            Head::Message(message) => self.message(message),
            Head::Gap(gap) => self.gap(gap),
            Head::End(end) => {
                let taped = self.taped(end.x)?;
                taped.ended_at = Some(end.at);
                taped.outcome = end.outcome;
                Ok(())
            }
        }
    }

    fn taped(&mut self, exchange: ExchangeId) -> Result<&mut Taped, String> {
        let found = self.at.get(&exchange);
        found
            .and_then(|at| self.exchanges.get_mut(*at))
            .ok_or_else(|| format!("exchange {exchange} goes on and never began"))
    }

    fn begin(&mut self, begin: Begin) -> Result<(), String> {
        if begin.again && self.at.contains_key(&begin.x) {
            return Ok(());
        }
        if self.at.contains_key(&begin.x) {
            return Err(format!("exchange {} begins twice", begin.x));
        }
        self.at.insert(begin.x, self.exchanges.len());
        self.exchanges.push(Taped {
            exchange: begin.x,
            opened_at: begin.at,
            ended_at: None,
            outcome: String::new(),
            app: begin.app,
            origin: begin.origin,
            method: begin.method,
            target: begin.target,
            protocol: begin.protocol,
            rule: begin.rule,
            action: begin.action,
            mode: begin.mode,
            request: None,
            received: None,
            shown: None,
            messages: Vec::new(),
            gaps: Vec::new(),
        });
        Ok(())
    }

    fn headers(&mut self, headers: Headers) -> Result<(), String> {
        let fields = headers.fields.into_iter().map(field);
        let fields = fields
            .collect::<Option<Vec<_>>>()
            .ok_or("a field's value is not readable")?;
        let side = side(self.taped(headers.x)?, headers.side, headers.at);
        side.status = headers.status;
        side.headers = fields;
        side.at = headers.at;
        Ok(())
    }

    fn data(&mut self, data: &Data) -> Result<(), String> {
        let digest = digest::decode(&data.chunk).ok_or("a chunk's digest is not readable")?;
        let side = side(self.taped(data.x)?, data.side, data.at);
        let body = side.body.get_or_insert_default();
        body.pieces.push(Piece {
            digest,
            at: data.at,
        });
        Ok(())
    }

    fn body(&mut self, end: BodyEnd) -> Result<(), String> {
        let taped = self.taped(end.x)?;
        let pieces = end.same.map(|which| {
            let body = of(taped, which).and_then(|side| side.body.as_ref());
            body.map(|body| body.pieces.clone()).unwrap_or_default()
        });
        let at = taped.opened_at;
        let body = side(taped, end.side, at).body.get_or_insert_default();
        if let Some(pieces) = pieces {
            body.pieces = pieces;
        }
        body.bytes = end.bytes;
        body.sha256 = end.sha256;
        body.stored_sha256 = end.stored_sha256;
        body.is_whole = end.whole;
        body.redacted = end.redacted;
        body.decoded = end.decoded;
        body.withheld = end.withheld;
        Ok(())
    }

    fn message(&mut self, head: MessageHead) -> Result<(), String> {
        let chunks = head.chunks.iter().map(|text| digest::decode(text));
        let chunks = chunks
            .collect::<Option<Vec<_>>>()
            .ok_or("a chunk's digest is not readable")?;
        let exchange = self.at.get(&head.x).copied();
        let taped = self.taped(head.x)?;
        let place = taped.messages.len();
        taped.messages.push(Message {
            at: head.at,
            from: head.from,
            kind: head.kind,
            bytes: head.bytes,
            payload: Vec::new(),
            redacted: head.redacted,
            withheld: head.withheld,
        });
        if let (Some(exchange), false) = (exchange, chunks.is_empty()) {
            self.payloads.push((exchange, place, chunks));
        }
        Ok(())
    }

    fn gap(&mut self, head: GapHead) -> Result<(), String> {
        let gap = Gap {
            at: head.at,
            side: head.side,
            bytes: head.bytes,
            messages: head.messages,
            why: head.why,
        };
        match head.x {
            Some(exchange) => self.taped(exchange)?.gaps.push(gap),
            None => self.gaps.push(gap),
        }
        Ok(())
    }
}

fn of(taped: &Taped, which: Which) -> Option<&Side> {
    match which {
        Which::Request => taped.request.as_ref(),
        Which::Received => taped.received.as_ref(),
        Which::Shown => taped.shown.as_ref(),
    }
}

/// The side, made where its head did not come before its bytes.
fn side(taped: &mut Taped, which: Which, at: Timestamp) -> &mut Side {
    let slot = match which {
        Which::Request => &mut taped.request,
        Which::Received => &mut taped.received,
        Which::Shown => &mut taped.shown,
    };
    slot.get_or_insert_with(|| Side {
        status: None,
        headers: Vec::new(),
        body: None,
        at,
    })
}

fn field(field: Field) -> Option<(String, Vec<u8>)> {
    let value = match (field.v, field.b) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(base64)) => STANDARD.decode(base64).ok()?,
        _ => return None,
    };
    Some((field.n, value))
}

/// The stored bytes of a body's end, where nothing of it is known but its pieces.
impl Body {
    pub(super) fn digests(&self) -> impl Iterator<Item = Digest> + '_ {
        self.pieces.iter().map(|piece| piece.digest)
    }
}
