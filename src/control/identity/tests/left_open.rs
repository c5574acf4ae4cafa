//! What outlives the login that it was opened by: the provider's word still ends it.

use super::bench::{Bench, Browser, PORTAL};
use crate::model::{
    AccessRequest, Binding, EndCause, Grant, Needs, RequestId, RequestState, SecretHash, SessionId,
    SubjectClass, Tier,
};
use crate::store::Issue;
use crate::store::conformance::{after, grant};
use crate::store::external::forge::Anything;
use http::StatusCode;
use std::time::Duration;

/// A session of Ada's, opened by her account at this provider.
async fn opened_by(bench: &Bench, account: String) -> Anything<SessionId> {
    let (base, session, id) = (grant(), SessionId::fresh(), RequestId::fresh());
    let mut request = AccessRequest {
        id,
        app: base.app.clone(),
        tenant: base.tenant.clone(),
        subject: base.subject.clone(),
        class: SubjectClass::Ordinary,
        scopes: base.scopes.clone(),
        tier: Tier::Ordinary,
        duration: Duration::from_secs(600),
        ticket: base.ticket.clone(),
        ticket_title: None,
        reason_code: "customer-request".to_owned(),
        reason: base.reason.clone(),
        emergency: None,
        elevates: None,
        operator: base.operator.clone(),
        account,
        created_at: base.issued_at,
        expires_at: base.expires_at,
        needs: Needs::default(),
        state: RequestState::Activated,
        consented: None,
        consented_by: None,
        closed_by: None,
        closed_why: None,
        grant: None,
        session: Some(session),
        version: 0,
    };
    let issue = Issue {
        grant: Grant {
            issued_by: format!("request:{id}"),
            ..base
        },
        session,
        binding: Binding::default(),
        code: SecretHash::from_bytes([7; 32]),
        code_expires: after(60),
    };
    let opened = bench.control.run("opening", move |tx| {
        tx.insert(&mut request)?;
        Ok(tx.issue(&issue)?)
    });
    opened.await.map_err(|why| why.to_string())?;
    Ok(session)
}

/// Their person is their address, which a logout token does not say: their account leads to it.
#[tokio::test]
async fn a_session_ends_though_its_operators_login_is_over() -> Anything<()> {
    let (bench, provider) = Bench::with_provider().await?;
    let session = opened_by(&bench, format!("{}|ada", provider.issuer())).await?;
    let token = provider.logout_token("j1", &[], &[])?;
    let answer = Browser::new(&bench)
        .post_from("/login/backchannel", &[("logout_token", &token)], PORTAL)
        .await?;
    assert_eq!(answer.status, StatusCode::OK);
    let found = bench
        .control
        .run("looking", move |tx| Ok(tx.session(session)?));
    let found = found.await.map_err(|why| why.to_string())?;
    let ended = found.and_then(|it| it.session.ended).map(|it| it.cause);
    assert_eq!(ended, Some(EndCause::SignedOut));
    Ok(())
}
