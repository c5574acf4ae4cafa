//! Signing out: by the person here, or by the provider's word over the back channel. Either ends the sessions that they have
//! open as an operator: a support session never outlives its operator's own.

use super::answers::{guarded, page};
use super::cookies;
use super::derive::digest;
use super::front::{Human, Identity};
use super::oidc::SignedOut;
use super::pages;
use super::refused::Refused;
use crate::control::gate::{Gate as _, Peer, Visit};
use crate::control::refusal::{Kind, Refusal};
use crate::model::{EndCause, Happened, LockKey};
use crate::store::control::{Login, LoginKind};
use crate::store::external::BearerRefused;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use std::net::IpAddr;

/// The form's field.
#[derive(Default, serde::Deserialize)]
pub(super) struct LogoutForm {
    csrf: Option<String>,
}

/// OpenID Connect Back-Channel Logout 1.0 §2.5.
#[derive(serde::Deserialize)]
pub(super) struct BackChannelForm {
    logout_token: String,
}

impl Identity {
    /// Out of the portal, of every session, and on to the provider's own way out.
    pub(super) async fn logout(
        &self,
        form: LogoutForm,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Response {
        let visit = match self.find_visitor(headers).await {
            Ok(Some(visit)) => visit,
            Ok(None) => return signed_out(None, 0),
            Err(refusal) => return not_out(&refusal),
        };
        if let Err(refusal) = self.check_unsafe(headers, &visit, form.csrf.as_deref()) {
            return not_out(&refusal);
        }
        match self.out(&visit, peer.address.ip()).await {
            Ok(ended) => {
                let made = self.made();
                let provider = match &made.human {
                    Human::Oidc(provider) => provider.end_session(&made.settings.portal).await,
                    _ => None,
                };
                signed_out(provider.as_ref().map(url::Url::as_str), ended)
            }
            Err(refusal) => not_out(&refusal),
        }
    }

    async fn out(&self, visit: &Visit, address: IpAddr) -> Result<usize, Refusal> {
        self.let_out(visit, address).await?;
        let person = visit.caller.person.clone();
        let key = LockKey::Operator(person.clone());
        self.control
            .end_because(key, EndCause::SignedOut, &person)
            .await
    }

    /// The provider says who signed out there.
    pub(super) async fn backchannel(&self, form: BackChannelForm, peer: &Peer) -> Response {
        let address = peer.address.ip();
        let heard = async {
            self.may_try(address)?;
            let made = self.made();
            let Human::Oidc(provider) = &made.human else {
                return Err(Refusal::not_found());
            };
            let max = made.settings.max_token_bytes;
            let told = if form.logout_token.len() > max {
                Err(BearerRefused::TooLong { max }.into())
            } else {
                provider.signed_out(&form.logout_token, self.now()).await
            };
            match told {
                Ok(told) => match self.told(told).await {
                    Ok(()) => Ok(()),
                    Err(why) => Err(self.refuse(why, "backchannel", address, None).await),
                },
                Err(why) => Err(self.refuse(why, "backchannel", address, None).await),
            }
        };
        match heard.await {
            Ok(()) => guarded(StatusCode::OK.into_response()),
            Err(refusal) => {
                // §2.8: 400 for what is wrong with the request, with an OAuth error.
                let status = match refusal.kind {
                    Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                    Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
                    Kind::NotFound => StatusCode::NOT_FOUND,
                    _ => StatusCode::BAD_REQUEST,
                };
                let body = serde_json::json!({
                    "error": "invalid_request",
                    "error_description": refusal.reason,
                });
                guarded((status, axum::Json(body)).into_response())
            }
        }
    }

    /// Voids their logins, once for each token, and ends what they have open.
    async fn told(&self, told: SignedOut) -> Result<(), Refused> {
        let now = self.now();
        let account = match told.subject.as_str() {
            "" => String::new(),
            subject => format!("{}|{subject}", told.issuer),
        };
        let seen = Login {
            hash: digest(&["logout", &told.issuer, &told.id]),
            kind: LoginKind::Seen,
            person: String::new(),
            account: String::new(),
            sid: String::new(),
            expires_at: told.expires_at,
            last_used: now,
            body: String::new(),
        };
        // With a session named, only that one's logins are void (§2.4); without, all of the account's.
        let of_session = !told.sid.is_empty();
        let (subject, sid) = (told.subject.clone(), told.sid.clone());
        let persons = self
            .control
            .run("signing out by the back channel", move |tx| {
                if tx.login(seen.hash, LoginKind::Seen, now)?.is_some() {
                    return Ok(None);
                }
                tx.drop_login(seen.hash)?;
                tx.put_login(&seen)?;
                let by_account = if of_session { "" } else { account.as_str() };
                let mut persons = tx.drop_logins(by_account, &sid)?;
                persons.sort();
                persons.dedup();
                for person in &persons {
                    let happened = Happened {
                        account: (!account.is_empty()).then(|| account.clone()),
                        ..Happened::new("login.out", person)
                    };
                    tx.note(happened.with("method", "back-channel"), now)?;
                }
                // Their login may be over while what they opened by it is not.
                if persons.is_empty() && !account.is_empty() {
                    persons = tx.persons_of(&account)?;
                }
                Ok(Some(persons))
            })
            .await?;
        let mut persons = persons.ok_or(Refused::Replayed)?;
        // Whoever has no login left here may still have a session open.
        if persons.is_empty() && !subject.is_empty() {
            persons.push(subject.to_lowercase());
        }
        for person in persons {
            self.control
                .end_because(
                    LockKey::Operator(person),
                    EndCause::SignedOut,
                    "identity-provider",
                )
                .await?;
        }
        Ok(())
    }
}

/// What `GET /login/out` shows, too: where the provider sends a browser that signed out there.
pub(super) fn signed_out(provider: Option<&str>, ended: usize) -> Response {
    let detail = match ended {
        0 => "You are signed out of Locum.".to_owned(),
        1 => "You are signed out of Locum. One support session that you had open was ended."
            .to_owned(),
        n => format!(
            "You are signed out of Locum. {n} support sessions that you had open were ended."
        ),
    };
    let mut response = page(
        StatusCode::OK,
        &pages::SignedOut {
            head: "Signed out",
            detail: &detail,
            provider,
        },
    );
    if let Some(cookie) = cookies::clear(cookies::PORTAL) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn not_out(refusal: &Refusal) -> Response {
    let status =
        StatusCode::from_u16(refusal.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    page(
        status,
        &pages::NotSignedIn {
            head: "You are still signed in",
            detail: &refusal.detail,
            again: "/",
            action: "Back",
            reason: refusal.reason,
        },
    )
}
