//! Letters to customers: the mail by which their own contact is asked for consent. What it carries is a secret of theirs, so
//! nothing here shows it, and an answer of the mail server goes to the log and the record, not to whoever had it sent.

use super::smtp::{self, Server, Transport};
use super::{outbound, secret_file};
use crate::config::Config;
use crate::model::{AccessRequest, RequestId, Timestamp};
use lettre::AsyncTransport as _;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

/// Who carries them.
pub struct Courier {
    by: Transport,
    from: Mailbox,
    timeout: Duration,
    resend_after: Duration,
    /// When a letter about a request went out last; no longer than `resend_after`.
    sent: Mutex<HashMap<RequestId, Timestamp>>,
}

/// The transport's own would show its credentials.
impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Courier(from {})", self.from)
    }
}

/// Why a letter was not taken.
#[derive(Debug)]
pub enum Unsent {
    Timeout(Duration),
    Server(lettre::transport::smtp::Error),
    /// Something other than 250 to the whole letter.
    Answer(String),
    /// It could not be put into a letter's form.
    Form(String),
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(limit) => write!(f, "not taken within {} ms", limit.as_millis()),
            Self::Server(error) => write!(f, "the mail server: {}", outbound::root_cause(error)),
            Self::Answer(code) => write!(f, "the mail server answered {code}, not 250"),
            Self::Form(why) => write!(f, "the letter cannot be made: {why}"),
        }
    }
}

impl std::error::Error for Unsent {}

impl Courier {
    /// Reads the files that the configuration names (blocking). `None`: none is configured.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn from_config(config: &Config) -> Result<Option<Self>, String> {
        let from = &config.consent_mail;
        if from.server.is_none() {
            return Ok(None);
        }
        let login = from.username.as_ref().map(|name| {
            let file = from.password_file.as_deref();
            let password = secret_file::read(file.ok_or("password_file is missing")?)?;
            Ok::<_, String>((name.clone(), password))
        });
        let server = Server {
            at: from.server.as_deref(),
            tls: from.tls,
            ca: from.ca.as_deref(),
            login: login.transpose()?,
            timeout: from.timeout,
        };
        Ok(Some(Self {
            by: server.transport()?,
            from: smtp::mailbox(from.from.as_ref().ok_or("from is missing")?)?,
            timeout: from.timeout,
            resend_after: from.resend_after,
            sent: Mutex::default(),
        }))
    }

    /// Whether a letter about this request may go out now; if so, the next one must wait. `Err`: how long.
    pub(super) fn may_send(&self, about: RequestId, now: Timestamp) -> Result<(), Duration> {
        let mut sent = self.sent.lock();
        sent.retain(|_, at| *at <= now && now < at.plus(self.resend_after));
        if let Some(at) = sent.get(&about) {
            return Err(now.until(at.plus(self.resend_after)));
        }
        sent.insert(about, now);
        Ok(())
    }

    /// Asks the customer's contact. `link` is theirs alone.
    pub(super) async fn ask(
        &self,
        to: &str,
        request: &AccessRequest,
        link: &str,
        now: Timestamp,
    ) -> Result<(), Unsent> {
        let letter = self
            .letter(to, request, link, now)
            .map_err(|why| Unsent::Form(why.to_string()))?;
        let sent = tokio::time::timeout(self.timeout, self.by.send(letter)).await;
        let answer = sent
            .map_err(|_| Unsent::Timeout(self.timeout))?
            .map_err(Unsent::Server)?;
        if !answer.has_code(250) {
            return Err(Unsent::Answer(answer.code().to_string()));
        }
        Ok(())
    }

    fn letter(
        &self,
        to: &str,
        request: &AccessRequest,
        link: &str,
        now: Timestamp,
    ) -> Result<Message, Box<dyn std::error::Error + Send + Sync>> {
        let who = request.operator.name.as_deref();
        let who = one_line(who.unwrap_or(&request.operator.id));
        let body = format!(
            "{who} ({id}) of your support asks to act as {subject} in {app}.\r\n\
             \r\n\
             Ticket: {ticket}\r\n\
             Answer by: {until}\r\n\
             \r\n\
             See exactly what is asked, and say yes or no:\r\n\
             \r\n\
             {link}\r\n\
             \r\n\
             This link was sent to you alone. Whoever has it can answer for you, so do not pass it on. Keep it: with it\r\n\
             you can end the session at any moment.\r\n",
            id = one_line(&request.operator.id),
            subject = one_line(&request.subject.id),
            app = request.app,
            ticket = one_line(&request.ticket),
            until = request.expires_at,
        );
        let since = Duration::from_millis(u64::try_from(now.millis()).unwrap_or(0));
        let message = Message::builder()
            .from(self.from.clone())
            .to(to.parse::<Mailbox>()?)
            .subject("Your support asks for your consent")
            .date(UNIX_EPOCH + since)
            .message_id(None)
            .header(ContentType::TEXT_PLAIN)
            // RFC 3834 §5: no out-of-office answer to this, which would carry the link to who knows whom.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        Ok(message.body(body)?)
    }
}

fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}
