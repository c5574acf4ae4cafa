//! The gate: by whatever proof a request carries, its caller. A proof that is there and does not hold is refused; no other
//! is looked for.

use super::cookies;
use super::front::{Human, Identity};
use super::refused::Refused;
use crate::control::desk::Answer;
use crate::control::gate::{Gate, Peer, Visit};
use crate::control::refusal::{Kind, Refusal};
use crate::model::{Caller, SecretHash};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};
use subtle::ConstantTimeEq as _;

/// Where scripts and API clients with a cookie put the token that forms carry as `csrf`.
const CSRF_HEADER: HeaderName = HeaderName::from_static("x-locum-csrf");

impl Gate for Identity {
    fn caller<'a>(&'a self, parts: &'a Parts) -> Answer<'a, Result<Caller, Refusal>> {
        Box::pin(self.find_caller(parts))
    }

    fn visitor<'a>(&'a self, headers: &'a HeaderMap) -> Answer<'a, Result<Option<Visit>, Refusal>> {
        Box::pin(self.find_visitor(headers))
    }

    fn is_in(&self, login: SecretHash) -> Answer<'_, bool> {
        Box::pin(self.still(login))
    }

    fn check_unsafe(
        &self,
        headers: &HeaderMap,
        visit: &Visit,
        token: Option<&str>,
    ) -> Result<(), Refusal> {
        from_our_page(headers, &self.made().settings.portal)?;
        let token = token.unwrap_or_default().as_bytes();
        if bool::from(token.ct_eq(visit.csrf.as_bytes())) {
            return Ok(());
        }
        Err(Refusal::forbidden(
            "csrf.token",
            "This form is not from your login, or was open for too long. Load the page again.",
        ))
    }
}

impl Identity {
    async fn find_caller(&self, parts: &Parts) -> Result<Caller, Refusal> {
        let Some(peer) = parts.extensions.get::<Peer>() else {
            return Err(nobody());
        };
        if let Some(token) = super::bearer::token(&parts.headers)? {
            return self.bearer(token, peer).await;
        }
        let is_safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if cookies::read(&parts.headers, cookies::PORTAL).is_some() {
            let visit = self
                .find_visitor(&parts.headers)
                .await?
                .ok_or_else(nobody)?;
            if !is_safe {
                let token = parts
                    .headers
                    .get(CSRF_HEADER)
                    .and_then(|it| it.to_str().ok());
                self.check_unsafe(&parts.headers, &visit, token)?;
            }
            return Ok(visit.caller);
        }
        let made = self.made();
        if matches!(made.human, Human::Assertion(_)) {
            match self.asserted(&parts.headers).await {
                Ok(None) => {}
                Ok(Some(who)) => {
                    // The access proxy adds it to whatever a browser sends, so it proves no intent.
                    if !is_safe {
                        from_our_page(&parts.headers, &made.settings.portal)?;
                    }
                    return Ok(who.caller(&made.settings.roles));
                }
                Err(why) => {
                    let address = peer.address.ip();
                    self.may_try(address)?;
                    return Err(self.refuse(why, "assertion", address, None).await);
                }
            }
        }
        match &peer.certificate {
            Some(der) => self.certified(der, peer).await,
            None => Err(nobody()),
        }
    }

    /// Who signed in with this browser. Behind an access proxy, only while that says that the same account is there.
    pub(super) async fn find_visitor(&self, headers: &HeaderMap) -> Result<Option<Visit>, Refusal> {
        let Some(secret) = cookies::read(headers, cookies::PORTAL) else {
            return Ok(None);
        };
        let Some(visit) = self.visit(&secret).await? else {
            return Ok(None);
        };
        if matches!(self.made().human, Human::Assertion(_)) {
            let there = match self.asserted(headers).await {
                Ok(there) => there,
                Err(why @ (Refused::Bearer(_) | Refused::Unreachable(_))) => {
                    let refusal = Refusal::from(why);
                    if refusal.kind == Kind::Unavailable {
                        return Err(refusal);
                    }
                    None
                }
                Err(_) => None,
            };
            let same = there.is_some_and(|who| who.account == visit.caller.account);
            return Ok(same.then_some(visit));
        }
        Ok(Some(visit))
    }
}

/// Whether an unsafe request comes from a page of ours: Fetch Metadata and `Origin`. A browser sends at least one of them
/// with every such request.
pub(super) fn from_our_page(headers: &HeaderMap, portal: &str) -> Result<(), Refusal> {
    let one = |name: &str| {
        let mut all = headers.get_all(name).iter();
        let first = all.next().map(|it| it.to_str().unwrap_or("?"));
        if all.next().is_some() {
            Some("?")
        } else {
            first
        }
    };
    let foreign = || {
        Refusal::forbidden(
            "csrf.origin",
            "This request does not come from a page of this portal.",
        )
    };
    let site = one("sec-fetch-site");
    if site.is_some_and(|site| site != "same-origin") {
        return Err(foreign());
    }
    match one("origin") {
        Some(origin) if origin == portal => Ok(()),
        // What a page with `Referrer-Policy: no-referrer` sends of itself (Fetch §3.2).
        Some("null") | None if site.is_some() => Ok(()),
        _ => Err(foreign()),
    }
}

fn nobody() -> Refusal {
    Refusal::new(
        Kind::Unauthenticated,
        "login.needed",
        "Sign in first: `locum login`, the portal, or a workload's certificate or token.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_may_send_unsafe_requests() -> Result<(), Box<dyn std::error::Error>> {
        let portal = "https://portal.example";
        for (origin, site, good) in [
            (Some(portal), Some("same-origin"), true),
            (Some(portal), None, true),
            (Some("null"), Some("same-origin"), true),
            (None, Some("same-origin"), true),
            (None, None, false),
            (Some("null"), None, false),
            (Some("https://evil.example"), None, false),
            (Some("https://evil.example"), Some("same-origin"), false),
            (Some("https://portal.example.evil.example"), None, false),
            (Some("http://portal.example"), None, false),
            (Some(portal), Some("same-site"), false),
            (Some(portal), Some("cross-site"), false),
            (Some(portal), Some("none"), false),
            (None, Some("cross-site"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert("origin", origin.parse()?);
            }
            if let Some(site) = site {
                headers.insert("sec-fetch-site", site.parse()?);
            }
            let found = from_our_page(&headers, portal).is_ok();
            assert_eq!(found, good, "{origin:?} {site:?}");
        }
        let mut two = HeaderMap::new();
        two.append("origin", portal.parse()?);
        two.append("origin", "https://evil.example".parse()?);
        assert!(from_our_page(&two, portal).is_err());
        Ok(())
    }
}
