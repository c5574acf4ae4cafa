//! Taking everything out at once.

use super::frame::{Frame, html};
use crate::server::Shop;
use crate::store::orders;
use crate::web::problem::Problem;
use crate::web::visitor::SignedIn;
use askama::Template;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use std::fmt::Write as _;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "export.html", config = "examples/storefront/askama.toml")]
struct Export {
    frame: Frame,
    orders: i64,
}

pub(crate) async fn page(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
) -> Result<Response, Problem> {
    let orders = shop.store.with(|db| orders::count(db, user.customer.id))?;
    html(&Export {
        frame: Frame::of(&user.visitor, "export"),
        orders,
    })
}

pub(crate) async fn csv(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
) -> Result<Response, Problem> {
    let orders = shop.store.with(|db| orders::of(db, user.customer.id))?;
    let mut text = String::from("order,placed,status,product,quantity,sum,address\r\n");
    for order in &orders {
        for line in &order.lines {
            let _ = write!(
                text,
                "{},{},{},{},{},{},{}\r\n",
                order.id,
                order.placed,
                order.status,
                quoted(&line.name),
                line.quantity,
                line.sum,
                quoted(&order.address),
            );
        }
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"orders.csv\"",
        ),
    ];
    Ok((headers, text).into_response())
}

/// RFC 4180 §2.7.
fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}
