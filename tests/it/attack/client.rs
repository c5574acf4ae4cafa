//! What an attacker sends: bytes as they are, or HTTP/2 as no browser would.

use super::rig::Session;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take to end; one that stays open (101) ends here.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sends `bytes` on a connection of its own; returns all that is answered.
pub(crate) fn raw(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        all.extend_from_slice(&piece[..length]);
        if all.starts_with(b"HTTP/1.1 101") {
            break;
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Posts a body over HTTP/2 with a trailer `name` that says `forged`; returns the status.
pub(crate) fn h2_post_with_trailer(
    address: SocketAddr,
    session: &Session,
    path: &str,
    name: &'static str,
) -> u16 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = http::Request::post(format!("https://{}{path}", session.host))
            .header("cookie", &session.cookie)
            .header("trailer", name)
            .body(())
            .unwrap();
        let mut client = client.ready().await.unwrap();
        let (response, mut body) = client.send_request(request, false).unwrap();
        body.send_data("hi".into(), false).unwrap();
        let mut trailers = http::HeaderMap::new();
        trailers.insert(name, http::HeaderValue::from_static("forged"));
        body.send_trailers(trailers).unwrap();
        let response = tokio::time::timeout(PATIENCE, response).await.unwrap();
        connection.abort();
        response.unwrap().status().as_u16()
    })
}

/// Whether a connection that sends `bytes` and then nothing is closed within so many seconds.
pub(crate) fn is_closed_after(address: SocketAddr, bytes: &str, seconds: u64) -> bool {
    let mut stream = TcpStream::connect(address).unwrap();
    let limit = Some(Duration::from_secs(seconds));
    stream.set_read_timeout(limit).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
