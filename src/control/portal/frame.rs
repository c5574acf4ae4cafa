//! What is around every page: title, navigation with what waits, who is signed in, and notices on top.

use super::answer::{Shown, render, sign_in_link};
use super::assets::{Assets, assets};
use super::call::Call;
use super::done;
use super::nav::{self, Here, Item};
use super::parts::Notice;
use crate::control::duties;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{Caller, Change, Review, Role, Verdict};
use crate::store::control::Query;
use askama::Template;

/// Who is signed in.
pub(super) struct Me {
    pub(super) name: String,
    pub(super) roles: String,
}

/// The frame, as templates want it.
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) here: &'static str,
    pub(super) assets: &'static Assets,
    pub(super) nav: Vec<Item>,
    /// All that waits, for the button of the menu.
    pub(super) waiting: usize,
    pub(super) me: Me,
    pub(super) csrf: String,
    pub(super) notices: Vec<Notice>,
}

impl Call {
    /// The frame around a page, with the navigation of this person.
    pub(super) async fn frame(&self, title: &str, here: Here) -> Frame {
        Frame::of(self, title, here).await
    }
}

impl Frame {
    async fn of(call: &Call, title: &str, here: Here) -> Self {
        let caller = call.caller();
        let (approvals, reviews) = waiting(call).await;
        let changes = changes(call).await;
        let nav = nav::items(caller, here, |page| match page {
            Here::Approvals => approvals,
            Here::Reviews => reviews,
            Here::Policy => changes,
            _ => 0,
        });
        let mut notices = Vec::new();
        notices.extend(done::told(call.query.get("done")).map(Notice::good));
        Self {
            title: title.to_owned(),
            here: nav::href(here),
            assets: assets(),
            waiting: nav.iter().map(|item| item.count).sum(),
            nav,
            me: Me {
                name: caller.label().to_owned(),
                roles: roles(caller),
            },
            csrf: call.visit.csrf.clone(),
            notices,
        }
    }

    /// Puts what stood in the way on top. `back` is where to go on after a fresh sign-in.
    pub(super) fn trouble(&mut self, refusal: Option<&Refusal>, back: &str) {
        let Some(refusal) = refusal else { return };
        let mut notice = Notice::trouble(refusal);
        if refusal.kind == Kind::StepUp {
            notice.way = Some((sign_in_link(back, true), "Sign in again".to_owned()));
        }
        self.notices.insert(0, notice);
    }
}

fn roles(caller: &Caller) -> String {
    let names = Role::ALL.iter().filter(|role| caller.is(**role));
    let names: Vec<&str> = names.map(|role| role.as_str()).collect();
    if names.is_empty() {
        return "no role".to_owned();
    }
    names.join(", ")
}

/// Approvals and reviews that wait for this person. What cannot be counted is not shown: the page itself will say why.
async fn waiting(call: &Call) -> (usize, usize) {
    let (control, caller) = (call.control(), call.caller());
    let mut approvals = 0;
    if caller.is(Role::Approver) {
        approvals = control.to_answer(caller).await.map_or(0, |all| all.len());
    }
    let mut reviews = 0;
    if caller.is(Role::Security) {
        let query = Query {
            states: vec!["due", "rejected"],
            ..Query::default()
        };
        let mine = |it: &&Review| duties::may_review(caller, it).is_ok();
        let due = control.reviews(caller, query).await;
        reviews = due.map_or(0, |page| page.items.iter().filter(mine).count());
    }
    (approvals, reviews)
}

/// Changes of Locum's own rules that this person could answer now.
async fn changes(call: &Call) -> usize {
    let (control, caller, now) = (call.control(), call.caller(), call.control().now());
    if duties::may_see_changes(caller).is_err() {
        return 0;
    }
    let query = Query {
        states: vec!["pending"],
        ..Query::default()
    };
    let mine =
        |it: &&Change| duties::may_answer_change(caller, it, Verdict::Approve, None, now).is_ok();
    let page = control.changes(caller, query).await;
    page.map_or(0, |page| page.items.iter().filter(mine).count())
}

#[derive(Template)]
#[template(path = "nav_part.html")]
struct NavPart {
    frame: Frame,
}

/// The navigation alone, for pages that stay open.
pub(super) async fn nav_part(call: Call) -> Shown {
    let here = nav::at(call.query.get("here"));
    let frame = call.frame("", here).await;
    render(None, &NavPart { frame })
}
