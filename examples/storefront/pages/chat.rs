//! The chat with the shop's helper, over a WebSocket.

use super::orders::announce;
use crate::server::Shop;
use crate::store::customers::Customer;
use crate::store::orders;
use crate::web::visitor::SignedIn;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// Largest message, in bytes.
const MAX_MESSAGE: usize = 64 * 1024;

/// What the page sends.
#[derive(serde::Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said {
    Ping {
        #[serde(default)]
        n: Value,
    },
    Say {
        text: String,
    },
    Refund {
        order: i64,
    },
}

/// The guard has compared `Origin` with the shop's own already.
pub(crate) async fn open(
    State(shop): State<Arc<Shop>>,
    user: SignedIn,
    upgrade: WebSocketUpgrade,
) -> Response {
    let upgrade = upgrade.max_message_size(MAX_MESSAGE).protocols(["chat"]);
    upgrade.on_upgrade(move |socket| talk(shop, user.customer, socket))
}

async fn talk(shop: Arc<Shop>, customer: Customer, mut socket: WebSocket) {
    let hello = json!({ "type": "hello", "as": customer.email, "text": format!("Hello {}! How can we help?", customer.name) });
    if socket.send(Message::text(hello.to_string())).await.is_err() {
        return;
    }
    while let Some(Ok(message)) = socket.recv().await {
        let answers = match message {
            Message::Text(text) => answer(&shop, &customer, &text),
            Message::Binary(bytes) => vec![Message::Binary(bytes)],
            Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) => continue,
        };
        for message in answers {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    }
}

fn answer(shop: &Shop, customer: &Customer, text: &str) -> Vec<Message> {
    let answers = match serde_json::from_str(text) {
        Ok(Said::Ping { n }) => vec![json!({ "type": "pong", "n": n })],
        Ok(Said::Say { text }) => vec![
            json!({ "type": "said", "from": customer.name, "text": text }),
            json!({ "type": "said", "from": "Piper", "text": reply(&text) }),
        ],
        Ok(Said::Refund { order }) => vec![refund(shop, customer, order)],
        Err(_) => vec![json!({ "type": "error", "text": "I did not understand that." })],
    };
    answers
        .into_iter()
        .map(|answer| Message::text(answer.to_string()))
        .collect()
}

fn reply(text: &str) -> &'static str {
    let text = text.to_lowercase();
    if text.contains("where") || text.contains("when") {
        "Orders leave us within a day; the courier takes two more."
    } else if text.contains("refund") {
        "Tell me the order's number below and I will ask for a refund."
    } else {
        "Thank you, I have passed that on."
    }
}

fn refund(shop: &Shop, customer: &Customer, order: i64) -> Value {
    let asked = shop.store.with(|db| {
        orders::add_note(
            db,
            customer.id,
            order,
            &customer.name,
            "Asked for a refund in the chat.",
        )
    });
    if matches!(asked, Ok(true)) {
        announce(shop, order, "refund");
        json!({ "type": "refunded", "order": order })
    } else {
        json!({ "type": "error", "text": "You have no such order." })
    }
}
