//! Who is told when the glass is broken: a receiver of signed webhooks (Standard Webhooks 1.0.0) on this machine.

use crate::story::{Broken, While as _};
use aws_lc_rs::{hmac, rand};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

/// Takes only what is signed with its key.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    desk: Arc<Desk>,
}

struct Desk {
    key: hmac::Key,
    taken: Mutex<Vec<Value>>,
}

impl Receiver {
    /// Listens; writes the key that it shares with Locum to `file`.
    pub(crate) async fn open(file: &Path) -> Result<Self, Broken> {
        let mut secret = [0u8; 32];
        rand::fill(&mut secret).map_err(|_| Broken::new("random bytes for a key", "none"))?;
        let text = format!("whsec_{}\n", STANDARD.encode(secret));
        std::fs::write(file, text).while_("to write the webhook's key")?;
        let desk = Arc::new(Desk {
            key: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            taken: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .while_("a port for alerts")?;
        let port = listener.local_addr().while_("the alerts' port")?.port();
        let app = Router::new()
            .route("/alerts", post(hear))
            .with_state(Arc::clone(&desk));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { port, desk })
    }

    /// What it was told so far.
    pub(crate) fn taken(&self) -> Vec<Value> {
        self.desk
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn hear(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    match signed(&desk.key, &headers, &body) {
        Some(alert) => {
            desk.taken
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(alert);
            StatusCode::NO_CONTENT
        }
        None => StatusCode::UNAUTHORIZED,
    }
}

/// The alert, if one of its signatures is right.
fn signed(key: &hmac::Key, headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let header = |name| headers.get(name).and_then(|it| it.to_str().ok());
    let mut content = format!(
        "{}.{}.",
        header("webhook-id")?,
        header("webhook-timestamp")?
    )
    .into_bytes();
    content.extend_from_slice(body);
    let is_ours = header("webhook-signature")?.split(' ').any(|one| {
        let tag = one
            .strip_prefix("v1,")
            .and_then(|text| STANDARD.decode(text).ok());
        tag.is_some_and(|tag| hmac::verify(key, &content, &tag).is_ok())
    });
    is_ours.then(|| serde_json::from_slice(body).ok()).flatten()
}
