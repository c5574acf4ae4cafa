//! A mail server, as alerts and letters to customers use one (RFC 6409): TLS by the configured CA, and nothing without it.

use crate::config::MailTls;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// What sends.
pub(super) type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// How to reach it.
pub(super) struct Server<'c> {
    /// `host:port`.
    pub(super) at: Option<&'c str>,
    pub(super) tls: MailTls,
    pub(super) ca: Option<&'c Path>,
    /// Whom to sign in as, and the password.
    pub(super) login: Option<(String, String)>,
    pub(super) timeout: Duration,
}

impl Server<'_> {
    pub(super) fn transport(self) -> Result<Transport, String> {
        let at = self.at.ok_or("server is missing")?;
        let (host, port) = at.rsplit_once(':').ok_or("server has no port")?;
        let host = host.trim_matches(['[', ']']);
        let port: u16 = port.parse().map_err(|_| "server has no port")?;
        let tls = match self.tls {
            MailTls::None => Tls::None,
            MailTls::Starttls => Tls::Required(parameters(host, self.ca)?),
            MailTls::Implicit => Tls::Wrapper(parameters(host, self.ca)?),
        };
        let mut by = Transport::builder_dangerous(host)
            .port(port)
            .tls(tls)
            .timeout(Some(self.timeout));
        if let Some((name, password)) = self.login {
            by = by.credentials(Credentials::new(name, password));
        }
        Ok(by.build())
    }
}

/// An address, as in `Locum <locum@example.com>`.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is not a mail address"))
}

fn parameters(host: &str, ca: Option<&Path>) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = ca {
        let failed = |why: &dyn fmt::Display| format!("the CA in {}: {why}", path.display());
        let pem = std::fs::read(path).map_err(|error| failed(&error))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| failed(&error))?;
        builder = builder
            .certificate_store(CertificateStore::None)
            .add_root_certificate(certificate);
    }
    builder
        .build()
        .map_err(|error| format!("TLS cannot be set up: {error}"))
}
