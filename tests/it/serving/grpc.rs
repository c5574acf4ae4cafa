//! An app that speaks HTTP/2 by prior knowledge as gRPC servers do: echoes messages as they come, then trailers.

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(super) struct Server {
    pub(super) address: String,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) async fn server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut connection) = h2::server::handshake(stream).await else {
                    return;
                };
                while let Some(Ok((request, respond))) = connection.accept().await {
                    tokio::spawn(echo(request, respond));
                }
            });
        }
    });
    Server { address, task }
}

async fn echo(request: Request<h2::RecvStream>, mut respond: h2::server::SendResponse<Bytes>) {
    let (parts, mut body) = request.into_parts();
    let mut response = Response::builder().header("content-type", "application/grpc");
    if let Some(te) = parts.headers.get("te") {
        response = response.header("x-te", te);
    }
    let Ok(mut sending) = respond.send_response(response.body(()).unwrap(), false) else {
        return;
    };
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        let _ = sending.send_data(data, false);
    }
    let heard = body.trailers().await.ok().flatten().unwrap_or_default();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    if let Some(sent) = heard.get("x-sent") {
        trailers.insert("x-heard", sent.clone());
    }
    let _ = sending.send_trailers(trailers);
}
