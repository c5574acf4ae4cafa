//! Honest events: whose sessions end, who is signed out, and who is not touched.

use super::stage::{CHANGED, ISSUER, REVOKED, Stage, claims, now, push};
use crate::model::{
    AccessRequest, EndCause, Needs, Operator, OperatorKind, RequestId, RequestState, Subject,
    SubjectClass, Tenant, Tier,
};
use crate::store::external::forge::{Anything, Signer, set};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

const OPERATORS: &str = "about = \"operators\"";

#[tokio::test]
async fn an_operators_sessions_end_and_they_are_signed_out() -> Anything<()> {
    for event in [REVOKED, CHANGED] {
        let stage = Stage::new()?;
        let signals = stage.signals(&stage.transmitter(OPERATORS));
        let ada = stage.session("ada@support.example", "acme", "cli")?;
        let waiting = stage.pending("Ada@support.example")?;
        let bo = stage.session("bo@support.example", "acme", "cli")?;
        let (hers, his) = (
            stage.login("ada@support.example", "x|ada")?,
            stage.login("bo@support.example", "x|bo")?,
        );
        let mut claims = claims("e1");
        claims["events"] = json!({ event: {} });
        let answer = push(&signals, &stage.token(&claims)?).await?;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        assert_eq!(stage.over(ada)?, Some(EndCause::Signalled));
        assert_eq!(stage.over(waiting)?, Some(EndCause::Signalled));
        assert_eq!(stage.over(bo)?, None);
        assert!(!stage.is_signed_in(hers)? && stage.is_signed_in(his)?);
        let told = stage.bench.happened("sessions");
        assert!(
            told.contains(&("signal.heard".to_owned(), "2".to_owned())),
            "{told:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_account_stands_for_its_person() -> Anything<()> {
    let stage = Stage::new()?;
    let signals = stage.signals(&stage.transmitter(OPERATORS));
    let ada = stage.session("ada@support.example", "acme", "cli")?;
    let account = format!("{ISSUER}|00u7");
    let (here, there) = (
        stage.login("ada@support.example", &account)?,
        stage.login("ada@support.example", "another|account")?,
    );
    let mut claims = claims("e1");
    claims["sub_id"] = json!({ "format": "complex",
        "user": { "format": "iss_sub", "iss": ISSUER, "sub": "00u7" } });
    let answer = push(&signals, &stage.token(&claims)?).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    assert_eq!(stage.over(ada)?, Some(EndCause::Signalled));
    assert!(!stage.is_signed_in(here)? && !stage.is_signed_in(there)?);
    Ok(())
}

#[tokio::test]
async fn an_account_that_is_signed_in_no_more_still_stands_for_its_person() -> Anything<()> {
    let stage = Stage::new()?;
    let signals = stage.signals(&stage.transmitter(OPERATORS));
    let request = asked_by(&stage, "ada@support.example", &format!("{ISSUER}|00u7"))?;
    let ada = stage.session("ada@support.example", "acme", &format!("request:{request}"))?;
    let bo = stage.session("bo@support.example", "acme", "cli")?;
    let mut claims = claims("e1");
    claims["sub_id"] = json!({ "format": "iss_sub", "iss": ISSUER, "sub": "00u7" });
    assert_eq!(
        push(&signals, &stage.token(&claims)?).await?.status,
        StatusCode::ACCEPTED
    );
    assert_eq!(stage.over(ada)?, Some(EndCause::Signalled));
    assert_eq!(stage.over(bo)?, None);
    Ok(())
}

/// A request by this account, as it is after its activation.
fn asked_by(stage: &Stage, person: &str, account: &str) -> Anything<RequestId> {
    let mut request = AccessRequest {
        id: RequestId::fresh(),
        app: "shop".to_owned(),
        tenant: Tenant {
            id: "acme".to_owned(),
            name: None,
        },
        subject: Subject {
            id: "kim@acme.example".to_owned(),
            name: None,
        },
        class: SubjectClass::Ordinary,
        scopes: "view".parse().into_iter().collect(),
        tier: Tier::Ordinary,
        duration: Duration::from_secs(600),
        ticket: "SUP-1042".to_owned(),
        ticket_title: None,
        reason_code: "customer-request".to_owned(),
        reason: "Cannot see an invoice".to_owned(),
        emergency: None,
        elevates: None,
        operator: Operator {
            id: person.to_owned(),
            name: None,
            kind: OperatorKind::Human,
        },
        account: account.to_owned(),
        created_at: now(),
        expires_at: now(),
        needs: Needs::default(),
        state: RequestState::Activated,
        consented: None,
        consented_by: None,
        closed_by: None,
        closed_why: None,
        grant: None,
        session: None,
        version: 0,
    };
    let book = &stage.bench.book;
    book.write("storing a request", |tx| tx.insert(&mut request))?;
    Ok(request.id)
}

#[tokio::test]
async fn a_customers_user_only_in_the_tenants_that_the_issuer_speaks_for() -> Anything<()> {
    let stage = Stage::new()?;
    let more = "about = \"subjects\"\ntenants = [\"acme\"]";
    let signals = stage.signals(&stage.transmitter(more));
    let acme = stage.session("ada@support.example", "acme", "cli")?;
    let globex = stage.session("ada@support.example", "globex", "cli")?;
    let login = stage.login("kim@acme.example", "x|kim")?;
    let mut claims = claims("e1");
    claims["sub_id"] = json!({ "format": "opaque", "id": "kim@acme.example" });
    let answer = push(&signals, &stage.token(&claims)?).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    assert_eq!(stage.over(acme)?, Some(EndCause::Signalled));
    assert_eq!(stage.over(globex)?, None);
    assert!(stage.is_signed_in(login)?, "it may not speak of operators");

    // Nor does it end what the operator of that name has open.
    let mut claims = super::stage::claims("e2");
    claims["sub_id"] = json!({ "format": "email", "email": "ada@support.example" });
    push(&signals, &stage.token(&claims)?).await?;
    assert_eq!(stage.over(globex)?, None);
    Ok(())
}

#[tokio::test]
async fn drafts_that_name_the_subject_in_the_event_are_understood() -> Anything<()> {
    let stage = Stage::new()?;
    let signals = stage.signals(&stage.transmitter(OPERATORS));
    let ada = stage.session("ada@support.example", "acme", "cli")?;
    let mut claims = claims("e1");
    let subject = claims["sub_id"].take();
    claims.as_object_mut().ok_or("an object")?.remove("sub_id");
    claims["events"] = json!({ REVOKED: { "subject": subject } });
    assert_eq!(
        push(&signals, &stage.token(&claims)?).await?.status,
        StatusCode::ACCEPTED
    );
    assert_eq!(stage.over(ada)?, Some(EndCause::Signalled));
    Ok(())
}

#[tokio::test]
async fn other_events_are_acknowledged_and_do_nothing() -> Anything<()> {
    let stage = Stage::new()?;
    let signals = stage.signals(&stage.transmitter(OPERATORS));
    let ada = stage.session("ada@support.example", "acme", "cli")?;
    let verification = "https://schemas.openid.net/secevent/ssf/event-type/verification";
    let mut claims = claims("e1");
    claims["events"] = json!({ verification: { "state": "x" } });
    assert_eq!(
        push(&signals, &stage.token(&claims)?).await?.status,
        StatusCode::ACCEPTED
    );
    assert_eq!(stage.over(ada)?, None);
    let told = stage.bench.happened("event");
    assert_eq!(
        told,
        [("signal.heard".to_owned(), "verification".to_owned())]
    );
    Ok(())
}

#[tokio::test]
async fn a_rotated_key_is_found_and_the_old_one_is_forgotten() -> Anything<()> {
    let stage = Stage::new()?;
    let signals = stage.signals(&stage.transmitter(OPERATORS));
    let first = push(&signals, &stage.token(&claims("e1"))?).await?;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    let next = Signer::new("k2", jsonwebtoken::Algorithm::ES256)?;
    stage.bench.file("jwks.json", &set(&[&next])?);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let header: Value = json!({ "alg": "ES256", "typ": "secevent+jwt", "kid": "k2" });
    let new = push(&signals, &next.sign(&header, &claims("e2"))?).await?;
    assert_eq!(new.status, StatusCode::ACCEPTED, "{new:?}");
    let old = push(&signals, &stage.token(&claims("e3"))?).await?;
    assert_eq!(old.err, "invalid_key");
    Ok(())
}
