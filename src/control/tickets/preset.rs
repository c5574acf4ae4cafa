//! The shapes of well-known ticket systems' answers and messages.

use crate::config::TicketPreset;

/// What a configuration need not say of a system of this kind.
pub(super) struct Preset {
    pub(super) patterns: &'static [&'static str],
    /// After the site's origin.
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) state: &'static str,
    pub(super) open: &'static [&'static str],
    /// Empty: there is no usual place.
    pub(super) tenant: &'static str,
    pub(super) hook_ticket: &'static str,
    pub(super) hook_state: &'static str,
    pub(super) hook_event: &'static str,
    pub(super) closing_events: &'static [&'static str],
}

const GENERIC: Preset = Preset {
    patterns: &["*"],
    path: "",
    id: "/id",
    title: "/title",
    state: "/state",
    open: &["open"],
    tenant: "/tenant",
    hook_ticket: "/ticket",
    hook_state: "/state",
    hook_event: "",
    closing_events: &[],
};

/// Jira Cloud, REST v3 "Get issue", and its webhooks. A status belongs to one of the categories `new`, `indeterminate`
/// and `done`, whatever a project calls it.
const JIRA: Preset = Preset {
    patterns: &["*-#"],
    path: "/rest/api/3/issue/{ticket}",
    id: "/key",
    title: "/fields/summary",
    state: "/fields/status/statusCategory/key",
    open: &["new", "indeterminate"],
    tenant: "",
    hook_ticket: "/issue/key",
    hook_state: "/issue/fields/status/statusCategory/key",
    hook_event: "/webhookEvent",
    closing_events: &["jira:issue_deleted"],
};

/// Zendesk Support, "Show Ticket", and the events `zen:event-type:ticket.…` of its webhooks.
const ZENDESK: Preset = Preset {
    patterns: &["#"],
    path: "/api/v2/tickets/{ticket}.json",
    id: "/ticket/id",
    title: "/ticket/subject",
    state: "/ticket/status",
    open: &["new", "open", "pending", "hold"],
    tenant: "/ticket/organization_id",
    hook_ticket: "/detail/id",
    hook_state: "/detail/status",
    hook_event: "/type",
    closing_events: &[
        "zen:event-type:ticket.soft_deleted",
        "zen:event-type:ticket.permanently_deleted",
    ],
};

/// `ServiceNow`, Table API on incidents: 1 New, 2 In Progress, 3 On Hold; 6 Resolved, 7 Closed, 8 Canceled.
const SERVICENOW: Preset = Preset {
    patterns: &["INC#"],
    path: "/api/now/table/incident?sysparm_query=number={ticket}&sysparm_limit=1&sysparm_exclude_reference_link=true&sysparm_fields=number,short_description,state,company",
    id: "/result/0/number",
    title: "/result/0/short_description",
    state: "/result/0/state",
    open: &["1", "2", "3"],
    tenant: "/result/0/company",
    hook_ticket: "/number",
    hook_state: "/state",
    hook_event: "",
    closing_events: &[],
};

pub(super) const fn of(preset: TicketPreset) -> &'static Preset {
    match preset {
        TicketPreset::Generic => &GENERIC,
        TicketPreset::Jira => &JIRA,
        TicketPreset::Zendesk => &ZENDESK,
        TicketPreset::Servicenow => &SERVICENOW,
    }
}
