//! From verified claims to a person. Everything is typed and bounded; what is missing is refused, never guessed.

use super::person::Identified;
use super::refused::Refused;
use crate::model::{Method, Proof, Timestamp};
use crate::store::text;
use serde_json::{Map, Value};
use std::time::Duration;

pub(super) type Claims = Map<String, Value>;

/// The longest identifier, name or group, bytes.
const MAX_NAME: usize = 256;
/// The most authentication methods that are kept.
const MAX_METHODS: usize = 16;
/// 9999-12-31T23:59:59Z: what lies beyond is a mistake, and would overflow in milliseconds.
const MAX_SECONDS: i64 = 253_402_300_799;

/// Which claims say what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'s> {
    pub(super) groups: &'s str,
    /// `None`: `email` where it is verified, else `sub`.
    pub(super) person: Option<&'s str>,
    pub(super) auth_time: &'s str,
    pub(super) max_groups: usize,
}

/// The person that these claims are about.
pub(super) fn identified(
    claims: &Claims,
    reading: &Reading<'_>,
    method: Method,
) -> Result<Identified, Refused> {
    not_nested(claims)?;
    let issuer = required(claims, "iss")?;
    let subject = required(claims, "sub")?;
    let name = ["name", "preferred_username"]
        .iter()
        .find_map(|claim| optional(claims, claim).ok().flatten());
    Ok(Identified {
        person: person(claims, reading.person, subject)?,
        account: format!("{issuer}|{subject}"),
        name: name.map(str::to_owned),
        groups: groups(claims, reading)?,
        proof: Proof {
            method,
            // Without the claim nobody knows when: long ago, so that no step takes it for fresh.
            at: time(claims, reading.auth_time)?.unwrap_or(Timestamp::from_millis(0)),
            acr: optional(claims, "acr")?.map(str::to_owned),
            amr: methods(claims),
        },
    })
}

/// RFC 8693 §4.1, §4.4: a token with `act` or `may_act` speaks for somebody who is, or may be, stood in for. Nobody stands in
/// for a customer by such a token: impersonation would nest.
pub(super) fn not_nested(claims: &Claims) -> Result<(), Refused> {
    if claims.contains_key("act") || claims.contains_key("may_act") {
        return Err(Refused::Nested);
    }
    Ok(())
}

/// Whether the claims of a signed token hold at `now`: `exp` and `iat` there, `nbf` kept, no longer life than allowed.
pub(super) fn timely(
    claims: &Claims,
    now: Timestamp,
    leeway: Duration,
    max_lifetime: Duration,
) -> Result<(), Refused> {
    let missing = |claim| Refused::claim(claim, "is missing");
    let expires = time(claims, "exp")?.ok_or_else(|| missing("exp"))?;
    let issued = time(claims, "iat")?.ok_or_else(|| missing("iat"))?;
    if now >= expires.plus(leeway) {
        return Err(Refused::claim("exp", "is over"));
    }
    if now.plus(leeway) < issued {
        return Err(Refused::claim("iat", "is in the future"));
    }
    if issued.until(expires) > max_lifetime {
        return Err(Refused::claim("exp", "is too long after `iat`"));
    }
    match time(claims, "nbf")? {
        Some(begins) if now.plus(leeway) < begins => Err(Refused::claim("nbf", "is not yet")),
        _ => Ok(()),
    }
}

/// A text that must be there.
pub(super) fn required<'c>(claims: &'c Claims, name: &str) -> Result<&'c str, Refused> {
    optional(claims, name)?.ok_or_else(|| Refused::claim(name, "is missing"))
}

/// A text that may be there.
pub(super) fn optional<'c>(claims: &'c Claims, name: &str) -> Result<Option<&'c str>, Refused> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(found)) => match text::check(found, MAX_NAME) {
            Ok(()) => Ok(Some(found)),
            Err(problem) => Err(Refused::claim(name, problem.to_string())),
        },
        Some(_) => Err(Refused::claim(name, "is not a text")),
    }
}

/// RFC 7519 §2 `NumericDate`; fractions of a second are dropped.
pub(super) fn time(claims: &Claims, name: &str) -> Result<Option<Timestamp>, Refused> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    #[allow(clippy::cast_possible_truncation)] // `as` saturates, and the range is checked next.
    let seconds = value
        .as_i64()
        .or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64))
        .filter(|seconds| (0..=MAX_SECONDS).contains(seconds))
        .ok_or_else(|| Refused::claim(name, "is not a time"))?;
    Ok(Some(Timestamp::from_millis(seconds * 1000)))
}

/// Lower-cased: an address is one person however it is typed.
fn person(claims: &Claims, claim: Option<&str>, subject: &str) -> Result<String, Refused> {
    let verified = match claims.get("email_verified") {
        Some(Value::Bool(yes)) => Some(*yes),
        // Some providers write it as a text.
        Some(Value::String(word)) => Some(word == "true"),
        _ => None,
    };
    let found = match claim {
        Some("email") if verified == Some(false) => {
            return Err(Refused::claim("email", "is not verified"));
        }
        Some(name) => required(claims, name)?,
        None if verified == Some(true) => optional(claims, "email")?.unwrap_or(subject),
        None => subject,
    };
    Ok(found.trim().to_lowercase())
}

