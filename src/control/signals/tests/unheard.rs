//! What is no honest event is refused, each with its error, and nothing ends.

use super::stage::{AUDIENCE, ISSUER, REVOKED, Stage, claims, now, push, push_with};
use crate::control::alerts::fixture::{Does, Fake};
use crate::store::external::forge::{Anything, Signer, b64, hmac};
use axum::http::StatusCode;
use serde_json::{Value, json};

const OPERATORS: &str = "about = \"operators\"";

#[tokio::test]
async fn forged_tokens() -> Anything<()> {
    let stage = Stage::new()?;
    let signals = stage.signals(&stage.transmitter(OPERATORS));
    let ada = stage.session("ada@support.example", "acme", "cli")?;
    let other = Signer::new("k1", jsonwebtoken::Algorithm::ES256)?;
    let good = claims("f");
    let with = |name: &str, value: Value| {
        let mut header = stage.header();
        header[name] = value;
        header
    };
    let honest = stage.token(&good)?;
    let (message, signature) = honest.rsplit_once('.').ok_or("three parts")?;
    let (header, _) = message.split_once('.').ok_or("three parts")?;
    let mut changed = good.clone();
    changed["sub_id"]["email"] = json!("bo@support.example");
    let none = format!(
        "{}.{}.",
        b64(r#"{"alg":"none","typ":"secevent+jwt"}"#),
        b64(good.to_string())
    );
    let secret = stage.idp.public_pem.as_bytes();
    for (what, token, err) in [
        (
            "another key",
            other.sign(&stage.header(), &good)?,
            "invalid_key",
        ),
        (
            "changed claims",
            format!("{header}.{}.{signature}", b64(changed.to_string())),
            "invalid_key",
        ),
        ("no signature", format!("{message}."), "invalid_key"),
        ("alg none", none, "invalid_key"),
        (
            "a public key as a secret",
            hmac(&with("alg", json!("HS256")), &good, secret)?,
            "invalid_key",
        ),
        (
            "an unknown key",
            stage.idp.sign(&with("kid", json!("k9")), &good)?,
            "invalid_key",
        ),
        (
            "a key of its own",
            stage.idp.sign(&with("jwk", json!({})), &good)?,
            "invalid_request",
        ),
        (
            "a grant",
            stage
                .idp
                .sign(&with("typ", json!("locum-grant+jwt")), &good)?,
            "invalid_request",
        ),
        (
            "any JWT",
            stage.idp.sign(&with("typ", json!("JWT")), &good)?,
            "invalid_request",
        ),
        ("no token", "hello".to_owned(), "invalid_request"),
        ("nothing", String::new(), "invalid_request"),
    ] {
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

#[tokio::test]
async fn tokens_that_say_the_wrong_thing() -> Anything<()> {
    let stage = Stage::new()?;
    let signals = stage.signals(&stage.transmitter(OPERATORS));
    let ada = stage.session("ada@support.example", "acme", "cli")?;
    let at = now().seconds();
    for (name, value, err, says) in [
        (
            "iss",
            json!("https://other.example"),
            "invalid_issuer",
            "heard",
        ),
        ("iss", Value::Null, "invalid_issuer", "heard"),
        (
            "aud",
            json!("https://other.example"),
            "invalid_audience",
            "audience",
        ),
        ("aud", json!([]), "invalid_audience", "audience"),
        ("aud", Value::Null, "invalid_audience", "audience"),
        ("iat", json!(at - 3_606), "invalid_request", "too old"),
        ("iat", json!(at + 6), "invalid_request", "future"),
        ("iat", json!("yesterday"), "invalid_request", "`iat`"),
        ("iat", Value::Null, "invalid_request", "`iat`"),
        ("exp", json!(at - 6), "invalid_request", "too old"),
        ("jti", json!(""), "invalid_request", "`jti`"),
        ("jti", json!("x".repeat(257)), "invalid_request", "`jti`"),
        ("jti", Value::Null, "invalid_request", "`jti`"),
        ("events", json!({}), "invalid_request", "`events`"),
        ("events", json!([REVOKED]), "invalid_request", "`events`"),
        (
            "events",
            json!({ REVOKED: 1 }),
            "invalid_request",
            "`events`",
        ),
        ("events", Value::Null, "invalid_request", "`events`"),
        ("sub_id", Value::Null, "invalid_request", "`sub_id`"),
        (
            "sub_id",
            json!({ "format": "did", "url": "did:x" }),
            "invalid_request",
            "format",
        ),
        (
            "events",
            json!({ REVOKED: { "subject": { "format": "opaque", "id": "bo" } } }),
            "invalid_request",
            "another place",
        ),
    ] {
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
    let mut edge = claims("edge");
    edge["aud"] = json!(["https://other.example", AUDIENCE]);
    edge["iat"] = json!(at - 3_600);
    edge["exp"] = json!(at + 1);
    assert_eq!(
        push(&signals, &stage.token(&edge)?).await?.status,
        StatusCode::ACCEPTED
    );
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
        "[listeners.portal]\nenabled = true\nplain = true\n[[signals.transmitters]]\n\
         issuer = {ISSUER:?}\naudience = {AUDIENCE:?}\njwks = {:?}\nabout = \"operators\"",
        fake.url()
    );
    let signals = stage.signals(&config);
    let answer = push(&signals, &stage.token(&claims("k"))?).await?;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.err, "", "it may be sent again");
    Ok(())
}
