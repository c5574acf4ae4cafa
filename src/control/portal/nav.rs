//! Which pages there are, and whom each is for. Nobody sees a link that they may not follow.

use crate::model::{Caller, Role};

/// A page of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Here {
    Sessions,
    Requests,
    Approvals,
    Live,
    BreakGlass,
    Reviews,
    Customer,
    Policy,
    Workloads,
    Locks,
    Evidence,
    /// None of them.
    Nowhere,
}

/// A link, as templates want it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) href: &'static str,
    pub(super) label: &'static str,
    pub(super) here: bool,
    /// What waits there for this person.
    pub(super) count: usize,
}

const OPERATORS: &[Role] = &[Role::Operator, Role::BreakGlass];
const WATCHERS: &[Role] = &[Role::Security, Role::Auditor, Role::Admin];

const PAGES: [(Here, &str, &str, &[Role]); 11] = [
    (Here::Sessions, "/", "Sessions", OPERATORS),
    (
        Here::Requests,
        "/requests",
        "Requests",
        &[
            Role::Operator,
            Role::BreakGlass,
            Role::Approver,
            Role::Security,
            Role::Auditor,
            Role::Admin,
        ],
    ),
    (
        Here::Approvals,
        "/approvals",
        "Approvals",
        &[Role::Approver],
    ),
    (
        Here::Live,
        "/live",
        "Live sessions",
        &[Role::Approver, Role::Security, Role::Auditor, Role::Admin],
    ),
    (
        Here::BreakGlass,
        "/break-glass",
        "Break-glass",
        &[Role::BreakGlass, Role::Security, Role::Auditor],
    ),
    (
        Here::Reviews,
        "/reviews",
        "Reviews",
        &[Role::BreakGlass, Role::Security, Role::Auditor, Role::Admin],
    ),
    (
        Here::Customer,
        "/customer",
        "Support in our accounts",
        &[Role::TenantAuditor],
    ),
    (
        Here::Policy,
        "/policy",
        "Policy",
        &[Role::Approver, Role::Security, Role::Auditor, Role::Admin],
    ),
    (Here::Workloads, "/workloads", "Workloads", WATCHERS),
    (Here::Locks, "/locks", "Locks", WATCHERS),
    (
        Here::Evidence,
        "/evidence",
        "Evidence",
        &crate::control::evidence::SEARCHERS,
    ),
];

/// Whom a page is for.
pub(super) fn roles(here: Here) -> &'static [Role] {
    let page = PAGES.iter().find(|(page, ..)| *page == here);
    page.map_or(&[], |(_, _, _, roles)| roles)
}

/// The page of that address.
pub(super) fn at(href: &str) -> Here {
    let page = PAGES.iter().find(|(_, known, ..)| *known == href);
    page.map_or(Here::Nowhere, |(page, ..)| *page)
}

pub(super) fn href(here: Here) -> &'static str {
    let page = PAGES.iter().find(|(page, ..)| *page == here);
    page.map_or("/", |(_, href, ..)| href)
}

/// The pages of this person.
pub(super) fn items(caller: &Caller, here: Here, count: impl Fn(Here) -> usize) -> Vec<Item> {
    let own = PAGES
        .iter()
        .filter(|(.., roles)| roles.iter().any(|role| caller.is(*role)));
    let items = own.map(|(page, href, label, _)| Item {
        href,
        label,
        here: *page == here,
        count: count(*page),
    });
    items.collect()
}

/// Where somebody begins who has no sessions of their own to look at.
pub(super) fn first(caller: &Caller) -> Option<&'static str> {
    let preferred = [
        (Role::Approver, "/approvals"),
        (Role::Security, "/live"),
        (Role::TenantAuditor, "/customer"),
        (Role::Auditor, "/evidence"),
        (Role::Admin, "/workloads"),
    ];
    let first = preferred.iter().find(|(role, _)| caller.is(*role));
    first.map(|(_, href)| *href)
}
