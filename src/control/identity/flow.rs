//! Sign-ins under way. The store knows each by the hash of its `state` and lets it be finished once. What only the browser
//! that began it may know (nonce, PKCE verifier) follows from that browser's cookie, and is kept nowhere.

use super::derive::derive;
use super::front::Identity;
use super::refused::Refused;
use super::returns::ReturnPath;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{Secret, SecretHash, Timestamp};
use crate::store::control::{Login, LoginKind};
use crate::telemetry::metrics::Limit;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a sign-in is for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Flow {
    /// SHA-256 of the cookie of the browser that began it.
    browser: String,
    /// Where to go afterwards.
    to: String,
    pub(super) begun: Timestamp,
    /// `None`: any sign-in does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fresh: Option<Fresh>,
}

/// What a step-up must prove besides a new authentication.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Fresh {
    /// Any of these `acr` values; empty: whatever.
    pub(super) acr: Vec<String>,
    /// The account that was signed in when it began; empty: none.
    pub(super) account: String,
}

/// A sign-in as it begins: what goes into the URL, and what into the browser's cookie.
pub(super) struct Begun {
    pub(super) state: Secret,
    pub(super) browser: Secret,
}

impl Begun {
    /// RFC 7636 §4.1: 43 characters.
    pub(super) fn verifier(&self) -> String {
        derive(&self.browser, "pkce", &self.state.reveal())
    }

    pub(super) fn nonce(&self) -> String {
        derive(&self.browser, "nonce", &self.state.reveal())
    }
}

impl Flow {
    pub(super) fn to(&self) -> ReturnPath {
        ReturnPath::or_home(Some(&self.to))
    }
}

impl Identity {
    /// Begins a sign-in. A browser that has others under way keeps its cookie, so that several tabs can sign in.
    pub(super) async fn begin(
        &self,
        browser: Option<Secret>,
        to: &ReturnPath,
        fresh: Option<Fresh>,
    ) -> Result<Begun, Refusal> {
        let made = self.made();
        let (now, max) = (self.now(), made.settings.max_flows);
        let begun = Begun {
            state: Secret::fresh()?,
            browser: match browser {
                Some(known) => known,
                None => Secret::fresh()?,
            },
        };
        let flow = Flow {
            browser: written(begun.browser.hash()),
            to: to.as_str().to_owned(),
            begun: now,
            fresh,
        };
        let body = serde_json::to_string(&flow).unwrap_or_default();
        let login = Login {
            hash: begun.state.hash(),
            kind: LoginKind::Flow,
            person: String::new(),
            account: String::new(),
            sid: String::new(),
            expires_at: now.plus(made.settings.flow_max),
            last_used: now,
            body,
        };
        let full = self
            .control
            .run("beginning a sign-in", move |tx| {
                if tx.count_logins(LoginKind::Flow, max, now)? >= max {
                    return Ok(true);
                }
                tx.put_login(&login)?;
                Ok(false)
            })
            .await?;
        if full {
            self.metrics.hit(Limit::Flows);
            return Err(Refusal::new(
                Kind::Unavailable,
                "login.flows",
                "Too many sign-ins are under way. Try again in a few minutes.",
            ));
        }
        Ok(begun)
    }

    /// Takes the sign-in of this `state`, once and never again, for the browser that began it.
    pub(super) async fn take(
        &self,
        state: Option<&str>,
        browser: Option<Secret>,
    ) -> Result<(Flow, Begun), Refused> {
        let state = state.and_then(Secret::parse).ok_or(Refused::Flow)?;
        let (hash, now) = (state.hash(), self.now());
        let found = self
            .control
            .run("finishing a sign-in", move |tx| {
                let found = tx.login(hash, LoginKind::Flow, now)?;
                tx.drop_login(hash)?;
                Ok(found)
            })
            .await?;
        let flow: Flow = found
            .and_then(|login| serde_json::from_str(&login.body).ok())
            .ok_or(Refused::Flow)?;
        let began = read(&flow.browser).ok_or(Refused::Browser)?;
        match browser {
            Some(browser) if began.matches(&browser) => Ok((flow, Begun { state, browser })),
            _ => Err(Refused::Browser),
        }
    }
}

fn written(hash: SecretHash) -> String {
    URL_SAFE_NO_PAD.encode(hash.as_bytes())
}

fn read(text: &str) -> Option<SecretHash> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(SecretHash::from_bytes(bytes.try_into().ok()?))
}
