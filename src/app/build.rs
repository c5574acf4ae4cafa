//! One configuration → one immutable setup of the data plane.

use super::{RunError, translate};
use crate::audit::PolicyPart;
use crate::config::{self, Config};
use crate::policy::shadow::Differ;
use crate::policy::{self, Policy};
use crate::proxy::canonical::Spoofable;
use crate::proxy::hosts::{Hosts, Place};
use crate::proxy::rewrite::banner;
use crate::proxy::setup::{
    self, App, AppOrigin, BindingRule, OriginMode, Placement, Setup, Shadow,
};
use crate::proxy::upstream::forward::{self, HostRule, Scheme};
use crate::proxy::upstream::identity::{Identity, KeyRing};
use crate::proxy::upstream::{self, Upstream};
use crate::proxy::worker::Plane;
use crate::store::external::Bearers;
use crate::store::live::Live;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often issuers' keys are looked at.
const REFRESH: Duration = Duration::from_secs(5);

/// Keeps the keys of external issuers fresh.
pub(super) async fn refresh_issuers(plane: Arc<Plane>) {
    loop {
        let bearers = Arc::clone(&plane.setup().bearers);
        bearers.refresh().await;
        tokio::time::sleep(REFRESH).await;
    }
}

/// Builds everything that a reload replaces.
pub(super) fn setup(
    config: &Config,
    keys: &Arc<KeyRing>,
    live: &Arc<Live>,
) -> Result<Setup, RunError> {
    let policy = Arc::new(load(config, &config.policy.paths)?);
    let shadow = shadow(config, &policy)?;
    let upstreams = upstreams(config, keys)?;
    let (scheme, port) = config.listeners.apps.external();
    let usual = if scheme == config::Scheme::Https {
        443
    } else {
        80
    };
    let mut hosts = Hosts::new(Some(port), usual);
    let mut apps = Vec::new();
    for from in &config.apps {
        let app = app(config, from, &upstreams)?;
        let names: Vec<String> = app
            .origins
            .iter()
            .map(|origin| origin.name.clone())
            .collect();
        hosts.add_app(&app.family, &names);
        let serves_own = app.origin == OriginMode::Shared || app.placement == Placement::Inline;
        for (at, origin) in app.origins.iter().enumerate() {
            let place = Place {
                app: apps.len(),
                origin: at,
            };
            if serves_own {
                hosts.add_own(&origin.authority, place);
            }
        }
        // Bearers of grants have no session's name yet: they come to the app's own.
        let front = if port == usual {
            app.family.clone()
        } else {
            format!("{}:{port}", app.family)
        };
        hosts.add_own(
            &front,
            Place {
                app: apps.len(),
                origin: 0,
            },
        );
        apps.push(app);
    }
    let bearers =
        Bearers::new(translate::issuers(config)?, Arc::clone(live)).map_err(|problems| {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            RunError::build("issuers", all.join("; "))
        })?;
    Ok(Setup {
        limits: translate::limits(config),
        serial: setup::next_serial(),
        hosts,
        apps,
        policy_part: PolicyPart::new(policy.digest()),
        policy,
        shadow,
        bearers: Arc::new(bearers),
        scheme: scheme.as_str(),
        port: (port != usual).then_some(port),
        portal: (config.listeners.portal.enabled).then(|| config.portal_origin()),
        digests: translate::digests(config),
        max_field: config.audit.max_field_bytes.len(),
        recording: super::recording::rules(config),
    })
}

/// The options that every load of policy files has, whether to serve or to check.
pub(crate) fn policy_options(config: &Config) -> policy::LoadOptions {
    let from = &config.policy;
    policy::LoadOptions {
        settings: policy::Settings {
            body_buffer: from.body_buffer.len(),
            max_rows: from.max_rows,
            max_file: from.max_file_bytes.len(),
            graphql_tokens: from.graphql_tokens,
            graphql_depth: from.graphql_depth,
            graphql_batch: from.graphql_batch,
            graphql_fields: from.graphql_fields,
            max_parameters: from.max_parameters,
        },
        apps: Some(
            config
                .apps
                .iter()
                .map(|app| app.name.as_str().to_owned())
                .collect(),
        ),
    }
}

