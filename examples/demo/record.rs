//! Steps 8 to 10: revoked mid-stream, and the record of it all.

use crate::browser::{As, Browser};
use crate::programs::said;
use crate::scene::{Scene, text};
use crate::session::Issued;
use crate::story::{Broken, Story, While as _};
use futures_util::{SinkExt as _, StreamExt as _};
use http::Method;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

type Socket = WebSocketStream<TlsStream<tokio::net::TcpStream>>;

/// After `locum grant revoke` returned, everything open must be cut within this.
const CUT_WITHIN: Duration = Duration::from_millis(100);
/// Nothing here should take longer; a hang must not stop the run for ever.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn revoked(
    scene: &Scene,
    story: &mut Story,
    ada: &mut Browser,
    issued: &Issued,
) -> Result<(), Broken> {
    story.step("Revoked while streams run: they are cut at once");
    let origin = scene.origin(&issued.session)?;
    let events = origin.join("events").while_("a URL")?;
    let stream = ada.open(Method::GET, &events, As::Script, "").await?;
    let is_stream = stream
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    story.check(
        stream.status() == 200 && is_stream,
        "GET /events: a stream of server-sent events",
        stream.status(),
    )?;
    let mut body = stream.into_body();
    let ticks = two_ticks(&mut body).await?;
    story.saw(format_args!("it runs: {ticks}"));
    let mut socket = ada.websocket(&origin.join("ws").while_("a URL")?).await?;
    let pong = ping(&mut socket).await?;
    story.saw(format_args!("a WebSocket at /ws: ping is answered {pong}"));

    let (events_end, socket_end) = (end_of_body(body), end_of_socket(socket));
    let output = tokio::task::block_in_place(|| {
        scene
            .programs
            .locum(&scene.dir, &["grant", "revoke", &issued.grant])
    })?;
    let returned = Instant::now();
    story.check(
        output.status.success(),
        format_args!("locum grant revoke {}", issued.grant),
        said(&output),
    )?;
    for (what, end) in [
        ("the event stream", events_end),
        ("the WebSocket", socket_end),
    ] {
        let at = timeout(PATIENCE, end).await;
        let at = at
            .while_(format_args!("{what} to be cut"))?
            .while_(format_args!("{what} to end"))?;
        let late = at.saturating_duration_since(returned);
        let text = if at <= returned {
            format!("{what} was cut before the command returned")
        } else {
            format!(
                "{what} was cut {:.1} ms after the command returned",
                late.as_secs_f64() * 1000.0
            )
        };
        story.check(
            late <= CUT_WITHIN,
            text,
            format_args!("cut only after {late:?}"),
        )?;
    }
    let order = origin.join("orders/1").while_("a URL")?;
    let before = scene.requests().len();
    let page = ada.get(&order, As::Navigation).await?;
    story.check(
        page.status == 401,
        "the next request: GET /orders/1 is answered 401",
        page.brief(),
    )?;
    let after = scene.requests().len();
    story.check(
        after == before,
        "the shop saw nothing of it",
        format_args!("{} more request(s)", after - before),
    )
}

async fn two_ticks(body: &mut Incoming) -> Result<String, Broken> {
    let mut seen = String::new();
    while seen.matches("event: tick").count() < 2 {
        let frame = timeout(PATIENCE, body.frame())
            .await
            .while_("an event every 250 ms")?;
        let frame = frame
            .while_("a stream that goes on")?
            .while_("a stream without errors")?;
        if let Some(data) = frame.data_ref() {
            seen.push_str(&String::from_utf8_lossy(data));
        }
    }
    let ticks = seen.lines().filter_map(|line| line.strip_prefix("data: "));
    Ok(ticks.collect::<Vec<_>>().join(" "))
}

async fn ping(socket: &mut Socket) -> Result<String, Broken> {
    let ping = json!({ "type": "ping", "n": 1 });
    socket
        .send(Message::text(ping.to_string()))
        .await
        .while_("to send a message")?;
    loop {
        let message = timeout(PATIENCE, socket.next())
            .await
            .while_("an answer on the WebSocket")?;
        let message = message.while_("an open WebSocket")?.while_("a message")?;
        let text = message.into_text().while_("a text message")?;
        if text.contains("pong") {
            return Ok(text.to_string());
        }
    }
}

