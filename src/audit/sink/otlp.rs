//! OpenTelemetry logs: OTLP over HTTP (protobuf) or gRPC.
//!
//! Shape: <https://opentelemetry.io/docs/specs/otlp/>, <https://opentelemetry.io/docs/specs/otel/logs/data-model/>

use super::http::Poster;
use super::settings::{OtlpProtocol, OtlpSettings};
use super::tls;
use super::view::View;
use super::{Delivery, DeliveryError, Record, Sink};
use crate::audit::error::StartError;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use serde_json::Value;
use tonic::metadata::{Ascii, MetadataKey, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};

pub(super) enum OtlpSink {
    Http(Poster),
    Grpc {
        client: LogsServiceClient<Channel>,
        headers: Vec<(MetadataKey<Ascii>, MetadataValue<Ascii>)>,
    },
}

impl OtlpSink {
    /// Within a runtime, since a channel lives in one.
    pub(super) fn new(name: &str, settings: &OtlpSettings) -> Result<Self, StartError> {
        match settings.protocol {
            OtlpProtocol::Http => {
                let poster = Poster::new(name, &settings.http, "application/x-protobuf")?;
                Ok(Self::Http(poster))
            }
            OtlpProtocol::Grpc => grpc(name, settings),
        }
    }

    async fn send(&mut self, batch: &[Record]) -> Result<(), DeliveryError> {
        let request = request(batch)?;
        let answer = match self {
            Self::Http(poster) => {
                let answer = poster.post(request.encode_to_vec(), None).await?;
                answer.judge()?;
                ExportLogsServiceResponse::decode(answer.body.clone()).map_err(|_| {
                    answer.later("what it says is no OTLP: is this the right service?")
                })?
            }
            Self::Grpc { client, headers } => {
                let mut request = Request::new(request);
                for (name, value) in headers {
                    request.metadata_mut().insert(name.clone(), value.clone());
                }
                let answer = client.export(request).await;
                answer.map_err(|status| judge(&status))?.into_inner()
            }
        };
        match answer.partial_success {
            // "The client MUST NOT retry" them as they are: they are looked for one by one.
            Some(part) if part.rejected_log_records > 0 => Err(DeliveryError::Never {
                detail: format!(
                    "{} records were rejected: {}",
                    part.rejected_log_records, part.error_message
                ),
            }),
            _ => Ok(()),
        }
    }
}

fn grpc(name: &str, settings: &OtlpSettings) -> Result<OtlpSink, StartError> {
    let http = &settings.http;
    let wrong = |what: &dyn std::fmt::Display| StartError::Setting {
        what: format!("sink {name}: {what}"),
    };
    let mut endpoint = Endpoint::from_shared(http.url.clone())
        .map_err(|e| wrong(&format!("url: {e}")))?
        .timeout(http.timeout)
        .connect_timeout(http.timeout);
    if http.url.starts_with("https://") {
        let roots = tls::roots_pem(name, http.tls.ca.as_deref())?;
        let mut config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(roots));
        if let Some((certificate, key)) = &http.tls.client {
            let read =
                |path: &std::path::Path| std::fs::read(path).map_err(StartError::io(path, "read"));
            config = config.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        endpoint = endpoint
            .tls_config(config)
            .map_err(|e| wrong(&format!("TLS: {e}")))?;
    }
    let mut headers = Vec::new();
    for (key, value) in &http.headers {
        let key = MetadataKey::from_bytes(key.to_ascii_lowercase().as_bytes());
        let value = MetadataValue::try_from(value.reveal());
        match (key, value) {
            (Ok(key), Ok(mut value)) => {
                value.set_sensitive(true);
                headers.push((key, value));
            }
            _ => return Err(wrong(&"a header that gRPC does not allow")),
        }
    }
    Ok(OtlpSink::Grpc {
        client: LogsServiceClient::new(endpoint.connect_lazy()),
        headers,
    })
}

fn judge(status: &Status) -> DeliveryError {
    match status.code() {
        Code::InvalidArgument => DeliveryError::Never {
            detail: status.message().to_owned(),
        },
        // Whether the collector is away, or does not know us, or not this service: it can be put right.
        code => DeliveryError::later(format!("{code:?}: {}", status.message())),
    }
}

fn request(batch: &[Record]) -> Result<ExportLogsServiceRequest, DeliveryError> {
    let records: Result<Vec<_>, _> = batch.iter().map(log_record).collect();
    let scope = InstrumentationScope {
        name: "locum.audit".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..InstrumentationScope::default()
    };
    let resource = Resource {
        attributes: vec![
            attribute("service.name", Any::StringValue("locum".into())),
            attribute(
                "service.version",
                Any::StringValue(env!("CARGO_PKG_VERSION").into()),
            ),
        ],
        ..Resource::default()
    };
    Ok(ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource),
            scope_logs: vec![ScopeLogs {
                scope: Some(scope),
                log_records: records?,
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    })
}

fn log_record(record: &Record) -> Result<LogRecord, DeliveryError> {
    let view = View::new(record)?;
    let nanos = view.millis().saturating_mul(1_000_000);
    // The data model's numbers: 9 INFO, 10 INFO2, 13 WARN, 17 ERROR, 21 FATAL.
    let (severity_number, severity) = match view.severity() {
        0 | 1 => (9, "INFO"),
        2 => (10, "INFO2"),
        3 => (13, "WARN"),
        4 => (17, "ERROR"),
        _ => (21, "FATAL"),
    };
    let seq = i64::try_from(record.seq).unwrap_or(i64::MAX);
    Ok(LogRecord {
        time_unix_nano: nanos,
        observed_time_unix_nano: nanos,
        severity_number,
        severity_text: severity.into(),
        event_name: view.event().into(),
        attributes: vec![
            // Semantic conventions: two records with the same are the same.
            attribute("log.record.uid", Any::StringValue(view.uid().into())),
            attribute("locum.seq", Any::IntValue(seq)),
        ],
        body: Some(any(&view.json)),
        ..LogRecord::default()
    })
}

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn any(value: &Value) -> AnyValue {
    let value = match value {
        Value::Null => None,
        Value::Bool(flag) => Some(Any::BoolValue(*flag)),
        Value::Number(number) => Some(number.as_i64().map_or_else(
            || Any::DoubleValue(number.as_f64().unwrap_or_default()),
            Any::IntValue,
        )),
        Value::String(text) => Some(Any::StringValue(text.clone())),
        Value::Array(all) => Some(Any::ArrayValue(ArrayValue {
            values: all.iter().map(any).collect(),
        })),
        Value::Object(map) => Some(Any::KvlistValue(KeyValueList {
            values: map
                .iter()
                .map(|(key, value)| KeyValue {
                    key: key.clone(),
                    value: Some(any(value)),
                    ..KeyValue::default()
                })
                .collect(),
        })),
    };
    AnyValue { value }
}

impl Sink for OtlpSink {
    fn deliver<'a>(&'a mut self, batch: &'a [Record]) -> Delivery<'a> {
        Box::pin(self.send(batch))
    }
}
