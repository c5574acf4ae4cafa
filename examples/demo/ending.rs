//! Security locks an operator out while streams run.

use crate::asking::ask;
use crate::browser::{As, Browser};
use crate::persona::Persona;
use crate::scene::Scene;
use crate::session::Issued;
use crate::story::{Broken, Story, While as _};
use futures_util::{SinkExt as _, StreamExt as _};
use http::Method;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use url::Url;

type Socket = WebSocketStream<TlsStream<tokio::net::TcpStream>>;

/// After the lock was answered, everything open must be cut within this.
const CUT_WITHIN: Duration = Duration::from_millis(100);
/// Nothing here should take longer; a hang must not stop the run for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tess locks Ada out; what Ada has open ends, and she can ask for nothing until the lock is lifted.
pub(crate) async fn locked(
    scene: &Scene,
    story: &mut Story,
    (ada, at_portal): (&mut Browser, &mut Persona),
    issued: &Issued,
) -> Result<(), Broken> {
    story.step("Security locks Ada out while streams run: they are cut at once");
    let origin = scene.origin(&issued.session)?;
    let ends = streams(story, ada, &origin).await?;
    let mut tess = Persona::sign_in(scene, "tess@support.example").await?;
    let lock = json!({ "key": "operator:ada@support.example", "reason": "Her laptop was stolen" });
    let lock = tess.post("locks", &lock).await?;
    let returned = Instant::now();
    lock.is_yes(
        story,
        format_args!(
            "Tess Okoye of security locks {}: {} session ended",
            lock.text("/key"),
            lock.text("/ended")
        ),
    )?;
    for (what, end) in ends {
        cut(story, what, end, returned).await?;
    }
    let before = scene.requests().len();
    let page = ada
        .get(&origin.join("orders/1").while_("a URL")?, As::Navigation)
        .await?;
    story.check(
        page.status == 401,
        "the next request: GET /orders/1 is answered 401",
        page.brief(),
    )?;
    let more = scene.requests().len() - before;
    story.check(
        more == 0,
        "the shop saw nothing of it",
        format_args!("{more} more request(s)"),
    )?;
    let refused = at_portal.post("requests", &ask("SUP-1042")).await?;
    refused.is_no(story, "Ada asks again", 403, "locked")?;
    let id = lock.text("/id");
    let lifted = json!({ "reason": "The laptop was found, its disk was encrypted" });
    let lifted = tess.post(&format!("locks/{id}/lift"), &lifted).await?;
    lifted.is_yes(
        story,
        "the lock is lifted again, which is on record like the lock",
    )
}

/// Opens an event stream and a WebSocket, sees both run, and watches for their ends.
async fn streams(
    story: &Story,
    ada: &mut Browser,
    origin: &Url,
) -> Result<[(&'static str, JoinHandle<Instant>); 2], Broken> {
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
    Ok([
        ("the event stream", end_of_body(body)),
        ("the WebSocket", end_of_socket(socket)),
    ])
}

async fn cut(
    story: &Story,
    what: &str,
    end: JoinHandle<Instant>,
    returned: Instant,
) -> Result<(), Broken> {
    let at = timeout(PATIENCE, end).await;
    let at = at
        .while_(format_args!("{what} to be cut"))?
        .while_(format_args!("{what} to end"))?;
    let late = at.saturating_duration_since(returned);
    let text = if at <= returned {
        format!("{what} was cut before the call was answered")
    } else {
        format!(
            "{what} was cut {:.1} ms after the call was answered",
            late.as_secs_f64() * 1000.0
        )
    };
    story.check(
        late <= CUT_WITHIN,
        text,
        format_args!("cut only after {late:?}"),
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
