//! The customer's view: who of support was in our accounts, when, why, who agreed, and what they did.

use crate::persona::Persona;
use crate::scene::Scene;
use crate::session::Issued;
use crate::story::{Broken, Story};

/// Mara Quist, Acme's auditor, and an auditor of another customer.
pub(crate) async fn seen(
    scene: &Scene,
    story: &mut Story,
    ada: &Issued,
    ivo: &Issued,
) -> Result<(), Broken> {
    story.step("What Acme sees: who of support was in our accounts, and why");
    let mut mara = Persona::sign_in(scene, "mara@acme.example").await?;
    let page = mara.page("/customer").await?;
    story.check(
        page.status == 200,
        "Mara Quist, Acme's auditor, opens the portal",
        page.brief(),
    )?;
    let text = plain(&page.text);
    for (name, agreed) in [
        ("Ada Byron as kim@acme.example", "bo@support.example"),
        (
            "Ivo Reyes as kim@acme.example",
            "nobody was asked beforehand",
        ),
    ] {
        let told = text
            .split_once(name)
            .map(|(_, rest)| rest.chars().take(700).collect::<String>());
        let told = told.unwrap_or_default();
        story.check(
            told.contains(agreed),
            format_args!("{name}; {agreed}…"),
            &text,
        )?;
        let told = told.split("What they did").next().unwrap_or_default();
        story.quote(&format!("{name} {told}"));
    }
    for (who, issued) in [("Ada's", ada), ("Ivo's", ivo)] {
        let page = mara.page(&format!("/sessions/{}", issued.session)).await?;
        story.check(
            page.status == 200,
            format_args!("{who} session, step by step: /sessions/{}", issued.session),
            page.brief(),
        )?;
    }
    let mut lars = Persona::sign_in(scene, "lars@globex.example").await?;
    let foreign = lars.get(&format!("sessions/{}", ada.session)).await?;
    foreign.is_no(
        story,
        "Lars Holm, the auditor of another customer, asks for Ada's",
        404,
        "not-found",
    )?;
    let page = lars.page("/customer").await?;
    story.check(
        page.status == 200 && !page.text.contains("acme"),
        "and his own view has not a word of Acme",
        page.brief(),
    )
}

/// The words of a page, without its marks.
fn plain(html: &str) -> String {
    let body = html.split_once("<main").map_or(html, |(_, rest)| rest);
    let mut words = String::new();
    for piece in body.split('<') {
        let text = piece.split_once('>').map_or("", |(_, text)| text);
        if !text.trim().is_empty() {
            words.push(' ');
            words.push_str(text.trim());
        }
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words.replace("&#39;", "'").replace("&amp;", "&")
}
