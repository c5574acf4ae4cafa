//! Orders: the list, one order, what its owner may change.

use super::frame::{Done, Frame, html, see_other};
use crate::server::Shop;
use crate::store::customers::{self, Address};
use crate::store::orders::{self, Order};
use crate::web::form::{Button, Checked};
use crate::web::problem::Problem;
use crate::web::visitor::SignedIn;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use std::sync::Arc;

/// Longest note, in characters.
const MAX_NOTE: usize = 500;

#[derive(Template)]
#[template(path = "orders.html", config = "examples/storefront/askama.toml")]
struct List {
    frame: Frame,
    orders: Vec<Order>,
}

#[derive(Template)]
#[template(path = "order.html", config = "examples/storefront/askama.toml")]
struct One {
    frame: Frame,
    order: Order,
    addresses: Vec<Address>,
}

#[derive(serde::Deserialize)]
pub(crate) struct NewOrder {
    sku: String,
    quantity: i64,
}

#[derive(serde::Deserialize)]
pub(crate) struct NewNote {
    text: String,
}

#[derive(serde::Deserialize)]
pub(crate) struct Delivery {
    address: i64,
}

pub(crate) async fn list(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
) -> Result<Response, Problem> {
    let orders = shop.store.with(|db| orders::of(db, user.customer.id))?;
    html(&List {
        frame: Frame::of(&user.visitor, "orders"),
        orders,
    })
}

pub(crate) async fn page(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Path(id): Path<i64>,
    Query(done): Query<Done>,
) -> Result<Response, Problem> {
    let customer = user.customer.id;
    let order = shop.store.with(|db| orders::one(db, customer, id))?;
    let order = order.ok_or(Problem::NotFound)?;
    let addresses = shop.store.with(|db| customers::addresses(db, customer))?;
    let frame = Frame::of(&user.visitor, "orders").saying(&done);
    html(&One {
        frame,
        order,
        addresses,
    })
}

pub(crate) async fn place(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Checked(new): Checked<NewOrder>,
) -> Result<Response, Problem> {
    if !(1..=99).contains(&new.quantity) {
        return Err(Problem::Invalid(
            "How many? We send 1 to 99 of a kind.".into(),
        ));
    }
    let placed = |db: &_| orders::place(db, user.customer.id, &new.sku, new.quantity);
    let id = shop.store.with(placed)?.ok_or(Problem::NotFound)?;
    announce(&shop, id, "placed");
    Ok(see_other(&shop, &format!("/orders/{id}?done=placed")))
}

pub(crate) async fn add_note(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Path(id): Path<i64>,
    Checked(note): Checked<NewNote>,
) -> Result<Response, Problem> {
    let text = note.text.trim();
    if text.is_empty() || text.chars().count() > MAX_NOTE {
        return Err(Problem::Invalid(format!(
            "A note has 1 to {MAX_NOTE} characters."
        )));
    }
    let SignedIn { customer, .. } = &user;
    let added = shop
        .store
        .with(|db| orders::add_note(db, customer.id, id, &customer.name, text))?;
    changed(&shop, added, id, "note")
}

pub(crate) async fn deliver_to(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Path(id): Path<i64>,
    Checked(new): Checked<Delivery>,
) -> Result<Response, Problem> {
    let customer = user.customer.id;
    let book = shop.store.with(|db| customers::addresses(db, customer))?;
    let address = book.iter().find(|address| address.id == new.address);
    let line = address.ok_or(Problem::NotFound)?.line();
    let moved = shop
        .store
        .with(|db| orders::deliver_to(db, customer, id, &line))?;
    changed(&shop, moved, id, "delivery")
}

pub(crate) async fn cancel(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Path(id): Path<i64>,
    Checked(Button {}): Checked<Button>,
) -> Result<Response, Problem> {
    let gone = shop
        .store
        .with(|db| orders::set_status(db, user.customer.id, id, "cancelled"))?;
    changed(&shop, gone, id, "cancelled")
}

fn changed(shop: &Shop, is_done: bool, id: i64, what: &str) -> Result<Response, Problem> {
    if !is_done {
        return Err(Problem::NotFound);
    }
    announce(shop, id, what);
    Ok(see_other(shop, &format!("/orders/{id}?done={what}")))
}

/// Tells `/events`; nobody may be listening.
pub(super) fn announce(shop: &Shop, order: i64, what: &str) {
    let event = serde_json::json!({ "order": order, "what": what });
    let _ = shop.events.send(event.to_string());
}
