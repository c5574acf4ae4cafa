//! A WebSocket: its handshake goes to the app like any request, then frames are relayed under the route's rules.

use super::authenticate::Authenticated;
use super::body::ResponseBody;
use super::canonical::{Upgrades, strip_hop_by_hop};
use super::close::Closer;
use super::decide::Permitted;
use super::handshake;
use super::inbound::{Inbound, Payload};
use super::outbound;
use super::record;
use super::refusal::Refusal;
use super::refused::{Refused, closed_with};
use super::respond;
use super::setup::AppOrigin;
use super::subject::Subject;
use super::upstream::UpstreamBody;
use super::way::Way;
use super::websocket::{
    self, Cause, Direction, Judge, Observer, Opcode, Rules, Summary, Taping, relay,
};
use super::worker::{Taken, Worker};
use crate::audit::recording::{Overrun, Which};
use crate::audit::{Banner, Event, Outcome, Receipt};
use crate::model::Clock;
use crate::policy::{MessageDenied, WsMode, WsRules};
use crate::store::live::{LiveSession, UnderWay};
use crate::telemetry::Limit;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Opens the WebSocket to the app, then relays until either side or the session ends.
pub async fn forward(
    way: &Way<'_>,
    inbound: &Inbound,
    payload: Payload,
    authenticated: Authenticated,
    permitted: Permitted,
    receipt: Receipt,
) -> Result<Response<ResponseBody>, Box<Refused>> {
    let mut closer = Closer {
        receipt,
        metrics: Arc::clone(&way.worker.plane().metrics),
        under_way: UnderWay::new(&authenticated.session),
        request: None,
        started: inbound.started,
        status: 0,
        first_byte: None,
        banner: Banner::NotNeeded,
        upstream: None,
        tap: None,
    };
    let Ok(tap) = record::begin(way, inbound, &authenticated, &permitted).await else {
        let refusal = record::refusal();
        return Err(closed_with(
            closer,
            authenticated,
            refusal,
            Outcome::Refused,
        ));
    };
    closer.tap = tap;
    let opened = open(way, inbound, payload, &authenticated, &permitted).await;
    let Opened {
        response,
        client,
        place,
    } = match opened {
        Ok(opened) => opened,
        Err(failed) => {
            closer.upstream = failed.upstream;
            let (refusal, outcome) = (failed.refusal, failed.outcome);
            return Err(closed_with(closer, authenticated, refusal, outcome));
        }
    };
    closer.first_byte = Some(inbound.started.elapsed());
    closer.upstream = response.body().peer().cloned();
    let (StatusCode::SWITCHING_PROTOCOLS, Some(client)) = (response.status(), client) else {
        return respond::respond(way, inbound, authenticated, response, closer);
    };
    Ok(switch(
        way,
        inbound,
        authenticated,
        &permitted,
        response,
        client,
        closer,
        place,
    ))
}

/// The app's answer to a handshake, and what is needed if it agrees.
struct Opened {
    response: Response<UpstreamBody>,
    client: Option<OnUpgrade>,
    place: Taken,
}

/// Sends the handshake.
async fn open(
    way: &Way<'_>,
    inbound: &Inbound,
    payload: Payload,
    authenticated: &Authenticated,
    permitted: &Permitted,
) -> Result<Opened, outbound::Failed> {
    let plane = way.worker.plane();
    let refused = |refusal| outbound::Failed::from((refusal, Outcome::Refused));
    let Some(place) = plane.websockets.take(way.setup.limits.max_websockets) else {
        plane.metrics.hit(Limit::WebSockets);
        let detail = "As many WebSockets as allowed are open.";
        return Err(refused(Refusal::unavailable("too-many-websockets", detail)));
    };
    if payload.upgrade.is_none() {
        let title = "This connection cannot become a WebSocket";
        return Err(refused(Refusal::new(
            StatusCode::BAD_REQUEST,
            "upgrade",
            title,
            "Connect again.",
        )));
    }
    let subject = Subject::new(way, inbound, authenticated);
    subject.prepare().await.map_err(refused)?;
    let body = Empty::<Bytes>::new();
    let request = outbound::request(
        way,
        inbound,
        authenticated,
        permitted,
        body,
        Upgrades::KeepWebSocket,
    );
    let request = handshake::for_app(request.map_err(refused)?);
    let response = tokio::select! {
        biased;
        () = authenticated.session.ended().cancelled() => return Err(outbound::cut_short()),
        sent = way.origin.upstream.send(way.worker.lane(), request) => {
            sent.map_err(|error| outbound::upstream_failed(way, inbound, None, &error))?
        }
    };
    if inbound.is_h2() && response.status().is_success() {
        // To an extended CONNECT any 2xx says that the WebSocket is open (RFC 8441 §5), and here it is not.
        let detail = "It did not open the WebSocket.";
        let refusal = Refusal::upstream(StatusCode::BAD_GATEWAY, "upgrade-refused", detail);
        return Err(outbound::Failed {
            upstream: response.body().peer().cloned(),
            ..(refusal, Outcome::Failed).into()
        });
    }
    Ok(Opened {
        response,
        client: payload.upgrade,
        place,
    })
}

