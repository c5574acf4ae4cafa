//! A mail, by SMTP submission (RFC 6409): taken when the server said 250 to the whole message.

use super::untaken::Untaken;
use super::words::{clip, lines, link};
use crate::control::smtp::Transport;
use crate::model::{Alert, Timestamp};
use lettre::AsyncTransport as _;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use std::fmt;
use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

/// A subject longer than this is cut, in characters.
const MAX_SUBJECT: usize = 200;

pub(super) struct Mail {
    pub(super) by: Transport,
    pub(super) from: Mailbox,
    pub(super) to: Vec<Mailbox>,
    pub(super) portal: String,
}

/// The transport's own would show its credentials.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl Mail {
    pub(super) async fn send(&self, alert: &Alert, now: Timestamp) -> Result<(), Untaken> {
        let message = self.message(alert, now)?;
        let answer = self.by.send(message).await.map_err(Untaken::Mail)?;
        if !answer.has_code(250) {
            return Err(Untaken::MailAnswer(answer.code().to_string()));
        }
        Ok(())
    }

    fn message(&self, alert: &Alert, now: Timestamp) -> Result<Message, Untaken> {
        let subject = format!("[Locum] {}: {}", alert.severity, alert.summary);
        let mut body = format!("{}\r\n\r\n", one_line(&alert.summary));
        for (label, value) in lines(alert) {
            // Writing into a String cannot fail.
            let _ = write!(body, "{label}: {}\r\n", one_line(&value));
        }
        let _ = write!(body, "\r\n{}\r\n", link(alert, &self.portal));
        let since = Duration::from_millis(u64::try_from(now.millis()).unwrap_or(0));
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(clip(&one_line(&subject), MAX_SUBJECT))
            .date(UNIX_EPOCH + since)
            // The same for each try, so that a repetition can be told.
            .message_id(Some(format!("<{}@{}>", alert.id, self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN)
            // RFC 3834 §5: no out-of-office answer to this.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        for mailbox in &self.to {
            message = message.to(mailbox.clone());
        }
        message
            .body(body)
            .map_err(|error| Untaken::Form(error.into()))
    }
}

fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}
