//! The catalogue.

use super::frame::{Frame, html};
use crate::server::Shop;
use crate::store::catalogue::{self, Product};
use crate::web::problem::Problem;
use crate::web::visitor::Visitor;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "home.html", config = "examples/storefront/askama.toml")]
struct Home {
    frame: Frame,
    products: Vec<Product>,
}

pub(crate) async fn page(
    State(shop): State<Arc<Shop>>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    let products = shop.store.with(catalogue::all)?;
    html(&Home {
        frame: Frame::of(&visitor, "shop"),
        products,
    })
}
