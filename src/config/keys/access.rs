//! `[tickets]`, `[subjects]` and `[[change_windows]]`: what the systems around say of a request for access.

use crate::config::moment::Moment;
use crate::config::net::{HeaderName, Label};
use crate::config::schema::{choice, section};
use crate::config::units::{HOUR, KIB, MIB, MINUTE, SECOND, Size};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

section! {
    /// Tickets: each request for access names one. See `docs/access.md`.
    pub struct Tickets {
        /// The systems that know tickets. A ticket is asked for at the first that has a pattern for it. Empty: a ticket
        /// only has to look like one of `patterns`.
        systems: Vec<TicketSystem> = [];
        /// What tickets look like where no system is configured: `#` is a number, `*` letters, digits, `_`, `.` and
        /// `-`, as in `SUP-#`.
        patterns: Vec<String> = ["*"];
        /// How long a system's answer is good. 0: each question is asked.
        cache_ttl: Duration = "5s" in [0, 5 * MINUTE];
        /// Answers that are remembered for each system.
        cache_entries: usize = 1000 in [0, 1_000_000], "tickets";
        /// The longest id of a ticket. Beyond: refused.
        max_id_bytes: usize = 128 in [8, 1024], "bytes";
    }
}

section! {
    /// A system that knows tickets. A `preset` fills in all but `url`, the secret and, for Jira, `tenant`. Places are
    /// JSON pointers (RFC 6901) into its answer.
    pub struct TicketSystem {
        /// Its name in records, and in the path of its messages: `/hooks/ticket/<name>`.
        name: Label = required;
        /// Whose answers it gives: `jira`, `zendesk`, `servicenow`, or `generic` for any other.
        preset: TicketPreset = "generic";
        /// The site (`https://acme.atlassian.net`), or the whole URL of a ticket with `{ticket}` in it.
        url: String = required;
        /// What its tickets look like. Empty: as the preset says (`*-#`, `#`, `INC#`; `*` for `generic`).
        patterns: Vec<String> = [];
        /// The user, where it wants HTTP Basic; its password or API token is the secret.
        username: Option<String> = unset;
        /// The field that takes the secret as it is. Unset: `Authorization: Bearer <secret>`.
        auth_header: Option<HeaderName> = unset;
        /// A file with the secret.
        secret_file: Option<PathBuf> = unset;
        /// The environment variable with the secret.
        secret_env: Option<String> = unset;
        /// The CA (PEM) that its certificate must come from. Unset: the system's.
        ca: Option<PathBuf> = unset;
        /// The time for one answer. Beyond: the ticket counts as not checked.
        timeout: Duration = "3s" in [100, MINUTE];
        /// The size of one answer. Beyond: the ticket counts as not checked.
        max_body_bytes: Size = "1MiB" in [KIB, 16 * MIB];
        /// Questions on their way at once. Beyond: they wait, within `timeout`.
        max_concurrent: usize = 16 in [1, 1000], "questions";
        /// Where the answer has the ticket's id, which must be the one that was asked for.
        id: Option<String> = unset;
        /// Where it has the title.
        title: Option<String> = unset;
        /// Where it has the state.
        state: Option<String> = unset;
        /// The states in which a ticket is open, in any case. Empty: as the preset says.
        open: Vec<String> = [];
        /// Where it says whose ticket it is: a text, a number, or a list of them.
        tenant: Option<String> = unset;
        /// What the system calls a tenant of Locum's, where it is not the tenant's id.
        tenants: BTreeMap<String, String> = {};
        /// The system knows no tenants: its tickets are good for each of them.
        any_tenant: bool = false;
        /// The signed messages by which it says that a ticket is closed. Unset: it sends none.
        webhook: Option<TicketWebhook> = unset;
    }
}