fn groups(claims: &Claims, reading: &Reading<'_>) -> Result<Vec<String>, Refused> {
    let listed: &[Value] = match claims.get(reading.groups) {
        None | Some(Value::Null) => &[],
        Some(Value::Array(list)) => list,
        Some(one @ Value::String(_)) => std::slice::from_ref(one),
        Some(_) => return Err(Refused::claim(reading.groups, "is not a list of texts")),
    };
    if listed.len() > reading.max_groups {
        return Err(Refused::Groups {
            max: reading.max_groups,
        });
    }
    // What is no plain name can be in no row of [[roles]], and would only disturb a record.
    let plain = listed
        .iter()
        .filter_map(Value::as_str)
        .filter(|group| text::check(group, MAX_NAME).is_ok());
    Ok(plain.map(str::to_owned).collect())
}

fn methods(claims: &Claims) -> Vec<String> {
    let listed = claims.get("amr").and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|method| text::check(method, MAX_NAME).is_ok())
        .take(MAX_METHODS)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const READING: Reading<'static> = Reading {
        groups: "groups",
        person: None,
        auth_time: "auth_time",
        max_groups: 3,
    };

    fn with(changes: &[(&str, Value)]) -> Claims {
        let base = json!({
            "iss": "https://id.example", "sub": "U1", "email": "Ada@Support.example", "email_verified": true,
            "groups": ["support"], "auth_time": 1_700_000_000, "acr": "mfa", "amr": ["pwd", "otp"], "name": "Ada",
        });
        let mut claims = base.as_object().cloned().unwrap_or_default();
        for (name, value) in changes {
            claims.insert((*name).to_owned(), value.clone());
        }
        claims
    }

    fn read(claims: &Claims, reading: &Reading<'_>) -> Result<Identified, &'static str> {
        identified(claims, reading, Method::Oidc).map_err(|why| why.reason())
    }

    #[test]
    fn several_accounts_of_one_human_being_are_one_person() {
        let person = |changes: &[(&str, Value)], claim| {
            let reading = Reading {
                person: claim,
                ..READING
            };
            read(&with(changes), &reading).map(|it| it.person)
        };
        let ada = Ok("ada@support.example".to_owned());
        assert_eq!(person(&[], None), ada);
        assert_eq!(person(&[("sub", json!("U2"))], None), ada);
        assert_eq!(person(&[("email_verified", json!("true"))], None), ada);
        assert_eq!(
            person(&[("email", json!(" ADA@support.EXAMPLE"))], None),
            ada
        );
        for unverified in [json!(false), json!("false"), json!(1), Value::Null] {
            let changes = [("email_verified", unverified)];
            assert_eq!(person(&changes, None), Ok("u1".to_owned()));
        }
        assert_eq!(person(&[], Some("sub")), Ok("u1".to_owned()));
        assert_eq!(person(&[], Some("employee")), Err("login.claim"));
        let changes = [("email_verified", json!(false))];
        assert_eq!(person(&changes, Some("email")), Err("login.claim"));
    }

    #[test]
    fn a_token_of_somebody_stood_in_for_is_refused() {
        for claim in ["act", "may_act"] {
            for value in [json!({"sub": "x"}), Value::Null, json!({})] {
                assert_eq!(
                    read(&with(&[(claim, value)]), &READING),
                    Err("login.nested")
                );
            }
        }
    }

    #[test]
    fn claims_are_typed_and_bounded() {
        for (name, value, reason) in [
            ("sub", json!(""), "login.claim"),
            ("sub", json!(7), "login.claim"),
            ("sub", json!("x\u{202e}"), "login.claim"),
            ("groups", json!({"a": 1}), "login.claim"),
            ("groups", json!(["1", "2", "3", "4"]), "login.groups"),
            ("auth_time", json!("now"), "login.claim"),
            ("auth_time", json!(-1), "login.claim"),
            ("acr", json!(["mfa"]), "login.claim"),
        ] {
            assert_eq!(
                read(&with(&[(name, value.clone())]), &READING),
                Err(reason),
                "{name} {value}"
            );
        }
        let one = read(&with(&[("groups", json!("soc"))]), &READING).map(|it| it.groups);
        assert_eq!(one, Ok(vec!["soc".to_owned()]));
        let mut without = with(&[]);
        without.remove("auth_time");
        let at = read(&without, &READING).map(|it| it.proof.at);
        assert_eq!(at, Ok(Timestamp::from_millis(0)), "never fresh");
    }

    #[test]
    fn times_are_held_to() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let (leeway, longest) = (Duration::from_secs(5), Duration::from_secs(600));
        let base = json!({"iat": 1_699_999_990, "exp": 1_700_000_100});
        let check = |name: &str, value: Option<i64>| {
            let mut claims = base.as_object().cloned().unwrap_or_default();
            match value {
                Some(value) => claims.insert(name.to_owned(), json!(value)),
                None => claims.remove(name),
            };
            timely(&claims, now, leeway, longest).is_ok()
        };
        for (name, value, good) in [
            ("exp", Some(1_700_000_100), true),
            ("exp", Some(1_699_999_996), true),
            ("exp", Some(1_699_999_995), false),
            ("exp", None, false),
            ("exp", Some(1_700_000_591), false),
            ("iat", None, false),
            ("iat", Some(1_700_000_005), true),
            ("iat", Some(1_700_000_006), false),
            ("nbf", Some(1_700_000_006), false),
            ("nbf", Some(1_700_000_005), true),
        ] {
            assert_eq!(check(name, value), good, "{name} {value:?}");
        }
    }
}
