//! Inside a session: its banner, what it may do and what not.

use crate::browser::{As, Browser, Page, plain};
use crate::persona::Persona;
use crate::scene::Scene;
use crate::story::{Broken, Story, While as _};
use http::StatusCode;
use url::Url;

/// A session that waits for its operator's browser.
pub(crate) struct Issued {
    pub(crate) session: String,
    pub(crate) start: Url,
    pub(crate) expires: String,
}

impl Issued {
    /// The code is a secret; even a demo does not print it whole.
    pub(crate) fn shortened(&self) -> String {
        let whole = self.start.as_str();
        let (before, code) = whole.split_once("code=").unwrap_or((whole, ""));
        let code: String = code.chars().take(6).collect();
        format!("{before}code={code}…")
    }
}

pub(crate) async fn health(scene: &Scene, story: &mut Story) -> Result<(), Broken> {
    story.step("The shop and the proxy are up");
    let shop = plain(&scene.shop, "/healthz").await?;
    story.check(
        shop.status == 200,
        format_args!("the shop, http://{}/healthz: 200", scene.shop),
        shop.brief(),
    )?;
    for path in ["/healthz", "/readyz", "/startupz"] {
        let page = plain(&scene.ops, path).await?;
        story.check(
            page.status == 200,
            format_args!("Locum, http://{}{path}: 200", scene.ops),
            page.brief(),
        )?;
    }
    let keys = plain(&scene.ops, "/.well-known/jwks.json").await?;
    let count = serde_json::from_str::<serde_json::Value>(&keys.text).ok();
    let count = count
        .and_then(|keys| keys.get("keys")?.as_array().map(Vec::len))
        .unwrap_or(0);
    story.check(
        count > 0,
        format_args!("the shop can fetch the {count} public key(s) that sign assertions"),
        keys.brief(),
    )
}

pub(crate) async fn without_grant(scene: &Scene, story: &mut Story) -> Result<(), Broken> {
    story.step("Without a grant nothing gets through");
    let nobody = locum::model::SessionId::fresh().to_string();
    let url = scene.origin(&nobody)?.join("orders/1").while_("a URL")?;
    let page = scene.browser()?.get(&url, As::Navigation).await?;
    story.check(
        page.status == StatusCode::UNAUTHORIZED,
        "a session that nobody granted: GET /orders/1 is answered 401",
        page.brief(),
    )?;
    let seen = scene.reached("GET", "/orders/1");
    story.check(
        seen == 0,
        "the shop saw nothing of it",
        format_args!("{seen} request(s) in its log"),
    )
}

pub(crate) async fn redeem(
    scene: &Scene,
    story: &mut Story,
    issued: &Issued,
) -> Result<Browser, Broken> {
    story.step("Ada opens it: the session begins, on an origin of its own");
    let mut browser = scene.browser()?;
    let page = browser.get(&issued.start, As::Navigation).await?;
    let cookie = page.header("set-cookie").to_owned();
    let is_strict = [
        "__Host-locum=",
        "Secure",
        "HttpOnly",
        "SameSite=Lax",
        "Path=/",
    ]
    .iter()
    .all(|part| cookie.contains(part));
    story.check(
        page.status == StatusCode::SEE_OTHER && is_strict,
        "303, and a cookie __Host-locum; Secure; HttpOnly; SameSite=Lax",
        page.brief(),
    )?;
    let to = issued
        .start
        .join(page.header("location"))
        .while_("a place to go to")?;
    story.check(
        to == scene.origin(&issued.session)?,
        format_args!("on to {to}"),
        page.header("location"),
    )?;
    let again = scene.browser()?.get(&issued.start, As::Navigation).await?;
    let is_refused = again.status.is_client_error() && again.header("set-cookie").is_empty();
    story.check(
        is_refused,
        format_args!(
            "the same URL a second time, from another browser: {}",
            again.status.as_u16()
        ),
        again.brief(),
    )?;
    Ok(browser)
}

pub(crate) async fn banner(
    scene: &Scene,
    story: &mut Story,
    ada: &mut Browser,
    issued: &Issued,
) -> Result<(), Broken> {
    story.step("Every page says who stands in for whom");
    let page = ada
        .get(&scene.origin(&issued.session)?, As::Navigation)
        .await?;
    story.check(
        page.status == 200,
        "GET / is answered 200 by the shop",
        page.brief(),
    )?;
    let title = between(&page.text, "<title>", "</title>").unwrap_or_default();
    story.check(
        title.starts_with("[Support: Acme]"),
        format_args!("its title: {}", unescaped(title)),
        title,
    )?;
    for words in [
        "SUPPORT SESSION",
        "Ada Byron",
        "kim@acme.example",
        "SUP-1042",
    ] {
        let has = page.text.to_lowercase().contains(&words.to_lowercase());
        story.check(
            has,
            format_args!("the banner says: {words}"),
            "a page without it",
        )?;
    }
    let csp = page.header("content-security-policy");
    let is_strict = csp.contains("default-src 'none'") && !csp.contains("unsafe-inline");
    story.check(
        is_strict,
        "the shop's strict Content-Security-Policy still holds",
        csp,
    )
}

fn between<'t>(text: &'t str, from: &str, to: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(from)?;
    Some(rest.split_once(to)?.0)
}

