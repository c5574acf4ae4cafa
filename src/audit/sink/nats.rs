//! NATS `JetStream`: each record is published under its id and acknowledged before the next one, so that the order is the
//! journal's and the stream drops repeats within its duplicate window.

use super::settings::{NatsLogin, NatsSettings, TlsSettings};
use super::tls;
use super::view::View;
use super::{Delivery, DeliveryError, Record, Sink};
use crate::audit::error::StartError;
use async_nats::ConnectOptions;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::{ContextBuilder, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;

pub(super) struct NatsSink {
    name: String,
    settings: NatsSettings,
    context: Option<Context>,
}

impl NatsSink {
    pub(super) fn new(name: &str, settings: &NatsSettings) -> Result<Self, StartError> {
        let wrong = |what: &str| StartError::Setting {
            what: format!("sink {name}: {what}"),
        };
        if settings.servers.is_empty() {
            return Err(wrong("servers is empty: name one"));
        }
        if settings.subject.is_empty() || settings.subject.contains([' ', '*', '>']) {
            return Err(wrong("subject: write one without spaces and wildcards"));
        }
        if let Some(tls) = &settings.tls {
            tls::config(name, tls)?;
        }
        if let NatsLogin::Credentials(text) = &settings.login {
            ConnectOptions::with_credentials(text.reveal())
                .map_err(|e| wrong(&format!("credentials: {e}")))?;
        }
        Ok(Self {
            name: name.into(),
            settings: settings.clone(),
            context: None,
        })
    }

    async fn send(&mut self, batch: &[Record]) -> Result<(), DeliveryError> {
        let sent = self.publish(batch).await;
        if sent.is_err() {
            self.context = None;
        }
        sent
    }

    async fn publish(&mut self, batch: &[Record]) -> Result<(), DeliveryError> {
        let context = match self.context.take() {
            Some(context) => context,
            None => self.connect().await?,
        };
        for record in batch {
            let view = View::new(record)?;
            let message = PublishMessage::build()
                .message_id(view.uid())
                .header("Locum-Seq", record.seq.to_string().as_str())
                .header("Locum-Event", view.event())
                .payload(record.line.clone().into());
            let sent = context.send_publish(self.settings.subject.clone(), message);
            let acknowledged = match sent.await {
                Ok(acknowledgement) => acknowledgement.await,
                Err(error) => Err(error),
            };
            acknowledged.map_err(|error| match error.kind() {
                PublishErrorKind::MaxPayloadExceeded => DeliveryError::Never {
                    detail: error.to_string(),
                },
                _ => DeliveryError::later(error),
            })?;
        }
        self.context = Some(context);
        Ok(())
    }

    async fn connect(&self) -> Result<Context, DeliveryError> {
        let settings = &self.settings;
        let mut options = ConnectOptions::new()
            .name("locum")
            .connection_timeout(settings.timeout)
            .request_timeout(Some(settings.timeout));
        options = match &settings.login {
            NatsLogin::Nobody => options,
            NatsLogin::Token(token) => options.token(token.reveal().into()),
            NatsLogin::Password(user, password) => {
                options.user_and_password(user.clone(), password.reveal().into())
            }
            NatsLogin::Credentials(text) => options
                .credentials(text.reveal())
                .map_err(DeliveryError::later)?,
        };
        if let Some(tls) = &settings.tls {
            options = options
                .require_tls(true)
                .tls_client_config(self.config(tls)?);
        }
        let client = options.connect(&settings.servers).await;
        let client = client.map_err(DeliveryError::later)?;
        Ok(ContextBuilder::new()
            .timeout(settings.timeout)
            .build(client))
    }

    fn config(&self, tls: &TlsSettings) -> Result<rustls::ClientConfig, DeliveryError> {
        tls::config(&self.name, tls).map_err(DeliveryError::later)
    }
}

impl Sink for NatsSink {
    fn deliver<'a>(&'a mut self, batch: &'a [Record]) -> Delivery<'a> {
        Box::pin(self.send(batch))
    }
}
