//! HAR 1.2, for browsers' developer tools: one entry an exchange, in the order of time.
//!
//! <http://www.softwareishard.com/blog/har-12-spec/>. Members of ours begin with `_`, as §2.3 wants. Bodies are in plain
//! form; the bytes as they went over the wire are in the WARC.

use super::decode;
use super::error::ExportError;
use super::exchange::{charset, field, is_page, is_text, media, phrase, url};
use super::facts::{Facts, Known, moment};
use crate::audit::recording::{Body, From, Kind, Message, Side, Tape, Taped};
use crate::model::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::io::Write;

/// Writes the whole archive. No body longer than `max_body` bytes is put in: its entry says so.
///
/// # Errors
/// Where `out` takes no more. A body that cannot be read is told of in its entry.
pub fn write(
    facts: &Facts,
    tape: Option<&Tape>,
    max_body: usize,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    let empty = Vec::new();
    let taped = tape.map_or(empty.as_slice(), Tape::exchanges);
    let creator = json!({ "name": "Locum", "version": env!("CARGO_PKG_VERSION") });
    write!(
        out,
        "{{\"log\":{{\"version\":\"1.2\",\"creator\":{creator},\"pages\":"
    )?;
    serde_json::to_writer(&mut *out, &pages(taped)).map_err(std::io::Error::from)?;
    write!(out, ",\"_session\":{},\"entries\":[", about(facts))?;
    let mut page = None;
    let mut joint = "\n";
    for one in in_order(facts, taped) {
        let entry = match one {
            One::Taped(it) => {
                if is_page(it) {
                    page = Some(it.exchange.to_string());
                }
                let known = facts.exchange(&it.exchange.to_string());
                let writer = Entry {
                    tape,
                    known,
                    max_body,
                };
                writer.of(it, page.as_deref())
            }
            One::Known(it) => untaped(it),
        };
        out.write_all(joint.as_bytes())?;
        serde_json::to_writer(&mut *out, &entry).map_err(std::io::Error::from)?;
        joint = ",\n";
    }
    out.write_all(b"\n]}}\n")?;
    Ok(())
}

/// What there is of an exchange.
enum One<'a> {
    Taped(&'a Taped),
    /// Only the journal tells of it.
    Known(&'a Known),
}

fn in_order<'a>(facts: &'a Facts, taped: &'a [Taped]) -> Vec<One<'a>> {
    let is_taped = |known: &&Known| {
        !taped
            .iter()
            .any(|it| it.exchange.to_string() == known.exchange)
    };
    let known = facts.exchanges.iter().filter(is_taped);
    let mut all: Vec<(i64, One<'a>)> = known.map(|it| (it.at, One::Known(it))).collect();
    all.extend(
        taped
            .iter()
            .map(|it| (it.opened_at.millis(), One::Taped(it))),
    );
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, one)| one).collect()
}

fn about(facts: &Facts) -> Value {
    json!({
        "id": facts.session, "app": facts.app, "operator": facts.operator, "subject": facts.subject,
        "tenant": facts.tenant, "ticket": facts.ticket, "reason": facts.reason,
    })
}

fn pages(taped: &[Taped]) -> Vec<Value> {
    let pages = taped.iter().filter(|it| is_page(it));
    let page = |it: &Taped| {
        json!({
            "id": it.exchange.to_string(), "title": url(it), "pageTimings": {},
            "startedDateTime": moment(it.opened_at.millis()),
        })
    };
    pages.map(page).collect()
}

/// How one entry is made.
struct Entry<'a> {
    tape: Option<&'a Tape>,
    known: Option<&'a Known>,
    max_body: usize,
}

