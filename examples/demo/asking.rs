//! From a request to a session: what policy demands, who may agree, and who may not.

use crate::persona::{Answer, Persona};
use crate::programs::said;
use crate::scene::Scene;
use crate::session::Issued;
use crate::story::{Broken, Story, While as _};
use crate::terminal::Terminal;
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// The oldest sign-in with which the demo's configuration lets somebody activate, and a moment more.
const STALE_AFTER: Duration = Duration::from_secs(11);

/// What Ada asks for.
pub(crate) fn ask(ticket: &str) -> Value {
    json!({
        "app": "shop", "tenant": "acme", "subject": "kim@acme.example", "subject_name": "Kim Park",
        "scopes": ["view", "orders"], "minutes": 30, "ticket": ticket,
        "reason_code": "billing", "reason": "Order 1 was charged twice",
    })
}

/// Ada asks: first without a ticket, then with one.
pub(crate) async fn asked(story: &mut Story, ada: &mut Persona) -> Result<String, Broken> {
    story.step("Ada asks to be Kim Park of Acme: to see and to note orders");
    let mut without = ask("");
    if let Some(fields) = without.as_object_mut() {
        fields.remove("ticket");
    }
    let refused = ada.post("requests", &without).await?;
    if refused.list("/problems").is_empty() {
        refused.is_no(story, "without a ticket", 403, "policy.denied")?;
    } else {
        refused.names(story, "without a ticket", "ticket")?;
    }
    let preview = ada.post("requests/preview", &ask("SUP-1042")).await?;
    let rules = preview
        .list("/needs/rules")
        .iter()
        .filter_map(Value::as_str);
    let rules: Vec<&str> = rules.collect();
    preview.is_yes(
        story,
        format_args!(
            "with ticket SUP-1042 policy would want {} approvals, as Kim's account is {} (rules {})",
            preview.text("/needs/approvals"),
            preview.text("/class"),
            rules.join(", "),
        ),
    )?;
    let made = ada.post("requests", &ask("SUP-1042")).await?;
    let is_pending = made.text("/state") == "pending" && made.text("/needs/approvals") == "2";
    story.check(
        is_pending,
        format_args!(
            "so she asks: request {} is pending, 2 approvals missing",
            made.text("/id")
        ),
        made.text("/detail"),
    )?;
    Ok(made.text("/id"))
}

/// An answer to a request, bound to what it says now.
async fn vote(who: &mut Persona, id: &str) -> Result<Answer, Broken> {
    let digest = who.get(&format!("requests/{id}")).await?.text("/digest");
    let vote = json!({ "digest": digest, "verdict": "approve" });
    who.post(&format!("requests/{id}/votes"), &vote).await
}

/// Two people agree; nobody twice, and never who asked.
pub(crate) async fn agreed(
    scene: &Scene,
    story: &mut Story,
    ada: &mut Persona,
    id: &str,
) -> Result<(), Broken> {
    story.step("Two other people must agree");
    let own = vote(ada, id).await?;
    own.is_no(story, "Ada's own vote", 403, "duty.requester")?;
    let mut bo = Persona::sign_in(scene, "bo@support.example").await?;
    let first = vote(&mut bo, id).await?;
    first.is_yes(
        story,
        format_args!("Bo Lindqvist agrees: still {}", first.text("/state")),
    )?;
    let again = vote(&mut bo, id).await?;
    again.is_no(story, "Bo once more", 409, "duty.twice")?;
    let mut second = Persona::sign_in(scene, "bo@contractors.example").await?;
    let other = vote(&mut second, id).await?;
    other.is_no(story, "Bo from his second account", 409, "duty.twice")?;
    let mut cleo = Persona::sign_in(scene, "cleo@support.example").await?;
    let stale = json!({ "digest": "0".repeat(64), "verdict": "approve" });
    let stale = cleo.post(&format!("requests/{id}/votes"), &stale).await?;
    stale.is_no(
        story,
        "a vote on another text than this",
        412,
        "vote.changed",
    )?;
    story.line("    Cleo Marsh prefers the command line:");
    let terminal = Terminal::sign_in(scene, story, cleo.id).await?;
    let done = terminal.run(&["approve", id, "--yes", "--json"])?;
    let after = serde_json::from_slice::<Value>(&done.stdout).unwrap_or_default();
    let is_approved = after.get("state").is_some_and(|state| state == "approved");
    story.check(
        done.status.success() && is_approved,
        format_args!("locum approve {id}: approved"),
        said(&done),
    )
}

/// Ada proves once more who she is, and gets the link.
pub(crate) async fn activated(
    story: &mut Story,
    ada: &mut Persona,
    id: &str,
) -> Result<Issued, Broken> {
    story.step("Ada activates it, with a fresh sign-in");
    tokio::time::sleep(STALE_AFTER).await;
    let path = format!("requests/{id}/activate");
    let stale = ada.act(&path).await?;
    stale.is_no(
        story,
        "with her sign-in of a while ago",
        401,
        "step-up.stale",
    )?;
    ada.step_up().await?;
    let issued = started(&ada.act(&path).await?)?;
    story.saw(format_args!(
        "signed in again: session {}, until {}",
        issued.session, issued.expires
    ));
    story.saw(format_args!("start URL, good once: {}", issued.shortened()));
    let twice = ada.act(&path).await?;
    twice.is_no(story, "the same request a second time", 409, "request.used")?;
    Ok(issued)
}

/// What activating gave.
pub(crate) fn started(answer: &Answer) -> Result<Issued, Broken> {
    let start = Url::parse(&answer.text("/start_url"));
    Ok(Issued {
        session: answer.text("/session"),
        start: start.while_(format_args!("a start URL: {}", answer.text("/detail")))?,
        expires: answer.text("/expires_at"),
    })
}
