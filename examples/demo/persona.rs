//! Somebody at the portal: signed in through its own pages, then asking its API.

use crate::browser::{As, Browser, Page};
use crate::scene::Scene;
use crate::story::{Broken, Story, While as _};
use http::{Method, StatusCode};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

/// One person with a browser of their own.
pub(crate) struct Persona {
    pub(crate) id: &'static str,
    browser: Browser,
    portal: Url,
    /// What forms and scripts of the portal's own pages carry.
    csrf: String,
}

/// What the API answered.
pub(crate) struct Answer {
    status: StatusCode,
    body: Value,
}

impl Answer {
    /// The text at a JSON pointer; empty where there is none.
    pub(crate) fn text(&self, at: &str) -> String {
        match self.body.pointer(at) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        }
    }

    pub(crate) fn list(&self, at: &str) -> &[Value] {
        let found = self.body.pointer(at).and_then(Value::as_array);
        found.map_or(&[], Vec::as_slice)
    }

    fn brief(&self) -> String {
        format!("{} {}", self.status, self.body)
    }

    /// Says `text` if it is a yes.
    pub(crate) fn is_yes(&self, story: &Story, text: impl std::fmt::Display) -> Result<(), Broken> {
        story.check(self.status.is_success(), text, self.brief())
    }

    /// Says that `what` is refused, with the status and the machine's word.
    pub(crate) fn is_no(
        &self,
        story: &Story,
        what: &str,
        status: u16,
        reason: &str,
    ) -> Result<(), Broken> {
        let is_right = self.status == status && self.text("/reason") == reason;
        let text = format!("{what}: {status} {reason}: “{}”", self.text("/detail"));
        story.check(is_right, text, self.brief())
    }

    /// As [`Self::is_no`], where a field is what is wrong.
    pub(crate) fn names(&self, story: &Story, what: &str, field: &str) -> Result<(), Broken> {
        let named = self
            .list("/problems")
            .iter()
            .find(|it| it.get("field").is_some_and(|it| it == field));
        let message = named
            .and_then(|it| it.get("message")?.as_str())
            .unwrap_or_default();
        story.check(
            self.status == 422 && named.is_some(),
            format_args!("{what}: 422, {field} {message}"),
            self.brief(),
        )
    }
}

impl Persona {
    /// Signs in as somebody of `[[personas]]`.
    pub(crate) async fn sign_in(scene: &Scene, id: &'static str) -> Result<Self, Broken> {
        let mut persona = Self::stranger(scene, id)?;
        persona.choose("/login?to=/").await?;
        Ok(persona)
    }

    /// Somebody whom the portal does not know yet.
    pub(crate) fn stranger(scene: &Scene, id: &'static str) -> Result<Self, Broken> {
        Ok(Self {
            id,
            browser: scene.browser_at(scene.portal)?,
            portal: scene.portal_url()?,
            csrf: String::new(),
        })
    }

    /// Signs in a command line that shows `code`.
    pub(crate) async fn answer(&mut self, code: &str) -> Result<(), Broken> {
        let page = self.page(&format!("/login/device?code={code}")).await?;
        let state = field(&page, "state")?;
        let form = Serializer::new(String::new())
            .append_pair("state", &state)
            .append_pair("code", code)
            .append_pair("id", self.id)
            .finish();
        let url = self.at("/login/persona")?;
        let chosen = self.browser.post(&url, form).await?;
        if chosen.status.is_success() {
            return Ok(());
        }
        let wanted = format_args!("the command line of {} to be signed in", self.id);
        Err(Broken::new(wanted, chosen.brief()))
    }

    /// Signs in again, as activating needs.
    pub(crate) async fn step_up(&mut self) -> Result<(), Broken> {
        self.choose("/login?to=/&fresh=1").await
    }

    async fn choose(&mut self, path: &str) -> Result<(), Broken> {
        let page = self.page(path).await?;
        let state = field(&page, "state")?;
        let form = Serializer::new(String::new())
            .append_pair("state", &state)
            .append_pair("id", self.id)
            .finish();
        let url = self.at("/login/persona")?;
        let chosen = self.browser.post(&url, form).await?;
        if chosen.status != StatusCode::SEE_OTHER {
            return Err(Broken::new(
                format_args!("{} to be signed in", self.id),
                chosen.brief(),
            ));
        }
        let mut home = self.page("/").await?;
        if home.status == StatusCode::SEE_OTHER {
            // Who has no sessions of their own begins with what is theirs to do.
            home = self.page(home.header("location")).await?;
        }
        self.csrf = field(&home, "csrf")?;
        Ok(())
    }

    fn at(&self, path: &str) -> Result<Url, Broken> {
        self.portal.join(path).while_("an address of the portal")
    }

    /// A page of the portal.
    pub(crate) async fn page(&mut self, path: &str) -> Result<Page, Broken> {
        let url = self.at(path)?;
        self.browser.get(&url, As::Navigation).await
    }

    /// Reads from the API.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, Broken> {
        self.call(Method::GET, path, String::new()).await
    }

    /// Takes a step by the API.
    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Result<Answer, Broken> {
        self.call(Method::POST, path, body.to_string()).await
    }

    /// Takes a step that has nothing more to say.
    pub(crate) async fn act(&mut self, path: &str) -> Result<Answer, Broken> {
        self.call(Method::POST, path, String::new()).await
    }

    async fn call(&mut self, method: Method, path: &str, body: String) -> Result<Answer, Broken> {
        let url = self.at(&format!("/api/v1/{path}"))?;
        let csrf = self.csrf.clone();
        let page = self
            .browser
            .send(method, &url, As::Api(&csrf), body)
            .await?;
        let body = serde_json::from_str(&page.text);
        let body =
            body.map_err(|why| Broken::new(format_args!("JSON from {url} ({why})"), page.brief()))?;
        Ok(Answer {
            status: page.status,
            body,
        })
    }
}

/// The value of a hidden field of a page's form.
fn field(page: &Page, name: &str) -> Result<String, Broken> {
    let mark = format!("name=\"{name}\" value=\"");
    let rest = page.text.split_once(&mark).map(|(_, rest)| rest);
    let value = rest
        .and_then(|rest| rest.split_once('"'))
        .map(|(value, _)| value);
    let wanted = || Broken::new(format_args!("a page with the field {name}"), page.brief());
    value.map(ToOwned::to_owned).ok_or_else(wanted)
}
