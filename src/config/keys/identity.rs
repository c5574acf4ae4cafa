//! `[identity]`, `[[roles]]` and `[[personas]]`: who comes to the portal and the API, and what they may do there.

use super::grants::JwtAlgorithm;
use crate::config::net::HeaderName;
use crate::config::schema::{choice, section};
use crate::config::units::{DAY, HOUR, KIB, MIB, MINUTE, SECOND, Size};
use std::path::PathBuf;
use std::time::Duration;

section! {
    /// How people and workloads prove to the portal and the API who they are. People sign in one way: with `oidc`, by an
    /// access proxy's `assertion`, or, on loopback only, as a `demo` persona.
    pub struct SignIn {
        /// The OpenID provider that people sign in with.
        oidc: Option<Oidc> = unset;
        /// The access proxy in front of the portal that says in a signed header who is there.
        assertion: Option<Assertion> = unset;
        /// Let anybody be any of `[[personas]]`. Only where the portal listens on loopback and nothing in front of it is
        /// trusted.
        demo: bool = false;
        /// What workloads prove themselves with.
        workloads: Workloads = {};
        /// How long a login at the portal lasts, however much it is used.
        login_max: Duration = "8h" in [MINUTE, 30 * DAY];
        /// A login at the portal that nobody uses for this long ends.
        login_idle: Duration = "30m" in [MINUTE, DAY];
        /// How long a token of the command line is good.
        token_max: Duration = "1h" in [MINUTE, 7 * DAY];
        /// How long signing in may take, from leaving for the identity provider to coming back.
        flow_max: Duration = "10m" in [10 * SECOND, HOUR];
        /// Sign-ins under way at once. Beyond: 503.
        max_flows: usize = 10_000 in [1, 10_000_000], "sign-ins";
        /// Sign-ins begun, and proofs of identity refused, from one address within a minute. Beyond: 429.
        max_sign_ins: u32 = 60 in [1, 1_000_000], "tries a minute";
        /// One token that somebody shows or an identity provider sends. Beyond: refused.
        max_token_bytes: Size = "16KiB" in [KIB, MIB];
        /// Groups of one person. Beyond: refused.
        max_groups: usize = 1000 in [1, 100_000], "groups";
    }
}

section! {
    /// An OpenID provider (OpenID Connect Core, Discovery): code flow with PKCE, nonce and state. Register
    /// `<portal>/login/callback` as redirect URI, `<portal>/login/out` as post-logout redirect URI and
    /// `<portal>/login/backchannel` for back-channel logout.
    pub struct Oidc {
        /// The exact `iss`, which is also where discovery begins. https, or http on loopback.
        issuer: String = required;
        /// The client that the provider knows Locum as; the `aud` of its ID tokens.
        client_id: String = required;
        /// A file with the client's secret. Unset, with `client_secret_env`: a public client.
        client_secret_file: Option<PathBuf> = unset;
        /// The environment variable with the client's secret.
        client_secret_env: Option<String> = unset;
        /// The CA (PEM) that the provider's certificate must come from. Unset: the system's.
        ca: Option<PathBuf> = unset;
        /// Scopes to ask for besides `openid`.
        scopes: Vec<String> = ["email", "profile"];
        /// Algorithms that ID tokens and logout tokens may be signed with.
        algorithms: Vec<JwtAlgorithm> = ["RS256", "ES256"];
        /// The claim with the person's groups: a list of texts, or one text.
        groups_claim: String = "groups";
        /// The claim that is the same for every account of one human being; votes are counted by it. Unset: `email` where
        /// the provider says `email_verified`, else `sub`. Set it to one that no account of the same human being lacks: an
        /// employee number.
        person_claim: Option<String> = unset;
        /// Ask the provider's userinfo endpoint for claims that the ID token does not have.
        userinfo: bool = true;
        /// How long the provider may take to answer.
        timeout: Duration = "5s" in [100, MINUTE];
        /// The largest answer of the provider that is read.
        max_answer_bytes: Size = "256KiB" in [4 * KIB, 16 * MIB];
        /// How old the provider's metadata and keys may be before they are fetched again.
        refresh: Duration = "10m" in [10 * SECOND, DAY];
        /// How much older they may get, if they cannot be fetched, before sign-ins are refused.
        max_stale: Duration = "1h" in [10 * SECOND, 7 * DAY];
        /// An unknown key id makes Locum fetch again, at most once in this time.
        cooldown: Duration = "30s" in [10, HOUR];
        /// How far the provider's clock may differ.
        leeway: Duration = "5s" in [0, MINUTE];
    }
}

