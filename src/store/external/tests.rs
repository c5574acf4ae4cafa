//! Tokens, honest and forged, against a real registry and store.

use super::forge::{Anything, Signer, b64, claims, hmac, set};
use super::*;
use crate::model::{Clock, EndCause, Secret};
use crate::store::conformance::{NOW, Outcome};
use crate::store::live::{self, Live, Starter};
use crate::store::sqlite::{self, Sqlite};
use crate::store::{GrantStore, Target};
use jsonwebtoken::Algorithm as Wire;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const START: i64 = NOW.seconds();

struct Bench {
    bearers: Bearers,
    live: Arc<Live>,
    cli: Sqlite,
    clock: Arc<AtomicI64>,
    signer: Signer,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new(change: impl FnOnce(&mut Issuer)) -> Anything<Self> {
        Self::signed_by(Signer::new("k1", Wire::ES256)?, change)
    }

    fn signed_by(signer: Signer, change: impl FnOnce(&mut Issuer)) -> Anything<Self> {
        let dir = tempfile::tempdir()?;
        let keys = dir.path().join("keys.json");
        std::fs::write(&keys, set(&[&signer])?)?;
        let mut issuer = Issuer::new("https://issuer.example", "locum", Jwks::File(keys));
        issuer.min_refresh = Duration::ZERO;
        change(&mut issuer);
        let path = sqlite::Settings {
            path: dir.path().join("locum.db"),
            ..sqlite::Settings::default()
        };
        let clock = Arc::new(AtomicI64::new(NOW.millis()));
        let store = Arc::new(Sqlite::open(&path)?);
        let settings = live::Settings::default();
        let (live, _) = Live::open(store, Clock::Fixed(Arc::clone(&clock)), settings)?;
        let settings = Settings {
            issuers: vec![issuer],
            ..Settings::default()
        };
        let bearers =
            Bearers::new(settings, Arc::clone(&live)).map_err(|all| format!("{all:?}"))?;
        let cli = Sqlite::open(&path)?;
        Ok(Self {
            bearers,
            live,
            cli,
            clock,
            signer,
            dir,
        })
    }

    async fn present(&self, token: &str) -> Result<Arc<live::LiveSession>, BearerRefused> {
        self.bearers
            .present(token, "shop", Starter::default())
            .await
    }

    async fn refusal(&self, token: &str) -> &'static str {
        match self.present(token).await {
            Ok(_) => "taken",
            Err(refused) => {
                assert!(token.len() < 20 || !refused.to_string().contains(token));
                refused.name()
            }
        }
    }
}

