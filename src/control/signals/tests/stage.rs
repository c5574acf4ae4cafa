//! An identity provider under the test's control, sessions that may end, and the endpoint.

use crate::control::alerts::fixture::{Bench, NOW};
use crate::control::signals::{Counts, PATH, Settings, Sign, Signals, router};
use crate::model::{
    Binding, EndCause, Ended, Grant, GrantId, Operator, OperatorKind, Secret, SecretHash,
    SessionId, Subject, Tenant, Timestamp,
};
use crate::store::control::{Login, LoginKind};
use crate::store::external::forge::{Anything, Signer, set};
use crate::store::sqlite::{self, Sqlite};
use crate::store::{GrantStore as _, Issue, Redemption};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt as _;

pub(super) const ISSUER: &str = "https://idp.example";
pub(super) const AUDIENCE: &str = "https://locum.example";
pub(super) const REVOKED: &str =
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
pub(super) const CHANGED: &str =
    "https://schemas.openid.net/secevent/caep/event-type/credential-change";

pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(NOW)
}

pub(super) struct Stage {
    pub(super) bench: Bench,
    pub(super) idp: Signer,
    store: Sqlite,
}

impl Stage {
    pub(super) fn new() -> Anything<Self> {
        let bench = Bench::new();
        let idp = Signer::new("k1", jsonwebtoken::Algorithm::ES256)?;
        bench.file("jwks.json", &set(&[&idp])?);
        let store = Sqlite::open(&sqlite::Settings {
            path: bench.database(),
            ..sqlite::Settings::default()
        })?;
        Ok(Self { bench, idp, store })
    }

    /// Keys of a transmitter with these more.
    pub(super) fn transmitter(&self, more: &str) -> String {
        let jwks = self.bench.database().with_file_name("jwks.json");
        format!(
            "[[signals.transmitters]]\n\
             issuer = {ISSUER:?}\naudience = {AUDIENCE:?}\njwks = {jwks:?}\ncooldown = \"1s\"\n{more}\n"
        )
    }

    pub(super) fn settings(&self, more: &str) -> Settings {
        let config = self.bench.config(more);
        Settings::from_config(&config).unwrap_or_else(|why| panic!("{why}"))
    }

    pub(super) fn signals(&self, more: &str) -> Signals {
        self.signed_signals(more, Arc::new(|_, _| None))
    }

    pub(super) fn signed_signals(&self, more: &str, sign: Sign) -> Signals {
        let (book, clock) = (self.bench.book.clone(), self.bench.clock.clone());
        Signals::new(book, clock, self.settings(more), sign, Counts::default())
    }

    pub(super) fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "secevent+jwt", "kid": self.idp.id })
    }

    /// A token of these claims, signed as it should be.
    pub(super) fn token(&self, claims: &Value) -> Anything<String> {
        self.idp.sign(&self.header(), claims)
    }

    /// An ended or live session of this operator in this tenant, begun by its operator.
    pub(super) fn session(
        &self,
        operator: &str,
        tenant: &str,
        issued_by: &str,
    ) -> Anything<SessionId> {
        let (session, grant) = (SessionId::fresh(), grant(operator, tenant, issued_by));
        let code = Secret::fresh()?.hash();
        self.store.issue(&Issue {
            grant,
            session,
            binding: Binding::default(),
            code,
            code_expires: now().plus(Duration::from_secs(60)),
        })?;
        let redeemed = self.store.redeem(&Redemption {
            session,
            code,
            cookie: Secret::fresh()?.hash(),
            binding: Binding::default(),
            now: now(),
        })?;
        assert!(redeemed.is_ok(), "{redeemed:?}");
        Ok(session)
    }

    /// A session that nobody began.
    pub(super) fn pending(&self, operator: &str) -> Anything<SessionId> {
        let session = SessionId::fresh();
        self.store.issue(&Issue {
            grant: grant(operator, "acme", "cli"),
            session,
            binding: Binding::default(),
            code: Secret::fresh()?.hash(),
            code_expires: now().plus(Duration::from_secs(60)),
        })?;
        Ok(session)
    }

    pub(super) fn end(&self, session: SessionId, cause: EndCause) -> Anything<()> {
        let ended = Ended {
            cause,
            at: self.bench.clock.now(),
            by: "locum".to_owned(),
        };
        self.store.end(&[(session, ended)])?;
        Ok(())
    }

    /// Why a session is over; `None`: it is not.
    pub(super) fn over(&self, session: SessionId) -> Anything<Option<EndCause>> {
        let stored = self.store.find_session(session)?.ok_or("no such session")?;
        Ok(stored.session.ended.map(|ended| ended.cause))
    }

    pub(super) fn login(&self, person: &str, account: &str) -> Anything<SecretHash> {
        let hash = Secret::fresh()?.hash();
        let login = Login {
            hash,
            kind: LoginKind::Portal,
            person: person.to_owned(),
            account: account.to_owned(),
            sid: String::new(),
            expires_at: now().plus(Duration::from_secs(3600)),
            last_used: now(),
            body: "{}".to_owned(),
        };
        self.bench
            .book
            .write("signing in", |tx| tx.put_login(&login))?;
        Ok(hash)
    }

    pub(super) fn is_signed_in(&self, hash: SecretHash) -> Anything<bool> {
        let found = self.bench.book.write("reading a login", |tx| {
            tx.login(hash, LoginKind::Portal, now())
        })?;
        Ok(found.is_some())
    }
}

fn grant(operator: &str, tenant: &str, issued_by: &str) -> Grant {
    Grant {
        id: GrantId::fresh(),
        app: "shop".to_owned(),
        operator: Operator {
            id: operator.to_owned(),
            name: None,
            kind: OperatorKind::Human,
        },
        subject: Subject {
            id: "kim@acme.example".to_owned(),
            name: None,
        },
        tenant: Tenant {
            id: tenant.to_owned(),
            name: None,
        },
        scopes: "view".parse().into_iter().collect(),
        ticket: "SUP-1042".to_owned(),
        reason: "Cannot see an invoice".to_owned(),
        approvals: Vec::new(),
        break_glass: false,
        not_before: now(),
        expires_at: now().plus(Duration::from_secs(3600)),
        issued_at: now(),
        issued_by: issued_by.to_owned(),
        external_id: None,
        budget: None,
    }
}

/// Claims of an honest event about Ada.
pub(super) fn claims(jti: &str) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "iat": now().seconds(), "jti": jti,
        "sub_id": { "format": "email", "email": "ada@support.example" },
        "events": { REVOKED: { "event_timestamp": now().seconds() } },
    })
}

/// What the endpoint answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    /// `err` and `description`; empty for none.
    pub(super) err: String,
    pub(super) description: String,
}

pub(super) async fn push(signals: &Signals, token: &str) -> Anything<Answered> {
    push_with(
        signals,
        token,
        &[("content-type", "application/secevent+jwt")],
    )
    .await
}

pub(super) async fn push_with(
    signals: &Signals,
    token: &str,
    headers: &[(&str, &str)],
) -> Anything<Answered> {
    let mut request = Request::post(PATH);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(token.to_owned()))?;
    let answer = router::<()>(signals.clone()).oneshot(request).await?;
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 64 * 1024).await?;
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    Ok(Answered {
        status,
        err: text("err").to_owned(),
        description: text("description").to_owned(),
    })
}