fn end_of_body(mut body: Incoming) -> JoinHandle<Instant> {
    tokio::spawn(async move {
        while let Some(Ok(_)) = body.frame().await {}
        Instant::now()
    })
}

fn end_of_socket(mut socket: Socket) -> JoinHandle<Instant> {
    tokio::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() {
                break;
            }
        }
        Instant::now()
    })
}

pub(crate) fn recorded(scene: &Scene, story: &mut Story) -> Result<(), Broken> {
    story.step("It is all on record");
    let tail = scene
        .programs
        .locum(&scene.dir, &["audit", "tail", "-n", "12"])?;
    story.check(
        tail.status.success() && !tail.stdout.is_empty(),
        "locum audit tail, its last lines:",
        said(&tail),
    )?;
    story.quote(&String::from_utf8_lossy(&tail.stdout));
    let verified = scene.programs.locum(&scene.dir, &["audit", "verify"])?;
    story.check(
        verified.status.success(),
        "locum audit verify: the chain holds",
        said(&verified),
    )?;
    story.quote(&said(&verified));
    Ok(())
}

pub(crate) fn tampered(scene: &Scene, story: &mut Story) -> Result<(), Broken> {
    story.step("One byte is changed in a copy of the journal");
    let copy = scene.dir.join("copy");
    let (segment, mut bytes) = copied(&scene.dir.join("state/journal"), &copy)?;
    let (at, sequence) = victim(&bytes)?;
    let byte = bytes.get_mut(at).while_("the byte to change")?;
    let (old, new) = (char::from(*byte), char::from(*byte ^ 1));
    *byte ^= 1;
    std::fs::write(&segment, &bytes).while_("to write the copy")?;
    story.saw(format_args!(
        "record {sequence}, the refused MFA reset: '{old}' became '{new}' in its path"
    ));
    let verified = scene
        .programs
        .locum(&scene.dir, &["audit", "verify", &text(&copy)])?;
    let said = said(&verified);
    let names = said
        .split(|c: char| !c.is_ascii_digit())
        .any(|number| number == sequence.to_string());
    let code = verified.status.code();
    story.check(
        code == Some(1) && names,
        format_args!("locum audit verify names record {sequence} and exits with 1"),
        format_args!("exit {code:?}: {said}"),
    )?;
    story.quote(&said);
    Ok(())
}

/// Copies the journal; returns the segment that holds the refusal, with its bytes.
fn copied(from: &Path, to: &Path) -> Result<(PathBuf, Vec<u8>), Broken> {
    std::fs::create_dir_all(to).while_("to make a directory for the copy")?;
    let mut found = None;
    for entry in std::fs::read_dir(from).while_(format_args!("a journal in {}", from.display()))? {
        let entry = entry.while_("to list the journal")?;
        let bytes = std::fs::read(entry.path()).while_("to read the journal")?;
        let path = to.join(entry.file_name());
        std::fs::write(&path, &bytes).while_("to copy the journal")?;
        if String::from_utf8_lossy(&bytes).contains(PATH) {
            found = Some((path, bytes));
        }
    }
    found.while_(format_args!("a segment with {PATH} in it"))
}

const PATH: &str = "/account/mfa/reset";

/// Where the path stands in the first record that has it, and that record's sequence number.
fn victim(bytes: &[u8]) -> Result<(usize, u64), Broken> {
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if let Some(within) = memchr::memmem::find(line, PATH.as_bytes()) {
            let record: Value = serde_json::from_slice(line).while_("a record in JSON")?;
            let sequence = record.pointer("/seq").and_then(Value::as_u64);
            return Ok((
                start + within + 1,
                sequence.while_("the record's sequence number")?,
            ));
        }
        start += line.len();
    }
    Err(Broken::new(format_args!("a record with {PATH}"), "none"))
}
