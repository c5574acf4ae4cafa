//! The floor of the stack: hyper's HTTP/1 server and pooled hyper HTTP/1 client connections on one thread, and no
//! check of any kind. `bare_hop PORT UPSTREAM` serves 127.0.0.1:PORT and forwards to 127.0.0.1:UPSTREAM.

use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use tokio::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Pool = Rc<RefCell<Vec<SendRequest<Incoming>>>>;

async fn connect(upstream: u16) -> io::Result<SendRequest<Incoming>> {
    let stream = TcpStream::connect(("127.0.0.1", upstream)).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::task::spawn_local(connection);
    Ok(sender)
}

/// One request over a kept connection, or a new one.
async fn forward(
    pool: Pool,
    upstream: u16,
    request: Request<Incoming>,
) -> io::Result<Response<Incoming>> {
    let mut sender = loop {
        let kept = pool.borrow_mut().pop();
        match kept {
            Some(kept) if kept.is_closed() => {}
            Some(kept) => break kept,
            None => break connect(upstream).await?,
        }
    };
    sender.ready().await.map_err(io::Error::other)?;
    let response = sender
        .send_request(request)
        .await
        .map_err(io::Error::other)?;
    // hyper queues the next request behind the body that is still to come; `ready` above waits for it.
    tokio::task::spawn_local(async move {
        if sender.ready().await.is_ok() {
            pool.borrow_mut().push(sender);
        }
    });
    Ok(response)
}

async fn serve(port: u16, upstream: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let pool = Pool::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let pool = Rc::clone(&pool);
        let service = service_fn(move |request| forward(Rc::clone(&pool), upstream, request));
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        tokio::task::spawn_local(connection);
    }
}

fn main() -> io::Result<()> {
    let port = |n| std::env::args().nth(n).and_then(|text| text.parse().ok());
    let (Some(port), Some(upstream)) = (port(1), port(2)) else {
        return Err(io::Error::other("usage: bare_hop PORT UPSTREAM"));
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(port, upstream))
}
