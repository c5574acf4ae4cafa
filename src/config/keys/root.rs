//! The keys at the top of the file, and the small sections.

use super::access::{ChangeWindow, Subjects, Tickets};
use super::alerts::{AlertChannel, Alerting, Signals};
use super::api::Api;
use super::apps::App;
use super::audit::{Audit, Log};
use super::control::{Access, BreakGlass, ConsentMail, Tenant};
use super::grants::{Grants, Issuer, Keys, Store};
use super::identity::{Persona, RoleRow, SignIn};
use super::limits::Limits;
use super::listeners::Listeners;
use super::recording::Recording;
use super::replay::{Export, Replay};
use super::upstreams::Upstream;
use crate::config::net::DnsName;
use crate::config::schema::section;
use crate::config::units::{MIB, Size};
use std::path::PathBuf;

section! {
    /// The whole file.
    pub struct Config {
        /// The DNS suffix of session origins: a session lives at
        /// `https://<session>.<app>.<suffix>/`. Point a wildcard of it at the apps listener.
        suffix: DnsName = "localhost";
        /// The directory of what Locum keeps: `locum.db` (grants and sessions), and, unless
        /// `audit.dir` and `keys.dir` say otherwise, `journal/` and `keys/`. Made with mode 0700.
        state_dir: PathBuf = "var";
        /// Threads that serve requests. 0: one for each processor core.
        workers: usize = 0 in [0, 1024], "threads, 0 = cores";
        /// Where Locum listens.
        listeners: Listeners = {};
        /// Bounds on everything that a client can make Locum hold.
        limits: Limits = {};
        /// The apps' servers.
        upstreams: Vec<Upstream> = required;
        /// The apps that operators may be in.
        apps: Vec<App> = required;
        /// Which requests a grant allows.
        policy: Policy = {};
        /// The record of every request.
        audit: Audit = {};
        /// What is recorded of exchanges beside that.
        recording: Recording = {};
        /// Recorded pages shown in the portal.
        replay: Replay = {};
        /// Sessions given out.
        export: Export = {};
        /// The authority that Locum gives by itself.
        grants: Grants = {};
        /// Requests for access, and what it takes until one is a session.
        access: Access = {};
        /// Emergency access.
        break_glass: BreakGlass = {};
        /// The customers. Empty: whatever tenant a request names.
        tenants: Vec<Tenant> = [];
        /// How customers are asked for their consent by mail.
        consent_mail: ConsentMail = {};
        /// Outside issuers whose signed grants are honoured.
        issuers: Vec<Issuer> = [];
        /// Tickets, which requests for access name.
        tickets: Tickets = {};
        /// How sensitive customers' accounts are.
        subjects: Subjects = {};
        /// Spans of time in which work was announced.
        change_windows: Vec<ChangeWindow> = [];
        /// Where alerts leave.
        alerts: Vec<AlertChannel> = [];
        /// How alerts that were not taken are sent again.
        alerting: Alerting = {};
        /// Security events, heard and told.
        signals: Signals = {};
        /// The JSON API of the control plane.
        api: Api = {};
        /// The keys that sign assertions and checkpoints.
        keys: Keys = {};
        /// Where grants and sessions are kept, and how fast changes are seen.
        store: Store = {};
        /// What Locum says of itself.
        log: Log = {};
        /// How people and workloads prove who they are to the portal and the API.
        identity: SignIn = {};
        /// What the people of a group may do, and where.
        roles: Vec<RoleRow> = [];
        /// Who can be chosen where `identity.demo` is on.
        personas: Vec<Persona> = [];
    }
}

section! {
    /// Which requests a grant allows. Route policy is deny by default; see `docs/policy.md`.
    pub struct Policy {
        /// Policy files, or directories of `*.toml` and `*.cedar` files, read in this order.
        paths: Vec<PathBuf> = ["config/policy"];
        /// A candidate policy that decides beside the live one: where it differs is recorded, nothing
        /// else happens. Empty: none.
        shadow: Vec<PathBuf> = [];
        /// How much of a request body is held to match form, JSON and GraphQL fields. A longer body
        /// is refused on the routes whose policy needs to see it, and streams on all others.
        body_buffer: Size = "64KiB" in [1024, 64 * MIB];
        /// Rows in all files together.
        max_rows: usize = 10_000 in [1, 1_000_000], "rows";
        /// The size of one policy file.
        max_file_bytes: Size = "1MiB" in [1024, 64 * MIB];
        /// Query parameters or form fields that are read. Beyond: the request is denied as unreadable.
        max_parameters: usize = 1000 in [1, 100_000], "parameters";
        /// GraphQL tokens in one document. Beyond: denied.
        graphql_tokens: usize = 10_000 in [16, 1_000_000], "tokens";
        /// Nesting of GraphQL selection sets and values. Beyond: denied.
        graphql_depth: usize = 64 in [2, 500], "levels";
        /// Operations in one GraphQL batch. Beyond: denied.
        graphql_batch: usize = 20 in [1, 10_000], "operations";
        /// Root fields of all GraphQL operations of one request. Beyond: denied.
        graphql_fields: usize = 200 in [1, 100_000], "fields";
    }
}
