//! What an intruder would want: MFA, password, e-mail, card, API tokens, deletion.

use super::frame::{Done, Frame, html, saved, see_other};
use crate::server::Shop;
use crate::store::customers::{self, ApiToken, Customer};
use crate::store::password as secrets;
use crate::web::form::{Button, Checked};
use crate::web::problem::Problem;
use crate::web::visitor::SignedIn;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use std::sync::Arc;

/// Shortest password, in characters.
const MIN_PASSWORD: usize = 10;

/// One template, one `part` of it a page.
#[derive(Template)]
#[template(path = "security.html", config = "examples/storefront/askama.toml")]
struct Settings {
    frame: Frame,
    part: &'static str,
    customer: Customer,
}

#[derive(Template)]
#[template(path = "tokens.html", config = "examples/storefront/askama.toml")]
struct TokenPage {
    frame: Frame,
    tokens: Vec<ApiToken>,
    /// A token just made, shown once.
    fresh: Option<String>,
}

#[derive(serde::Deserialize)]
pub(crate) struct NewPassword {
    password: String,
}

#[derive(serde::Deserialize)]
pub(crate) struct NewEmail {
    email: String,
}

#[derive(serde::Deserialize)]
pub(crate) struct NewCard {
    card: String,
}

#[derive(serde::Deserialize)]
pub(crate) struct NewToken {
    name: String,
}

/// The page of one `part`.
pub(crate) fn page(part: &'static str) -> MethodRouter<Arc<Shop>> {
    get(move |user: SignedIn, Query(done): Query<Done>| async move {
        html(&Settings {
            frame: Frame::of(&user.visitor, part).saying(&done),
            part,
            customer: user.customer,
        })
    })
}

pub(crate) async fn enrol_mfa(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Checked(Button {}): Checked<Button>,
) -> Result<Response, Problem> {
    let secret = secrets::token();
    saved(&shop, "/account/mfa?done=mfa", |db| {
        customers::set_mfa(db, user.customer.id, Some(&secret))
    })
}

pub(crate) async fn reset_mfa(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Checked(Button {}): Checked<Button>,
) -> Result<Response, Problem> {
    saved(&shop, "/account/mfa?done=mfa-reset", |db| {
        customers::set_mfa(db, user.customer.id, None)
    })
}

pub(crate) async fn save_password(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Checked(new): Checked<NewPassword>,
) -> Result<Response, Problem> {
    if new.password.chars().count() < MIN_PASSWORD {
        let text = format!("A password has at least {MIN_PASSWORD} characters.");
        return Err(Problem::Invalid(text));
    }
    let hashed = tokio::task::spawn_blocking(move || secrets::hash(&new.password)).await;
    let hashed = hashed.map_err(|why| Problem::Internal(why.into()))?;
    let hashed = hashed.ok_or_else(|| Problem::Internal("no system randomness".into()))?;
    saved(&shop, "/account/password?done=password", |db| {
        customers::set_password(db, user.customer.id, &hashed)
    })
}

pub(crate) async fn save_email(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Checked(new): Checked<NewEmail>,
) -> Result<Response, Problem> {
    let email = new.email.trim().to_ascii_lowercase();
    if !email
        .split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
    {
        return Err(Problem::Invalid(
            "That does not look like an e-mail address.".into(),
        ));
    }
    if !shop
        .store
        .with(|db| customers::set_email(db, user.customer.id, &email))?
    {
        return Err(Problem::Invalid(
            "That address has an account already.".into(),
        ));
    }
    Ok(see_other(&shop, "/account/email?done=email"))
}

pub(crate) async fn save_payment(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Checked(new): Checked<NewCard>,
) -> Result<Response, Problem> {
    let digits: Vec<char> = new.card.chars().filter(char::is_ascii_digit).collect();
    let Some(last4) = digits.last_chunk::<4>().filter(|_| digits.len() >= 12) else {
        return Err(Problem::Invalid(
            "A card number has 12 to 19 digits.".into(),
        ));
    };
    let last4 = String::from_iter(last4);
    saved(&shop, "/account/payment?done=payment", |db| {
        customers::set_card(db, user.customer.id, &last4)
    })
}

fn token_page(
    shop: &Shop,
    user: &SignedIn,
    fresh: Option<String>,
    done: &Done,
) -> Result<Response, Problem> {
    let tokens = shop
        .store
        .with(|db| customers::tokens(db, user.customer.id))?;
    let frame = Frame::of(&user.visitor, "tokens").saying(done);
    html(&TokenPage {
        frame,
        tokens,
        fresh,
    })
}

pub(crate) async fn tokens(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Query(done): Query<Done>,
) -> Result<Response, Problem> {
    token_page(&shop, &user, None, &done)
}

pub(crate) async fn add_token(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Query(done): Query<Done>,
    Checked(new): Checked<NewToken>,
) -> Result<Response, Problem> {
    let token = shop
        .store
        .with(|db| customers::add_token(db, user.customer.id, &new.name))?;
    token_page(&shop, &user, Some(token), &done)
}

pub(crate) async fn revoke_token(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Path(id): Path<i64>,
    Checked(Button {}): Checked<Button>,
) -> Result<Response, Problem> {
    saved(&shop, "/account/tokens?done=token", |db| {
        customers::remove_token(db, user.customer.id, id)
    })
}

pub(crate) async fn delete(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Checked(Button {}): Checked<Button>,
) -> Result<Response, Problem> {
    saved(&shop, "/", |db| customers::delete(db, user.customer.id))
}