fn load(config: &Config, paths: &[PathBuf]) -> Result<Policy, RunError> {
    Policy::load(paths, &policy_options(config)).map_err(RunError::Policy)
}

fn shadow(config: &Config, live: &Policy) -> Result<Option<Shadow>, RunError> {
    if config.policy.shadow.is_empty() {
        return Ok(None);
    }
    let policy = load(config, &config.policy.shadow)?;
    let differ = Differ::new(live.digest(), policy.digest());
    Ok(Some(Shadow {
        policy: Arc::new(policy),
        differ,
    }))
}

/// One upstream as it is used: the transport, and how the subject is named to it.
struct Behind {
    upstream: Arc<Upstream>,
    identity: Arc<Identity>,
    host: config::HostHeader,
}

fn upstreams(config: &Config, keys: &Arc<KeyRing>) -> Result<HashMap<String, Behind>, RunError> {
    let mut made = HashMap::new();
    for from in &config.upstreams {
        let name = from.name.as_str().to_owned();
        let failed = |what: &str| {
            let what = format!("upstreams.{name}{what}");
            move |why: &dyn std::fmt::Display| RunError::build(what, why.to_string())
        };
        let upstream =
            Upstream::new(transport(config, from)).map_err(|why| failed("")(&caused(&why)))?;
        let identity = Identity::new(
            super::subject::settings(config, from),
            Some(Arc::clone(keys)),
        )
        .map_err(|why| failed(".identity")(&caused(&why)))?;
        let behind = Behind {
            upstream: Arc::new(upstream),
            identity: Arc::new(identity),
            host: from.host.clone(),
        };
        made.insert(name, behind);
    }
    Ok(made)
}

