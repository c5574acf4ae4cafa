//! Signing in a command line (RFC 8628): the provider's device authorization, asked on its behalf. The provider's tokens
//! stay here.

use super::super::flow::Fresh;
use super::super::logins::Proven;
use super::super::refused::Refused;
use super::finish::failed;
use super::provider::Provider;
use crate::model::Timestamp;
use openidconnect::core::{CoreDeviceAuthorizationResponse, CoreTokenResponse};
use openidconnect::{DeviceCodeErrorResponseType, RequestTokenError, Scope};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// RFC 8628 §3.2, §3.5: between two looks, unless the provider wants more.
const INTERVAL: Duration = Duration::from_secs(5);
/// The longest device code that is passed on, bytes.
const MAX_CODE: usize = 4096;

/// What the command line shows, and asks again with.
#[derive(Clone)]
pub(in crate::control::identity) struct DeviceBegun {
    pub(in crate::control::identity) device_code: String,
    pub(in crate::control::identity) user_code: String,
    pub(in crate::control::identity) verification_uri: String,
    pub(in crate::control::identity) verification_uri_complete: Option<String>,
    pub(in crate::control::identity) interval: Duration,
    pub(in crate::control::identity) expires_in: Duration,
}

/// One look at whether the person has answered.
pub(in crate::control::identity) enum Polled {
    Done(Box<Proven>),
    /// Not yet. Ask again, but no sooner than after this.
    Waiting(Duration),
    /// The code's time is over.
    Expired,
}

impl Provider {
    /// Begins (§3.1). `fresh`: what a step-up asks for; whether it was kept is seen when the token is used.
    pub(in crate::control::identity) async fn device(
        &self,
        fresh: Option<&Fresh>,
    ) -> Result<DeviceBegun, Refused> {
        let known = self.known().await?;
        let endpoint = known.metadata.additional_metadata();
        let endpoint = endpoint.device_authorization_endpoint.clone();
        let endpoint = endpoint.ok_or(Refused::Unsupported("signing in a command line"))?;
        let client = self.client(&known).set_device_authorization_url(endpoint);
        let mut request = client
            .exchange_device_code()
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new));
        if let Some(fresh) = fresh {
            request = request
                .add_extra_param("max_age", "0")
                .add_extra_param("prompt", "login");
            if !fresh.acr.is_empty() {
                request = request.add_extra_param("acr_values", fresh.acr.join(" "));
            }
        }
        let answer: CoreDeviceAuthorizationResponse =
            request.request_async(&self.http).await.map_err(failed)?;
        let complete = answer.verification_uri_complete();
        Ok(DeviceBegun {
            device_code: answer.device_code().secret().clone(),
            user_code: answer.user_code().secret().clone(),
            verification_uri: answer.verification_uri().as_str().to_owned(),
            verification_uri_complete: complete.map(|uri| uri.secret().clone()),
            interval: answer.interval(),
            expires_in: answer.expires_in(),
        })
    }

    /// Asks once whether the person has answered (§3.4).
    pub(in crate::control::identity) async fn poll(
        &self,
        device_code: &str,
        max_groups: usize,
        now: Timestamp,
    ) -> Result<Polled, Refused> {
        let usable = |c: char| c.is_ascii_graphic();
        if device_code.is_empty()
            || device_code.len() > MAX_CODE
            || !device_code.chars().all(usable)
        {
            return Err(Refused::Flow);
        }
        let known = self.known().await?;
        let client = self.client(&known);
        // Only the code is used of it; the rest is for whoever waits, and we do not.
        let begun = serde_json::json!({
            "device_code": device_code, "user_code": "", "verification_uri": self.settings.issuer,
            "expires_in": 3600, "interval": 0,
        });
        let begun: CoreDeviceAuthorizationResponse =
            serde_json::from_value(begun).map_err(|why| Refused::Provider(why.to_string()))?;
        let (waiting, slower) = (Notify::new(), AtomicBool::new(false));
        let asked = client
            .exchange_device_access_token(&begun)
            .map_err(|why| Refused::Provider(why.to_string()))?
            .request_async(
                &self.http,
                |interval| {
                    // The crate would sleep now and ask again: that is the command line's to do.
                    slower.store(!interval.is_zero(), Ordering::Relaxed);
                    waiting.notify_one();
                    std::future::pending()
                },
                None,
            );
        let answer: CoreTokenResponse = tokio::select! {
            answer = asked => match answer {
                Ok(answer) => answer,
                Err(RequestTokenError::ServerResponse(why))
                    if *why.error() == DeviceCodeErrorResponseType::ExpiredToken =>
                {
                    return Ok(Polled::Expired);
                }
                Err(why) => return Err(failed(why)),
            },
            () = waiting.notified() => {
                let more = if slower.load(Ordering::Relaxed) { 2 } else { 1 };
                return Ok(Polled::Waiting(INTERVAL * more));
            }
        };
        let claims = self.claims(&known, &answer, None, now).await?;
        Ok(Polled::Done(Box::new(self.proven(&claims, max_groups)?)))
    }
}