impl Entry<'_> {
    fn of(&self, taped: &Taped, page: Option<&str>) -> Value {
        let began = taped.opened_at.millis();
        let first = taped.shown.as_ref().map_or(began, |it| it.at.millis());
        let ended = taped.ended_at.map_or(first, Timestamp::millis).max(first);
        let mut entry = Map::new();
        if let Some(page) = page {
            entry.insert("pageref".into(), page.into());
        }
        let mut put = |name: &str, value: Value| entry.insert(name.to_owned(), value);
        put("startedDateTime", moment(began).into());
        put("time", (ended - began).max(0).into());
        put("request", self.request(taped));
        put("response", self.response(taped));
        put("cache", json!({}));
        let (wait, receive) = ((first - began).max(0), ended - first);
        put(
            "timings",
            json!({ "send": 0, "wait": wait, "receive": receive }),
        );
        put("_exchange", taped.exchange.to_string().into());
        put("_journal", self.known.map(Known::members).into());
        if taped.shown.as_ref().and_then(|it| it.status).is_some() && taped.received.is_none() {
            put("_answeredBy", "locum".into());
        }
        if !taped.gaps.is_empty() {
            let gap = |it: &crate::audit::recording::Gap| json!({ "at": it.at.to_string(), "bytes": it.bytes, "messages": it.messages, "why": it.why });
            put("_gaps", taped.gaps.iter().map(gap).collect());
        }
        if !taped.messages.is_empty() {
            let are_events = taped.messages.iter().all(|it| it.kind == Kind::Event);
            let name = if are_events {
                "_serverSentEvents"
            } else {
                "_webSocketMessages"
            };
            put(name, taped.messages.iter().map(message).collect());
        }
        Value::Object(entry)
    }

    fn request(&self, taped: &Taped) -> Value {
        let Some(side) = &taped.request else {
            return bare_request(&taped.method, &url(taped), &taped.protocol);
        };
        let mut request = bare_request(&taped.method, &url(taped), &taped.protocol);
        let body = side.body.as_ref().filter(|body| body.bytes > 0);
        if let Value::Object(request) = &mut request {
            request.insert("cookies".into(), cookies(side, "cookie"));
            request.insert("headers".into(), headers(side));
            request.insert("bodySize".into(), size(body));
            if let Some(body) = body {
                let mut data = self.text(side, body);
                data.insert("mimeType".into(), media(side).into());
                // HAR has no word for how the text of a request is encoded.
                if let Some(encoding) = data.remove("encoding") {
                    data.insert("_encoding".into(), encoding);
                }
                data.entry("text").or_insert_with(|| "".into());
                data.remove("size");
                request.insert("postData".into(), data.into());
            }
        }
        request
    }

    fn response(&self, taped: &Taped) -> Value {
        let Some(side) = &taped.shown else {
            return bare_response(0, &taped.protocol);
        };
        let status = side.status.unwrap_or_default();
        let mut response = bare_response(status, &taped.protocol);
        if let Value::Object(response) = &mut response {
            response.insert("cookies".into(), cookies(side, "set-cookie"));
            response.insert("headers".into(), headers(side));
            let to = field(side, "location").unwrap_or_default();
            response.insert("redirectURL".into(), to.into());
            response.insert("bodySize".into(), size(side.body.as_ref()));
            let mut content = match &side.body {
                Some(body) => self.text(side, body),
                None => Map::from_iter([("size".to_owned(), 0.into())]),
            };
            content.insert("mimeType".into(), media(side).into());
            response.insert("content".into(), content.into());
        }
        response
    }

    /// `size`, `text` and `encoding` of a body, or a comment that says why not.
    fn text(&self, side: &Side, body: &Body) -> Map<String, Value> {
        let mut content = Map::new();
        content.insert("size".into(), body.bytes.into());
        content.insert("_sha256".into(), body.sha256.as_str().into());
        let mut comments = Vec::new();
        comments.extend(body.withheld.as_ref().map(|why| format!("withheld: {why}")));
        comments.extend(
            body.redacted
                .then(|| "redacted before it was stored".to_owned()),
        );
        comments.extend((!body.is_whole).then(|| "not whole".to_owned()));
        let plain = self
            .tape
            .filter(|_| body.withheld.is_none())
            .map(|tape| decode::plain(side, body, tape.read(body), self.max_body));
        match plain {
            Some(Ok(plain)) => {
                content.insert("size".into(), plain.len().into());
                let text = is_text(&media(side)) || charset(side).is_some();
                let text = text.then(|| decode::text(side, &plain)).flatten();
                if text.is_none() {
                    content.insert("encoding".into(), "base64".into());
                }
                let text = text.unwrap_or_else(|| STANDARD.encode(&plain));
                content.insert("text".into(), text.into());
            }
            Some(Err(why)) => comments.push(format!("left out: {why}; it is in the WARC")),
            None => {}
        }
        if !comments.is_empty() {
            content.insert("comment".into(), comments.join("; ").into());
        }
        content
    }
}