/// An error with its causes, on one line.
fn caused(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

fn transport(config: &Config, from: &config::Upstream) -> upstream::Settings {
    let addresses = from.addresses.iter().map(|address| match address {
        config::Address::Tcp { host, port, .. } => upstream::Address::Tcp(host.clone(), *port),
        config::Address::Unix(path) => upstream::Address::Unix(path.clone()),
    });
    let is_tls = from.addresses.iter().any(config::Address::is_tls);
    let tls = is_tls.then(|| upstream::Tls {
        server_name: from.tls.server_name.clone(),
        roots: from
            .tls
            .ca
            .clone()
            .map_or(upstream::Roots::System, upstream::Roots::File),
        client: from
            .tls
            .client_cert
            .clone()
            .zip(from.tls.client_key.clone()),
    });
    upstream::Settings {
        name: from.name.as_str().to_owned(),
        addresses: addresses.collect(),
        protocol: match from.protocol {
            config::Protocol::Auto => upstream::Protocol::Auto,
            config::Protocol::Http1 => upstream::Protocol::Http1,
            config::Protocol::H2 => upstream::Protocol::Http2,
        },
        tls,
        timeouts: upstream::Timeouts {
            connect: from.connect_timeout,
            head: from.response_timeout,
            request_idle: from.write_idle_timeout,
            body_idle: from.read_idle_timeout,
            pool_idle: from.pool.idle_timeout,
        },
        health: upstream::Health {
            failures: from.health.fail_after,
            rest: from.health.retry_after,
            ..upstream::Health::default()
        },
        // The last one is the main thread's, for what comes after a session's end.
        lanes: super::serve::count(config) + 1,
        max_idle: from.pool.max_idle,
        max_connections: from.pool.max_connections,
        max_attempts: from.retries + 1,
        max_head_bytes: config.limits.max_response_head_bytes.len(),
        read_buffer: config.limits.response_read_buffer.len(),
        max_headers: config.limits.max_response_headers,
        ..upstream::Settings::default()
    }
}

fn app(
    config: &Config,
    from: &config::App,
    upstreams: &HashMap<String, Behind>,
) -> Result<App, RunError> {
    let family = config.app_domain(from.name.as_str());
    let shared = matches!(from.origin, config::OriginKind::Shared)
        || from.placement == config::Placement::Inline;
    if shared && from.public_url.is_none() {
        let why = "public_url is missing: it says which host name the app is served on";
        return Err(RunError::build(format!("apps.{}", from.name), why));
    }
    let mut origins = vec![origin(
        config,
        from,
        "",
        from.public_url.as_ref(),
        &from.upstream,
        upstreams,
    )?];
    for further in &from.origins {
        let upstream = further.upstream.as_ref().unwrap_or(&from.upstream);
        origins.push(origin(
            config,
            from,
            further.name.as_str(),
            Some(&further.public_url),
            upstream,
            upstreams,
        )?);
    }
    Ok(App {
        name: from.name.as_str().to_owned(),
        placement: match from.placement {
            config::Placement::Gate => Placement::Gate,
            config::Placement::Inline => Placement::Inline,
        },
        origin: match from.origin {
            config::OriginKind::Session => OriginMode::Session,
            config::OriginKind::Shared => OriginMode::Shared,
        },
        family,
        origins,
        browser_cookies: from.browser_cookies.clone(),
        no_store: from.cache == config::Cache::NoStore,
        replace_origins: from.rewrite_origins,
        max_request_body: from
            .max_request_body
            .unwrap_or(config.limits.max_request_body)
            .bytes(),
        binding: binding(&from.binding),
        banner: banner(config, from),
    })
}

fn binding(from: &config::Binding) -> BindingRule {
    let prefix = |bits| if from.network { bits } else { 0 };
    BindingRule {
        certificate: from.certificate,
        prefix_v4: prefix(from.network_prefix_v4),
        prefix_v6: prefix(from.network_prefix_v6),
    }
}

fn banner(config: &Config, from: &config::App) -> banner::Settings {
    banner::Settings {
        reencode: from.banner.reencode,
        max_decoded_bytes: config.limits.max_html_bytes.bytes(),
        max_ratio: u64::from(config.limits.max_html_ratio),
        max_token_bytes: config.limits.max_html_token_bytes.len(),
        ..banner::Settings::default()
    }
}

fn origin(
    config: &Config,
    app: &config::App,
    name: &str,
    public: Option<&config::Origin>,
    upstream: &config::Label,
    upstreams: &HashMap<String, Behind>,
) -> Result<AppOrigin, RunError> {
    let missing = || {
        RunError::build(
            format!("apps.{}", app.name),
            format!("there is no upstream {upstream}"),
        )
    };
    let behind = upstreams.get(upstream.as_str()).ok_or_else(missing)?;
    // Without a public URL the app is taken to live under the name that its sessions end in.
    let (text, authority, host, is_https) = if let Some(url) = public {
        (
            url.as_str().to_owned(),
            url.authority().to_owned(),
            url.host().to_owned(),
            url.is_https(),
        )
    } else {
        let (scheme, _) = config.listeners.apps.external();
        let family = config.app_domain(app.name.as_str());
        (
            format!("{}://{family}", scheme.as_str()),
            family.clone(),
            family,
            scheme == config::Scheme::Https,
        )
    };
    let scheme = if is_https {
        Scheme::Https
    } else {
        Scheme::Http
    };
    let host_rule = match (&behind.host, public) {
        (config::HostHeader::Preserve, Some(_)) => HostRule::Fixed(authority.clone()),
        (config::HostHeader::Preserve, None) => HostRule::Preserve,
        (config::HostHeader::Upstream, _) => HostRule::Address,
        (config::HostHeader::Fixed(host), _) => HostRule::Fixed(host.clone()),
    };
    let forward = forward::Settings {
        host: host_rule,
        public: public.map(|_| (scheme, authority.clone())),
        ..forward::Settings::default()
    };
    let listed = behind.identity.strip_list();
    Ok(AppOrigin {
        name: name.to_owned(),
        public: text,
        authority,
        host,
        is_https,
        upstream_name: upstream.as_str().to_owned(),
        upstream: Arc::clone(&behind.upstream),
        identity: Arc::clone(&behind.identity),
        forward,
        strip: Arc::new(Spoofable::new(listed.iter().map(http::HeaderName::as_str))),
    })
}
