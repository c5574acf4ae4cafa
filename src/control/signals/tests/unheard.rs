//! What is no honest event is refused, each with its error, and nothing ends.

use super::stage::{AUDIENCE, ISSUER, REVOKED, Stage, claims, now, push, push_with};
use crate::control::alerts::fixture::{Does, Fake};
use crate::store::external::forge::{Anything, Signer, b64, hmac};
use axum::http::StatusCode;
use serde_json::{Value, json};

const OPERATORS: &str = "about = \"operators\"";

/// Tokens that nobody honest made, each with its error.
fn forged(stage: &Stage) -> Anything<Vec<(&'static str, String, &'static str)>> {
    let good = claims("f");
    let other = Signer::new("k1", jsonwebtoken::Algorithm::ES256)?;
    let with = |name: &str, value: Value| {
        let mut header = stage.header();
        header[name] = value;
        header
    };
    let by_idp = |name: &str, value: Value| stage.idp.sign(&with(name, value), &good);
    let honest = stage.token(&good)?;
    let (message, signature) = honest.rsplit_once('.').ok_or("three parts")?;
    let (header, _) = message.split_once('.').ok_or("three parts")?;
    let mut changed = good.clone();
    changed["sub_id"]["email"] = json!("bo@support.example");
    let changed = format!("{header}.{}.{signature}", b64(changed.to_string()));
    let none = b64(r#"{"alg":"none","typ":"secevent+jwt"}"#);
    let none = format!("{none}.{}.", b64(good.to_string()));
    let secret = stage.idp.public_pem.as_bytes();
    let confused = hmac(&with("alg", json!("HS256")), &good, secret)?;
    let (key, request) = ("invalid_key", "invalid_request");
    Ok(vec![
        ("another key", other.sign(&stage.header(), &good)?, key),
        ("changed claims", changed, key),
        ("no signature", format!("{message}."), key),
        ("alg none", none, key),
        ("a public key as a secret", confused, key),
        ("an unknown key", by_idp("kid", json!("k9"))?, key),
        ("a key of its own", by_idp("jwk", json!({}))?, request),
        ("a grant", by_idp("typ", json!("locum-grant+jwt"))?, request),
        ("any JWT", by_idp("typ", json!("JWT"))?, request),
        ("no token", "hello".to_owned(), request),
        ("nothing", String::new(), request),
    ])
}

#[tokio::test]
async fn forged_tokens() -> Anything<()> {
    let stage = Stage::new()?;
    let signals = stage.signals(&stage.transmitter(OPERATORS));
    let ada = stage.session("ada@support.example", "acme", "cli")?;
    for (what, token, err) in forged(&stage)? {
        let answer = push(&signals, &token).await?;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}: {answer:?}");
        assert_eq!(answer.err, err, "{what}: {answer:?}");
        assert!(!answer.description.is_empty(), "{what}");
        assert_eq!(stage.over(ada)?, None, "{what}");
    }
    // Whoever has no key leaves no record.
    assert_eq!(stage.bench.happened("reason"), []);
    Ok(())
}

/// What is changed in honest claims (null: taken out), the error, and a word of its description.
fn mistaken() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    let at = now().seconds();
    let (other, none) = (json!("https://other.example"), Value::Null);
    let elsewhere = json!({ REVOKED: { "subject": { "format": "opaque", "id": "bo" } } });
    let did = json!({ "format": "did", "url": "did:x" });
    let request = "invalid_request";
    vec![
        ("iss", other.clone(), "invalid_issuer", "heard"),
        ("iss", none.clone(), "invalid_issuer", "heard"),
        ("aud", other, "invalid_audience", "audience"),
        ("aud", json!([]), "invalid_audience", "audience"),
        ("aud", none.clone(), "invalid_audience", "audience"),
        ("iat", json!(at - 3_606), request, "too old"),
        ("iat", json!(at + 6), request, "future"),
        ("iat", json!("yesterday"), request, "`iat`"),
        ("iat", none.clone(), request, "`iat`"),
        ("exp", json!(at - 6), request, "too old"),
        ("jti", json!(""), request, "`jti`"),
        ("jti", json!("x".repeat(257)), request, "`jti`"),
        ("jti", none.clone(), request, "`jti`"),
        ("events", json!({}), request, "`events`"),
        ("events", json!([REVOKED]), request, "`events`"),
        ("events", json!({ REVOKED: 1 }), request, "`events`"),
        ("events", none.clone(), request, "`events`"),
        ("events", elsewhere, request, "another place"),
        ("sub_id", none, request, "`sub_id`"),
        ("sub_id", did, request, "format"),
    ]
}

