//! From verified claims to a grant. Every claim is required, typed, bounded and checked.

use super::refused::BearerRefused;
use super::settings::Issuer;
use crate::model::{
    Grant, GrantId, Operator, OperatorKind, Scope, SessionId, Subject, Tenant, Timestamp,
};
use crate::store::text;
use serde_json::{Map, Value};
use std::time::Duration;

/// The longest identifier, name or ticket, bytes.
const MAX_NAME: usize = 256;
/// The longest reason, bytes.
const MAX_REASON: usize = 1024;
/// The most scopes in a grant.
const MAX_SCOPES: usize = 64;
/// 9999-12-31T23:59:59Z: what lies beyond is a mistake, and would overflow in milliseconds.
const MAX_SECONDS: i64 = 253_402_300_799;

/// A grant read from a token whose signature holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verified {
    pub(super) grant: Grant,
    pub(super) session: SessionId,
    pub(super) external_id: String,
}

/// The session of a token: it follows from issuer and `jti`, so that the same token finds the same
/// session after a restart, and a second session for it cannot be.
pub(super) fn session_of(issuer: &str, external_id: &str) -> SessionId {
    SessionId::from_bits(digest("locum session", issuer, external_id))
}

fn digest(what: &str, issuer: &str, external_id: &str) -> u128 {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in [what, issuer, external_id] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let digest = context.finish();
    let head = digest.as_ref().first_chunk::<16>();
    head.map_or(0, |bytes| u128::from_be_bytes(*bytes))
}

fn wrong(claim: &'static str, problem: impl Into<String>) -> BearerRefused {
    BearerRefused::Claim {
        claim,
        problem: problem.into(),
    }
}

struct Claims<'c>(&'c Map<String, Value>);

impl<'c> Claims<'c> {
    fn optional(&self, claim: &'static str, max: usize) -> Result<Option<&'c str>, BearerRefused> {
        self.optional_as(claim, claim, max)
    }

    /// `claim` is how an error calls it, `key` where it is.
    fn optional_as(
        &self,
        claim: &'static str,
        key: &str,
        max: usize,
    ) -> Result<Option<&'c str>, BearerRefused> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::String(found)) => match text::check(found, max) {
                Ok(()) => Ok(Some(found)),
                Err(problem) => Err(wrong(claim, problem.to_string())),
            },
            Some(_) => Err(wrong(claim, "is not a string")),
        }
    }

    fn text(&self, claim: &'static str, max: usize) -> Result<&'c str, BearerRefused> {
        self.optional(claim, max)?
            .ok_or_else(|| wrong(claim, "is missing"))
    }

    /// RFC 7519 §2 `NumericDate`; fractions of a second are dropped.
    fn time(&self, claim: &'static str) -> Result<Timestamp, BearerRefused> {
        let value = self
            .0
            .get(claim)
            .ok_or_else(|| wrong(claim, "is missing"))?;
        #[allow(clippy::cast_possible_truncation)] // `as` saturates, and the range is checked next.
        let seconds = value
            .as_i64()
            .or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64))
            .ok_or_else(|| wrong(claim, "is not a number"))?;
        if !(0..=MAX_SECONDS).contains(&seconds) {
            return Err(wrong(claim, "is out of range"));
        }
        Ok(Timestamp::from_millis(seconds * 1000))
    }

    fn flag(&self, claim: &'static str) -> Result<bool, BearerRefused> {
        match self.0.get(claim) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(wrong(claim, "is not true or false")),
        }
    }

    fn audience(&self, wanted: &str) -> Result<(), BearerRefused> {
        let found = match self.0.get("aud") {
            None => return Err(wrong("aud", "is missing")),
            Some(Value::String(one)) => one == wanted,
            Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(wanted)),
            Some(_) => return Err(wrong("aud", "is neither a string nor a list")),
        };
        if found {
            return Ok(());
        }
        Err(wrong("aud", "does not name this Locum"))
    }

    fn operator(&self) -> Result<Operator, BearerRefused> {
        let act = match self.0.get("act") {
            None => return Err(wrong("act.sub", "is missing")),
            Some(Value::Object(act)) => Claims(act),
            Some(_) => return Err(wrong("act", "is not an object")),
        };
        if act.0.contains_key("act") {
            return Err(BearerRefused::Nested);
        }
        let id = act
            .optional_as("act.sub", "sub", MAX_NAME)?
            .ok_or_else(|| wrong("act.sub", "is missing"))?;
        let kind = if id.starts_with("spiffe://") {
            OperatorKind::Workload
        } else {
            OperatorKind::Human
        };
        Ok(Operator {
            id: id.to_owned(),
            name: act
                .optional_as("act.name", "name", MAX_NAME)?
                .map(str::to_owned),
            kind,
        })
    }

    fn scopes(&self) -> Result<Vec<Scope>, BearerRefused> {
        let listed = self.text("scope", MAX_SCOPES * 65)?;
        let mut scopes = listed
            .split(' ')
            .filter(|name| !name.is_empty())
            .map(str::parse::<Scope>)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| wrong("scope", "has a name that is no scope"))?;
        scopes.sort();
        scopes.dedup();
        if scopes.len() > MAX_SCOPES {
            return Err(wrong("scope", format!("has more than {MAX_SCOPES} names")));
        }
        Ok(scopes)
    }
}

