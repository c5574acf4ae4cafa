//! `[upstreams.identity]` as the data plane uses it.

use crate::config::{self, Config};
use crate::proxy::upstream::identity::{
    self, ClientAuth, Credential, Exchange, Logout, Mint, MintBody, SecretSource,
};
use http::Method;

/// How one upstream is told who the subject is, and that it is over.
pub(super) fn settings(config: &Config, from: &config::Upstream) -> identity::Settings {
    let given = &from.identity;
    let source = || match (&given.secret_file, &given.secret_env) {
        (Some(path), _) => SecretSource::File(path.clone()),
        (None, name) => SecretSource::Env(name.clone().unwrap_or_default()),
    };
    let mut made = identity::Settings {
        upstream: from.name.as_str().to_owned(),
        ..identity::Settings::default()
    };
    made.logout = given.logout.as_ref().map(logout);
    made.headers = given
        .headers
        .iter()
        .map(|(name, text)| (name.clone(), text.clone()))
        .collect();
    let mut assertion = identity::Assertion {
        issuer: config.portal_origin(),
        audience: from.audience().to_owned(),
        lifetime: given.lifetime,
        ..identity::Assertion::default()
    };
    if let Some(header) = &given.header {
        header.as_str().clone_into(&mut assertion.header);
    }
    match given.mode {
        config::IdentityMode::Assertion => made.assertion = Some(assertion),
        config::IdentityMode::Mint => {
            assertion.on_requests = false;
            made.assertion = Some(assertion);
            let path = given
                .mint_path
                .as_ref()
                .map(|path| path.as_str().to_owned())
                .unwrap_or_default();
            made.mint = Some(Mint {
                path,
                body: MintBody::Header,
                ..Mint::default()
            });
        }
        config::IdentityMode::Exchange => {
            assertion.on_requests = false;
            made.assertion = Some(assertion);
            made.exchange = given.exchange.as_ref().map(exchange);
        }
        config::IdentityMode::Basic => {
            let user = given.username.clone().unwrap_or_default();
            made.credential = Some(Credential::Basic {
                user,
                password: source(),
            });
        }
        config::IdentityMode::Bearer => {
            let header = given
                .header
                .as_ref()
                .map_or("authorization", config::HeaderName::as_str)
                .to_owned();
            let prefix = if given.header.is_none() {
                "Bearer "
            } else {
                ""
            };
            made.credential = Some(Credential::Token {
                header,
                prefix: prefix.to_owned(),
                token: source(),
            });
        }
        config::IdentityMode::Headers | config::IdentityMode::None => {}
    }
    made
}

fn logout(from: &config::Logout) -> Logout {
    Logout {
        path: from.path.as_str().to_owned(),
        method: match from.method {
            config::LogoutMethod::Post => Method::POST,
            config::LogoutMethod::Get => Method::GET,
            config::LogoutMethod::Delete => Method::DELETE,
        },
        timeout: from.timeout,
    }
}

fn exchange(from: &config::Exchange) -> Exchange {
    Exchange {
        token_endpoint: from.token_endpoint.clone(),
        revocation_endpoint: from.revocation_endpoint.clone(),
        client_id: from.client_id.clone(),
        secret: SecretSource::File(from.client_secret_file.clone()),
        auth: match from.client_auth {
            config::EndpointAuth::Basic => ClientAuth::Basic,
            config::EndpointAuth::Post => ClientAuth::Post,
        },
        audience: from.audience.clone(),
        resource: from.resource.clone(),
        scope: from.scope.clone(),
        ca: from.ca.clone(),
        timeout: from.timeout,
        max_answer: from.max_answer_bytes.len(),
        early: from.renew_before,
        assumed: from.assumed_lifetime,
        pause: from.pause,
    }
}
