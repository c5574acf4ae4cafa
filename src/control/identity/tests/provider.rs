//! A small OpenID provider on loopback that does what a test tells it: it checks what a provider must (client, redirect,
//! PKCE, codes used once) and signs with real keys; what it says can be made dishonest.

use crate::store::external::forge::{Anything, Signer, b64, set};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use http::{HeaderMap, StatusCode};
use jsonwebtoken::Algorithm;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

pub(super) const CLIENT: &str = "locum";
pub(super) const SECRET: &str = "s3cret";
pub(super) const NOW: i64 = 1_700_000_000;

/// Makes an ID token of its own of an honest one's header and claims.
pub(super) type Forge = fn(&Script, &Value, &Value) -> Anything<String>;

/// Changes to claims or a header.
pub(super) type Changes = Vec<(&'static str, Value)>;

/// What it does.
pub(super) struct Script {
    pub(super) issuer: String,
    /// The last one signs.
    pub(super) signers: Vec<Signer>,
    /// Whether the JWKS shows all of them, or only the first.
    pub(super) publishes_all: bool,
    pub(super) now: i64,
    /// Put over an honest token's claims; `null` takes one away.
    pub(super) claims: Changes,
    pub(super) header: Changes,
    pub(super) userinfo: Value,
    pub(super) metadata: Changes,
    /// Replaces the whole ID token.
    pub(super) forge: Option<Forge>,
    /// The device endpoint's error, while nobody has answered.
    pub(super) device: Option<&'static str>,
    pub(super) down: bool,
    pub(super) discoveries: usize,
    /// The form of the last device authorization request.
    pub(super) device_asked: BTreeMap<String, String>,
    codes: BTreeMap<String, Asked>,
}

struct Asked {
    nonce: String,
    challenge: String,
    redirect: String,
}

/// A running one.
pub(super) struct Provider {
    pub(super) script: Arc<Mutex<Script>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

type Shared = State<Arc<Mutex<Script>>>;

impl Provider {
    pub(super) async fn start() -> Anything<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let issuer = format!("http://{}", listener.local_addr()?);
        let script = Arc::new(Mutex::new(Script {
            issuer,
            signers: vec![Signer::new("k1", Algorithm::ES256)?],
            publishes_all: true,
            now: NOW,
            claims: Vec::new(),
            header: Vec::new(),
            userinfo: json!({"sub": "ada"}),
            metadata: Vec::new(),
            forge: None,
            device: None,
            down: false,
            discoveries: 0,
            device_asked: BTreeMap::new(),
            codes: BTreeMap::new(),
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .route("/device", post(device))
            .with_state(Arc::clone(&script));
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { script, serving })
    }

    pub(super) fn issuer(&self) -> String {
        self.script.lock().issuer.clone()
    }

    /// What a person does who signs in: the browser is sent back with a code. Panics on a request that no provider would take.
    pub(super) fn sign_in(&self, request: &str) -> Anything<String> {
        let url = Url::parse(request)?;
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let get = |name: &str| query.get(name).cloned().unwrap_or_default();
        let mut script = self.script.lock();
        assert!(request.starts_with(&format!("{}/authorize?", script.issuer)));
        assert_eq!(get("client_id"), CLIENT);
        assert_eq!(get("response_type"), "code");
        assert_eq!(get("code_challenge_method"), "S256");
        assert!(get("scope").split(' ').any(|it| it == "openid"));
        assert!(get("redirect_uri").ends_with("/login/callback"));
        let code = format!("code-{}", script.codes.len());
        let asked = Asked {
            nonce: get("nonce"),
            challenge: get("code_challenge"),
            redirect: get("redirect_uri"),
        };
        script.codes.insert(code.clone(), asked);
        let back = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("state", &get("state"))
            .append_pair("code", &code)
            .append_pair("iss", &script.issuer)
            .finish();
        Ok(format!("/login/callback?{back}"))
    }

    /// A logout token with these changes to an honest one's claims and header.
    pub(super) fn logout_token(
        &self,
        id: &str,
        changes: &[(&str, Value)],
        header: &[(&str, Value)],
    ) -> Anything<String> {
        let script = self.script.lock();
        let mut claims = json!({
            "iss": script.issuer, "aud": CLIENT, "iat": script.now, "exp": script.now + 120, "jti": id, "sub": "ada",
            "sid": "idp-session",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        });
        let signer = script.signers.last().ok_or("no key")?;
        let mut head = signer.header();
        head["typ"] = json!("logout+jwt");
        change(&mut claims, changes);
        change(&mut head, header);
        signer.sign(&head, &claims)
    }
}

pub(super) fn change(object: &mut Value, changes: &[(&str, Value)]) {
    let Some(object) = object.as_object_mut() else {
        return;
    };
    for (name, value) in changes {
        if value.is_null() {
            object.remove(*name);
        } else {
            object.insert((*name).to_owned(), value.clone());
        }
    }
}

impl Script {
    fn id_token(&self, nonce: Option<&str>) -> Anything<String> {
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT, "iat": self.now, "exp": self.now + 300, "auth_time": self.now,
            "sub": "ada", "email": "Ada@Support.example", "email_verified": true, "name": "Ada Byron",
            "groups": ["support"], "sid": "idp-session",
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        let signer = self.signers.last().ok_or("no key")?;
        let mut header = signer.header();
        header["typ"] = json!("JWT");
        change(&mut claims, &self.claims);
        change(&mut header, &self.header);
        match self.forge {
            Some(forge) => forge(self, &header, &claims),
            None => signer.sign(&header, &claims),
        }
    }
}

async fn discovery(State(script): Shared) -> Response {
    let mut script = script.lock();
    if script.down {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    script.discoveries += 1;
    let at = |path: &str| format!("{}/{path}", script.issuer);
    let mut metadata = json!({
        "issuer": script.issuer, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"),
        "jwks_uri": at("jwks"), "userinfo_endpoint": at("userinfo"), "end_session_endpoint": at("end"),
        "device_authorization_endpoint": at("device"), "response_types_supported": ["code"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256", "EdDSA", "none"],
    });
    change(&mut metadata, &script.metadata);
    Json(metadata).into_response()
}

async fn jwks(State(script): Shared) -> Response {
    let script = script.lock();
    let shown = if script.publishes_all {
        script.signers.len()
    } else {
        1
    };
    let signers: Vec<&Signer> = script.signers.iter().take(shown).collect();
    match set(&signers) {
        Ok(set) => ([(http::header::CONTENT_TYPE, "application/json")], set).into_response(),
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, why.to_string()).into_response(),
    }
}

async fn token(
    State(script): Shared,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    let error =
        |word: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": word }))).into_response();
    let mut script = script.lock();
    let basic = format!(
        "Basic {}",
        base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            format!("{CLIENT}:{SECRET}")
        )
    );
    if headers.get("authorization").and_then(|it| it.to_str().ok()) != Some(basic.as_str()) {
        return error("invalid_client");
    }
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let nonce = if field("grant_type") == "authorization_code" {
        // RFC 6749 §4.1.2: a code is used once.
        let Some(asked) = script.codes.remove(&field("code")) else {
            return error("invalid_grant");
        };
        let digest = aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            field("code_verifier").as_bytes(),
        );
        if b64(digest.as_ref()) != asked.challenge || field("redirect_uri") != asked.redirect {
            return error("invalid_grant");
        }
        Some(asked.nonce)
    } else if let Some(word) = script.device {
        return error(word);
    } else {
        None
    };
    match script.id_token(nonce.as_deref()) {
        Ok(token) => Json(json!({
            "access_token": "at", "token_type": "Bearer", "expires_in": 60, "id_token": token,
        }))
        .into_response(),
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, why.to_string()).into_response(),
    }
}

async fn userinfo(State(script): Shared, headers: HeaderMap) -> Response {
    let bearer = headers.get("authorization").and_then(|it| it.to_str().ok());
    if bearer != Some("Bearer at") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    Json(script.lock().userinfo.clone()).into_response()
}

async fn device(State(script): Shared, Form(form): Form<BTreeMap<String, String>>) -> Json<Value> {
    let mut script = script.lock();
    script.device_asked = form;
    Json(json!({
        "device_code": "dev-1", "user_code": "ABCD-EFGH", "verification_uri": format!("{}/activate", script.issuer),
        "expires_in": 600, "interval": 5,
    }))
}