#[allow(clippy::too_many_arguments)] // everything that a WebSocket takes with it when it leaves its request
fn switch(
    way: &Way<'_>,
    inbound: &Inbound,
    authenticated: Authenticated,
    permitted: &Permitted,
    mut response: Response<UpstreamBody>,
    client: OnUpgrade,
    mut closer: Closer,
    place: Taken,
) -> Response<ResponseBody> {
    let plane = Arc::clone(way.worker.plane());
    let upstream = hyper::upgrade::on(&mut response);
    let received = closer.tap.is_some().then(|| response.headers().clone());
    respond::keep_cookies(way, inbound, &authenticated, response.headers_mut());
    let answer = handshake::answer(response.headers(), inbound.is_h2());
    closer.status = answer.status().as_u16();
    let taping = closer.tap.clone().map(|tap| {
        let status = Some(closer.status);
        // What is lost here is told by the tape; the first message that is lost ends it, where it must.
        let _ = tap.headers(Which::Received, Some(101), &received.unwrap_or_default());
        let _ = tap.headers(Which::Shown, status, answer.headers());
        Taping::new(tap, way.setup.recording.max_message)
    });
    release(inbound);
    let rules = permitted
        .verdict()
        .websocket
        .as_ref()
        .map(rules)
        .unwrap_or_default();
    let exchange = inbound.exchange;
    let busy = inbound.arrival.busy.clone();
    let settings = websocket::Settings {
        max_held_message: way.setup.limits.max_websocket_message,
        ..websocket::Settings::default()
    };
    let ended = authenticated.session.ended().clone();
    plane.metrics.websockets.inc();
    tokio::spawn(async move {
        let _held = (place, busy);
        let mut counts = Counting {
            metrics: Arc::clone(&plane.metrics),
            session: Arc::clone(&authenticated.session),
            clock: plane.clock.clone(),
            taping,
        };
        let summary = both(client, upstream, &rules, &settings, ended, &mut counts).await;
        plane.metrics.websockets.dec();
        let Some(summary) = summary else {
            return closer.close(Outcome::Aborted, "upgrade-failed", 0, None);
        };
        let (outcome, cause) = outcome(&summary, &authenticated);
        let usage = authenticated.session.usage();
        usage.carried(summary.from_client.bytes, 0);
        plane.journal.note(&Event::WebSocketEnded {
            session: &authenticated.state.part,
            exchange,
            messages_in: summary.from_client.messages,
            messages_out: summary.from_upstream.messages,
            bytes_in: summary.from_client.bytes,
            bytes_out: summary.from_upstream.bytes,
            refused: summary.refused,
            cause: &cause,
        });
        closer.close(outcome, &cause, summary.from_upstream.bytes, None);
    });
    answer
}

async fn both(
    client: OnUpgrade,
    upstream: OnUpgrade,
    rules: &Rules,
    settings: &websocket::Settings,
    ended: CancellationToken,
    observer: &mut dyn Observer,
) -> Option<Summary> {
    let open = |upgraded: Upgraded| TokioIo::new(upgraded);
    let (client, upstream) = tokio::try_join!(client, upstream).ok()?;
    Some(
        relay(
            open(client),
            open(upstream),
            rules,
            settings,
            ended,
            observer,
        )
        .await,
    )
}

