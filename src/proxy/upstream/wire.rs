//! The socket below a connection: TCP or Unix, in clear or in TLS, and its place under the connection limit.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::client::TlsStream;

/// A socket without TLS.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

#[derive(Debug)]
enum Layer {
    Clear(Socket),
    Tls(Box<TlsStream<Socket>>),
}

/// What hyper reads and writes. The permit lives as long as the socket, through an upgrade too.
#[derive(Debug)]
pub(super) struct Wire {
    layer: Layer,
    _permit: OwnedSemaphorePermit,
}

impl Wire {
    pub(super) fn clear(socket: Socket, permit: OwnedSemaphorePermit) -> Self {
        Self {
            layer: Layer::Clear(socket),
            _permit: permit,
        }
    }

    pub(super) fn tls(stream: TlsStream<Socket>, permit: OwnedSemaphorePermit) -> Self {
        Self {
            layer: Layer::Tls(Box::new(stream)),
            _permit: permit,
        }
    }
}

macro_rules! each {
    ($self:ident, $type:ident { $($variant:ident)+ }, $inner:ident => $call:expr) => {
        match $self.get_mut() { $($type::$variant($inner) => $call,)+ }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, Self { Tcp Unix }, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, Self { Tcp Unix }, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, Self { Tcp Unix }, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, Self { Tcp Unix }, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, Self { Tcp Unix }, io => Pin::new(io).poll_shutdown(cx))
    }
}

macro_rules! layer {
    ($self:ident, $inner:ident => $call:expr) => {
        match &mut $self.get_mut().layer {
            Layer::Clear($inner) => $call,
            Layer::Tls(boxed) => {
                let $inner = &mut **boxed;
                $call
            }
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        layer!(self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        layer!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        layer!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        layer!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        layer!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}
