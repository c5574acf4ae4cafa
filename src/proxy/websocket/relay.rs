//! Both directions of one WebSocket, from the handshake's end to the last byte.

use super::frame;
use super::inspect::{Inspector, Refusal};
use super::pipe::{Pipe, Stop};
use super::{Opcode, Rules};
use crate::audit::recording::Overrun;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    FromClient,
    FromUpstream,
}

/// Told of messages as they pass, for metrics. It must not block.
pub trait Observer: Send {
    /// A whole data message of `bytes` payload bytes passed.
    fn message(&mut self, _direction: Direction, _opcode: Opcode, _bytes: u64) {}
    /// These bytes, frames as they are, are about to be sent on. An error ends the relay: they are not.
    fn passing(&mut self, _direction: Direction, _bytes: &[u8]) -> Result<(), Overrun> {
        Ok(())
    }
    /// The client is being cut off for this.
    fn refused(&mut self, _refusal: &Refusal) {}
}

impl Observer for () {}

/// Bounds of a relay.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The longest message, in bytes, that is held to be judged whole where a route denies by field.
    pub max_held_message: usize,
    /// How long the other side may still send after one side has ended.
    pub close_grace: Duration,
    /// How long a close frame may take when the session ends or the client is cut off.
    pub cut_grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_held_message: 1024 * 1024,
            close_grace: Duration::from_secs(5),
            cut_grace: Duration::from_millis(80),
        }
    }
}

/// What one side sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Whole data messages.
    pub messages: u64,
    /// Bytes on the wire, frame headers included.
    pub bytes: u64,
}

/// Why a relay is over.
#[derive(Debug)]
pub enum Cause {
    /// The client closed first.
    ClientClosed,
    /// The upstream closed first.
    UpstreamClosed,
    /// The support session ended.
    SessionEnded,
    /// The client broke a rule of the route, or the protocol.
    Refused(Refusal),
    /// It must be recorded and could not be.
    Unrecorded,
    /// Reading from or writing to the client failed.
    ClientFailed(io::Error),
    /// Reading from or writing to the upstream failed.
    UpstreamFailed(io::Error),
}

/// What passed, for the record.
#[derive(Debug)]
pub struct Summary {
    pub from_client: Flow,
    pub from_upstream: Flow,
    /// Client messages that were refused: one at most, since the first ends it.
    pub refused: u64,
    /// The code in the first close frame of either side, or in ours.
    pub close_code: Option<u16>,
    pub cause: Cause,
}

/// Relays until either side closes, the client breaks a rule, or `ended` fires; then the client gets a close
/// frame (unless it is in the middle of a long frame, where none can be put) and both sides are shut down
/// within `settings.cut_grace`.
pub async fn relay<C, U>(
    mut client: C,
    mut upstream: U,
    rules: &Rules,
    settings: &Settings,
    ended: CancellationToken,
    observer: &mut dyn Observer,
) -> Summary
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let mut relay = Relay::new(rules, settings);
    let cause = relay
        .run(&mut client, &mut upstream, settings, &ended, observer)
        .await;
    let mut refused = 0;
    let mut own_code = None;
    match &cause {
        Cause::SessionEnded => {
            own_code = Some(1008);
            let cut = relay.cut(&mut client, &mut upstream, 1008, "support session ended");
            let _ = timeout(settings.cut_grace, cut).await;
        }
        Cause::Unrecorded => {
            own_code = Some(1011);
            let cut = relay.cut(&mut client, &mut upstream, 1011, "this cannot be recorded");
            let _ = timeout(settings.cut_grace, cut).await;
        }
        Cause::Refused(refusal) => {
            refused = 1;
            observer.refused(refusal);
            own_code = Some(refusal.code());
            let reason = refusal.to_string();
            let cut = relay.cut(&mut client, &mut upstream, refusal.code(), &reason);
            let _ = timeout(settings.cut_grace, cut).await;
        }
        _ => {
            let shut = async { tokio::join!(client.shutdown(), upstream.shutdown()) };
            let _ = timeout(settings.cut_grace, shut).await;
        }
    }
    let theirs = relay.up.close_code.or(relay.down.close_code);
    Summary {
        from_client: relay.up.flow,
        from_upstream: relay.down.flow,
        refused,
        close_code: own_code.or(theirs),
        cause,
    }
}

struct Relay<'r> {
    up: Inspector<'r>,
    up_pipe: Pipe,
    down: Inspector<'r>,
    down_pipe: Pipe,
    /// What ended first.
    first: Option<Cause>,
    is_up_done: bool,
    is_down_done: bool,
}

