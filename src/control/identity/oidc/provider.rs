//! The provider's metadata and keys, kept: fetched when old, when a token names a key that is not among them, and never
//! too often.

use super::super::outbound::{Outbound, caused, is_confidential};
use super::super::refused::Refused;
use super::super::settings::OidcSettings;
use crate::store::external::Algorithm;
use arc_swap::ArcSwapOption;
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreGrantType,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
    CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, AuthType, ClientId, DeviceAuthorizationUrl, DiscoveryError,
    EndSessionUrl, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, ProviderMetadata,
    TokenUrl, UserInfoUrl,
};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// After a fetch that failed, how long before the next where nothing is known yet.
const RETRY: Duration = Duration::from_secs(1);

/// Endpoints that discovery knows only by extensions.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct More {
    /// OpenID Connect RP-Initiated Logout 1.0 §2.1.
    pub(super) end_session_endpoint: Option<EndSessionUrl>,
    /// RFC 8628 §4.
    pub(super) device_authorization_endpoint: Option<DeviceAuthorizationUrl>,
}

impl AdditionalProviderMetadata for More {}

pub(super) type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

pub(super) type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What discovery said, and when.
pub(super) struct Known {
    pub(super) metadata: Metadata,
    at: Instant,
}

/// One provider.
pub(in crate::control::identity) struct Provider {
    pub(super) settings: OidcSettings,
    pub(super) http: Outbound,
    issuer: IssuerUrl,
    known: ArcSwapOption<Known>,
    /// The last fetch, whether it worked or not.
    last: Mutex<Option<Instant>>,
}

impl Provider {
    pub(in crate::control::identity) fn new(settings: OidcSettings) -> Result<Self, String> {
        let issuer = IssuerUrl::new(settings.issuer.clone())
            .map_err(|why| format!("the issuer is no URL: {why}"))?;
        if !is_confidential(issuer.url()) {
            return Err("the issuer is neither https nor on loopback".to_owned());
        }
        let http = Outbound::new(
            settings.ca.as_deref(),
            settings.timeout,
            settings.max_answer_bytes,
        )?;
        Ok(Self {
            settings,
            http,
            issuer,
            known: ArcSwapOption::empty(),
            last: Mutex::new(None),
        })
    }

    /// Its exact `iss`.
    pub(in crate::control::identity) fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// What is known of the provider, fetched if it is old.
    pub(super) async fn known(&self) -> Result<Arc<Known>, Refused> {
        if let Some(known) = self.kept(self.settings.refresh) {
            return Ok(known);
        }
        let mut last = self.last.lock().await;
        if let Some(known) = self.kept(self.settings.refresh) {
            return Ok(known);
        }
        let old = self.kept(self.settings.refresh + self.settings.max_stale);
        let pause = match &old {
            Some(_) => self.settings.cooldown,
            None => RETRY.min(self.settings.cooldown),
        };
        if last.is_some_and(|last| last.elapsed() < pause) {
            return old.ok_or_else(|| {
                Refused::Provider("its metadata could not be fetched a moment ago".to_owned())
            });
        }
        let fetched = self.fetch().await;
        *last = Some(Instant::now());
        match (fetched, old) {
            (Ok(known), _) => Ok(known),
            (Err(why), Some(old)) => {
                tracing::warn!(issuer = %self.issuer.as_str(), error = %caused(&why), "cannot refresh the identity provider's metadata; the last good one stays");
                Ok(old)
            }
            (Err(why), None) => Err(why),
        }
    }

    /// Something newer than `seen`, whose keys did not do: the provider may have rotated them. `None`: it was asked lately.
    pub(super) async fn newer(&self, seen: &Known) -> Result<Option<Arc<Known>>, Refused> {
        let mut last = self.last.lock().await;
        if let Some(known) = self.known.load_full()
            && known.at > seen.at
        {
            return Ok(Some(known));
        }
        if last.is_some_and(|last| last.elapsed() < self.settings.cooldown) {
            return Ok(None);
        }
        let fetched = self.fetch().await;
        *last = Some(Instant::now());
        fetched.map(Some)
    }

    fn kept(&self, age: Duration) -> Option<Arc<Known>> {
        let known = self.known.load_full()?;
        (known.at.elapsed() < age).then_some(known)
    }

    async fn fetch(&self) -> Result<Arc<Known>, Refused> {
        let found = Metadata::discover_async(self.issuer.clone(), &self.http).await;
        let metadata = found.map_err(|why| match why {
            DiscoveryError::Request(why) => Refused::Unreachable(why),
            other => Refused::Provider(caused(&other)),
        })?;
        confidential(&metadata)?;
        let known = Arc::new(Known {
            metadata,
            at: Instant::now(),
        });
        self.known.store(Some(Arc::clone(&known)));
        Ok(known)
    }

    pub(super) fn client(&self, known: &Known) -> Client {
        let client = CoreClient::from_provider_metadata(
            known.metadata.clone(),
            ClientId::new(self.settings.client_id.clone()),
            self.settings.client_secret.clone(),
        );
        // RFC 6749 §2.3.1: Basic, unless the provider takes it only in the body.
        let methods = known.metadata.token_endpoint_auth_methods_supported();
        let basic =
            methods.is_none_or(|list| list.contains(&CoreClientAuthMethod::ClientSecretBasic));
        if basic {
            client
        } else {
            client.set_auth_type(AuthType::RequestBody)
        }
    }

    /// The algorithms that are pinned, in the words of the crate.
    pub(super) fn algorithms(&self) -> Vec<CoreJwsSigningAlgorithm> {
        let one = |it: &Algorithm| match it {
            Algorithm::Es256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
            Algorithm::EdDsa => CoreJwsSigningAlgorithm::EdDsa,
            Algorithm::Rs256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        };
        self.settings.algorithms.iter().map(one).collect()
    }
}

/// Every endpoint that a browser or we are sent to.
fn confidential(metadata: &Metadata) -> Result<(), Refused> {
    let more = metadata.additional_metadata();
    let endpoints = [
        Some(metadata.authorization_endpoint().url()),
        Some(metadata.jwks_uri().url()),
        metadata.token_endpoint().map(TokenUrl::url),
        metadata.userinfo_endpoint().map(UserInfoUrl::url),
        more.end_session_endpoint.as_ref().map(EndSessionUrl::url),
        more.device_authorization_endpoint
            .as_ref()
            .map(DeviceAuthorizationUrl::url),
    ];
    for url in endpoints.into_iter().flatten() {
        if !is_confidential(url) {
            let words = format!("{url} is neither https nor on loopback");
            return Err(Refused::Provider(words));
        }
    }
    Ok(())
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.settings.issuer)
    }
}
