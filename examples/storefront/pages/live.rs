//! The live page, and its stream of server-sent events.

use super::frame::{Frame, html};
use crate::server::Shop;
use crate::store::orders;
use crate::web::problem::Problem;
use crate::web::visitor::SignedIn;
use askama::Template;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, interval};

/// How often a listener hears that the shop is there.
const TICK: Duration = Duration::from_millis(250);

#[derive(Template)]
#[template(path = "live.html", config = "examples/storefront/askama.toml")]
struct Live {
    frame: Frame,
}

pub(crate) async fn page(user: SignedIn) -> Result<Response, Problem> {
    html(&Live {
        frame: Frame::of(&user.visitor, "live"),
    })
}

struct Listener {
    shop: Arc<Shop>,
    customer: i64,
    events: tokio::sync::broadcast::Receiver<String>,
    ticks: Interval,
    count: u64,
}

impl Listener {
    async fn next(&mut self) -> Event {
        loop {
            tokio::select! {
                _ = self.ticks.tick() => return self.tick(),
                event = self.events.recv() => match event {
                    Ok(event) => return Event::default().event("order").data(event),
                    Err(RecvError::Lagged(_)) => {}
                    // The shop holds a sender for as long as it serves.
                    Err(RecvError::Closed) => std::future::pending().await,
                },
            }
        }
    }

    fn tick(&mut self) -> Event {
        self.count += 1;
        let orders = self
            .shop
            .store
            .with(|db| orders::count(db, self.customer))
            .ok();
        let data = serde_json::json!({ "n": self.count, "orders": orders });
        Event::default()
            .event("tick")
            .id(self.count.to_string())
            .data(data.to_string())
    }
}

/// `tick` every 250 ms and `order` when one changes, until somebody hangs up.
pub(crate) async fn events(State(shop): State<Arc<Shop>>, user: SignedIn) -> Response {
    let listener = Listener {
        events: shop.events.subscribe(),
        customer: user.customer.id,
        ticks: interval(TICK),
        count: 0,
        shop,
    };
    let events = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await;
        Some((Ok::<_, Infallible>(event), listener))
    });
    Sse::new(events).into_response()
}
