//! What a security event token says (RFC 8417 §2.2, CAEP 1.0), once its signature is known to hold.

use super::refused::Refused;
use super::settings::Transmitter;
use super::subject::Subject;
use crate::model::Timestamp;
use serde_json::{Map, Value};

pub(super) const SESSION_REVOKED: &str =
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
pub(super) const CREDENTIAL_CHANGE: &str =
    "https://schemas.openid.net/secevent/caep/event-type/credential-change";

/// Events in one token; more is not what anybody sends.
const MAX_EVENTS: usize = 16;
/// The longest `jti`, bytes.
const MAX_JTI: usize = 256;

/// A token that may be acted on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) jti: String,
    /// The last words of the events' names, for records: `session-revoked`.
    pub(super) names: Vec<String>,
    /// Whose sessions end. `None`: no event in it asks for that.
    pub(super) subject: Option<Subject>,
    /// Until when its `jti` must be remembered.
    pub(super) forget_after: Timestamp,
}

impl Event {
    pub(super) fn read(
        claims: &Map<String, Value>,
        from: &Transmitter,
        now: Timestamp,
    ) -> Result<Self, Refused> {
        if claims.get("iss").and_then(Value::as_str) != Some(from.signer.issuer()) {
            return Err(Refused::Issuer);
        }
        if !from.signer.is_audience(claims) {
            return Err(Refused::Audience);
        }
        let issued = fresh(claims, from, now)?;
        let jti = claims.get("jti").and_then(Value::as_str);
        let jti = jti
            .filter(|jti| (1..=MAX_JTI).contains(&jti.len()))
            .ok_or(wrong("jti", "is missing or too long"))?;
        let events = events(claims)?;
        Ok(Self {
            jti: jti.to_owned(),
            names: events.keys().map(|uri| last_word(uri)).collect(),
            subject: subject(claims, events)?,
            forget_after: issued.plus(from.max_age).plus(from.leeway),
        })
    }
}

const fn wrong(claim: &'static str, problem: &'static str) -> Refused {
    Refused::Claim { claim, problem }
}

/// When it was issued, if that is neither too long ago nor ahead. `exp` is not needed (RFC 8417 §2.2: not recommended), and
/// counts where it is.
fn fresh(
    claims: &Map<String, Value>,
    from: &Transmitter,
    now: Timestamp,
) -> Result<Timestamp, Refused> {
    let issued = moment(claims, "iat")?.ok_or(wrong("iat", "is missing"))?;
    if issued > now.plus(from.leeway) {
        return Err(Refused::Early);
    }
    let is_over = |at: Timestamp| at.plus(from.leeway) < now;
    if is_over(issued.plus(from.max_age)) || moment(claims, "exp")?.is_some_and(is_over) {
        return Err(Refused::Expired);
    }
    Ok(issued)
}

/// A time in seconds since 1970, fractions allowed (RFC 7519 §2, `NumericDate`).
fn moment(claims: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, Refused> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = value.as_f64().filter(|it| (0.0..1e11).contains(it));
    let seconds = seconds.ok_or(wrong(name, "is not a time in seconds"))?;
    #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
    let millis = (seconds * 1000.0) as i64;
    Ok(Some(Timestamp::from_millis(millis)))
}

fn events(claims: &Map<String, Value>) -> Result<&Map<String, Value>, Refused> {
    let events = claims.get("events").and_then(Value::as_object);
    let events = events.ok_or(wrong("events", "is missing"))?;
    if events.is_empty() || events.len() > MAX_EVENTS {
        return Err(wrong("events", "has none, or too many"));
    }
    if events.values().any(|payload| !payload.is_object()) {
        return Err(wrong("events", "has a payload that is no object"));
    }
    Ok(events)
}

/// The subject of the events that end sessions: `sub_id` (SSF 1.0), or `subject` in the payload (its drafts, which are
/// still sent). Two that differ are none.
fn subject(
    claims: &Map<String, Value>,
    events: &Map<String, Value>,
) -> Result<Option<Subject>, Refused> {
    let ends = |uri: &String| uri == SESSION_REVOKED || uri == CREDENTIAL_CHANGE;
    let asked = events.iter().filter(|(uri, _)| ends(uri));
    let mut is_asked = false;
    let mut found: Option<&Value> = claims.get("sub_id");
    for (_, payload) in asked {
        is_asked = true;
        let Some(own) = payload.get("subject") else {
            continue;
        };
        match found {
            Some(other) if other != own => {
                return Err(wrong("subject", "is another in another place"));
            }
            _ => found = Some(own),
        }
    }
    if !is_asked {
        return Ok(None);
    }
    let found = found.ok_or(wrong("sub_id", "is missing"))?;
    Subject::read(found)
        .map(Some)
        .map_err(|problem| wrong("sub_id", problem))
}

/// `session-revoked` of its URI; bounded, for records.
fn last_word(uri: &str) -> String {
    let last = uri.rsplit('/').next().unwrap_or_default();
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    last.chars().filter(plain).take(64).collect()
}
