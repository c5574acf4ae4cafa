//! A grant that an external issuer signed, presented with each request: no cookie, no browser.

use super::client::Client;
use super::refusal::Refusal;
use super::setup::{App, BindingRule, Setup};
use super::unauthenticated::{Unauthenticated, ended};
use super::worker::Plane;
use crate::model::{Binding, Timestamp};
use crate::store::external::{BearerRefused, Fault};
use crate::store::live::{LiveSession, Starter};
use crate::telemetry::Limit;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::net::IpAddr;
use std::sync::Arc;

/// The session of a bearer grant: a look-up for a known one, a verification for a new one.
pub async fn session(
    plane: &Plane,
    setup: &Setup,
    app: &App,
    client: &Client,
    token: &str,
) -> Result<Arc<LiveSession>, Unauthenticated> {
    if let Some(known) = setup.bearers.recall(token, &app.name) {
        return known.map_err(|why| refused(setup, &why));
    }
    let (address, now) = (client.address.ip(), plane.clock.now());
    may_try(plane, setup, address, now)?;
    let presented = setup
        .bearers
        .present(token, &app.name, starter(app.binding, client)?)
        .await;
    presented.map_err(|why| {
        if why.fault() == Fault::Client {
            failed(plane, setup, address, now);
        }
        refused(setup, &why)
    })
}

/// The token of an `Authorization: Bearer …`.
pub fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Removes `Authorization` where it shows a grant of ours: a grant is for Locum, and to the app it would be a
/// credential of somebody else's. The app's own tokens pass.
pub fn strip_grants(setup: &Setup, headers: &mut HeaderMap) {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let is_grant = |value: &HeaderValue| {
        let token = value.to_str().ok().and_then(bearer_token);
        token.is_some_and(|token| setup.bearers.claims(token))
    };
    if values.any(is_grant) {
        headers.remove(header::AUTHORIZATION);
    }
}

/// Counts a try that failed against the address that it came from.
pub fn failed(plane: &Plane, setup: &Setup, address: IpAddr, now: Timestamp) {
    let max = setup.limits.max_attempt_addresses;
    if plane.attempts.failed(address, max, now) {
        plane.metrics.hit(Limit::AttemptAddresses);
    }
}

/// Whether another grant or start code may be tried from this address.
///
/// # Errors
/// 429: somebody is guessing, or a client is broken.
pub fn may_try(
    plane: &Plane,
    setup: &Setup,
    address: IpAddr,
    now: Timestamp,
) -> Result<(), Refusal> {
    let max = setup.limits.max_sign_in_attempts;
    if plane.attempts.may_try(address, max, now) {
        return Ok(());
    }
    plane.metrics.hit(Limit::SignInAttempts);
    let detail = "Too many tries from this address failed. Wait a minute, then try once.";
    Err(Refusal::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-attempts",
        "Too many tries",
        detail,
    ))
}

/// Who starts a session here, and what the session is tied to by that.
///
/// # Errors
/// It must be tied to a client certificate, and none was shown.
pub fn starter(rule: BindingRule, client: &Client) -> Result<Starter, Refusal> {
    if rule.certificate && client.certificate.is_none() {
        return Err(Refusal::unauthenticated(
            "certificate-missing",
            "Sessions of this app are tied to a client certificate, and none was shown. Choose yours when the browser asks.",
        ));
    }
    let address = client.address.ip().to_canonical();
    let prefix = if address.is_ipv4() {
        rule.prefix_v4
    } else {
        rule.prefix_v6
    };
    let binding = Binding {
        certificate: client
            .certificate
            .as_deref()
            .filter(|_| rule.certificate)
            .map(str::to_owned),
        network: (prefix > 0).then_some((address, prefix)),
    };
    Ok(Starter {
        binding,
        client: Some(address),
    })
}

/// In the words of the token's own check, which never echo the token.
pub fn refused(setup: &Setup, why: &BearerRefused) -> Unauthenticated {
    match (why.fault(), why) {
        (_, BearerRefused::Ended(grave)) => ended(grave, setup),
        (Fault::Client, _) => {
            Refusal::unauthenticated(why.name(), format!("The grant was not taken: {why}.")).into()
        }
        (Fault::Ours, _) => {
            tracing::error!(error = %why, "a grant could not be checked");
            Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                why.name(),
                "Support sessions are paused",
                "Grants cannot be checked now. Try again in a moment.",
            )
            .into()
        }
    }
}
