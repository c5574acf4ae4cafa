//! The way to the provider: the authorization request (OpenID Connect Core §3.1.2.1), and its end session endpoint.

use super::super::flow::{Begun, Fresh};
use super::super::refused::Refused;
use super::provider::Provider;
use openidconnect::core::{CoreAuthPrompt, CoreResponseType};
use openidconnect::{
    AuthenticationContextClass, AuthenticationFlow, ClientId, CsrfToken, LogoutRequest, Nonce,
    PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl, RedirectUrl, Scope,
};
use std::borrow::Cow;
use std::time::Duration;
use url::Url;

/// What the sign-in must be like.
#[derive(Clone, Copy, Debug)]
pub(in crate::control::identity) struct Wanted<'w> {
    pub(in crate::control::identity) fresh: Option<&'w Fresh>,
    /// How long ago the person may have authenticated, where it need not be fresh.
    pub(in crate::control::identity) max_age: Duration,
    /// The portal's origin.
    pub(in crate::control::identity) portal: &'w str,
}

/// Where the provider sends the browser back to.
pub(super) fn redirect(portal: &str) -> Result<RedirectUrl, Refused> {
    RedirectUrl::new(format!("{portal}/login/callback"))
        .map_err(|why| Refused::Provider(why.to_string()))
}

impl Provider {
    /// Where to send the browser.
    pub(in crate::control::identity) async fn authorize(
        &self,
        begun: &Begun,
        wanted: &Wanted<'_>,
    ) -> Result<Url, Refused> {
        let known = self.known().await?;
        let client = self.client(&known);
        let (state, nonce) = (begun.state.reveal(), begun.nonce());
        let verifier = PkceCodeVerifier::new(begun.verifier());
        let mut request = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .set_redirect_uri(Cow::Owned(redirect(wanted.portal)?))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new));
        // Either way `max_age` makes the provider say `auth_time` (§2).
        request = match wanted.fresh {
            None => request.set_max_age(wanted.max_age),
            Some(fresh) => {
                let values = fresh.acr.iter().cloned();
                let mut request = request
                    .set_max_age(Duration::ZERO)
                    .add_prompt(CoreAuthPrompt::Login);
                for value in values.map(AuthenticationContextClass::new) {
                    request = request.add_auth_context_value(value);
                }
                request
            }
        };
        let (url, _, _) = request.url();
        Ok(url)
    }

    /// Where a browser signs out of the provider too; `None`: it has no such place, or is not known yet.
    pub(in crate::control::identity) async fn end_session(&self, portal: &str) -> Option<Url> {
        let known = self.known().await.ok()?;
        let endpoint = known.metadata.additional_metadata();
        let endpoint = endpoint.end_session_endpoint.clone()?;
        let back = PostLogoutRedirectUrl::new(format!("{portal}/login/out")).ok()?;
        let request = LogoutRequest::from(endpoint)
            .set_client_id(ClientId::new(self.settings.client_id.clone()))
            .set_post_logout_redirect_uri(back);
        Some(request.http_get_url())
    }
}
