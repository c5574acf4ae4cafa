//! The real `locum` on a plain listener before an app that records every byte, and one live session: for the
//! modules that send raw requests.

use crate::recorder::Recorder;
use crate::support::client::Conn;
use crate::support::locum::{Locum, PATIENCE, Plan, free_port};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A running Locum and its app; both end when dropped.
pub(crate) struct Probed {
    pub(crate) locum: Locum,
    pub(crate) app: Recorder,
    /// `127.0.0.1:port`: HTTP/1.1, and HTTP/2 by prior knowledge.
    pub(crate) address: String,
    /// The session's own `Host`.
    pub(crate) host: String,
    /// The session's `Cookie` line, with its CRLF.
    pub(crate) cookie: String,
}

impl Probed {
    /// `limits`: lines of the configuration's `[limits]`.
    pub(crate) async fn start(limits: &str) -> Self {
        let app = Recorder::start().await;
        // Browsers would come through something in front: the port that they see is not the listener's.
        let seen = free_port();
        let listener = format!(
            "plain = true\nh2c = true\nexternal_scheme = \"http\"\nexternal_port = {seen}\n"
        );
        let plan = Plan::new(&app.address).limits(limits).listener(&listener);
        let locum = Locum::start(&plan).await;
        let issued = locum.issue(&[]);
        let host = issued.host();
        let request = format!("GET {} HTTP/1.1\r\nHost: {host}\r\n\r\n", issued.target());
        let answer = Conn::plain(locum.port).await.ask(&request).await;
        let cookie = answer.field("set-cookie").split(';').next();
        let cookie = cookie.unwrap_or_default();
        assert!(cookie.starts_with("__Host-locum="), "{answer:?}");
        Self {
            address: format!("127.0.0.1:{}", locum.port),
            cookie: format!("Cookie: {cookie}\r\n"),
            host,
            app,
            locum,
        }
    }

    /// The whole records of the journal so far.
    pub(crate) fn records(&self) -> Vec<Value> {
        self.locum.records()
    }

    /// The records of one exchange.
    pub(crate) fn records_of(&self, exchange: &str) -> Vec<Value> {
        let mut all = self.records();
        all.retain(|record| record["metadata"]["correlation_uid"] == exchange);
        all
    }

    /// Sends `raw` as it is; the status, head and body of the first answer.
    pub(crate) async fn ask(&self, raw: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.address)
            .await
            .expect("Locum listens");
        stream.write_all(raw).await.expect("Locum reads");
        Answer::read(&mut stream).await
    }
}

/// An answer with a length.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        loop {
            if let Some(answer) = Self::parse(&bytes) {
                return answer;
            }
            let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut bytes)).await;
            let read = read.expect("an answer in time").expect("an answer");
            assert!(read > 0, "cut off: {:?}", String::from_utf8_lossy(&bytes));
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let head = head.to_ascii_lowercase();
        let status = head.get(9..12)?.parse().ok()?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(Some(0), |length| length.parse().ok())?;
        (body.len() >= length).then(|| Self {
            status,
            head: head.clone(),
            body: body.to_owned(),
        })
    }

    /// The exchange that a problem document names.
    pub(crate) fn exchange(&self) -> String {
        exchange_of(self.body.as_bytes())
    }
}

/// The exchange that a problem document names.
pub(crate) fn exchange_of(body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).expect("a problem document");
    problem["exchange"]
        .as_str()
        .expect("an exchange")
        .to_owned()
}
