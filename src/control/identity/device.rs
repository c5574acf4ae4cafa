//! `POST /api/v1/login/device` and `…/token`: signing in a command line (RFC 8628). The provider's codes are passed on; what the
//! command line gets in the end is a token of ours.

use super::front::{Human, Identity};
use super::oidc::Polled;
use super::refused::Refused;
use crate::control::gate::Peer;
use crate::control::refusal::{Kind, Refusal};
use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

/// What a command line asks for.
#[derive(Debug, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceRequest {
    /// Sign in anew, as strongly as activating needs.
    #[serde(default)]
    fresh: bool,
}

/// What it shows to its person.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct DeviceStarted {
    /// What to ask with; a secret.
    device_code: String,
    user_code: String,
    verification_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_uri_complete: Option<String>,
    /// Seconds between two looks.
    interval: u64,
    /// Seconds that the codes are good for.
    expires_in: u64,
}

/// A look.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DevicePoll {
    device_code: String,
}

/// The token, when the person signed in.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub struct DeviceToken {
    token: String,
    /// RFC 3339.
    expires_at: String,
}

/// Not yet: 202.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct DeviceWaiting {
    /// Seconds to wait before the next look.
    interval: u64,
}

impl Identity {
    /// Begins.
    pub(super) async fn device(
        &self,
        asked: DeviceRequest,
        peer: &Peer,
    ) -> Result<Json<DeviceStarted>, Refusal> {
        let address = peer.address.ip();
        self.may_try(address)?;
        self.tried(address);
        let made = self.made();
        let fresh = asked.fresh.then(|| self.fresh(None));
        let begun = match &made.human {
            Human::Oidc(provider) => provider.device(fresh.as_ref()).await,
            Human::Demo => self.begin_demo_device().await,
            _ => Err(Refused::Unsupported("signing in a command line")),
        };
        match begun {
            Ok(begun) => Ok(Json(DeviceStarted {
                device_code: begun.device_code,
                user_code: begun.user_code,
                verification_uri: begun.verification_uri,
                verification_uri_complete: begun.verification_uri_complete,
                interval: begun.interval.as_secs(),
                expires_in: begun.expires_in.as_secs(),
            })),
            Err(why) => Err(self.refuse(why, "device", address, None).await),
        }
    }

    /// Looks whether the person signed in.
    pub(super) async fn device_token(
        &self,
        poll: DevicePoll,
        peer: &Peer,
    ) -> Result<Response, Refusal> {
        let address = peer.address.ip();
        self.may_try(address)?;
        let made = self.made();
        let polled = match &made.human {
            Human::Oidc(provider) => {
                let max = made.settings.max_groups;
                provider.poll(&poll.device_code, max, self.now()).await
            }
            Human::Demo => self.poll_demo_device(&poll.device_code).await,
            _ => Err(Refused::Unsupported("signing in a command line")),
        };
        match polled {
            Ok(Polled::Done(proven)) => {
                let (secret, expires_at) = self.give_token(*proven, address).await?;
                let token = DeviceToken {
                    token: secret.reveal(),
                    expires_at: expires_at.to_string(),
                };
                Ok(Json(token).into_response())
            }
            Ok(Polled::Waiting(interval)) => {
                let waiting = DeviceWaiting {
                    interval: interval.as_secs(),
                };
                Ok((StatusCode::ACCEPTED, Json(waiting)).into_response())
            }
            Ok(Polled::Expired) => Err(Refusal::new(
                Kind::Unauthenticated,
                "login.expired",
                "Nobody signed in in time. Begin again.",
            )),
            Err(why) => Err(self.refuse(why, "device", address, None).await),
        }
    }
}