#[tokio::test]
async fn a_token_is_a_session_on_each_request_and_after_a_restart() -> Outcome {
    for algorithm in [Wire::ES256, Wire::EdDSA, Wire::RS256] {
        let bench = Bench::signed_by(Signer::new("k1", algorithm)?, |issuer| {
            issuer.algorithms.push(Algorithm::Rs256);
        })?;
        let token = bench.signer.token(&claims(START, "one"))?;
        assert!(bench.bearers.recall(&token, "shop").is_none());
        let session = bench.present(&token).await?;
        assert!(session.is_bearer() && !session.cookie_matches(&Secret::fresh()?));
        let grant = &session.grant;
        assert_eq!(grant.operator.id, "ada@support.example");
        assert_eq!(grant.operator_label(), "Ada Byron");
        assert_eq!(grant.issued_by, "issuer:https://issuer.example");
        assert_eq!(grant.external_id.as_deref(), Some("one"));
        assert_eq!(grant.scopes.len(), 2);
        let again = bench.bearers.recall(&token, "shop").ok_or("forgotten")??;
        assert!(Arc::ptr_eq(&session, &again));
        let elsewhere = bench.bearers.recall(&token, "other");
        assert!(matches!(elsewhere, Some(Err(BearerRefused::App))));
        let stored = bench.cli.find_session(session.id)?;
        assert!(stored.is_some(), "the same token finds it after a restart");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_dies_by_time_and_by_revocation() -> Outcome {
    let bench = Bench::new(|_| {})?;
    let one = bench.signer.token(&claims(START, "one"))?;
    let two = bench.signer.token(&claims(START, "two"))?;
    let session = bench.present(&one).await?;
    bench.present(&two).await?;
    let target = Target::External {
        issuer: None,
        external_id: "one".into(),
        remember_until: NOW.plus(Duration::from_secs(9000)),
    };
    bench.cli.revoke(&target, "cli:root", NOW)?;
    tokio::time::timeout(Duration::from_secs(20), session.ended().cancelled()).await?;
    let refused = bench.bearers.recall(&one, "shop").and_then(Result::err);
    let Some(BearerRefused::Ended(stone)) = refused else {
        return Err("a revoked token was taken".into());
    };
    assert_eq!(stone.ended.cause, EndCause::Revoked);
    bench.bearers.forget();
    assert_eq!(bench.refusal(&one).await, "token-revoked");
    bench.clock.fetch_add(604_000, Ordering::Relaxed);
    assert!(bench.present(&two).await.is_ok(), "within the leeway");
    bench.clock.fetch_add(1_001, Ordering::Relaxed);
    assert_eq!(bench.refusal(&two).await, "session-ended");
    bench.bearers.forget();
    assert_eq!(bench.refusal(&two).await, "token-expired");
    Ok(())
}

#[tokio::test]
async fn an_exchange_works_once_and_excludes_bearer_use() -> Outcome {
    let bench = Bench::new(|_| {})?;
    let token = bench.signer.token(&claims(START, "one"))?;
    let got = bench
        .bearers
        .exchange(&token, "shop", Starter::default())
        .await?;
    assert!(got.session.cookie_matches(&got.cookie) && !got.session.is_bearer());
    let again = bench
        .bearers
        .exchange(&token, "shop", Starter::default())
        .await;
    assert!(matches!(again, Err(BearerRefused::Used { .. })));
    assert_eq!(bench.refusal(&token).await, "token-used");
    let other = bench.signer.token(&claims(START, "two"))?;
    bench.present(&other).await?;
    let late = bench
        .bearers
        .exchange(&other, "shop", Starter::default())
        .await;
    assert!(matches!(late, Err(BearerRefused::Used { .. })));
    Ok(())
}

#[tokio::test]
async fn one_jti_cannot_carry_two_grants() -> Outcome {
    let bench = Bench::new(|_| {})?;
    bench
        .present(&bench.signer.token(&claims(START, "one"))?)
        .await?;
    let mut wider = claims(START, "one");
    wider["scope"] = json!("view orders refunds");
    assert_eq!(
        bench.refusal(&bench.signer.token(&wider)?).await,
        "token-used"
    );
    Ok(())
}

/// Claims that are changed, and what must come of it.
#[tokio::test]
async fn each_wrong_claim_is_refused() -> Outcome {
    let bench = Bench::new(|issuer| {
        issuer.tenants = Some(vec!["acme".into()]);
    })?;
    let table: Vec<(&str, Value, &str)> = vec![
        ("exp", json!(START), "token-claim"),
        ("exp", json!("soon"), "token-claim"),
        ("exp", json!(1e300), "token-claim"),
        ("exp", json!(-1), "token-claim"),
        ("exp", json!(START + 3601), "token-lifetime"),
        ("nbf", json!(START + 6), "token-not-yet"),
        ("nbf", json!(START - 3600), "token-lifetime"),
        ("iat", json!(START + 6), "token-claim"),
        ("aud", json!("other"), "token-claim"),
        ("aud", json!(["a", "b"]), "token-claim"),
        ("aud", json!([]), "token-claim"),
        ("aud", json!({"locum": 1}), "token-claim"),
        ("iss", json!("https://issuer.example/"), "token-issuer"),
        ("iss", json!(["https://issuer.example"]), "token-issuer"),
        ("sub", json!("ada@support.example"), "token-claim"),
        ("sub", json!("a\u{202e}b"), "token-claim"),
        ("sub", json!("x".repeat(300)), "token-claim"),
        ("act", json!("ada"), "token-claim"),
        ("act", json!({}), "token-claim"),
        (
            "act",
            json!({"sub": "a", "act": {"sub": "b"}}),
            "token-nested",
        ),
        ("act", json!({"sub": "a", "act": null}), "token-nested"),
        ("tenant", json!("globex"), "token-tenant"),
        ("scope", json!(""), "token-claim"),
        ("scope", json!("view;rm"), "token-claim"),
        ("scope", json!(["view"]), "token-claim"),
        ("ticket", json!(" "), "token-claim"),
        ("reason", json!("two\nlines"), "token-claim"),
        ("jti", json!(7), "token-claim"),
        ("app", json!("other"), "token-app"),
        ("break_glass", json!(true), "token-break-glass"),
        ("break_glass", json!("yes"), "token-claim"),
        ("tenant_name", json!("\u{1b}[0m"), "token-claim"),
    ];
    for (n, (claim, value, wanted)) in table.into_iter().enumerate() {
        let mut changed = claims(START, &format!("bad-{n}"));
        changed[claim] = value.clone();
        let token = bench.signer.token(&changed)?;
        assert_eq!(bench.refusal(&token).await, wanted, "{claim} = {value}");
    }
    assert_eq!(bench.live.stats().open, 0, "nothing refused left a session");
    Ok(())
}

#[tokio::test]
async fn each_missing_claim_is_refused_and_each_other_form_is_taken() -> Outcome {
    let bench = Bench::new(|_| {})?;
    for claim in [
        "iss", "aud", "exp", "nbf", "iat", "jti", "sub", "act", "tenant", "scope", "ticket",
        "reason",
    ] {
        let mut without = claims(START, "without");
        without.as_object_mut().ok_or("no object")?.remove(claim);
        let wanted = if claim == "iss" {
            "token-issuer"
        } else {
            "token-claim"
        };
        let token = bench.signer.token(&without)?;
        assert_eq!(bench.refusal(&token).await, wanted, "without {claim}");
    }
    for (n, fine) in [
        json!({"app": "shop"}),
        json!({"aud": ["x", "locum"]}),
        json!({"exp": 1.7e9 + 600.5}),
        json!({"break_glass": false}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut changed = claims(START, &format!("fine-{n}"));
        for (claim, value) in fine.as_object().ok_or("no object")? {
            changed[claim] = value.clone();
        }
        assert_eq!(
            bench.refusal(&bench.signer.token(&changed)?).await,
            "taken",
            "{fine}"
        );
    }
    Ok(())
}

/// Headers that are changed; signed with the right key all the same.
#[tokio::test]
async fn each_wrong_header_is_refused() -> Outcome {
    let bench = Bench::new(|_| {})?;
    let table: Vec<(Value, &str)> = vec![
        (json!({"crit": ["exp"]}), "token-header"),
        (json!({"crit": []}), "token-header"),
        (json!({"jku": "https://evil.example/keys"}), "token-header"),
        (json!({"jwk": bench.signer.jwk()?}), "token-header"),
        (json!({"x5u": "https://evil.example/cert"}), "token-header"),
        (json!({"x5c": ["MII"]}), "token-header"),
        (json!({"b64": false}), "token-header"),
        (json!({"zip": "DEF"}), "token-header"),
        (json!({"typ": "JWT"}), "token-type"),
        (json!({"typ": "at+jwt"}), "token-type"),
        (json!({"typ": null}), "token-type"),
        (json!({"alg": "none"}), "token-algorithm"),
        (json!({"alg": "None"}), "token-algorithm"),
        (json!({"alg": "HS256"}), "token-algorithm"),
        (json!({"alg": "ES384"}), "token-algorithm"),
        (json!({"alg": "es256"}), "token-algorithm"),
        (json!({"alg": "RS256"}), "token-algorithm"),
        (json!({"alg": ["ES256"]}), "token-algorithm"),
        (json!({"alg": "EdDSA"}), "token-key"),
        (json!({"kid": "k2"}), "token-key"),
        (json!({"kid": ""}), "token-key"),
        (json!({"kid": 1}), "token-malformed"),
        (json!({"typ": "application/Locum-Grant+JWT"}), "taken"),
    ];
    for (n, (change, wanted)) in table.into_iter().enumerate() {
        let mut header = bench.signer.header();
        for (name, value) in change.as_object().ok_or("no object")? {
            header[name] = value.clone();
        }
        let token = bench
            .signer
            .sign(&header, &claims(START, &format!("h{n}")))?;
        assert_eq!(bench.refusal(&token).await, wanted, "{change}");
    }
    Ok(())
}

#[tokio::test]
async fn forged_signatures_are_refused() -> Outcome {
    let bench = Bench::new(|issuer| issuer.algorithms.push(Algorithm::Rs256))?;
    let good = bench.signer.token(&claims(START, "one"))?;
    let (message, signature) = good.rsplit_once('.').ok_or("no parts")?;
    let (header, _) = message.split_once('.').ok_or("no parts")?;
    let stranger = Signer::new("k1", Wire::ES256)?.token(&claims(START, "one"))?;
    let mut other = claims(START, "one");
    other["scope"] = json!("everything");
    let mut confused = bench.signer.header();
    confused["alg"] = json!("HS256");
    let pem = bench.signer.public_pem.as_bytes();
    let mut none = bench.signer.header();
    none["alg"] = json!("none");
    let unsigned = format!("{}.{}.", b64(none.to_string()), b64(other.to_string()));
    let mut posing = bench.signer.header();
    posing["alg"] = json!("RS256");
    let table = [
        (stranger, "token-signature"),
        (
            format!("{header}.{}.{signature}", b64(other.to_string())),
            "token-signature",
        ),
        (format!("{message}."), "token-signature"),
        (format!("{message}.{}", b64([0; 64])), "token-signature"),
        (format!("{good}="), "token-signature"),
        (format!("{message}.{}", &signature[..40]), "token-signature"),
        (hmac(&confused, &other, pem)?, "token-algorithm"),
        (
            hmac(&bench.signer.header(), &other, pem)?,
            "token-signature",
        ),
        (bench.signer.sign(&posing, &other)?, "token-key"),
        (unsigned, "token-algorithm"),
        (message.to_owned(), "token-malformed"),
        (format!("{good}.x"), "token-malformed"),
        (String::new(), "token-malformed"),
        ("..".to_owned(), "token-malformed"),
        ("a".repeat(8193), "token-too-long"),
    ];
    for (token, wanted) in table {
        assert_eq!(bench.refusal(&token).await, wanted, "{token}");
    }
    assert_eq!(bench.refusal(&good).await, "taken");
    Ok(())
}

#[tokio::test]
async fn rotated_key_files_are_read_again_and_withdrawn_keys_die() -> Outcome {
    let bench = Bench::new(|_| {})?;
    let old = bench.signer.token(&claims(START, "old"))?;
    bench.present(&old).await?;
    let fresh = Signer::new("k2", Wire::EdDSA)?;
    let token = fresh.token(&claims(START, "new"))?;
    assert_eq!(bench.refusal(&token).await, "token-key");
    let file = bench.dir.path().join("keys.json");
    std::fs::write(&file, set(&[&fresh])?)?;
    let later = std::time::SystemTime::now() + Duration::from_secs(5);
    std::fs::File::options()
        .write(true)
        .open(&file)?
        .set_modified(later)?;
    assert_eq!(bench.refusal(&token).await, "taken");
    assert_eq!(
        bench.refusal(&old).await,
        "token-key",
        "the cache does not outlive its key"
    );
    // A broken file: the last good keys stay.
    std::fs::write(&file, "{}")?;
    std::fs::File::options()
        .write(true)
        .open(&file)?
        .set_modified(later + Duration::from_secs(5))?;
    let more = fresh.token(&claims(START, "more"))?;
    assert_eq!(bench.refusal(&more).await, "taken");
    Ok(())
}

#[tokio::test]
async fn settings_that_cannot_be_are_named_all_at_once() -> Outcome {
    let bench = Bench::new(|_| {})?;
    let mut bad = Issuer::new("", "", Jwks::Url("http://issuer.example/keys".parse()?));
    bad.algorithms.clear();
    bad.types.clear();
    bad.leeway = Duration::from_secs(61);
    let missing = Issuer::new("https://b.example", "x", Jwks::File("/no/such/file".into()));
    let settings = Settings {
        issuers: vec![bad, missing],
        ..Settings::default()
    };
    let Err(problems) = Bearers::new(settings, Arc::clone(&bench.live)) else {
        return Err("taken".into());
    };
    assert_eq!(problems.len(), 7, "{problems:?}");
    Ok(())
}

#[test]
fn only_what_looks_like_a_grant_is_ours_to_judge() {
    let token = |header: Value, claims: Value| {
        format!("{}.{}.x", b64(header.to_string()), b64(claims.to_string()))
    };
    let grant = json!({"act": {"sub": "a"}, "ticket": "T"});
    for (text, wanted) in [
        (token(json!({"typ": "locum-grant+jwt"}), json!({})), true),
        (
            token(json!({"typ": "application/Locum-Grant+JWT"}), json!({})),
            true,
        ),
        (token(json!({"typ": "at+jwt"}), grant.clone()), true),
        (token(json!({}), grant), true),
        (token(json!({"typ": "JWT"}), json!({"sub": "kim"})), false),
        (
            token(json!({"typ": "at+jwt"}), json!({"act": {"sub": "a"}})),
            false,
        ),
        ("opaque".to_owned(), false),
        (String::new(), false),
        ("!.!.!".to_owned(), false),
    ] {
        assert_eq!(claims_to_be_grant(&text), wanted, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_panics(text in "[A-Za-z0-9._=-]{0,200}") {
        let _ = claims_to_be_grant(&text);
        let _ = token::Token::parse(&text, 8192).map(|token| token.claimed_issuer().map(str::len));
    }

    #[test]
    fn no_claims_panic_and_none_make_a_grant_that_is_not_current(
        name in prop::sample::select(vec!["exp", "nbf", "iat", "aud", "act", "scope", "sub", "jti", "app"]),
        number in any::<f64>(), text in ".{0,80}", kind in 0..6u8,
    ) {
        let value = match kind {
            0 => json!(number),
            1 => json!(text),
            2 => json!([text, number]),
            3 => json!({ "sub": text, "act": number }),
            4 => Value::Null,
            #[allow(clippy::cast_possible_truncation)]
            _ => json!(number as i64),
        };
        let mut changed = claims(START, "any");
        changed[name] = value;
        let issuer = Issuer::new("https://issuer.example", "locum", Jwks::File("x".into()));
        let object = changed.as_object().cloned().unwrap_or_default();
        if let Ok(read) = super::claims::read(&object, &issuer, "shop", NOW) {
            prop_assert!(read.grant.is_current(NOW));
            prop_assert!(read.grant.operator.id != read.grant.subject.id);
            prop_assert!(!read.grant.scopes.is_empty());
        }
    }

    #[test]
    fn no_key_set_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,60}") {
        let _ = jwks::Keys::parse(&bytes).is_ok();
        let set = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": text, "y": text}, text]});
        let _ = jwks::Keys::parse(set.to_string().as_bytes()).is_ok();
    }
}