section! {
    /// A ticket system's signed messages to `/hooks/ticket/<name>` on the portal's listener. A closed ticket
    /// ends what was granted for it.
    pub struct TicketWebhook {
        /// `standard`: Standard Webhooks (`webhook-signature`). `hub`: `X-Hub-Signature: sha256=…`, as Jira signs.
        /// `zendesk`: `X-Zendesk-Webhook-Signature`.
        signature: HookSignature = "standard";
        /// A file with the secret; several, one a line, while one replaces another.
        secret_file: Option<PathBuf> = unset;
        /// The environment variable with the secret.
        secret_env: Option<String> = unset;
        /// How far a message's time may be from now. Beyond: refused. Within, each is acted on once.
        tolerance: Duration = "5m" in [SECOND, HOUR];
        /// The size of one message. Beyond: refused.
        max_body_bytes: Size = "1MiB" in [KIB, 16 * MIB];
        /// From a message's head to the end of its body. Beyond: refused.
        timeout: Duration = "10s" in [100, MINUTE];
        /// Messages that are remembered in memory, so that a repetition costs nothing. The store remembers all.
        max_remembered: usize = 10_000 in [16, 1_000_000], "messages";
        /// Where the message has the ticket's id. Unset: as the preset says.
        ticket: Option<String> = unset;
        /// Where it has the state; one that is not among `open` is closed. Unset: as the preset says.
        state: Option<String> = unset;
        /// Where it has what happened. Unset: as the preset says.
        event: Option<String> = unset;
        /// What happened, where that alone ends access (a deletion). Empty: as the preset says.
        closing_events: Vec<String> = [];
    }
}

section! {
    /// How sensitive customers' accounts are: `ordinary`, `vip`, `admin` or `regulated`. The file is asked first, then
    /// the system. One that cannot be asked refuses the request.
    pub struct Subjects {
        /// A `*.csv` (`tenant,subject,class`) or `*.toml` (`[tenant]`, `subject = "class"`); `*` is every other account
        /// of a tenant. Read again on SIGHUP.
        file: Option<PathBuf> = unset;
        /// The size of that file. Beyond: a start is refused, and a reload changes nothing.
        max_file_bytes: Size = "64MiB" in [KIB, 1024 * MIB];
        /// The URL of a system that knows, with `{tenant}` and `{subject}` in it. 404: it knows no such account.
        url: Option<String> = unset;
        /// The user, where it wants HTTP Basic.
        username: Option<String> = unset;
        /// The field that takes the secret as it is. Unset: `Authorization: Bearer <secret>`.
        auth_header: Option<HeaderName> = unset;
        /// A file with the secret.
        secret_file: Option<PathBuf> = unset;
        /// The environment variable with the secret.
        secret_env: Option<String> = unset;
        /// The CA (PEM) that its certificate must come from. Unset: the system's.
        ca: Option<PathBuf> = unset;
        /// The time for one answer. Beyond: refused.
        timeout: Duration = "3s" in [100, MINUTE];
        /// The size of one answer. Beyond: refused.
        max_body_bytes: Size = "64KiB" in [KIB, 16 * MIB];
        /// Questions on their way at once. Beyond: they wait, within `timeout`.
        max_concurrent: usize = 16 in [1, 1000], "questions";
        /// Where its answer has the class (a JSON pointer).
        class: String = "/class";
        /// What it calls the classes, where it has words of its own: `{ gold = "vip" }`.
        classes: BTreeMap<String, String> = {};
        /// What an account is that neither knows. Unset: `refuse`; `ordinary` where neither is configured.
        unknown: Option<UnknownSubject> = unset;
    }
}

section! {
    /// A span of time in which work on an app or a tenant was announced. Policies see it as `context.change_window`.
    pub struct ChangeWindow {
        /// The app. Unset: every app.
        app: Option<Label> = unset;
        /// The tenant. Unset: every tenant.
        tenant: Option<String> = unset;
        /// When it begins.
        from: Moment = required;
        /// When it ends.
        to: Moment = required;
    }
}

choice! {
    /// Whose answers a ticket system gives.
    pub enum TicketPreset {
        Generic = "generic",
        Jira = "jira",
        Zendesk = "zendesk",
        Servicenow = "servicenow",
    }
}

choice! {
    /// How messages are signed.
    pub enum HookSignature {
        Standard = "standard",
        Hub = "hub",
        Zendesk = "zendesk",
    }
}

choice! {
    /// What an account is that nothing knows.
    pub enum UnknownSubject {
        Refuse = "refuse",
        Ordinary = "ordinary",
        Vip = "vip",
        Admin = "admin",
        Regulated = "regulated",
    }
}
