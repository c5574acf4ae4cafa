//! Break-glass: told before it opens, recorded, reviewed by somebody else.

use crate::asking::started;
use crate::browser::As;
use crate::persona::Persona;
use crate::scene::Scene;
use crate::session::Issued;
use crate::story::{Broken, Story, While as _};
use serde_json::{Value, json};

fn incident() -> Value {
    json!({
        "app": "shop", "tenant": "acme", "subject": "kim@acme.example", "subject_name": "Kim Park",
        "minutes": 15, "incident": "INC-7", "reason_code": "outage",
        "reason": "Kim lost the phone and must stop a shipment now",
    })
}

/// Ivo breaks the glass: the receiver is told first, then it opens.
pub(crate) async fn broken(
    scene: &Scene,
    story: &mut Story,
    ivo: &mut Persona,
) -> Result<Issued, Broken> {
    story.step("An emergency: Ivo Reyes, on call, breaks the glass");
    let mut ada = Persona::sign_in(scene, "ada@support.example").await?;
    let refused = ada.post("break-glass", &incident()).await?;
    refused.is_no(
        story,
        "Ada, who is not on call",
        403,
        "duty.not-pre-authorised",
    )?;
    let told = scene.receiver.taken().len();
    let request = ivo.post("break-glass", &incident()).await?;
    let id = request.text("/id");
    request.is_yes(
        story,
        format_args!("Ivo names incident INC-7: request {id} needs nobody's yes"),
    )?;
    ivo.step_up().await?;
    let opened = ivo.act(&format!("requests/{id}/activate")).await?;
    let alerts = scene.receiver.taken();
    let alert = alerts.get(told);
    let field = |at: &str| {
        let found = alert.and_then(|it| it.pointer(at)?.as_str());
        found.unwrap_or_default().to_owned()
    };
    story.check(
        field("/type") == "break-glass.activated",
        format_args!(
            "told first, by a signed webhook: “{}”",
            field("/data/summary")
        ),
        format_args!("{} alert(s); {}", alerts.len(), opened.text("/detail")),
    )?;
    let issued = started(&opened)?;
    story.saw(format_args!(
        "then it opened: session {}, until {}",
        issued.session, issued.expires
    ));
    Ok(issued)
}

/// What Ivo does inside, which no ordinary session may.
pub(crate) async fn used(
    scene: &Scene,
    story: &mut Story,
    ivo: &mut Persona,
    issued: &Issued,
) -> Result<(), Broken> {
    story.step("He gets Kim back in, under a banner that cannot be missed");
    let mut browser = scene.browser()?;
    browser.get(&issued.start, As::Navigation).await?;
    let origin = scene.origin(&issued.session)?;
    let page = browser.get(&origin, As::Navigation).await?;
    let says = page.text.to_lowercase().contains("break-glass");
    story.check(
        page.status == 200 && says,
        "the banner says: BREAK-GLASS",
        page.brief(),
    )?;
    let csrf = browser
        .cookie("csrf")
        .while_("the shop's CSRF cookie")?
        .to_owned();
    let reset = origin.join("account/mfa/reset").while_("a URL")?;
    let done = browser.post(&reset, format!("csrf={csrf}")).await?;
    story.check(
        done.status == 303,
        "POST /account/mfa/reset: 303, allowed in an emergency only",
        done.brief(),
    )?;
    let payment = origin.join("account/payment").while_("a URL")?;
    let never = browser.post(&payment, format!("csrf={csrf}")).await?;
    story.check(
        never.status == 403 && never.text.contains("payment-change"),
        "POST /account/payment: 403 by rule payment-change, in an emergency neither",
        never.brief(),
    )?;
    let ended = json!({ "reason": "Kim is back in and the shipment is stopped" });
    let ended = ivo
        .post(&format!("sessions/{}/end", issued.session), &ended)
        .await?;
    ended.is_yes(
        story,
        format_args!("Ivo ends it himself, at {}", ended.text("/ended/at")),
    )
}

/// Somebody else looks at it; until then Ivo cannot do it again.
pub(crate) async fn reviewed(
    scene: &Scene,
    story: &mut Story,
    ivo: &mut Persona,
) -> Result<(), Broken> {
    story.step("Somebody else reviews it; until it is certified, Ivo cannot do it again");
    let again = ivo.post("break-glass", &incident()).await?;
    again.is_no(story, "Ivo once more", 403, "break-glass.barred")?;
    let mut tess = Persona::sign_in(scene, "tess@support.example").await?;
    let due = tess.get("reviews?state=due").await?;
    let id = due.text("/items/0/id");
    let verdict = json!({
        "justified": true,
        "findings": "One reset of two-step verification, by Kim's own call; nothing else was changed",
        "follow_ups": ["Ask Kim to enrol a new phone"],
    });
    let path = format!("reviews/{id}/verdict");
    let own = ivo.post(&path, &verdict).await?;
    own.is_no(story, "Ivo reviews himself", 403, "duty.reviews-own")?;
    let session = tess
        .get(&format!("sessions/{}", due.text("/items/0/session")))
        .await?;
    let steps: Vec<&str> = session
        .list("/history")
        .iter()
        .filter_map(|one| one.get("code")?.as_str())
        .collect();
    session.is_yes(
        story,
        format_args!("Tess reads what happened: {}", steps.join(", ")),
    )?;
    let written = tess.post(&path, &verdict).await?;
    story.check(
        written.text("/state") == "certified",
        format_args!("and certifies: “{}”", written.text("/findings")),
        written.text("/detail"),
    )?;
    let able = ivo.post("break-glass", &incident()).await?;
    able.is_yes(story, "now Ivo could again")?;
    let id = able.text("/id");
    let back = ivo.act(&format!("requests/{id}/cancel")).await?;
    story.check(
        back.text("/state") == "cancelled",
        "but there is no emergency: he takes it back",
        back.text("/detail"),
    )
}
