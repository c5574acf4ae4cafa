//! From the configuration's words to each part's own settings: no part reads the configuration itself.

use super::RunError;
use crate::audit::RoomSettings;
use crate::audit::settings as audit;
use crate::config::{self, Config};
use crate::proxy::client::Network;
use crate::proxy::listener::{self, ProxyProtocol};
use crate::proxy::setup::{Digests, Limits};
use crate::proxy::tls;
use crate::proxy::upstream::identity;
use crate::store::{external, live, sqlite};
use crate::telemetry::log::Format;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use std::io::IsTerminal as _;
use std::sync::Arc;

pub(super) fn log_format(config: &Config) -> Format {
    match config.log.format {
        config::LogFormat::Text => Format::Text,
        config::LogFormat::Auto if std::io::stderr().is_terminal() => Format::Text,
        config::LogFormat::Auto | config::LogFormat::Json => Format::Json,
    }
}

pub(super) fn digests(config: &Config) -> Digests {
    match config.audit.digests {
        config::Digests::All => Digests::All,
        config::Digests::Sensitive => Digests::Sensitive,
        config::Digests::None => Digests::None,
    }
}

pub(super) fn sqlite(config: &Config) -> sqlite::Settings {
    sqlite::Settings {
        path: config.database(),
        busy_timeout: config.store.busy_timeout,
    }
}

pub(super) fn live(config: &Config) -> live::Settings {
    let store = &config.store;
    live::Settings {
        poll_interval: store.poll_interval,
        lease: store.lease,
        idle: config.grants.session_idle,
        tombstones: store.max_tombstones,
        max_clock_step: store.max_clock_step,
        touch_interval: store.touch_interval,
        events: store.max_events,
        calls: store.max_calls,
        lookups: store.max_lookups,
        max_sessions: config.limits.max_sessions,
        keep_ended: store.keep_ended,
        purge_interval: store.purge_interval,
    }
}

pub(super) fn journal(config: &Config) -> Result<audit::Settings, RunError> {
    let from = &config.audit;
    Ok(audit::Settings {
        dir: config.journal_dir(),
        durability: match from.durability {
            config::Durability::Process => audit::Durability::Process,
            config::Durability::Disk => audit::Durability::Disk,
        },
        segment_bytes: from.segment_bytes.bytes(),
        redact_query: from.redact_query.clone(),
        max_field: from.max_field_bytes.len(),
        close_queue: from.max_pending,
        segment_age: from.segment_age,
        room: room(&from.min_free),
        sinks: super::sinks::all(config)?,
        log: super::log::settings(config)?,
        ..audit::Settings::default()
    })
}

pub(super) fn room(from: &config::MinFree) -> RoomSettings {
    RoomSettings {
        alarm: from.alarm.bytes(),
        refuse: from.refuse.bytes(),
        interval: from.interval,
    }
}

pub(super) fn tls(from: &config::Tls) -> tls::Settings {
    let mut pairs = vec![tls::Pair {
        cert: from.cert.clone(),
        key: from.key.clone(),
    }];
    pairs.extend(from.extra.iter().map(|extra| tls::Pair {
        cert: extra.cert.clone(),
        key: extra.key.clone(),
    }));
    tls::Settings {
        pairs,
        client_ca: from.client_ca.clone(),
        client_auth: match from.client_auth {
            config::ClientAuth::Off => tls::ClientAuth::Off,
            config::ClientAuth::Optional => tls::ClientAuth::Optional,
            config::ClientAuth::Required => tls::ClientAuth::Required,
        },
        only_tls13: from.min_version == config::TlsVersion::V13,
    }
}

pub(super) fn listener(
    config: &Config,
    tls: Option<Arc<ArcSwap<ServerConfig>>>,
) -> listener::Settings {
    let from = &config.listeners.apps;
    listener::Settings {
        address: from.address,
        tls,
        h2c: from.h2c,
        proxy_protocol: match from.proxy_protocol {
            config::ProxyProtocol::Off => ProxyProtocol::Off,
            config::ProxyProtocol::V1 => ProxyProtocol::V1,
            config::ProxyProtocol::V2 => ProxyProtocol::V2,
            config::ProxyProtocol::Any => ProxyProtocol::Any,
        },
        trusted: from
            .trusted_proxies
            .iter()
            .map(|range| Network {
                address: range.address(),
                prefix: range.prefix(),
            })
            .collect(),
    }
}

