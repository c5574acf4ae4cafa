//! `[access]`, `[break_glass]` and `[[tenants]]`: who may ask for what, and what it takes.

use super::alerts::MailTls;
use crate::config::moment::Zone;
use crate::config::schema::section;
use crate::config::units::{DAY, HOUR, MINUTE, SECOND};
use std::path::PathBuf;
use std::time::Duration;

section! {
    /// Requests for access, and what it takes until one is a session. Needs the portal.
    pub struct Access {
        /// Cedar files that decide on requests: see `docs/access.md`.
        policy: Vec<PathBuf> = ["config/policy/access.cedar"];
        /// Where tenants' own rules lie, `<tenant>.cedar`. They can only tighten. A folder that is not there: none.
        tenant_policy: PathBuf = "config/policy/tenants";
        /// The reason codes that people choose from.
        reason_codes: Vec<String> = ["customer-request", "bug-report", "billing", "security-incident", "outage"];
        /// How long a request waits to be agreed to and activated.
        request_ttl: Duration = "8h" in [MINUTE, 30 * DAY];
        /// How long a vote counts.
        vote_ttl: Duration = "4h" in [MINUTE, 30 * DAY];
        /// Sessions that one operator may have open.
        max_sessions: usize = 3 in [1, 1000], "sessions";
        /// Requests that one person may have open.
        max_open_requests: usize = 10 in [1, 1000], "requests";
        /// The length of a text that people type.
        max_text: usize = 1024 in [64, 65_536], "bytes";
        /// Scopes in one request.
        max_scopes: usize = 16 in [1, 64], "scopes";
        /// The oldest sign-in with which a grant may be activated.
        step_up_max_age: Duration = "5m" in [10 * SECOND, DAY];
        /// The `acr` values that do for activation. Empty: any.
        step_up_acr: Vec<String> = [];
        /// Whether a request must name a ticket.
        ticket_required: bool = true;
        /// The ticket system does not answer: let requests wait for it, instead of refusing them.
        queue_unchecked: bool = false;
        /// The time zone of hours in policies: `Z` is UTC, `+01:00` an hour east of it.
        zone: Zone = "Z";
        /// People who must agree, at the portal, before a reload changes route policy, access policy, roles, keys or any
        /// key of this file. 0: nobody. Else a start with other rules is refused too, unless they were agreed to: see
        /// `docs/access.md`.
        reload_votes: u8 = 0 in [0, 2], "people";
        /// Persons who can change these files on the host. None of them votes on a change, since it may be their own.
        host_admins: Vec<String> = [];
        /// How often what is due is looked for: requests that expire, reviews that are overdue.
        sweep_interval: Duration = "1s" in [100, MINUTE];
    }
}

section! {
    /// Emergency access. Off unless it is switched on here.
    pub struct BreakGlass {
        /// Whether anybody may.
        enabled: bool = false;
        /// What an incident's id begins with. Empty: any id.
        incident_prefixes: Vec<String> = [];
        /// Reason codes that are an emergency. Empty: all.
        reason_codes: Vec<String> = [];
        /// The scopes of every break-glass grant.
        scopes: Vec<String> = ["break-glass"];
        /// When the review is due.
        review_within: Duration = "24h" in [MINUTE, 30 * DAY];
        /// Uses without a review, over the whole team, at which nobody breaks glass any more.
        max_unreviewed: usize = 3 in [1, 1000], "reviews";
        /// Open a session even if no alert channel took its alert. Recorded either way.
        open_unalerted: bool = false;
        /// How long the alert channels have before the alert counts as not taken.
        alert_timeout: Duration = "10s" in [SECOND, HOUR];
    }
}

section! {
    /// A customer.
    pub struct Tenant {
        /// As in grants and in the app.
        id: String = required;
        /// What people call it.
        name: Option<String> = unset;
        /// Whether the customer must consent to each request, by a link.
        consent: bool = false;
        /// Who there is asked for it, by mail: as in `privacy@acme.example`. The link then goes to this address alone, and
        /// nobody of ours sees it. Unset: it is shown to the approver who makes it, who sends it on; that is on record.
        contact: Option<String> = unset;
    }
}

section! {
    /// The mails by which customers are asked for their consent; needed where a tenant has a `contact`.
    pub struct ConsentMail {
        /// The mail server, as in `mail.example.com:587`.
        server: Option<String> = unset;
        /// How mail is protected. `none` is for loopback only.
        tls: MailTls = "starttls";
        /// Whom to sign in as at the mail server. Unset: nobody.
        username: Option<String> = unset;
        /// A file with the password.
        password_file: Option<PathBuf> = unset;
        /// The CA (PEM) that the server's certificate must come from. Unset: the system's.
        ca: Option<PathBuf> = unset;
        /// The sender, as in `Support access <access@example.com>`.
        from: Option<String> = unset;
        /// How long the server has to take a mail.
        timeout: Duration = "10s" in [100, MINUTE];
        /// The least time between two mails about one request. Sooner: 429.
        resend_after: Duration = "5m" in [0, DAY];
    }
}
