//! Who asks: the assertion's subject, or the customer whose sign-in cookie it is, or a stranger.

use super::problem::Problem;
use crate::assertion;
use crate::server::{Public, Shop};
use crate::store::customers::{self, Customer};
use crate::store::password;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use cookie::{Cookie, SameSite};
use subtle::ConstantTimeEq as _;

/// The sign-in cookie.
pub(crate) const SIGN_IN: &str = "shop_session";
/// The cookie that scripts and forms send back, to show that they run on the shop's own pages.
pub(crate) const CSRF: &str = "csrf";

/// How a visitor was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Assertion,
    Cookie,
    Nothing,
}

impl By {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Assertion => "assertion",
            Self::Cookie => "cookie",
            Self::Nothing => "nothing",
        }
    }
}

/// Who made this request.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) customer: Option<Customer>,
    /// Who really acts, where an assertion says so.
    pub(crate) actor: Option<String>,
    pub(crate) by: By,
    /// The CSRF token that this visitor's forms carry.
    pub(crate) csrf: String,
    has_csrf_cookie: bool,
    /// The sign-in cookie's value, to end it.
    pub(crate) sign_in: Option<String>,
}

/// Recognises a visitor. An assertion, where the shop trusts one, wins; a bad one is never passed over.
pub(crate) async fn identify(shop: &Shop, headers: &HeaderMap) -> Result<Visitor, Problem> {
    let sign_in = cookie(headers, SIGN_IN);
    let csrf = cookie(headers, CSRF).filter(|csrf| csrf.len() >= 16);
    let mut visitor = Visitor {
        customer: None,
        actor: None,
        by: By::Nothing,
        has_csrf_cookie: csrf.is_some(),
        csrf: csrf.unwrap_or_else(password::token),
        sign_in,
    };
    if let (Some(verifier), Some(token)) = (&shop.verifier, headers.get(assertion::HEADER)) {
        let token = token
            .to_str()
            .map_err(|_| Problem::BadAssertion("it is not text".into()))?;
        let claims = verifier
            .verify(token)
            .await
            .map_err(|why| Problem::BadAssertion(why.to_string()))?;
        let found = shop
            .store
            .with(|db| customers::in_tenant(db, &claims.tenant, &claims.sub))?;
        let customer = found.ok_or_else(|| {
            Problem::BadAssertion("its subject is no customer of its tenant".into())
        })?;
        visitor.customer = Some(customer);
        visitor.actor = claims.act.map(|actor| actor.sub);
        visitor.by = By::Assertion;
    } else if let Some(token) = &visitor.sign_in {
        visitor.customer = shop.store.with(|db| customers::signed_in(db, token))?;
        if visitor.customer.is_some() {
            visitor.by = By::Cookie;
        }
    }
    Ok(visitor)
}

/// The first cookie of this name.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
        .find(|cookie| cookie.name() == name)
        .map(|cookie| cookie.value().to_owned())
}

impl Visitor {
    /// Whether `token` is the one that this visitor's pages carry.
    pub(crate) fn owns(&self, token: &str) -> bool {
        self.has_csrf_cookie && bool::from(token.as_bytes().ct_eq(self.csrf.as_bytes()))
    }

    /// The cookie to set, for a visitor that has none.
    pub(crate) fn csrf_cookie(&self, public: &Public) -> Option<HeaderValue> {
        if self.has_csrf_cookie {
            return None;
        }
        // Scripts read it, so it is not HttpOnly.
        let cookie = built(public, CSRF, self.csrf.clone())
            .http_only(false)
            .build();
        HeaderValue::from_str(&cookie.to_string()).ok()
    }
}

/// The sign-in cookie with this value; an empty value removes it.
pub(crate) fn sign_in_cookie(public: &Public, token: &str) -> Option<HeaderValue> {
    let cookie = built(public, SIGN_IN, token.to_owned());
    let cookie = if token.is_empty() {
        cookie.max_age(cookie::time::Duration::ZERO)
    } else {
        cookie.max_age(cookie::time::Duration::days(14))
    };
    HeaderValue::from_str(&cookie.build().to_string()).ok()
}

/// With `Domain` and `Path` as many apps write them.
fn built<'a>(public: &Public, name: &'static str, value: String) -> cookie::CookieBuilder<'a> {
    Cookie::build((name, value))
        .domain(public.host().to_owned())
        .path("/")
        .http_only(true)
        .secure(public.is_secure())
        .same_site(SameSite::Lax)
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let visitor = parts.extensions.get::<Self>().cloned();
        visitor.ok_or_else(|| Problem::Internal("a page outside the guard".into()))
    }
}

/// A visitor who is signed in; others are sent to sign in.
pub(crate) struct SignedIn {
    pub(crate) customer: Customer,
    pub(crate) visitor: Visitor,
}

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let visitor = Visitor::from_request_parts(parts, state).await?;
        match visitor.customer.clone() {
            Some(customer) => Ok(Self { customer, visitor }),
            None => Err(Problem::SignInFirst {
                back: parts.uri.path().to_owned(),
            }),
        }
    }
}
