//! The route policy as it decides now: its rows, and a box that explains one request.

use super::answer::{Shown, render};
use super::call::Call;
use super::changes::{self, Row};
use super::frame::Frame;
use super::nav::Here;
use super::views::Explain;
use crate::model::Effect;
use crate::policy::{Explanation, RowInfo};
use askama::Template;

/// An explained request, for the template.
struct Explained {
    permitted: bool,
    request: String,
    rule: String,
    action: String,
    resource: String,
    because: String,
    message: Option<String>,
    tried: Vec<Tried>,
    others: usize,
}

struct Tried {
    rule: String,
    effect: String,
    matching: String,
    place: String,
    outcome: String,
    decided: bool,
}

#[derive(Template)]
#[template(path = "policy.html")]
struct Page {
    frame: Frame,
    digest: String,
    access_digest: String,
    rows: Vec<RowInfo>,
    apps: Vec<(String, bool)>,
    typed: Explain,
    typed_scopes: String,
    explained: Option<Explained>,
    wrong: Option<String>,
    /// Changes of Locum's own rules: those that wait, and others.
    changes: Vec<Row>,
    earlier: Vec<Row>,
}

pub(super) async fn show(call: Call) -> Shown {
    call.needs(Here::Policy)?;
    let view = &call.web.views.policy;
    let scopes = call.query.get("scopes");
    let words = scopes.split([',', ' ']).filter(|it| !it.is_empty());
    let typed = Explain {
        app: call.query.get("app").to_owned(),
        request: call.query.get("request").to_owned(),
        scopes: words.map(str::to_owned).collect(),
        emergency: call.query.has("emergency"),
    };
    let (explained, wrong) = match typed.request.as_str() {
        "" => (None, None),
        _ => match view.explain(&typed) {
            Ok(told) => (Some(explained(told)), None),
            Err(why) => (None, Some(why)),
        },
    };
    let settings = call.control().settings.load_full();
    let (changes, earlier) = changes::rows(&call).await?;
    let page = Page {
        frame: call.frame("Policy", Here::Policy).await,
        digest: view.digest(),
        access_digest: settings.access.digest().to_owned(),
        rows: view.rows(),
        apps: call
            .control()
            .routes
            .apps()
            .into_iter()
            .map(|app| {
                let chosen = app == typed.app;
                (app, chosen)
            })
            .collect(),
        typed_scopes: scopes.to_owned(),
        typed,
        explained,
        wrong,
        changes,
        earlier,
    };
    render(None, &page)
}

fn explained(told: Explanation) -> Explained {
    let tried = told.tried.into_iter().map(|it| Tried {
        outcome: match (&it.miss, it.decided) {
            (_, true) => "decides".to_owned(),
            (None, false) => "matches".to_owned(),
            (Some(miss), _) => format!("no: {miss}"),
        },
        rule: it.rule,
        effect: it.effect,
        matching: it.matching,
        place: it.place,
        decided: it.decided,
    });
    Explained {
        permitted: told.effect == Effect::Permit,
        tried: tried.collect(),
        request: told.request,
        rule: told.rule,
        action: told.action,
        resource: told.resource,
        because: told.because,
        message: told.message,
        others: told.others,
    }
}
