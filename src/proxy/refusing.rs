//! A refusal's own way: recorded, given its form, closed.

use super::authenticate::Authenticated;
use super::body::ResponseBody;
use super::inbound::Inbound;
use super::refusal::{self, Refusal};
use super::refused::{Refused, unrecordable};
use super::session::Former;
use super::setup::Setup;
use super::strangers::Kept;
use super::worker::Plane;
use super::{handshake, record};
use crate::audit;
use crate::model::{Decision, RecordRule};
use crate::telemetry::Limit;
use http::{HeaderValue, Response, StatusCode, header};

/// Records the refusal, then gives it its form.
pub(super) async fn refuse(
    plane: &Plane,
    setup: &Setup,
    inbound: &Inbound,
    refused: Refused,
) -> Response<ResponseBody> {
    let Refused {
        mut refusal,
        authenticated,
        former,
        decision,
        canonical,
        detail,
        is_recorded,
        closing,
    } = refused;
    let status = refusal.status.as_u16();
    let reason = refusal.reason;
    let mut rule = RecordRule::default();
    plane.metrics.refused(refusal.reason, status);
    if let Some(authenticated) = &authenticated {
        authenticated.session.usage().refused();
    }
    let is_stranger = authenticated.is_none() && former.is_none();
    let is_recorded =
        is_recorded || is_stranger && is_counted(plane, setup, inbound, refusal.reason);
    if !is_recorded {
        let about = About {
            authenticated: authenticated.as_ref(),
            former: former.as_deref(),
            decision: decision.as_ref(),
            canonical: canonical.as_deref(),
            detail: &detail,
        };
        if let Some(authenticated) = &authenticated {
            let grant = &authenticated.session.grant;
            rule = record::rule_of_refusal(&setup.recording, grant, about.decision);
        }
        if let Err(why) = recorded(plane, setup, inbound, &refusal, &about, rule).await {
            refusal = unrecordable(&why);
        }
    }
    let response = answer(&refusal, inbound, authenticated.as_ref());
    if let Some((closer, outcome)) = closing.map(|closing| *closing) {
        record::close_answered(closer, outcome, reason, &response);
    } else if let Some(authenticated) = &authenticated {
        let decision = decision.as_ref();
        record::answered(
            plane,
            setup,
            inbound,
            authenticated,
            rule,
            decision,
            &response,
        );
    }
    response
}

/// What the record of a refusal says beside the request.
struct About<'a> {
    authenticated: Option<&'a Authenticated>,
    former: Option<&'a Former>,
    decision: Option<&'a Decision>,
    canonical: Option<&'a str>,
    detail: &'a str,
}

/// Records it, or says why it could not be.
async fn recorded(
    plane: &Plane,
    setup: &Setup,
    inbound: &Inbound,
    refusal: &Refusal,
    about: &About<'_>,
    rule: RecordRule,
) -> Result<(), audit::Refused> {
    let app = about.authenticated.and_then(|it| it.app(setup));
    let of_former = about.former.map_or("", |former| &former.app);
    let record = audit::Refusal {
        opening: audit::Opening {
            record: rule.record,
            session: about
                .authenticated
                .map(|it| &it.state.part)
                .or(about.former.map(|former| &former.part)),
            policy: Some(&setup.policy_part),
            decision: about.decision,
            app: app.map_or(of_former, |app| &app.name),
            canonical: about.canonical,
            ..inbound.opening()
        },
        status: refusal.status.as_u16(),
        reason: refusal.reason,
        detail: about.detail,
    };
    let kept = plane.journal.refuse(&record).await;
    if kept.is_err() {
        plane.metrics.hit(Limit::Journal);
    }
    kept
}

/// The refusal's form, and what must follow for the connection.
fn answer(
    refusal: &Refusal,
    inbound: &Inbound,
    authenticated: Option<&Authenticated>,
) -> Response<ResponseBody> {
    let note = inbound.note.as_ref();
    let is_faulty = note.is_some_and(|note| note.fault.is_some());
    let mut response = render(refusal, inbound, authenticated);
    if refusal.status == StatusCode::UPGRADE_REQUIRED {
        handshake::require_upgrade(response.headers_mut(), inbound.is_h2());
    }
    if is_faulty {
        // What follows on this connection cannot be trusted to be where it seems.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// Whether a stranger's refusal is only counted, since too many were recorded in this second.
fn is_counted(plane: &Plane, setup: &Setup, inbound: &Inbound, reason: &'static str) -> bool {
    let (now, address) = (plane.clock.now(), inbound.client().address.ip());
    let max = setup.limits.max_stranger_records;
    let kept = plane.strangers.keep(max, now, reason, address);
    if kept == Kept::Counted {
        plane.metrics.hit(Limit::StrangerRecords);
    }
    kept == Kept::Counted
}

/// A page with the banner for a person, a problem document for a program.
fn render(
    refusal: &Refusal,
    inbound: &Inbound,
    authenticated: Option<&Authenticated>,
) -> Response<ResponseBody> {
    if !refusal::wants_page(&inbound.parts.headers) {
        return refusal::problem(refusal, inbound.exchange).map(ResponseBody::whole);
    }
    let scopes = authenticated.map(|authenticated| scopes(&authenticated.session.grant));
    let page = refusal::page(refusal, inbound.exchange, scopes.as_deref());
    match authenticated {
        None => page.map(ResponseBody::whole),
        Some(authenticated) => super::respond::with_banner(page, &authenticated.state.banner),
    }
}

fn scopes(grant: &crate::model::Grant) -> String {
    grant
        .scopes
        .iter()
        .map(crate::model::Scope::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}
