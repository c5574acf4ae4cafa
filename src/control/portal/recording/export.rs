//! A session as a file: in which form, and why.

use super::super::answer::{Shown, render};
use super::super::call::Call;
use super::super::frame::Frame;
use super::view::{head, here};
use crate::audit::export::Format;
use crate::control::recordings::Purpose;
use crate::control::refusal::{Kind, Refusal};
use crate::control::replay::sent;
use crate::model::SessionId;
use askama::Template;

#[derive(Template)]
#[template(path = "recording_export.html")]
struct Page {
    frame: Frame,
    id: String,
    head: String,
    typed: String,
    format: String,
    wrong: Option<String>,
}

pub(crate) async fn form(call: Call) -> Shown {
    show(&call, None).await
}

async fn show(call: &Call, trouble: Option<&Refusal>) -> Shown {
    let id: SessionId = call.id()?;
    let head = head(call).await?;
    let mut frame = call.frame("Export", here(call)).await;
    frame.trouble(trouble, &format!("/sessions/{id}/export"));
    let wrong = trouble.and_then(|it| it.problems.first());
    let page = Page {
        frame,
        id: id.to_string(),
        head,
        typed: call.form.get("reason").to_owned(),
        format: call.form.given("format").unwrap_or("package").to_owned(),
        wrong: wrong.map(|problem| problem.message.clone()),
    };
    render(trouble, &page)
}

pub(crate) async fn send(call: Call) -> Shown {
    let id: SessionId = call.id()?;
    let Ok(format) = call.form.get("format").parse::<Format>() else {
        let refusal = Refusal::new(
            Kind::Invalid,
            "export.format",
            "Choose a form: package, WARC or HAR.",
        );
        return show(&call, Some(&refusal)).await;
    };
    let purpose = Purpose {
        reason: call.form.get("reason").to_owned(),
        over: "portal",
        doing: format!("export {format}"),
    };
    let (recordings, control) = (&call.web.recordings, &call.web.control);
    let export = recordings.export(control, call.caller(), id, format, purpose);
    match export.await {
        Ok((ready, permit)) => Ok(sent(ready, permit, id, format)),
        Err(refusal) if refusal.kind == Kind::Forbidden => Err(refusal),
        Err(refusal) => show(&call, Some(&refusal)).await,
    }
}
