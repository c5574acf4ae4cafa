//! `GET /login` and `GET /login/callback`: into the portal, by whichever way people sign in here; and again, freshly, for a
//! step that needs it.

use super::answers::{not_signed_in, onward};
use super::cookies;
use super::flow::Fresh;
use super::front::{Human, Identity};
use super::logins::Proven;
use super::oidc::Wanted;
use super::refused::Refused;
use super::returns::ReturnPath;
use crate::control::duties;
use crate::control::gate::{Peer, Visit};
use crate::control::refusal::Refusal;
use axum::response::Response;
use http::HeaderMap;
use std::net::IpAddr;

/// `?to=/requests/…&fresh=1`.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct LoginQuery {
    pub(super) to: Option<String>,
    pub(super) fresh: Option<String>,
}

impl LoginQuery {
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh.as_deref() == Some("1")
    }
}

/// What the provider sends the browser back with (RFC 6749 §4.1.2, RFC 9207).
#[derive(serde::Deserialize)]
pub(super) struct CallbackQuery {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

impl Identity {
    /// Begins.
    pub(super) async fn login(
        &self,
        query: LoginQuery,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Response {
        let (to, fresh) = (ReturnPath::or_home(query.to.as_deref()), query.is_fresh());
        let begun = self.begin_login(&to, fresh, headers, peer.address.ip());
        match begun.await {
            Ok(response) => response,
            Err(refusal) => not_signed_in(&refusal, &to, fresh),
        }
    }

    async fn begin_login(
        &self,
        to: &ReturnPath,
        fresh: bool,
        headers: &HeaderMap,
        address: IpAddr,
    ) -> Result<Response, Refusal> {
        let visit = self.find_visitor(headers).await?;
        if visit.is_some() && !fresh {
            return Ok(onward(to.as_str(), []));
        }
        is_navigation(headers)?;
        self.may_try(address)?;
        self.tried(address);
        let fresh = fresh.then(|| self.fresh(visit.as_ref()));
        match &self.made().human {
            Human::None => Err(Refused::NotConfigured.into()),
            Human::Demo => self.choose(to, fresh, None, headers).await,
            Human::Assertion(_) => self.by_assertion(to, fresh, headers, address).await,
            Human::Oidc(provider) => {
                let made = self.made();
                let browser = cookies::read(headers, cookies::FLOW);
                let begun = self.begin(browser, to, fresh.clone()).await?;
                let wanted = Wanted {
                    fresh: fresh.as_ref(),
                    max_age: made.settings.login_max,
                    portal: &made.settings.portal,
                };
                match provider.authorize(&begun, &wanted).await {
                    Ok(url) => {
                        let age = made.settings.flow_max;
                        let cookie = cookies::set(cookies::FLOW, &begun.browser, age);
                        Ok(onward(url.as_str(), [cookie]))
                    }
                    Err(why) => Err(self.refuse(why, "login", address, None).await),
                }
            }
        }
    }

    /// What a step-up must prove.
    pub(super) fn fresh(&self, visit: Option<&Visit>) -> Fresh {
        let settings = self.control.settings.load();
        Fresh {
            acr: settings.step_up.acr_values.clone(),
            account: visit
                .map(|visit| visit.caller.account.clone())
                .unwrap_or_default(),
        }
    }

    /// The provider sent the browser back.
    pub(super) async fn callback(
        &self,
        query: CallbackQuery,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Response {
        let address = peer.address.ip();
        if let Err(refusal) = self.may_try(address) {
            return not_signed_in(&refusal, &ReturnPath::home(), false);
        }
        let browser = cookies::read(headers, cookies::FLOW);
        let (flow, begun) = match self.take(query.state.as_deref(), browser).await {
            Ok(taken) => taken,
            Err(why) => {
                let refusal = self.refuse(why, "callback", address, None).await;
                return not_signed_in(&refusal, &ReturnPath::home(), false);
            }
        };
        let (to, fresh) = (flow.to(), flow.fresh.is_some());
        let finished = async {
            let made = self.made();
            let Human::Oidc(provider) = &made.human else {
                return Err(Refused::NotConfigured);
            };
            let code = code(&query, provider.issuer())?;
            let limits = (
                made.settings.portal.as_str(),
                made.settings.max_groups,
                self.now(),
            );
            provider.finish(code, &begun, &flow, limits).await
        };
        match finished.await {
            Ok(proven) => self.enter(proven, &to, headers, address).await,
            Err(why) => {
                let refusal = self.refuse(why, "callback", address, None).await;
                not_signed_in(&refusal, &to, fresh)
            }
        }
    }

    /// In, with a new cookie; the one before is void.
    pub(super) async fn enter(
        &self,
        proven: Proven,
        to: &ReturnPath,
        headers: &HeaderMap,
        address: IpAddr,
    ) -> Response {
        let before = cookies::read(headers, cookies::PORTAL);
        match self.let_in(proven, before, address).await {
            Ok(secret) => {
                let age = self.made().settings.login_max;
                let cookie = cookies::set(cookies::PORTAL, &secret, age);
                onward(to.as_str(), [cookie])
            }
            Err(refusal) => not_signed_in(&refusal, to, false),
        }
    }

    /// By what the access proxy says. It cannot be asked to sign somebody in again: what it says must be fresh by itself.
    async fn by_assertion(
        &self,
        to: &ReturnPath,
        fresh: Option<Fresh>,
        headers: &HeaderMap,
        address: IpAddr,
    ) -> Result<Response, Refusal> {
        let found = self.asserted(headers).await;
        let missing = || Refused::Token("the access proxy in front sent no assertion".to_owned());
        let who = match found.and_then(|found| found.ok_or_else(missing)) {
            Ok(who) => who,
            Err(why) => return Err(self.refuse(why, "assertion", address, None).await),
        };
        let Some(fresh) = fresh else {
            let proven = Proven {
                who,
                sid: String::new(),
                code: "login.in",
            };
            return Ok(self.enter(proven, to, headers, address).await);
        };
        let caller = who.clone().caller(&[]);
        let step_up = self.control.settings.load().step_up.clone();
        let stale = duties::is_fresh(&caller, &step_up, self.now()).err();
        let other = !fresh.account.is_empty() && fresh.account != who.account;
        let why = match stale {
            _ if other => Some(Refused::OtherAccount),
            Some(refusal) => Some(Refused::Other(refusal)),
            None => None,
        };
        if let Some(why) = why {
            let known = Some((who.person.as_str(), who.account.as_str()));
            return Err(self.refuse(why, "step-up", address, known).await);
        }
        let proven = Proven {
            who,
            sid: String::new(),
            code: "login.step-up",
        };
        Ok(self.enter(proven, to, headers, address).await)
    }
}

/// Another site's page can load this address as an image as often as it likes: that begins nothing and counts for nobody,
/// or it would use up the sign-ins of everybody at its visitor's address. Browsers say what a request is for (Fetch Metadata).
fn is_navigation(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get("sec-fetch-dest") {
        Some(dest) if dest != "document" => Err(Refusal::forbidden(
            "login.embedded",
            "Signing in is a page of its own, not a part of another.",
        )),
        _ => Ok(()),
    }
}

/// The code of an answer that comes from the provider that was asked.
fn code<'q>(query: &'q CallbackQuery, issuer: &str) -> Result<&'q str, Refused> {
    if query.iss.as_deref().is_some_and(|iss| iss != issuer) {
        return Err(Refused::MixUp);
    }
    match (&query.error, &query.code) {
        (Some(word), _) => Err(Refused::Denied(super::oidc::plain(word))),
        (None, Some(code)) => Ok(code),
        (None, None) => Err(Refused::Flow),
    }
}