/// What follows on the client's connection is no HTTP: the guard lets it through.
fn release(inbound: &Inbound) {
    if let Some(notes) = &inbound.arrival.notes {
        notes.release();
    }
}

/// The route's rules as the relay takes them; what a message may say is asked of the policy itself.
fn rules(given: &Arc<WsRules>) -> Rules {
    let judge = given.reads_messages().then(|| {
        let given = Arc::clone(given);
        Judge::new(move |message, is_text| {
            given.judge(message, is_text).map_err(MessageDenied::name)
        })
    });
    Rules {
        mode: if given.mode == WsMode::Allow {
            websocket::Mode::Allow
        } else {
            websocket::Mode::ReceiveOnly
        },
        max_message: given.max_message,
        max_rate: given.max_rate.unwrap_or(0),
        judge,
    }
}

fn outcome(summary: &Summary, authenticated: &Authenticated) -> (Outcome, String) {
    match &summary.cause {
        Cause::ClientClosed => (Outcome::Done, "client-closed".into()),
        Cause::UpstreamClosed => (Outcome::Done, "upstream-closed".into()),
        Cause::SessionEnded => {
            let cause = authenticated
                .session
                .ending()
                .map_or("ended", |ended| ended.cause.as_str());
            (Outcome::Cut, cause.into())
        }
        Cause::Unrecorded => (Outcome::Cut, "recording".into()),
        Cause::Refused(refusal) => (Outcome::Cut, format!("refused: {refusal}")),
        Cause::ClientFailed(_) => (Outcome::Aborted, "client-gone".into()),
        Cause::UpstreamFailed(_) => (Outcome::Failed, "upstream-broke-off".into()),
    }
}

struct Counting {
    metrics: Arc<crate::telemetry::Metrics>,
    session: Arc<LiveSession>,
    clock: Clock,
    taping: Option<Taping>,
}

impl Observer for Counting {
    /// What the operator sends is a use of the session; what the app sends by itself is none.
    fn message(&mut self, direction: Direction, _: Opcode, _: u64) {
        if direction == Direction::FromClient {
            self.session.touch(self.clock.now());
        }
    }

    fn passing(&mut self, direction: Direction, bytes: &[u8]) -> Result<(), Overrun> {
        match &mut self.taping {
            None => Ok(()),
            Some(taping) => taping.passed(direction, bytes),
        }
    }

    fn refused(&mut self, refusal: &websocket::Refusal) {
        self.metrics.refused(refusal.name(), 0);
    }
}

/// An ordinary customer's WebSocket (inline placement): bytes pass as they are.
pub async fn pass<B>(
    worker: &Worker,
    inbound: &Inbound,
    client: Option<OnUpgrade>,
    origin: &AppOrigin,
    request: Request<B>,
) -> Result<Response<ResponseBody>, Box<Refused>>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let request = if inbound.is_h2() {
        handshake::for_app(request)
    } else {
        request
    };
    let failed = |status, name| Refused {
        is_recorded: true,
        ..Refusal::upstream(status, name, "Try again in a moment.").into()
    };
    let mut response = match origin.upstream.send(worker.lane(), request).await {
        Ok(response) => response,
        Err(error) => return Err(Box::new(failed(error.status(), error.name()))),
    };
    let (StatusCode::SWITCHING_PROTOCOLS, Some(client)) = (response.status(), client) else {
        strip_hop_by_hop(response.headers_mut(), Upgrades::Drop);
        return Ok(response.map(|body| ResponseBody::passed(respond::source(body))));
    };
    let upstream = hyper::upgrade::on(&mut response);
    let mut answer = handshake::answer(response.headers(), inbound.is_h2());
    for (name, value) in response.headers() {
        if !answer.headers().contains_key(name) && !inbound.is_h2() {
            answer.headers_mut().append(name.clone(), value.clone());
        }
    }
    release(inbound);
    let busy = inbound.arrival.busy.clone();
    tokio::spawn(async move {
        let _busy = busy;
        if let Ok((client, upstream)) = tokio::try_join!(client, upstream) {
            let _ = tokio::io::copy_bidirectional(
                &mut TokioIo::new(client),
                &mut TokioIo::new(upstream),
            )
            .await;
        }
    });
    Ok(answer)
}