pub(super) fn limits(config: &Config) -> Limits {
    let from = &config.limits;
    Limits {
        max_connections: from.max_connections,
        max_head_bytes: from.max_head_bytes.len(),
        max_headers: from.max_headers,
        max_uri_bytes: from.max_uri_bytes.len(),
        max_chunk_extension_bytes: from.max_chunk_extension_bytes.len(),
        handshake_timeout: from.handshake_timeout,
        header_timeout: from.header_timeout,
        idle_timeout: from.idle_timeout,
        request_body_idle_timeout: from.request_body_idle_timeout,
        response_idle_timeout: from.response_idle_timeout,
        h2_max_concurrent_streams: from.h2_max_concurrent_streams,
        h2_max_pending_resets: from.h2_max_pending_resets,
        h2_max_local_resets: from.h2_max_local_resets,
        h2_stream_window: u32::try_from(from.h2_stream_window.bytes()).unwrap_or(u32::MAX),
        h2_connection_window: u32::try_from(from.h2_connection_window.bytes()).unwrap_or(u32::MAX),
        h2_send_buffer: from.h2_send_buffer.len(),
        max_websocket_message: from.max_websocket_message.len(),
        max_websockets: from.max_websockets,
        max_sign_in_attempts: from.max_sign_in_attempts,
        max_attempt_addresses: from.max_attempt_addresses,
        max_policy_buffers: from.max_policy_buffers.len(),
        events_keep_alive: from.events_keep_alive,
        handoff_timeout: from.handoff_timeout,
        max_handoffs: from.max_handoffs,
        max_grant_form: from.max_grant_form.len(),
        max_via_passes: from.max_via_passes,
        max_stranger_records: config.audit.max_stranger_records,
        jar: crate::proxy::rewrite::jar::Limits {
            max_cookies: from.max_jar_cookies,
            max_cookie_bytes: from.max_jar_cookie_bytes.len(),
        },
    }
}

pub(super) fn key_algorithm(from: config::Algorithm) -> identity::Algorithm {
    match from {
        config::Algorithm::Es256 => identity::Algorithm::Es256,
        config::Algorithm::EdDsa => identity::Algorithm::EdDsa,
    }
}

pub(super) fn issuers(config: &Config) -> Result<external::Settings, RunError> {
    let issuers = config
        .issuers
        .iter()
        .map(issuer)
        .collect::<Result<_, _>>()?;
    Ok(external::Settings {
        issuers,
        ..external::Settings::default()
    })
}

fn issuer(from: &config::Issuer) -> Result<external::Issuer, RunError> {
    let jwks = if from.jwks.contains("://") {
        let url = url::Url::parse(&from.jwks)
            .map_err(|why| RunError::build(format!("issuers.{}.jwks", from.issuer), why))?;
        external::Jwks::Url(url)
    } else {
        external::Jwks::File(from.jwks.clone().into())
    };
    let mut made = external::Issuer::new(&from.issuer, &from.audience, jwks);
    made.algorithms = from
        .algorithms
        .iter()
        .map(|algorithm| match algorithm {
            config::JwtAlgorithm::Es256 => external::Algorithm::Es256,
            config::JwtAlgorithm::EdDsa => external::Algorithm::EdDsa,
            config::JwtAlgorithm::Rs256 => external::Algorithm::Rs256,
        })
        .collect();
    made.types.clone_from(&from.typ);
    made.max_lifetime = from.max_lifetime;
    made.leeway = from.leeway;
    made.apps = Some(
        from.apps
            .iter()
            .map(|app| app.as_str().to_owned())
            .collect(),
    );
    made.tenants = (!from.tenants.is_empty()).then(|| from.tenants.clone());
    made.refresh = from.refresh;
    made.min_refresh = from.cooldown;
    made.max_stale = from.max_stale;
    made.ca.clone_from(&from.ca);
    Ok(made)
}
