//! A Kafka topic, by librdkafka's idempotent producer: one key and so one partition keeps the journal's order.

use super::settings::KafkaSettings;
use super::view::View;
use super::{Delivery, DeliveryError, Record, Sink};
use crate::audit::error::StartError;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};

pub(super) struct KafkaSink {
    settings: KafkaSettings,
    config: ClientConfig,
    producer: Option<FutureProducer>,
}

impl KafkaSink {
    pub(super) fn new(name: &str, settings: &KafkaSettings) -> Result<Self, StartError> {
        let mut config = ClientConfig::new();
        config.set("client.id", "locum");
        for (key, value) in &settings.options {
            config.set(key.as_str(), value.reveal());
        }
        config
            .set("bootstrap.servers", &settings.brokers)
            // Each record once and in order for as long as the producer lives, or an error that ends it.
            .set("enable.idempotence", "true")
            .set("enable.gapless.guarantee", "true")
            .set("acks", "all")
            .set(
                "message.timeout.ms",
                settings.timeout.as_millis().to_string(),
            );
        // Made now, so that a wrong setting is told at the start.
        let producer = config.create().map_err(|e| StartError::Setting {
            what: format!("sink {name}: {e}"),
        })?;
        Ok(Self {
            settings: settings.clone(),
            config,
            producer: Some(producer),
        })
    }

    async fn send(&mut self, batch: &[Record]) -> Result<(), DeliveryError> {
        let sent = self.produce(batch).await;
        if sent.is_err() {
            self.producer = None;
        }
        sent
    }

    async fn produce(&mut self, batch: &[Record]) -> Result<(), DeliveryError> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => self.config.create().map_err(DeliveryError::later)?,
        };
        let mut waiting = Vec::with_capacity(batch.len());
        for record in batch {
            let view = View::new(record)?;
            let seq = record.seq.to_string();
            let header = |key: &'static str, value| Header {
                key,
                value: Some(value),
            };
            let headers = OwnedHeaders::new()
                .insert(header("uid", view.uid()))
                .insert(header("seq", seq.as_str()))
                .insert(header("event", view.event()));
            let message = FutureRecord::to(&self.settings.topic)
                .key(&self.settings.key)
                .payload(&record.line)
                .headers(headers);
            let sent = producer.send_result(message);
            waiting.push(sent.map_err(|(error, _)| judge(&error))?);
        }
        for delivery in waiting {
            match delivery.await {
                Ok(Ok(_)) => {}
                Ok(Err((error, _))) => return Err(judge(&error)),
                Err(_) => return Err(DeliveryError::later("the producer was given up")),
            }
        }
        if let Some((_, why)) = producer.client().fatal_error() {
            return Err(DeliveryError::later(why));
        }
        self.producer = Some(producer);
        Ok(())
    }
}

fn judge(error: &KafkaError) -> DeliveryError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidRecord) => {
            DeliveryError::Never {
                detail: error.to_string(),
            }
        }
        _ => DeliveryError::later(error.to_string()),
    }
}

impl Sink for KafkaSink {
    fn deliver<'a>(&'a mut self, batch: &'a [Record]) -> Delivery<'a> {
        Box::pin(self.send(batch))
    }
}
