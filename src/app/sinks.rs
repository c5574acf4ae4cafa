//! From a sink's keys to its settings.

use super::RunError;
use crate::audit::sink::settings::{self as audit, SinkSettings};
use crate::config::{self, Config, Sink, SinkKind};
use base64::Engine as _;
use std::path::PathBuf;

pub(super) fn all(config: &Config) -> Result<Vec<SinkSettings>, RunError> {
    let sinks = config.audit.sinks.iter();
    sinks.map(|sink| settings(config, sink)).collect()
}

fn settings(config: &Config, from: &Sink) -> Result<SinkSettings, RunError> {
    let pseudonyms = text(
        from,
        from.pseudonym_key_file.as_ref(),
        from.pseudonym_key_env.as_ref(),
    )?;
    Ok(SinkSettings {
        name: from.name.as_str().to_owned(),
        kind: kind(config, from)?,
        batch_records: from.batch_records,
        batch_bytes: from.batch_bytes.len(),
        batch_time: from.batch_time,
        retry_min: from.retry_min,
        retry_max: from.retry_max,
        lag: audit::LagSettings {
            on_lag: match from.on_lag {
                config::OnLag::Alarm => audit::OnLag::Alarm,
                config::OnLag::Refuse => audit::OnLag::Refuse,
            },
            records: u64::from(from.max_lag_records),
            bytes: from.max_lag_bytes.bytes(),
            time: from.max_lag,
        },
        transform: audit::TransformSettings {
            include: from.include.clone(),
            exclude: from.exclude.clone(),
            redact: from.redact.clone(),
            pseudonyms: from.pseudonyms.clone(),
            key: pseudonyms,
        },
    })
}

fn kind(config: &Config, from: &Sink) -> Result<audit::SinkKind, RunError> {
    Ok(match from.kind {
        SinkKind::Stdout => audit::SinkKind::Stdout,
        SinkKind::File => audit::SinkKind::File(audit::FileSettings {
            path: need(from, "path", from.path.as_ref())?,
            max_bytes: from.max_bytes.bytes(),
            keep: from.keep,
        }),
        SinkKind::Webhook => audit::SinkKind::Webhook(audit::WebhookSettings {
            http: http(from, "Bearer")?,
            format: match from.format {
                config::BodyFormat::Ndjson => audit::WebhookFormat::Ndjson,
                config::BodyFormat::Array => audit::WebhookFormat::Array,
            },
        }),
        SinkKind::Splunk => audit::SinkKind::Splunk(audit::SplunkSettings {
            http: http(from, "Splunk")?,
            index: from.index.clone(),
            sourcetype: from.sourcetype.clone(),
            acknowledge: from.acknowledge.unwrap_or(false),
        }),
        SinkKind::Elastic => audit::SinkKind::Elastic(http(from, "ApiKey")?),
        SinkKind::Syslog => audit::SinkKind::Syslog(syslog(from)?),
        SinkKind::Otlp => audit::SinkKind::Otlp(audit::OtlpSettings {
            http: http(from, "Bearer")?,
            protocol: match from.protocol {
                config::OtlpProtocol::Http => audit::OtlpProtocol::Http,
                config::OtlpProtocol::Grpc => audit::OtlpProtocol::Grpc,
            },
        }),
        SinkKind::Nats => audit::SinkKind::Nats(nats(from)?),
        SinkKind::Kafka => audit::SinkKind::Kafka(audit::KafkaSettings {
            brokers: from.servers.join(","),
            topic: from.topic.clone(),
            key: from.key.clone(),
            options: Vec::new(),
            timeout: from.timeout,
        }),
        SinkKind::S3 => audit::SinkKind::S3(s3(config, from)?),
    })
}

