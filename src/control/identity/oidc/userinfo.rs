//! Claims that the ID token does not have, from the userinfo endpoint (OpenID Connect Core §5.3). Only about who the person
//! is; how they signed in is for the ID token alone to say.

use super::super::claims::Claims;
use super::super::outbound::caused;
use super::super::refused::Refused;
use super::provider::{Known, Provider};
use openidconnect::core::{CoreGenderClaim, CoreTokenResponse};
use openidconnect::{
    AdditionalClaims, OAuth2TokenResponse as _, SubjectIdentifier, UserInfoClaims, UserInfoError,
};
use serde_json::{Map, Value};

/// Claims that only count from the ID token.
const OF_THE_TOKEN: [&str; 12] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "nonce",
    "azp",
    "auth_time",
    "acr",
    "amr",
];

/// Whatever else the provider says.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Others {
    #[serde(flatten)]
    all: Map<String, Value>,
}

impl AdditionalClaims for Others {}

impl Provider {
    /// Asks for what is missing, where the provider has such an endpoint and the configuration wants it.
    pub(super) async fn add_userinfo(
        &self,
        known: &Known,
        answer: &CoreTokenResponse,
        claims: &mut Claims,
    ) -> Result<(), Refused> {
        let person = self.settings.person_claim.as_deref().unwrap_or("email");
        let complete = [person, self.settings.groups_claim.as_str()]
            .iter()
            .all(|name| claims.contains_key(*name));
        if complete || !self.settings.userinfo || known.metadata.userinfo_endpoint().is_none() {
            return Ok(());
        }
        let subject = claims
            .get("sub")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let client = self.client(known);
        let request = client
            .user_info(
                answer.access_token().clone(),
                Some(SubjectIdentifier::new(subject.to_owned())),
            )
            .map_err(|why| Refused::Provider(why.to_string()))?;
        let found: Result<UserInfoClaims<Others, CoreGenderClaim>, _> =
            request.request_async(&self.http).await;
        let found = found.map_err(|why| match why {
            UserInfoError::Request(why) => Refused::Unreachable(why),
            other => Refused::Provider(caused(&other)),
        })?;
        if let Ok(Value::Object(found)) = serde_json::to_value(&found) {
            for (name, value) in found {
                if !OF_THE_TOKEN.contains(&name.as_str()) && !value.is_null() {
                    claims.entry(name).or_insert(value);
                }
            }
        }
        Ok(())
    }
}
