//! The account: who the customer is and where things go.

use super::frame::{Done, Frame, html, saved};
use crate::server::Shop;
use crate::store::customers::{self, Address, Customer};
use crate::web::form::{Button, Checked};
use crate::web::problem::Problem;
use crate::web::visitor::SignedIn;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "profile.html", config = "examples/storefront/askama.toml")]
struct ProfilePage {
    frame: Frame,
    customer: Customer,
}

#[derive(Template)]
#[template(path = "addresses.html", config = "examples/storefront/askama.toml")]
struct AddressPage {
    frame: Frame,
    addresses: Vec<Address>,
}

#[derive(serde::Deserialize)]
pub(crate) struct Profile {
    name: String,
    phone: String,
}

#[derive(serde::Deserialize)]
pub(crate) struct NewAddress {
    label: String,
    street: String,
    city: String,
    postcode: String,
    country: String,
}

pub(crate) async fn profile(user: SignedIn, Query(done): Query<Done>) -> Result<Response, Problem> {
    let frame = Frame::of(&user.visitor, "profile").saying(&done);
    html(&ProfilePage {
        frame,
        customer: user.customer,
    })
}

pub(crate) async fn save_profile(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Checked(new): Checked<Profile>,
) -> Result<Response, Problem> {
    if new.name.trim().is_empty() {
        return Err(Problem::Invalid("What should we call you?".into()));
    }
    let id = user.customer.id;
    saved(&shop, "/account?done=profile", |db| {
        customers::set_profile(db, id, new.name.trim(), new.phone.trim())
    })
}

pub(crate) async fn addresses(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Query(done): Query<Done>,
) -> Result<Response, Problem> {
    let addresses = shop
        .store
        .with(|db| customers::addresses(db, user.customer.id))?;
    let frame = Frame::of(&user.visitor, "addresses").saying(&done);
    html(&AddressPage { frame, addresses })
}

pub(crate) async fn add_address(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Checked(new): Checked<NewAddress>,
) -> Result<Response, Problem> {
    let NewAddress {
        label,
        street,
        city,
        postcode,
        country,
    } = new;
    if [&label, &street, &city]
        .iter()
        .any(|field| field.trim().is_empty())
    {
        return Err(Problem::Invalid(
            "An address needs a name, a street and a city.".into(),
        ));
    }
    let new = Address {
        id: 0,
        label,
        street,
        city,
        postcode,
        country,
    };
    saved(&shop, "/account/addresses?done=address", |db| {
        customers::add_address(db, user.customer.id, &new)
    })
}

pub(crate) async fn remove_address(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    Path(id): Path<i64>,
    Checked(Button {}): Checked<Button>,
) -> Result<Response, Problem> {
    saved(&shop, "/account/addresses?done=address", |db| {
        customers::remove_address(db, user.customer.id, id)
    })
}
