//! Places on the portal's listener: held by nobody for nothing, and no more of them than are due.

use super::{Settings, listen};
use crate::config::{Cidr, Config};
use crate::telemetry::Metrics;
use axum::Router;
use axum::body::Bytes as Whole;
use axum::routing::post;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// A free address, and a listener's settings on it.
fn settings() -> std::io::Result<Settings> {
    let free = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(Settings {
        address: free.local_addr()?,
        tls: None,
        max_connections: 100,
        max_per_address: 100,
        trusted_proxies: Vec::new(),
        metrics: Arc::default(),
        head_timeout: Duration::from_secs(20),
    })
}

/// Networks as the configuration has them.
fn trusted_proxies(text: &str) -> Vec<Cidr> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("locum.toml");
    let smallest = include_str!("../../../../tests/data/smallest.toml");
    let portal = format!("[listeners.portal]\ntrusted_proxies = ['{text}']\n");
    std::fs::write(&path, format!("{smallest}\n{portal}")).expect("written");
    let config = Config::load_without_files(&path, []).unwrap_or_else(|why| panic!("{why}"));
    config.listeners.portal.trusted_proxies
}

/// Whether a connection to `address` is served.
async fn is_served(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let ask = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.ok()?;
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.ok()?;
    Some(stream)
}

fn hits(metrics: &Metrics, limit: &str) -> bool {
    let wanted = format!("limit=\"{limit}\"}} 1");
    metrics.expose().contains(&wanted)
}

#[tokio::test]
async fn one_address_holds_so_many_connections_and_a_trusted_proxy_more()
-> Result<(), Box<dyn std::error::Error>> {
    for (trusted, wanted) in [("192.0.2.0/24", 2), ("127.0.0.0/8", 3)] {
        let settings = Settings {
            max_connections: 3,
            max_per_address: 2,
            trusted_proxies: trusted_proxies(trusted),
            ..settings()?
        };
        let (address, metrics) = (settings.address, Arc::clone(&settings.metrics));
        let stop = CancellationToken::new();
        let router = Router::new();
        let listening = listen(settings, router, stop.clone()).await?;
        let mut open = Vec::new();
        while let Some(stream) = is_served(address).await {
            open.push(stream);
            assert!(open.len() <= wanted, "{trusted}");
        }
        assert_eq!(open.len(), wanted, "{trusted}");
        let limit = if wanted == 2 {
            "PortalAddress"
        } else {
            "PortalConnections"
        };
        assert!(hits(&metrics, limit), "{trusted}: {}", metrics.expose());
        // Whoever goes makes room.
        open.pop();
        let mut again = None;
        for _ in 0..500 {
            again = is_served(address).await;
            if again.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(again.is_some(), "{trusted}");
        stop.cancel();
        listening.await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_trickles_holds_no_place() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings {
        max_connections: 1,
        head_timeout: Duration::from_millis(300),
        ..settings()?
    };
    let address = settings.address;
    let router = Router::new().route("/", post(|_: Whole| async { "whole" }));
    let stop = CancellationToken::new();
    let listening = listen(settings, router, stop.clone()).await?;
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n";
    let mut slow = TcpStream::connect(address).await?;
    slow.write_all(head.as_bytes()).await?;
    let (mut reads, mut writes) = slow.into_split();
    let trickle = tokio::spawn(async move {
        while writes.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(5), reads.read_to_string(&mut answer));
    read.await.map_err(|_| "the place is held")?.ok();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    trickle.abort();
    // The only place is free again.
    let mut next = TcpStream::connect(address).await?;
    let whole = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nconnection: close\r\n\r\na";
    next.write_all(whole.as_bytes()).await?;
    let mut answer = String::new();
    next.read_to_string(&mut answer).await?;
    assert!(answer.ends_with("whole"), "{answer}");
    stop.cancel();
    listening.await?;
    Ok(())
}
