//! What receivers are told: each once acknowledged, until then again, and nobody of what is not theirs.

use super::stage::{Stage, now};
use crate::control::alerts::fixture::{Does, Fake, until};
use crate::control::signals::{Sign, Signals};
use crate::model::{EndCause, Transmission, TransmissionState};
use crate::store::control::Query;
use crate::store::external::forge::{Anything, Signer, set};
use crate::store::external::{Issuer, Jwks, Signer as Verifier};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const ACCEPTED: Does = Does::Says("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
const OK: Does = Does::Says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
const REFUSED: Does = Does::Says(
    "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 21\r\n\r\n{\"err\":\"invalid_key\"}",
);

fn receiver(name: &str, fake: &Fake, more: &str) -> String {
    let url = fake.url();
    format!(
        "[[signals.receivers]]\nname = {name:?}\nurl = {url:?}\naudience = \"https://app.example\"\n\
         timeout = \"300ms\"\n{more}\n"
    )
}

/// Signs as Locum would, by a key of the test's.
fn sign(key: Arc<Signer>) -> Sign {
    Arc::new(move |typ, claims| {
        let header = json!({ "alg": "ES256", "typ": typ, "kid": key.id });
        key.sign(&header, claims).ok()
    })
}

fn signals(stage: &Stage, config: &str) -> Anything<(Signals, Arc<Signer>)> {
    let key = Arc::new(Signer::new("locum", jsonwebtoken::Algorithm::ES256)?);
    Ok((stage.signed_signals(config, sign(Arc::clone(&key))), key))
}

/// Looks, and waits for what that began.
async fn look(signals: &Signals) {
    signals.look().await;
    until("all are told", || signals.0.telling.lock().is_empty()).await;
}

fn rows(stage: &Stage) -> Vec<Transmission> {
    let all = Query::default();
    let read = stage
        .bench
        .book
        .write("reading", |tx| tx.list::<Transmission>(&all));
    read.map(|page| page.items).unwrap_or_default()
}

async fn settled(stage: &Stage, state: TransmissionState, attempts: u32) {
    until("it is settled", || {
        let rows = rows(stage);
        !rows.is_empty()
            && rows
                .iter()
                .all(|it| it.state == state && it.attempts == attempts)
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_session_is_told_in_a_signed_token() -> Anything<()> {
    let stage = Stage::new()?;
    let fake = Fake::new(ACCEPTED).await;
    let file = stage.bench.file("token", "t0ken\n");
    let (signals, key) = signals(
        &stage,
        &receiver("app", &fake, &format!("token_file = {file:?}")),
    )?;
    let session = stage.session("ada@support.example", "acme", "cli")?;
    look(&signals).await;
    assert_eq!(rows(&stage), [], "it lives");
    stage.end(session, EndCause::Locked)?;
    look(&signals).await;
    settled(&stage, TransmissionState::Taken, 1).await;
    let got = fake.got().pop().ok_or("a request")?;
    let (head, token) = got.split_once("\r\n\r\n").ok_or("a body")?;
    let head = head.to_ascii_lowercase();
    for line in [
        "authorization: bearer t0ken",
        "content-type: application/secevent+jwt",
    ] {
        assert!(head.contains(line), "{head}");
    }
    let jwks = stage.bench.file("locum.json", &set(&[&key])?);
    let mut issuer = Issuer::new(
        "http://localhost:8444",
        "https://app.example",
        Jwks::File(jwks),
    );
    issuer.types = vec!["secevent+jwt".to_owned()];
    let verifier = Verifier::new(issuer, 16 * 1024)?;
    let claims = Value::Object(verifier.verify(token).await?);
    let event = "/events/https:~1~1schemas.openid.net~1secevent~1caep~1event-type~1session-revoked";
    let at = |path: &str| claims.pointer(path).cloned().unwrap_or_default();
    assert_eq!(at("/aud"), "https://app.example");
    assert_eq!(at("/jti"), format!("{session}.app"));
    assert_eq!(at("/toe"), now().seconds());
    assert_eq!(at("/sub_id/session/id"), session.to_string());
    assert_eq!(at("/sub_id/user/id"), "ada@support.example");
    assert_eq!(at("/sub_id/tenant/id"), "acme");
    assert_eq!(at(&format!("{event}/initiating_entity")), "admin");
    assert_eq!(at(&format!("{event}/support/cause")), "locked");
    assert_eq!(at("/exp"), Value::Null, "RFC 8417 §2.2");
    let told = stage.bench.happened("receiver");
    assert_eq!(told, [("signal.told".to_owned(), "app".to_owned())]);
    Ok(())
}

#[tokio::test]
async fn what_was_not_acknowledged_is_told_again_even_by_the_next_process() -> Anything<()> {
    let stage = Stage::new()?;
    let fake = Fake::new(REFUSED).await;
    let config = receiver("app", &fake, "");
    let (before, _) = signals(&stage, &config)?;
    let session = stage.session("ada@support.example", "acme", "cli")?;
    stage.end(session, EndCause::Operator)?;
    look(&before).await;
    settled(&stage, TransmissionState::Waiting, 1).await;
    look(&before).await;
    assert_eq!(fake.got().len(), 1, "not before its time");
    drop(before);
    for (n, does) in [Does::Hangs, Does::Closes, OK].into_iter().enumerate() {
        fake.now_does(does);
        stage.bench.pass(600);
        let (again, _) = signals(&stage, &config)?;
        look(&again).await;
        let attempts = u32::try_from(n)? + 2;
        settled(&stage, TransmissionState::Waiting, attempts).await;
    }
    fake.now_does(ACCEPTED);
    stage.bench.pass(600);
    let (after, _) = signals(&stage, &config)?;
    look(&after).await;
    settled(&stage, TransmissionState::Taken, 5).await;
    let told = stage.bench.happened("why");
    assert!(
        told.iter()
            .any(|(_, why)| why == "answered 400: invalid_key"),
        "{told:?}"
    );
    assert!(
        told.iter().any(|(_, why)| why == "answered 200, not 202"),
        "{told:?}"
    );
    stage.bench.pass(600);
    look(&after).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(fake.got().len(), 5, "acknowledged once, told no more");
    Ok(())
}

#[tokio::test]
async fn each_receiver_hears_of_its_own_and_waits_for_no_other() -> Anything<()> {
    let stage = Stage::new()?;
    let (acme, all) = (Fake::new(Does::Hangs).await, Fake::new(ACCEPTED).await);
    let config = receiver("acme", &acme, "tenants = [\"acme\"]") + &receiver("all", &all, "");
    let (signals, _) = signals(&stage, &config)?;
    for tenant in ["acme", "globex"] {
        let session = stage.session("ada@support.example", tenant, "cli")?;
        stage.end(session, EndCause::Expired)?;
    }
    let pending = stage.pending("ada@support.example")?;
    stage.end(pending, EndCause::Expired)?;
    signals.look().await;
    until("both are told", || all.got().len() == 2).await;
    until("its own", || acme.got().len() == 1).await;
    assert_eq!(rows(&stage).len(), 3, "nobody is told of what never began");
    Ok(())
}

#[tokio::test]
async fn a_new_receiver_is_not_told_of_the_past() -> Anything<()> {
    let stage = Stage::new()?;
    let fake = Fake::new(ACCEPTED).await;
    let (signals, _) = signals(&stage, "")?;
    let old = stage.session("ada@support.example", "acme", "cli")?;
    stage.end(old, EndCause::Expired)?;
    look(&signals).await;
    signals.reload(stage.settings(&receiver("app", &fake, "")));
    look(&signals).await;
    assert_eq!(rows(&stage), []);
    let new = stage.session("ada@support.example", "acme", "cli")?;
    stage.end(new, EndCause::Expired)?;
    look(&signals).await;
    settled(&stage, TransmissionState::Taken, 1).await;
    Ok(())
}

#[tokio::test]
async fn after_its_time_it_is_given_up_on_record() -> Anything<()> {
    let stage = Stage::new()?;
    let fake = Fake::new(OK).await;
    let config = receiver("app", &fake, "").replacen(
        "[[signals.receivers]]",
        "[signals]\ngive_up = \"1h\"\n[[signals.receivers]]",
        1,
    );
    let (signals, _) = signals(&stage, &config)?;
    let session = stage.session("ada@support.example", "acme", "cli")?;
    stage.end(session, EndCause::Expired)?;
    look(&signals).await;
    settled(&stage, TransmissionState::Waiting, 1).await;
    stage.bench.pass(3_601);
    look(&signals).await;
    settled(&stage, TransmissionState::Failed, 2).await;
    let codes = stage.bench.happened("attempt");
    assert!(
        codes.contains(&("signal.given-up".to_owned(), "2".to_owned())),
        "{codes:?}"
    );
    Ok(())
}
