//! What every page has around it: the header, the menu, a message after a change.

use crate::server::Shop;
use crate::web::problem::Problem;
use crate::web::visitor::Visitor;
use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use rusqlite::Connection;

/// The part of a page that is the same everywhere.
pub(crate) struct Frame {
    /// Name and organisation of who is signed in.
    pub(crate) who: Option<(String, String)>,
    pub(crate) csrf: String,
    /// The menu entry that is lit.
    pub(crate) here: &'static str,
    pub(crate) message: Option<&'static str>,
}

impl Frame {
    pub(crate) fn of(visitor: &Visitor, here: &'static str) -> Self {
        let who = visitor.customer.as_ref();
        Self {
            who: who.map(|who| (who.name.clone(), who.tenant_name.clone())),
            csrf: visitor.csrf.clone(),
            here,
            message: None,
        }
    }

    /// With the message that `done` stands for.
    pub(crate) fn saying(mut self, done: &Done) -> Self {
        self.message = done.message();
        self
    }

    /// The letter in the round badge.
    pub(crate) fn initial(&self) -> char {
        let name = self.who.as_ref().and_then(|(name, _)| name.chars().next());
        name.unwrap_or('?')
    }

    /// For pages that know nobody.
    pub(crate) fn plain() -> Self {
        Self {
            who: None,
            csrf: String::new(),
            here: "",
            message: None,
        }
    }
}

/// `?done=…` after a redirect.
#[derive(serde::Deserialize)]
pub(crate) struct Done {
    done: Option<String>,
}

impl Done {
    fn message(&self) -> Option<&'static str> {
        Some(match self.done.as_deref()? {
            "profile" => "Your profile is saved.",
            "address" => "Your address book is up to date.",
            "delivery" => "The delivery address is changed.",
            "note" => "Your note is with us.",
            "placed" => "Thank you. We are packing it.",
            "cancelled" => "The order is cancelled.",
            "mfa" => "Two-step verification is on.",
            "mfa-reset" => "Two-step verification is off.",
            "password" => "Your password is changed.",
            "email" => "Your e-mail address is changed.",
            "payment" => "Your payment card is changed.",
            "token" => "The token is revoked.",
            _ => return None,
        })
    }
}

/// A rendered page.
pub(crate) fn html(page: &impl Template) -> Result<Response, Problem> {
    let text = page.render().map_err(|why| Problem::Internal(why.into()))?;
    Ok(Html(text).into_response())
}

/// Off to another page by its full URL, as many frameworks write it.
pub(crate) fn see_other(shop: &Shop, path: &str) -> Response {
    let location = format!("{}{path}", shop.public.origin);
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// Does a change, then goes to the page that says so.
pub(crate) fn saved<T>(
    shop: &Shop,
    path: &str,
    change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<Response, Problem> {
    shop.store.with(change)?;
    Ok(see_other(shop, path))
}