impl<'r> Relay<'r> {
    fn new(rules: &'r Rules, settings: &Settings) -> Self {
        let max_held = settings.max_held_message as u64;
        Self {
            up: Inspector::new(Direction::FromClient, rules, max_held),
            up_pipe: Pipe::default(),
            down: Inspector::new(Direction::FromUpstream, rules, max_held),
            down_pipe: Pipe::default(),
            first: None,
            is_up_done: false,
            is_down_done: false,
        }
    }

    async fn run<C, U>(
        &mut self,
        client: &mut C,
        upstream: &mut U,
        settings: &Settings,
        ended: &CancellationToken,
        observer: &mut dyn Observer,
    ) -> Cause
    where
        C: AsyncRead + AsyncWrite + Unpin,
        U: AsyncRead + AsyncWrite + Unpin,
    {
        let mut cancelled = pin!(ended.cancelled());
        let mut grace = pin!(tokio::time::sleep(settings.close_grace));
        let mut is_closing = false;
        poll_fn(|cx| {
            if cancelled.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Cause::SessionEnded);
            }
            if let Some(cause) = self.poll_pipes(client, upstream, observer, cx) {
                return Poll::Ready(cause);
            }
            if self.first.is_some() {
                if !is_closing {
                    is_closing = true;
                    let until = tokio::time::Instant::now() + settings.close_grace;
                    grace.as_mut().reset(until);
                }
                let is_done = self.is_up_done && self.is_down_done;
                if is_done || grace.as_mut().poll(cx).is_ready() {
                    let first = self.first.take();
                    return Poll::Ready(first.unwrap_or(Cause::UpstreamClosed));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Moves both directions on. A cause, if the relay cannot go on.
    fn poll_pipes<C, U>(
        &mut self,
        client: &mut C,
        upstream: &mut U,
        observer: &mut dyn Observer,
        cx: &mut Context<'_>,
    ) -> Option<Cause>
    where
        C: AsyncRead + AsyncWrite + Unpin,
        U: AsyncRead + AsyncWrite + Unpin,
    {
        if !self.is_up_done {
            let polled = self
                .up_pipe
                .poll(client, upstream, &mut self.up, observer, cx);
            if let Poll::Ready(stop) = polled {
                self.is_up_done = true;
                match stop {
                    Stop::End => _ = self.first.get_or_insert(Cause::ClientClosed),
                    Stop::Refused(refusal) => return Some(Cause::Refused(refusal)),
                    Stop::Unrecorded => return Some(Cause::Unrecorded),
                    Stop::ReadFailed(error) => return Some(Cause::ClientFailed(error)),
                    Stop::WriteFailed(error) => return Some(Cause::UpstreamFailed(error)),
                }
            }
        }
        if !self.is_down_done {
            let polled = self
                .down_pipe
                .poll(upstream, client, &mut self.down, observer, cx);
            if let Poll::Ready(stop) = polled {
                self.is_down_done = true;
                match stop {
                    Stop::End | Stop::Refused(_) => {
                        self.first.get_or_insert(Cause::UpstreamClosed);
                    }
                    Stop::Unrecorded => return Some(Cause::Unrecorded),
                    Stop::ReadFailed(error) => return Some(Cause::UpstreamFailed(error)),
                    Stop::WriteFailed(error) => return Some(Cause::ClientFailed(error)),
                }
            }
        }
        None
    }

    /// Says goodbye to both sides as far as the frames allow it.
    async fn cut<C, U>(&mut self, client: &mut C, upstream: &mut U, code: u16, reason: &str)
    where
        C: AsyncRead + AsyncWrite + Unpin,
        U: AsyncRead + AsyncWrite + Unpin,
    {
        if self.down.is_between_frames() {
            self.down_pipe.append(&frame::close(code, reason, false));
        }
        if self.up.is_between_frames() {
            self.up_pipe.append(&frame::close(1001, "", true));
        }
        let (down, up) = (&mut self.down_pipe, &mut self.up_pipe);
        let to_client = async {
            let _ = poll_fn(|cx| down.poll_send(client, cx)).await;
            let _ = client.shutdown().await;
        };
        let to_upstream = async {
            let _ = poll_fn(|cx| up.poll_send(upstream, cx)).await;
            let _ = upstream.shutdown().await;
        };
        tokio::join!(to_client, to_upstream);
    }
}