/// What only the journal tells of: refused before the tape ran, or not to be recorded.
fn untaped(known: &Known) -> Value {
    let address = format!("https://{}{}", known.host, known.target);
    json!({
        "startedDateTime": moment(known.at), "time": 0,
        "request": bare_request(&known.method, &address, "http/1.1"),
        "response": bare_response(known.status, "http/1.1"),
        "cache": {}, "timings": { "send": 0, "wait": 0, "receive": 0 },
        "_exchange": known.exchange, "_recorded": false, "_journal": known.members(),
        "comment": "not in the recording: what is here comes from the journal",
    })
}

fn bare_request(method: &str, address: &str, protocol: &str) -> Value {
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let pairs = pairs.map(|(name, value)| json!({ "name": name, "value": value }));
    json!({
        "method": method, "url": address, "httpVersion": version(protocol), "cookies": [], "headers": [],
        "queryString": pairs.collect::<Vec<_>>(), "headersSize": -1, "bodySize": 0,
    })
}

fn bare_response(status: u16, protocol: &str) -> Value {
    json!({
        "status": status, "statusText": phrase(status), "httpVersion": version(protocol), "cookies": [],
        "headers": [], "content": { "size": 0, "mimeType": "" }, "redirectURL": "", "headersSize": -1,
        "bodySize": -1,
    })
}

fn version(protocol: &str) -> &'static str {
    match protocol {
        "h2" => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

fn size(body: Option<&Body>) -> Value {
    body.map_or(0, |body| body.bytes).into()
}

fn headers(side: &Side) -> Value {
    let header = |(name, value): &(String, Vec<u8>)| json!({ "name": name, "value": String::from_utf8_lossy(value) });
    side.headers.iter().map(header).collect()
}

/// Names and values of cookies (RFC 6265 §4), without their attributes.
fn cookies(side: &Side, name: &str) -> Value {
    let lines = side.headers.iter().filter(|(known, _)| known == name);
    let lines = lines.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
    let pairs = lines.flat_map(|line| {
        let most = if name == "cookie" { usize::MAX } else { 1 };
        let pairs = line.split(';').take(most).filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            Some(json!({ "name": name, "value": value }))
        });
        pairs.collect::<Vec<_>>()
    });
    pairs.collect()
}

/// As Chromium exports them.
fn message(it: &Message) -> Value {
    let text = match it.kind {
        Kind::Text | Kind::Event | Kind::Close => String::from_utf8(it.payload.clone()).ok(),
        Kind::Binary | Kind::Ping | Kind::Pong => None,
    };
    let opcode = match it.kind {
        Kind::Text | Kind::Event => 1,
        Kind::Binary => 2,
        Kind::Close => 8,
        Kind::Ping => 9,
        Kind::Pong => 10,
    };
    #[allow(clippy::cast_precision_loss)] // milliseconds since 1970 fit a double exactly
    let seconds = it.at.millis() as f64 / 1000.0;
    let mut message = json!({
        "type": match it.from { From::Operator => "send", From::App => "receive" },
        "time": seconds, "opcode": opcode,
    });
    if let Value::Object(message) = &mut message {
        if text.is_none() {
            message.insert("_encoding".into(), "base64".into());
        }
        let data = text.unwrap_or_else(|| STANDARD.encode(&it.payload));
        message.insert("data".into(), data.into());
        if let Some(why) = &it.withheld {
            message.insert("_withheld".into(), why.as_str().into());
        }
        if it.redacted {
            message.insert("_redacted".into(), true.into());
        }
    }
    message
}