#[tokio::test]
async fn tokens_that_say_the_wrong_thing() -> Anything<()> {
    let stage = Stage::new()?;
    let signals = stage.signals(&stage.transmitter(OPERATORS));
    let ada = stage.session("ada@support.example", "acme", "cli")?;
    for (name, value, err, says) in mistaken() {
        let mut claims = claims("w");
        if value.is_null() {
            claims.as_object_mut().ok_or("an object")?.remove(name);
        } else {
            claims[name] = value.clone();
        }
        let answer = push(&signals, &stage.token(&claims)?).await?;
        let what = format!("{name} {value}: {answer:?}");
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}");
        assert_eq!(answer.err, err, "{what}");
        assert!(answer.description.contains(says), "{what}");
        assert_eq!(stage.over(ada)?, None, "{what}");
    }
    let refused = stage.bench.happened("reason");
    assert!(
        refused.iter().all(|(code, _)| code == "signal.refused"),
        "{refused:?}"
    );
    assert_eq!(
        refused.len(),
        18,
        "all that a known issuer signed are on record"
    );
    // At the edge of what is allowed, in a list of audiences, with an `exp` ahead.
    let (mut edge, at) = (claims("edge"), now().seconds());
    edge["aud"] = json!(["https://other.example", AUDIENCE]);
    edge["iat"] = json!(at - 3_600);
    edge["exp"] = json!(at + 1);
    let taken = push(&signals, &stage.token(&edge)?).await?;
    assert_eq!(taken.status, StatusCode::ACCEPTED);
    Ok(())
}

#[tokio::test]
async fn a_replay_is_refused_for_as_long_as_it_would_be_fresh() -> Anything<()> {
    let stage = Stage::new()?;
    let config = stage.transmitter(OPERATORS);
    let token = stage.token(&claims("once"))?;
    let first = push(&stage.signals(&config), &token).await?;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    let ada = stage.session("ada@support.example", "acme", "cli")?;
    // Not even after a restart.
    let signals = stage.signals(&config);
    let again = push(&signals, &token).await?;
    assert_eq!(again.err, "invalid_request");
    assert!(again.description.contains("heard before"), "{again:?}");
    stage.bench.pass(3_604);
    stage.bench.book.purge(stage.bench.clock.now(), now())?;
    let later = push(&signals, &token).await?;
    assert!(later.description.contains("heard before"), "{later:?}");
    stage.bench.pass(10);
    stage.bench.book.purge(stage.bench.clock.now(), now())?;
    let last = push(&signals, &token).await?;
    assert!(last.description.contains("too old"), "{last:?}");
    assert_eq!(stage.over(ada)?, None);
    Ok(())
}

#[tokio::test]
async fn the_bearer_token_beside_it() -> Anything<()> {
    let stage = Stage::new()?;
    let file = stage.bench.file("bearer", "s3cret-of-the-idp\n");
    let more = format!("{OPERATORS}\ntoken_file = {file:?}");
    let signals = stage.signals(&stage.transmitter(&more));
    let token = stage.token(&claims("b"))?;
    let kind = ("content-type", "application/secevent+jwt");
    for headers in [
        vec![kind],
        vec![kind, ("authorization", "Bearer s3cret")],
        vec![kind, ("authorization", "Basic s3cret-of-the-idp")],
        vec![kind, ("authorization", "s3cret-of-the-idp")],
    ] {
        let answer = push_with(&signals, &token, &headers).await?;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{headers:?}");
        assert_eq!(answer.err, "authentication_failed", "{headers:?}");
    }
    let right = [kind, ("authorization", "Bearer s3cret-of-the-idp")];
    let answer = push_with(&signals, &token, &right).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn the_form_of_the_request() -> Anything<()> {
    let stage = Stage::new()?;
    let config = stage.transmitter(OPERATORS).replace(
        "[[signals.transmitters]]",
        "[signals]\nmax_token_bytes = \"1KiB\"\n[[signals.transmitters]]",
    );
    let signals = stage.signals(&config);
    let token = stage.token(&claims("form"))?;
    let json = push_with(&signals, &token, &[("content-type", "application/json")]).await?;
    assert_eq!(json.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let long = push(&signals, &"x".repeat(1_025)).await?;
    assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(long.err, "invalid_request");
    let kind = [("content-type", "Application/SecEvent+JWT; charset=utf-8")];
    let right = push_with(&signals, &token, &kind).await?;
    assert_eq!(right.status, StatusCode::ACCEPTED, "{right:?}");
    let nobody = stage.signals("");
    assert_eq!(push(&nobody, &token).await?.status, StatusCode::NOT_FOUND);
    Ok(())
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_our_fault() -> Anything<()> {
    let stage = Stage::new()?;
    let fake = Fake::new(Does::Closes).await;
    let config = format!(
        "[[signals.transmitters]]\n\
         issuer = {ISSUER:?}\naudience = {AUDIENCE:?}\njwks = {:?}\nabout = \"operators\"",
        fake.url()
    );
    let signals = stage.signals(&config);
    let answer = push(&signals, &stage.token(&claims("k"))?).await?;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.err, "", "it may be sent again");
    Ok(())
}
