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
            made.mint = Some(mint(given));
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
            made.credential = Some(bearer(given, source()));
        }
        config::IdentityMode::Headers | config::IdentityMode::None => {}
    }
    made
}

fn mint(given: &config::Identity) -> Mint {
    let path = given.mint_path.as_ref();
    Mint {
        path: path
            .map(|path| path.as_str().to_owned())
            .unwrap_or_default(),
        body: MintBody::Header,
        ..Mint::default()
    }
}

/// Under a name of its own the token stands alone; in `Authorization` its scheme goes before it.
fn bearer(given: &config::Identity, token: SecretSource) -> Credential {
    let (header, prefix) = match &given.header {
        Some(header) => (header.as_str(), ""),
        None => ("authorization", "Bearer "),
    };
    Credential::Token {
        header: header.to_owned(),
        prefix: prefix.to_owned(),
        token,
    }
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
