//! The single-page app and its JSON API.

use super::frame::{Frame, html};
use super::orders::announce;
use crate::server::Shop;
use crate::store::customers::Customer;
use crate::store::orders::{self, Order};
use crate::web::form::FromScript;
use crate::web::problem::{ForScripts, Problem};
use crate::web::visitor::{SignedIn, Visitor};
use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "app.html", config = "examples/storefront/askama.toml")]
struct Shell {
    frame: Frame,
}

#[derive(serde::Deserialize)]
pub(crate) struct Change {
    note: Option<String>,
    status: Option<String>,
}

/// The same document for every path under `/app`; the script reads the path.
pub(crate) async fn shell(user: SignedIn) -> Result<Response, Problem> {
    html(&Shell {
        frame: Frame::of(&user.visitor, "app"),
    })
}

fn signed_in(visitor: Visitor) -> Result<Customer, ForScripts> {
    let back = String::from("/app");
    Ok(visitor.customer.ok_or(Problem::SignInFirst { back })?)
}

pub(crate) async fn me(visitor: Visitor) -> Result<Json<Customer>, ForScripts> {
    Ok(Json(signed_in(visitor)?))
}

pub(crate) async fn orders(
    State(shop): State<Arc<Shop>>,
    visitor: Visitor,
) -> Result<Json<Vec<Order>>, ForScripts> {
    let customer = signed_in(visitor)?;
    Ok(Json(shop.store.with(|db| orders::of(db, customer.id))?))
}

pub(crate) async fn order(
    State(shop): State<Arc<Shop>>,
    visitor: Visitor,
    Path(id): Path<i64>,
) -> Result<Json<Order>, ForScripts> {
    let customer = signed_in(visitor)?;
    let order = shop.store.with(|db| orders::one(db, customer.id, id))?;
    Ok(Json(order.ok_or(Problem::NotFound)?))
}

pub(crate) async fn change_order(
    State(shop): State<Arc<Shop>>,
    visitor: Visitor,
    Path(id): Path<i64>,
    token: Result<FromScript, Problem>,
    Json(change): Json<Change>,
) -> Result<Json<Order>, ForScripts> {
    token?;
    let customer = signed_in(visitor)?;
    if let Some(text) = change
        .note
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
    {
        let added = |db: &_| orders::add_note(db, customer.id, id, &customer.name, text);
        if !shop.store.with(added)? {
            return Err(Problem::NotFound.into());
        }
        announce(&shop, id, "note");
    }
    if let Some(status) = &change.status {
        if status != "cancelled" {
            return Err(Problem::Invalid("An order can only be cancelled.".into()).into());
        }
        if !shop
            .store
            .with(|db| orders::set_status(db, customer.id, id, status))?
        {
            return Err(Problem::NotFound.into());
        }
        announce(&shop, id, "cancelled");
    }
    let order = shop.store.with(|db| orders::one(db, customer.id, id))?;
    Ok(Json(order.ok_or(Problem::NotFound)?))
}