/// The token's time window, widened by the leeway.
struct Window {
    issued_at: Timestamp,
    not_before: Timestamp,
    expires_at: Timestamp,
}

fn window(claims: &Claims<'_>, issuer: &Issuer, now: Timestamp) -> Result<Window, BearerRefused> {
    let (exp, nbf, iat) = (
        claims.time("exp")?,
        claims.time("nbf")?,
        claims.time("iat")?,
    );
    if exp <= nbf || exp <= iat {
        return Err(wrong("exp", "is not after `nbf` and `iat`"));
    }
    let lifetime = iat.until(exp).max(nbf.until(exp));
    if lifetime > issuer.max_lifetime {
        return Err(BearerRefused::Lifetime);
    }
    let leeway = issuer.leeway.min(super::Settings::MAX_LEEWAY);
    let expires_at = exp.plus(leeway);
    if now >= expires_at {
        return Err(BearerRefused::Expired { at: exp });
    }
    if now.plus(leeway) < nbf {
        return Err(BearerRefused::NotYet { at: nbf });
    }
    if now.plus(leeway) < iat {
        return Err(wrong("iat", "is in the future"));
    }
    Ok(Window {
        issued_at: iat,
        not_before: back(nbf, leeway),
        expires_at,
    })
}

fn back(at: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.millis().saturating_sub(by))
}

/// Reads the grant. `app` is the one that the token was presented to.
pub(super) fn read(
    claims: &Map<String, Value>,
    issuer: &Issuer,
    app: &str,
    now: Timestamp,
) -> Result<Verified, BearerRefused> {
    let claims = Claims(claims);
    claims.audience(&issuer.audience)?;
    let window = window(&claims, issuer, now)?;
    let external_id = claims.text("jti", MAX_NAME)?.to_owned();
    let operator = claims.operator()?;
    let subject = claims.text("sub", MAX_NAME)?.to_owned();
    if subject == operator.id {
        return Err(wrong("act.sub", "is the subject"));
    }
    let tenant = claims.text("tenant", MAX_NAME)?.to_owned();
    if issuer
        .tenants
        .as_ref()
        .is_some_and(|all| !all.contains(&tenant))
    {
        return Err(BearerRefused::Tenant);
    }
    let named = claims.optional("app", MAX_NAME)?;
    let allowed = issuer.apps.as_ref();
    if named.is_some_and(|named| named != app)
        || allowed.is_some_and(|all| !all.iter().any(|a| a == app))
    {
        return Err(BearerRefused::App);
    }
    let break_glass = claims.flag("break_glass")?;
    if break_glass && !issuer.break_glass {
        return Err(BearerRefused::BreakGlass);
    }
    let name = |claim| Ok::<_, BearerRefused>(claims.optional(claim, MAX_NAME)?.map(str::to_owned));
    let grant = Grant {
        id: GrantId::from_bits(digest("locum grant", &issuer.issuer, &external_id)),
        app: app.to_owned(),
        operator,
        subject: Subject {
            id: subject,
            name: name("sub_name")?,
        },
        tenant: Tenant {
            id: tenant,
            name: name("tenant_name")?,
        },
        scopes: claims.scopes()?,
        ticket: claims.text("ticket", MAX_NAME)?.to_owned(),
        reason: claims.text("reason", MAX_REASON)?.to_owned(),
        approvals: Vec::new(),
        break_glass,
        not_before: window.not_before,
        expires_at: window.expires_at,
        issued_at: window.issued_at,
        issued_by: format!("issuer:{}", issuer.issuer),
        external_id: Some(external_id.clone()),
        budget: None,
    };
    Ok(Verified {
        session: session_of(&issuer.issuer, &external_id),
        grant,
        external_id,
    })
}
