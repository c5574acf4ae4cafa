//! TLS: certificates by SNI, versions, ALPN, client certificates, reload; and listeners without TLS.

use crate::support::authority::ClientCa;
use crate::support::client::{Conn, Trust};
use crate::support::http2;
use crate::support::locum::{Locum, Plan, certs_dev, tls_lines};
use crate::support::upstream::Upstream;
use tokio::net::TcpStream;

/// The certificate that a connection was shown.
async fn shown(trust: &Trust, port: u16, host: &str) -> Vec<u8> {
    let stream = trust.try_tls(port, host, &["http/1.1"]).await.expect("TLS");
    let chain = stream.get_ref().1.peer_certificates().expect("a chain");
    chain[0].to_vec()
}

const VERSIONS: [&[&rustls::SupportedProtocolVersion]; 2] =
    [&[&rustls::version::TLS12], &[&rustls::version::TLS13]];

#[tokio::test]
async fn both_versions_and_both_protocols_are_spoken() {
    let app = Upstream::plain().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let agent = locum.agent().await;
    for version in VERSIONS {
        let trust = locum.trust.clone().only(version);
        for alpn in ["http/1.1", "h2"] {
            let stream = trust.try_tls(locum.port, &agent.host, &[alpn]).await;
            let stream = stream.expect("TLS");
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn.as_bytes()));
        }
        let both = trust
            .try_tls(locum.port, &agent.host, &["http/1.1", "h2"])
            .await;
        assert_eq!(
            both.expect("TLS").get_ref().1.alpn_protocol(),
            Some(&b"h2"[..])
        );
        let mut conn = trust.http1(locum.port, &agent.host).await;
        assert_eq!(conn.ask(&agent.get("/")).await.status, 200);
        let mut client = trust.http2(locum.port, &agent.host).await;
        let request = client
            .request("GET", &agent.host, "/")
            .header("cookie", &agent.cookie);
        let answer = client.ask(request.body(()).unwrap()).await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "seen"));
    }
}

#[tokio::test]
async fn the_name_asked_for_picks_the_certificate() {
    let app = Upstream::plain().await;
    let other = tempfile::tempdir().unwrap();
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_locum"))
        .args([
            "certs",
            "dev",
            "--app",
            "desk",
            "--suffix",
            "localhost",
            "--dir",
        ])
        .arg(other.path())
        .output();
    assert!(made.unwrap().status.success());
    let dir = other.path().display();
    let more = format!(", extra = [{{ cert = \"{dir}/locum.pem\", key = \"{dir}/locum.key\" }}]");
    let plan = Plan::new(&app.address).listener(&tls_lines(&more));
    let locum = Locum::start(&plan).await;
    let desk = Trust::new(&other.path().join("ca.pem"));
    // Each is only found good by who trusts its own authority.
    let first = shown(&locum.trust, locum.port, "s1.shop.localhost").await;
    let second = shown(&desk, locum.port, "s1.desk.localhost").await;
    assert_ne!(first, second);
    assert!(
        desk.try_tls(locum.port, "s1.shop.localhost", &[])
            .await
            .is_err()
    );
}

#[tokio::test]
async fn client_certificates_are_asked_for_as_configured() {
    let app = Upstream::plain().await;
    let ca = ClientCa::new();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ca.pem"), ca.pem()).unwrap();
    let (certificate, key) = ca.client("ada");
    let (strange, strange_key) = ClientCa::new().client("eve");
    for (auth, without_is_served) in [("optional", true), ("required", false)] {
        let more = format!(
            ", client_ca = \"{}/ca.pem\", client_auth = \"{auth}\"",
            dir.path().display()
        );
        let plan = Plan::new(&app.address).listener(&tls_lines(&more));
        let mut locum = Locum::start(&plan).await;
        let bare = locum.trust.clone();
        locum.trust = bare.clone().showing(&certificate, &key);
        let agent = locum.agent().await;
        assert_eq!(locum.get(&agent, "/").await.status, 200, "{auth}");
        assert_eq!(
            serves(&bare, locum.port, &agent.host).await,
            without_is_served,
            "{auth}"
        );
        let stranger = bare.showing(&strange, &strange_key);
        assert!(!serves(&stranger, locum.port, &agent.host).await, "{auth}");
        locum.until("locum_handshakes_failed_total", 1.0).await;
    }
}

/// Whether a request gets any answer: in TLS 1.3 a client learns of its certificate's refusal only then.
async fn serves(trust: &Trust, port: u16, host: &str) -> bool {
    let Ok(stream) = trust.try_tls(port, host, &["http/1.1"]).await else {
        return false;
    };
    let mut conn = Conn::new(stream);
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    conn.try_send(request).await.is_ok() && conn.more().await
}

#[tokio::test]
async fn certificates_are_read_again_and_open_connections_stay() {
    let app = Upstream::plain().await;
    let own = tempfile::tempdir().unwrap();
    certs_dev(own.path());
    let dir = own.path().display();
    let lines = format!("tls = {{ cert = \"{dir}/locum.pem\", key = \"{dir}/locum.key\" }}\n");
    let plan = Plan::new(&app.address).listener(&lines);
    let mut locum = Locum::start(&plan).await;
    locum.trust = Trust::new(&own.path().join("ca.pem"));
    let agent = locum.agent().await;
    let mut open = locum.connect(&agent.host).await;
    assert_eq!(open.ask(&agent.get("/before")).await.status, 200);
    let before = shown(&locum.trust, locum.port, &agent.host).await;

    certs_dev(own.path());
    locum.reload("taken").await;
    assert_eq!(open.ask(&agent.get("/after")).await.status, 200);
    let trust = Trust::new(&own.path().join("ca.pem"));
    assert_ne!(shown(&trust, locum.port, &agent.host).await, before);

    // A key that does not fit is refused whole; what was good is still shown.
    let good = shown(&trust, locum.port, &agent.host).await;
    std::fs::write(own.path().join("locum.key"), "no key").unwrap();
    locum.reload("refused").await;
    assert_eq!(shown(&trust, locum.port, &agent.host).await, good);
    assert_eq!(open.ask(&agent.get("/still")).await.status, 200);
    locum
        .record(|one| one["metadata"]["event_code"] == "config.refused")
        .await;
}