fn unescaped(text: &str) -> String {
    text.replace("&amp;", "&")
}

pub(crate) async fn allowed(
    scene: &Scene,
    story: &mut Story,
    ada: &mut Browser,
    issued: &Issued,
) -> Result<(), Broken> {
    story.step("What the grant allows works, as the customer");
    let order = scene
        .origin(&issued.session)?
        .join("orders/1")
        .while_("a URL")?;
    let page = ada.get(&order, As::Navigation).await?;
    let is_kims = page.status == 200 && page.text.contains("Kim Park");
    story.check(
        is_kims,
        "GET /orders/1: 200, the order of Kim Park",
        page.brief(),
    )?;
    let csrf = ada
        .cookie("csrf")
        .while_("the shop's CSRF cookie, which its scripts read")?;
    let form = format!("csrf={csrf}&text=Refund+is+on+its+way");
    let url = order.join("1/notes").while_("a URL")?;
    let noted = ada.post(&url, form).await?;
    let back = noted.header("location").to_owned();
    let is_here =
        back.starts_with('/') || back.starts_with(order.origin().ascii_serialization().as_str());
    story.check(
        noted.status == 303 && is_here,
        format_args!("POST /orders/1/notes: 303, back on this session's origin: {back}"),
        noted.brief(),
    )?;
    let log = scene.requests();
    let last = log
        .iter()
        .rev()
        .find(|one| one.get("method").is_some_and(|it| it == "POST"));
    let field = |name: &str| {
        last.and_then(|one| one.get(name)?.as_str())
            .unwrap_or("nobody")
            .to_owned()
    };
    let (subject, actor) = (field("subject"), field("actor"));
    story.check(
        subject == "kim@acme.example" && actor == "ada@support.example",
        format_args!(
            "the shop's own log: subject {subject}, actor {actor}, by {}",
            field("by")
        ),
        last.map_or_else(|| "no such request".to_owned(), ToString::to_string),
    )?;
    let held: Vec<&str> = ada
        .cookies()
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let holds = held.contains(&"shop_session");
    story.check(
        !holds,
        format_args!(
            "Ada's browser holds {}: no credential of the customer",
            held.join(" and ")
        ),
        "shop_session",
    )
}

/// What is out of scope can be asked for, from the refusal's own page.
pub(crate) async fn elevation(
    scene: &Scene,
    story: &mut Story,
    (ada, at_portal): (&mut Browser, &mut Persona),
    issued: &Issued,
) -> Result<(), Broken> {
    story.step("What is out of scope is refused, with a way to ask for it");
    let url = scene
        .origin(&issued.session)?
        .join("account/profile")
        .while_("a URL")?;
    let csrf = ada.cookie("csrf").unwrap_or_default().to_owned();
    let page = ada.post(&url, format!("csrf={csrf}&name=Kim+Park")).await?;
    let link = between(&page.text, "/requests/new?", "\"").map(unescaped);
    story.check(
        page.status == 403 && link.is_some(),
        "POST /account/profile: 403, and a link to ask for elevation",
        format_args!("{} and no such link", page.status),
    )?;
    let form = at_portal
        .page(&format!("/requests/new?{}", link.unwrap_or_default()))
        .await?;
    let names = ["kim@acme.example", "SUP-1042", "profile.change"];
    let is_filled = names.iter().all(|word| form.text.contains(word));
    story.check(
        form.status == 200 && is_filled,
        format_args!(
            "it opens the portal's form, filled in: {}",
            names.join(", ")
        ),
        form.brief(),
    )
}

pub(crate) async fn refused(
    scene: &Scene,
    story: &mut Story,
    ada: &mut Browser,
    issued: &Issued,
) -> Result<(), Broken> {
    story.step("What would take the account over is refused, and never reaches the shop");
    let origin = scene.origin(&issued.session)?;
    let csrf = ada.cookie("csrf").unwrap_or_default().to_owned();
    let reset = origin.join("account/mfa/reset").while_("a URL")?;
    let page = ada.post(&reset, format!("csrf={csrf}")).await?;
    is_refusal(story, "POST /account/mfa/reset", &page, "pack.mfa-reset")?;
    let export = origin.join("export").while_("a URL")?;
    let page = ada.get(&export, As::Navigation).await?;
    is_refusal(story, "GET /export", &page, "pack.export")?;
    let page = ada.get(&export, As::Script).await?;
    let kind = page.header("content-type").to_owned();
    story.check(
        page.status == 403 && kind.starts_with("application/problem+json"),
        format_args!("asked by a script, the answer is {kind}"),
        page.brief(),
    )?;
    let seen = scene.reached("POST", "/account/mfa/reset") + scene.reached("GET", "/export");
    story.check(
        seen == 0,
        "the shop's own log has none of them",
        format_args!("{seen} of them"),
    )
}

fn is_refusal(story: &Story, what: &str, page: &Page, rule: &str) -> Result<(), Broken> {
    let exchange = page
        .text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .find(|word| word.parse::<locum::model::ExchangeId>().is_ok());
    let is_right = page.status == 403 && page.text.contains(rule) && exchange.is_some();
    let text = format!(
        "{what}: 403 by rule {rule}, exchange {}",
        exchange.unwrap_or("?")
    );
    story.check(is_right, text, page.brief())
}