section! {
    /// An access proxy's signed assertion (JWT) about who is there.
    pub struct Assertion {
        /// The header that has it.
        header: HeaderName = required;
        /// The exact `iss`.
        issuer: String = required;
        /// The `aud` that it must have.
        audience: String = required;
        /// The issuer's keys (JWKS): an `https://` URL or a file.
        jwks: String = required;
        /// The CA (PEM) that the URL's certificate must come from. Unset: the system's.
        ca: Option<PathBuf> = unset;
        /// Signature algorithms that are honoured.
        algorithms: Vec<JwtAlgorithm> = ["ES256"];
        /// The claim with the person's groups.
        groups_claim: String = "groups";
        /// As for `[identity.oidc]`.
        person_claim: Option<String> = unset;
        /// The claim that says when the person authenticated. Without it nobody counts as freshly signed in.
        auth_time_claim: String = "auth_time";
        /// The longest from `iat` to `exp`.
        max_lifetime: Duration = "1h" in [SECOND, DAY];
        /// How far the issuer's clock may differ.
        leeway: Duration = "5s" in [0, MINUTE];
        /// How old fetched keys may be before they are fetched again.
        refresh: Duration = "10m" in [10 * SECOND, DAY];
        /// How old they may be, if they cannot be fetched again, before assertions are refused.
        max_stale: Duration = "1h" in [10 * SECOND, 7 * DAY];
        /// An unknown key id makes Locum fetch again, at most once in this time.
        cooldown: Duration = "30s" in [SECOND, HOUR];
    }
}

section! {
    /// What workloads prove themselves with. Who may call is the inventory's to say: `locum workload`.
    pub struct Workloads {
        /// SPIFFE trust domains whose X.509-SVIDs are honoured. The portal's `tls.client_ca` is their bundle.
        trust_domains: Vec<String> = [];
        /// Issuers whose JWTs are honoured.
        issuers: Vec<WorkloadIssuer> = [];
        /// A workload that calls from two networks within this time is used from two places at once: a shared identity,
        /// which raises an alert.
        at_once: Duration = "10m" in [MINUTE, DAY];
        /// Places that are remembered of one workload.
        max_places: usize = 16 in [2, 1000], "places";
    }
}

section! {
    /// An issuer of workloads' JWTs, shown as bearer tokens.
    pub struct WorkloadIssuer {
        /// The exact `iss`.
        issuer: String = required;
        /// The `aud` that a token must have.
        audience: String = required;
        /// The issuer's keys (JWKS): an `https://` URL or a file.
        jwks: String = required;
        /// The CA (PEM) that the URL's certificate must come from. Unset: the system's.
        ca: Option<PathBuf> = unset;
        /// Signature algorithms that are honoured.
        algorithms: Vec<JwtAlgorithm> = ["ES256"];
        /// Values of the header's `typ` that are honoured, in any case, without `application/`.
        typ: Vec<String> = ["JWT", "at+jwt"];
        /// The longest from `iat` to `exp`.
        max_lifetime: Duration = "1h" in [SECOND, DAY];
        /// How far the issuer's clock may differ.
        leeway: Duration = "5s" in [0, MINUTE];
        /// How old fetched keys may be before they are fetched again.
        refresh: Duration = "10m" in [10 * SECOND, DAY];
        /// How old they may be, if they cannot be fetched again, before tokens are refused.
        max_stale: Duration = "1h" in [10 * SECOND, 7 * DAY];
        /// An unknown key id makes Locum fetch again, at most once in this time.
        cooldown: Duration = "30s" in [SECOND, HOUR];
    }
}

section! {
    /// What the people of a group may do, and where. A group that no row names gives nothing.
    pub struct RoleRow {
        /// The group, as the identity provider calls it.
        group: String = required;
        /// The role that it gives.
        role: RoleName = required;
        /// The tenants that the role is good for; `["*"]`: all. A customer's auditor must be given names.
        tenants: Vec<String> = required;
        /// The apps that the role is good for; `["*"]`: all.
        apps: Vec<String> = ["*"];
    }
}

section! {
    /// Somebody to be in a demonstration.
    pub struct Persona {
        /// The account's id.
        id: String = required;
        /// What people call them.
        name: String = required;
        /// Their groups, for `[[roles]]`.
        groups: Vec<String> = [];
        /// The human being behind the account, where several accounts are one. Unset: the id.
        person: Option<String> = unset;
    }
}

choice! {
    /// What somebody may do in the control plane.
    pub enum RoleName {
        Operator = "operator",
        Approver = "approver",
        Security = "security",
        Auditor = "auditor",
        Admin = "admin",
        TenantAuditor = "tenant-auditor",
        BreakGlass = "break-glass",
    }
}
