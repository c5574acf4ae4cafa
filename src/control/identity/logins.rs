//! Logins: a browser's cookie at the portal, the command line's token. Secrets of 256 bits, kept hashed, made anew at each
//! sign-in and each step-up, so that none can be fixed beforehand.

use super::derive::derive;
use super::front::Identity;
use super::person::Identified;
use super::refused::Refused;
use crate::control::gate::{Peer, Visit};
use crate::control::refusal::{Kind, Refusal};
use crate::model::{Caller, Happened, Secret, SecretHash, Timestamp};
use crate::store::control::{Login, LoginKind};
use http::HeaderMap;
use std::net::IpAddr;
use std::time::Duration;

/// A login's use is written down at most this often, or a hundredth of the idle time where that is less.
const TOUCH: Duration = Duration::from_secs(15);

/// Somebody who proved who they are, ready to be let in.
pub(super) struct Proven {
    pub(super) who: Identified,
    /// The session at the identity provider; empty: none.
    pub(super) sid: String,
    /// What it was: `login.in`, `login.step-up`.
    pub(super) code: &'static str,
}

impl Identity {
    /// Lets a browser in. Whatever login it had before is void.
    pub(super) async fn let_in(
        &self,
        proven: Proven,
        before: Option<Secret>,
        address: IpAddr,
    ) -> Result<Secret, Refusal> {
        let age = self.made().settings.login_max;
        let (secret, _) = self
            .keep(proven, LoginKind::Portal, age, before, address)
            .await?;
        Ok(secret)
    }

    /// A token for the command line, and when it ends.
    pub(super) async fn give_token(
        &self,
        proven: Proven,
        address: IpAddr,
    ) -> Result<(Secret, Timestamp), Refusal> {
        let age = self.made().settings.token_max;
        self.keep(proven, LoginKind::Api, age, None, address).await
    }

    async fn keep(
        &self,
        proven: Proven,
        kind: LoginKind,
        age: Duration,
        before: Option<Secret>,
        address: IpAddr,
    ) -> Result<(Secret, Timestamp), Refusal> {
        let (secret, now) = (Secret::fresh()?, self.now());
        let Proven { who, sid, code } = proven;
        let login = Login {
            hash: secret.hash(),
            kind,
            person: who.person.clone(),
            account: who.account.clone(),
            sid,
            expires_at: now.plus(age),
            last_used: now,
            body: serde_json::to_string(&who).unwrap_or_default(),
        };
        let expires_at = login.expires_at;
        let caller = who.caller(&self.made().settings.roles);
        let happened = happened(code, &caller, address)
            .with("kind", word(kind))
            .with("until", expires_at);
        self.control
            .run("keeping a login", move |tx| {
                if let Some(before) = before {
                    tx.drop_login(before.hash())?;
                }
                tx.put_login(&login)?;
                Ok(tx.note(happened, now)?)
            })
            .await?;
        Ok((secret, expires_at))
    }

    /// Who signed in with this cookie, if it is good.
    pub(super) async fn visit(&self, secret: &Secret) -> Result<Option<Visit>, Refusal> {
        let Some(who) = self.known(secret.hash(), LoginKind::Portal).await? else {
            return Ok(None);
        };
        Ok(Some(Visit {
            caller: who.caller(&self.made().settings.roles),
            csrf: derive(secret, "csrf", ""),
            login: secret.hash(),
        }))
    }

    /// Whether a browser's login is still good. What cannot be known is not.
    pub(super) async fn still(&self, login: SecretHash) -> bool {
        let known = self.known(login, LoginKind::Portal).await;
        known.is_ok_and(|who| who.is_some())
    }

    /// Who was given this token.
    pub(super) async fn holder(&self, secret: &Secret) -> Result<Caller, Refused> {
        let who = self.known(secret.hash(), LoginKind::Api).await?;
        let who =
            who.ok_or_else(|| Refused::Token("it is unknown, or its time is over".to_owned()))?;
        Ok(who.caller(&self.made().settings.roles))
    }

    async fn known(
        &self,
        hash: SecretHash,
        kind: LoginKind,
    ) -> Result<Option<Identified>, Refusal> {
        let (now, idle) = (self.now(), self.made().settings.login_idle);
        let idle = (kind == LoginKind::Portal).then_some(idle);
        let found = self
            .control
            .run("reading a login", move |tx| {
                let Some(login) = tx.login(hash, kind, now)? else {
                    return Ok(None);
                };
                if idle.is_some_and(|idle| now >= login.last_used.plus(idle)) {
                    tx.drop_login(hash)?;
                    return Ok(None);
                }
                let often = idle.map_or(TOUCH, |idle| TOUCH.min(idle / 100));
                if now >= login.last_used.plus(often) {
                    tx.touch_login(hash, now)?;
                }
                Ok(Some(login))
            })
            .await?;
        // A body of an older make that cannot be read is nobody: they sign in again.
        Ok(found.and_then(|login| serde_json::from_str(&login.body).ok()))
    }

    /// Voids the command line's token that these headers show.
    pub(super) async fn void_token(&self, headers: &HeaderMap, peer: &Peer) -> Result<(), Refusal> {
        let secret = super::bearer::token(headers)?.and_then(Secret::parse);
        let secret = secret.ok_or_else(|| {
            let detail = "Show the token that is to be void: `Authorization: Bearer …`.";
            Refusal::new(Kind::Unauthenticated, "login.scheme", detail)
        })?;
        let Some(who) = self.known(secret.hash(), LoginKind::Api).await? else {
            return Ok(());
        };
        let caller = who.caller(&self.made().settings.roles);
        let (hash, now) = (secret.hash(), self.now());
        let happened =
            happened("login.out", &caller, peer.address.ip()).with("kind", word(LoginKind::Api));
        self.control
            .run("signing out", move |tx| {
                if tx.drop_login(hash)? {
                    tx.note(happened, now)?;
                }
                Ok(())
            })
            .await
    }

    /// Voids a browser's login.
    pub(super) async fn let_out(&self, visit: &Visit, address: IpAddr) -> Result<(), Refusal> {
        let (hash, now) = (visit.login, self.now());
        let happened = happened("login.out", &visit.caller, address);
        self.control
            .run("signing out", move |tx| {
                if tx.drop_login(hash)? {
                    tx.note(happened, now)?;
                }
                Ok(())
            })
            .await
    }
}

fn happened(code: &'static str, caller: &Caller, address: IpAddr) -> Happened {
    let proof = &caller.proof;
    let method = serde_json::to_value(proof.method).ok();
    let method = method.as_ref().and_then(serde_json::Value::as_str);
    let happened = Happened::by(code, caller)
        .with("method", method.unwrap_or_default())
        .with("authenticated", proof.at)
        .with("seats", caller.seats.len())
        .with("address", address);
    match &proof.acr {
        Some(acr) => happened.with("acr", acr),
        None => happened,
    }
}

const fn word(kind: LoginKind) -> &'static str {
    match kind {
        LoginKind::Portal => "portal",
        LoginKind::Api => "api",
        LoginKind::Flow => "flow",
        LoginKind::Device => "device",
        LoginKind::Seen => "seen",
    }
}
