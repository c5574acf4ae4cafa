//! Syslog: RFC 5424 messages over TCP (RFC 6587 §3.4.1, octet counting) or TLS (RFC 5425).
//!
//! Syslog has no acknowledgement. With `acknowledge` each batch has a connection of its own: its end is told to the receiver,
//! and the batch counts once the receiver, having read to that end, closes too. A receiver that dies with bytes unread
//! resets the connection instead, and the batch comes again.

use super::cef;
use super::settings::{SyslogMessage, SyslogSettings};
use super::tls;
use super::view::View;
use super::{Delivery, DeliveryError, Record, Sink};
use crate::audit::error::StartError;
use crate::model::Timestamp;
use rustls::pki_types::ServerName;
use std::fmt::Write as _;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long a receiver that refuses connections by closing them is given to do so.
const REFUSES: Duration = Duration::from_millis(10);

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

pub(super) struct SyslogSink {
    settings: SyslogSettings,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    connection: Option<Box<dyn Stream>>,
}

impl SyslogSink {
    pub(super) fn new(name: &str, settings: &SyslogSettings) -> Result<Self, StartError> {
        let wrong = |what: &str| StartError::Setting {
            what: format!("sink {name}: {what}"),
        };
        let (host, _) = settings
            .server
            .rsplit_once(':')
            .filter(|(_, port)| port.parse::<u16>().is_ok())
            .ok_or_else(|| wrong("server: write it as in \"logs.example:6514\""))?;
        if settings.facility > 23 {
            return Err(wrong("facility must be 0 to 23"));
        }
        let tls = match &settings.tls {
            None => None,
            Some(tls) => {
                let host = host.trim_matches(['[', ']']).to_owned();
                let server =
                    ServerName::try_from(host).map_err(|_| wrong("server: not a server's name"))?;
                Some((tls::connector(name, tls)?, server))
            }
        };
        Ok(Self {
            settings: settings.clone(),
            tls,
            connection: None,
        })
    }

    async fn send(&mut self, batch: &[Record]) -> Result<(), DeliveryError> {
        let mut bytes = Vec::new();
        for record in batch {
            let message = self.message(record)?;
            bytes.extend_from_slice(message.len().to_string().as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(message.as_bytes());
        }
        let limit = self.settings.timeout;
        let sent = tokio::time::timeout(limit, self.exchange(&bytes)).await;
        let sent = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if sent.is_err() {
            self.connection = None;
        }
        sent.map_err(DeliveryError::later)
    }

    async fn exchange(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut stream = match self.connection.take() {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        // Nothing is ever said to a sender: whatever comes is the connection's end.
        still_open(&mut *stream).await?;
        stream.write_all(bytes).await?;
        stream.flush().await?;
        if self.settings.acknowledge {
            still_open(&mut *stream).await?;
            stream.shutdown().await?;
            return read_to_end(&mut *stream).await;
        }
        self.connection = Some(stream);
        Ok(())
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let tcp = TcpStream::connect(&self.settings.server).await?;
        Ok(match &self.tls {
            None => Box::new(tcp),
            Some((tls, server)) => Box::new(tls.connect(server.clone(), tcp).await?),
        })
    }

    fn message(&self, record: &Record) -> Result<String, DeliveryError> {
        let view = View::new(record)?;
        let at = Timestamp::from_millis(i64::try_from(view.millis()).unwrap_or(i64::MAX));
        let mut out = String::with_capacity(record.line.len() + 256);
        // Writing into a String cannot fail.
        let _ = write!(
            out,
            "<{}>1 {at} {} locum {} {} [locum@{} uid=\"{}\" seq=\"{}\"] ",
            u32::from(self.settings.facility) * 8 + severity(view.severity()),
            word(&self.settings.host, 255),
            std::process::id(),
            word(view.event(), 32),
            self.settings.enterprise,
            parameter(view.uid()),
            record.seq,
        );
        match self.settings.message {
            SyslogMessage::Json => out.push_str(&String::from_utf8_lossy(&record.line)),
            SyslogMessage::Cef => out.push_str(&cef::line(&view)),
        }
        if out.len() > self.settings.max_message {
            return Err(DeliveryError::Never {
                detail: format!(
                    "the message has {} bytes, the receiver takes {}",
                    out.len(),
                    self.settings.max_message
                ),
            });
        }
        Ok(out)
    }
}

/// OCSF 1 informational … 5 critical as RFC 5424 §6.2.1 has it: 6 informational … 1 alert.
fn severity(ocsf: u64) -> u32 {
    match ocsf {
        0 | 1 => 6,
        2 => 5,
        3 => 4,
        4 => 2,
        _ => 1,
    }
}

/// RFC 5424 §6: printable ASCII without spaces.
fn word(text: &str, max: usize) -> String {
    let fit = text.chars().filter(char::is_ascii_graphic).take(max);
    let fit: String = fit.collect();
    if fit.is_empty() { "-".into() } else { fit }
}

/// RFC 5424 §6.3.3.
fn parameter(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

async fn still_open(stream: &mut dyn Stream) -> io::Result<()> {
    let mut bytes = [0; 64];
    match tokio::time::timeout(REFUSES, stream.read(&mut bytes)).await {
        Err(_) | Ok(Ok(1..)) => Ok(()),
        Ok(Ok(0)) => Err(io::Error::other("the receiver closed the connection")),
        Ok(Err(error)) => Err(error),
    }
}

async fn read_to_end(stream: &mut dyn Stream) -> io::Result<()> {
    let mut bytes = [0; 1024];
    loop {
        match stream.read(&mut bytes).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Many close without saying goodbye in TLS; what they read, they read.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

impl Sink for SyslogSink {
    fn deliver<'a>(&'a mut self, batch: &'a [Record]) -> Delivery<'a> {
        Box::pin(self.send(batch))
    }
}
