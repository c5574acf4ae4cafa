//! An access proxy's signed assertion: who it says is there. Issuer, audience, algorithm and keys are pinned, so that the
//! header is worth nothing from anybody else.

use super::claims::{Reading, identified, timely};
use super::front::{Human, Identity};
use super::person::Identified;
use super::refused::Refused;
use super::settings::HumanSettings;
use crate::model::Method;
use http::HeaderMap;

impl Identity {
    /// The person that the assertion in these headers is about; `None`: there is none.
    pub(super) async fn asserted(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<Identified>, Refused> {
        let made = self.made();
        let (Human::Assertion(signer), HumanSettings::Assertion(settings)) =
            (&made.human, &made.settings.human)
        else {
            return Ok(None);
        };
        let mut all = headers.get_all(&settings.header).iter();
        let Some(token) = all.next() else {
            return Ok(None);
        };
        let token = token.to_str().ok().filter(|_| all.next().is_none());
        let token =
            token.ok_or_else(|| Refused::claim(settings.header.as_str(), "is not one token"))?;
        let claims = signer.verify(token).await?;
        if claims.get("iss").and_then(serde_json::Value::as_str) != Some(signer.issuer()) {
            return Err(Refused::MixUp);
        }
        if !signer.is_audience(&claims) {
            return Err(Refused::claim("aud", "does not name this Locum"));
        }
        let issuer = &settings.issuer;
        timely(&claims, self.now(), issuer.leeway, issuer.max_lifetime)?;
        let reading = Reading {
            groups: &settings.groups_claim,
            person: settings.person_claim.as_deref(),
            auth_time: &settings.auth_time_claim,
            max_groups: made.settings.max_groups,
        };
        identified(&claims, &reading, Method::Assertion).map(Some)
    }
}