fn http(from: &Sink, scheme: &str) -> Result<audit::HttpSettings, RunError> {
    let mut settings = audit::HttpSettings::new(need(from, "url", from.url.as_ref())?);
    settings.tls = tls(from);
    settings.timeout = from.timeout;
    if let Some(secret) = secret(from)? {
        let secret = secret.reveal();
        let (name, value) = match (&from.secret_header, &from.user) {
            (Some(name), _) => (name.as_str(), secret.to_owned()),
            (None, Some(user)) => {
                let both =
                    base64::engine::general_purpose::STANDARD.encode(format!("{user}:{secret}"));
                ("authorization", format!("Basic {both}"))
            }
            (None, None) => ("authorization", format!("{scheme} {secret}")),
        };
        let header = (name.to_owned(), audit::Secret::new(value));
        settings.headers.push(header);
    }
    Ok(settings)
}

fn syslog(from: &Sink) -> Result<audit::SyslogSettings, RunError> {
    Ok(audit::SyslogSettings {
        server: need(from, "servers", from.servers.first())?,
        tls: from.tls.then(|| tls(from)),
        message: match from.message {
            config::MessageFormat::Json => audit::SyslogMessage::Json,
            config::MessageFormat::Cef => audit::SyslogMessage::Cef,
        },
        facility: from.facility,
        host: from.host.clone(),
        enterprise: from.enterprise,
        max_message: from.max_message.len(),
        acknowledge: from.acknowledge.unwrap_or(true),
        timeout: from.timeout,
    })
}

fn nats(from: &Sink) -> Result<audit::NatsSettings, RunError> {
    let scheme = if from.tls { "tls" } else { "nats" };
    let servers = from.servers.iter();
    Ok(audit::NatsSettings {
        servers: servers.map(|it| format!("{scheme}://{it}")).collect(),
        subject: from.subject.clone(),
        login: match (secret(from)?, &from.user) {
            (None, _) => audit::NatsLogin::Nobody,
            (Some(secret), Some(user)) => audit::NatsLogin::Password(user.clone(), secret),
            (Some(secret), None) if secret.reveal().contains("BEGIN NATS USER JWT") => {
                audit::NatsLogin::Credentials(secret)
            }
            (Some(secret), None) => audit::NatsLogin::Token(secret),
        },
        tls: from.tls.then(|| tls(from)),
        timeout: from.timeout,
    })
}

fn s3(config: &Config, from: &Sink) -> Result<audit::S3Settings, RunError> {
    Ok(audit::S3Settings {
        endpoint: from.url.clone(),
        bucket: need(from, "bucket", from.bucket.as_ref())?,
        region: from.region.clone(),
        prefix: from.prefix.clone(),
        access_key: need(from, "user", from.user.as_ref())?,
        secret_key: secret(from)?,
        ca: from.ca.clone(),
        lock: match from.lock {
            config::LockMode::Off => None,
            config::LockMode::Governance => Some((audit::LockMode::Governance, from.lock_for)),
            config::LockMode::Compliance => Some((audit::LockMode::Compliance, from.lock_for)),
        },
        journal: config.journal_dir(),
        timeout: from.timeout,
    })
}

fn tls(from: &Sink) -> audit::TlsSettings {
    audit::TlsSettings {
        ca: from.ca.clone(),
        client: from.client_cert.clone().zip(from.client_key.clone()),
    }
}

fn need<T: Clone>(from: &Sink, key: &str, value: Option<&T>) -> Result<T, RunError> {
    value
        .cloned()
        .ok_or_else(|| RunError::build(place(from), format!("{key} is missing")))
}

fn secret(from: &Sink) -> Result<Option<audit::Secret>, RunError> {
    text(from, from.secret_file.as_ref(), from.secret_env.as_ref())
}

/// From the file or the environment. The text itself is never in the configuration.
fn text(
    from: &Sink,
    file: Option<&PathBuf>,
    variable: Option<&String>,
) -> Result<Option<audit::Secret>, RunError> {
    match (file, variable) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path)
                .map_err(|e| RunError::build(place(from), format!("{}: {e}", path.display())))?;
            Ok(Some(audit::Secret::new(text.trim())))
        }
        (None, Some(name)) => std::env::var(name)
            .map(|text| Some(audit::Secret::new(text)))
            .map_err(|_| {
                RunError::build(place(from), format!("{name} is not set in the environment"))
            }),
        (None, None) => Ok(None),
    }
}

fn place(from: &Sink) -> String {
    format!("audit.sinks.{}", from.name)
}