#[tokio::test]
async fn a_plain_listener_speaks_http1_and_http2_by_prior_knowledge() {
    let app = Upstream::plain().await;
    let lines = "plain = true\nh2c = true\nexternal_scheme = \"https\"\n";
    let locum = Locum::start(&Plan::new(&app.address).listener(lines)).await;
    let agent = locum.plain_agent("").await;
    let mut conn = Conn::plain(locum.port).await;
    assert_eq!(conn.ask(&agent.get("/")).await.status, 200);
    let stream = TcpStream::connect(("127.0.0.1", locum.port)).await.unwrap();
    let mut client = http2::Client::new(stream, "https").await;
    let request = client
        .request("GET", &agent.host, "/two")
        .header("cookie", &agent.cookie);
    let answer = client.ask(request.body(()).unwrap()).await.unwrap();
    assert_eq!((answer.status, app.saw("/two")), (200, 1), "{answer:?}");
    // TLS is not guessed at.
    assert!(
        locum
            .trust
            .try_tls(locum.port, &agent.host, &[])
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_tls_listener_speaks_nothing_else() {
    let app = Upstream::plain().await;
    let locum = Locum::start(&Plan::new(&app.address)).await;
    let mut conn = Conn::plain(locum.port).await;
    conn.send("GET / HTTP/1.1\r\nHost: x.shop.localhost\r\n\r\n")
        .await;
    conn.more().await;
    let said = conn.take();
    assert!(!said.starts_with(b"HTTP/"), "{said:?}");
    assert!(app.heard().is_empty());
}

const PROXIED: &str = "plain = true\nexternal_scheme = \"https\"\nproxy_protocol = \"any\"\n";

/// Version 2, TCP over IPv4, from 203.0.113.9:4000.
fn version2() -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend([203, 0, 113, 9, 127, 0, 0, 1, 0x0f, 0xa0, 0x20, 0xfb]);
    header
}

#[tokio::test]
async fn a_trusted_proxy_header_says_who_the_client_is() {
    let app = Upstream::plain().await;
    let lines = format!("{PROXIED}trusted_proxies = [\"127.0.0.1\"]\n");
    let locum = Locum::start(&Plan::new(&app.address).listener(&lines)).await;
    let version1 = "PROXY TCP4 203.0.113.9 127.0.0.1 4000 8443\r\n";
    let agent = locum.plain_agent(version1).await;
    for header in [version1.as_bytes().to_vec(), version2()] {
        let mut conn = Conn::plain(locum.port).await;
        conn.send(&header).await;
        // Who is behind the proxy is no proxy: what it claims of others is not believed.
        let claim = agent.request("GET", "/", "X-Forwarded-For: 198.51.100.1\r\n");
        assert_eq!(conn.ask(&claim).await.status, 200);
        assert_eq!(app.last().field("x-forwarded-for"), "203.0.113.9");
    }
    let record = locum
        .record(|one| one["metadata"]["event_code"] == "exchange.opened")
        .await;
    assert_eq!(record["src_endpoint"]["ip"], "203.0.113.9", "{record}");
    // Without the header there is no request.
    let mut conn = Conn::plain(locum.port).await;
    conn.send(agent.get("/none")).await;
    conn.closed().await;
    assert_eq!(app.saw("/none"), 0);
}

#[tokio::test]
async fn nobody_else_may_speak_for_a_client() {
    let app = Upstream::plain().await;
    let lines = format!("{PROXIED}trusted_proxies = [\"192.0.2.1\"]\n");
    let locum = Locum::start(&Plan::new(&app.address).listener(&lines)).await;
    let mut conn = Conn::plain(locum.port).await;
    let _ = conn
        .try_send("PROXY TCP4 203.0.113.9 127.0.0.1 4000 8443\r\nGET / HTTP/1.1\r\n\r\n")
        .await;
    conn.closed().await;
    assert!(app.heard().is_empty());
    let name = "locum_refusals_total{reason=\"proxy-protocol-untrusted\",status=\"0\"}";
    assert!(locum.metric(name).await >= 1.0);
}

#[tokio::test]
async fn a_trusted_terminator_says_who_the_client_is() {
    let app = Upstream::plain().await;
    let lines = "plain = true\nexternal_scheme = \"https\"\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let locum = Locum::start(&Plan::new(&app.address).listener(lines)).await;
    let agent = locum.plain_agent("").await;
    let mut conn = Conn::plain(locum.port).await;
    // The rightmost address that is no proxy of ours is the client; what is left of it anybody can write.
    let fields = "X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n";
    assert_eq!(
        conn.ask(&agent.request("GET", "/via", fields)).await.status,
        200
    );
    let record = locum
        .record(|one| {
            one["metadata"]["event_code"] == "exchange.opened" && one.to_string().contains("/via")
        })
        .await;
    assert_eq!(record["src_endpoint"]["ip"], "203.0.113.7", "{record}");
    assert_eq!(
        app.last().field("x-forwarded-for"),
        "198.51.100.1, 203.0.113.7, 127.0.0.1"
    );
}
