//! `[[upstreams]]`: an app's servers, how they are reached, and how they learn who the subject is.

use crate::config::net::{Address, HeaderName, HostHeader, Label, UrlPath};
use crate::config::schema::{choice, section};
use crate::config::units::{DAY, HOUR, KIB, MIB, MINUTE, SECOND, Size};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

section! {
    /// An app's servers, how they are reached, and how they learn who the subject is.
    pub struct Upstream {
        /// What apps call it.
        name: Label = required;
        /// One or more of `host:port`, `https://host:port` and `unix:/path/to.sock`. Requests are
        /// spread over those that are healthy.
        addresses: Vec<Address> = required;
        /// HTTP version. `auto` takes HTTP/2 where TLS negotiates it, else HTTP/1.1; `h2` without TLS
        /// needs prior knowledge, as gRPC servers have.
        protocol: Protocol = "auto";
        /// For `https://` addresses.
        tls: UpstreamTls = {};
        /// The `Host` that the upstream sees. `preserve`: the app's own host where it has a
        /// `public_url`, else what the client sent; `upstream`: the address; or a fixed host.
        host: HostHeader = "preserve";
        /// To connect, TLS handshake included. Beyond: the next address, then 504.
        connect_timeout: Duration = "5s" in [10, MINUTE];
        /// From the end of the request to the head of the response. Beyond: 504.
        response_timeout: Duration = "60s" in [10, HOUR];
        /// How long a response's body may bring nothing, Server-Sent Events included. Beyond: a cut.
        read_idle_timeout: Duration = "10m" in [10, DAY];
        /// How long the upstream may take nothing of a request's body. Beyond: a cut.
        write_idle_timeout: Duration = "60s" in [10, DAY];
        /// How many further tries a request gets, on another address where there is one. Only where
        /// nothing was sent yet, or the method is idempotent and there is no body.
        retries: u32 = 1 in [0, 10], "tries";
        /// Kept connections.
        pool: Pool = {};
        /// Passive health: an address that keeps failing rests.
        health: Health = {};
        /// How the app learns who the subject is.
        identity: Identity = {};
    }
}

section! {
    /// TLS towards an upstream.
    pub struct UpstreamTls {
        /// The CA (PEM) that the upstream's certificate must come from. Unset: the system's.
        ca: Option<PathBuf> = unset;
        /// The certificate (PEM) that Locum shows.
        client_cert: Option<PathBuf> = unset;
        /// Its private key (PEM).
        client_key: Option<PathBuf> = unset;
        /// The name that the certificate must have, and that is asked for (SNI). Unset: the address's
        /// host.
        server_name: Option<String> = unset;
    }
}

section! {
    /// Kept connections to an upstream.
    pub struct Pool {
        /// Idle connections kept for each address and worker thread.
        max_idle: usize = 64 in [0, 10_000], "connections";
        /// Connections open at once for each address and worker thread, busy ones included.
        /// Beyond: requests wait up to `connect_timeout`, then 503.
        max_connections: usize = 4096 in [1, 1_000_000], "connections";
        /// How long an idle connection is kept. Keep it below what the upstream allows.
        idle_timeout: Duration = "55s" in [100, DAY];
    }
}

section! {
    /// Passive health of an upstream's addresses.
    pub struct Health {
        /// Failures in a row (no connection, no response head) after which an address rests.
        /// The last address that is left never rests.
        fail_after: u32 = 3 in [1, 1000], "failures";
        /// How long it rests before one request tries it again.
        retry_after: Duration = "10s" in [10, HOUR];
    }
}

section! {
    /// How the app learns who the subject is. Whatever a client sends under the same names is removed
    /// first. Which of the keys below apply depends on `mode`; others are refused.
    pub struct Identity {
        /// `assertion`: a signed JWT in `header`, checked with the keys at `/.well-known/jwks.json`.
        /// `headers`: plain fields from `headers`. `mint`: the assertion is posted to `mint_path` and
        /// the cookies that come back are the subject's. `exchange`: an authorization server exchanges the
        /// assertion for an access token (RFC 8693), which goes on as `Authorization: Bearer`. `basic` and
        /// `bearer`: one fixed credential, for legacy apps. `none`: nothing.
        mode: IdentityMode = "assertion";
        /// `assertion`, `mint`, `bearer`: the field that carries it. In `Authorization`, "Bearer " goes
        /// before it. Unset: `Locum-Assertion`; for `bearer`, `Authorization`.
        header: Option<HeaderName> = unset;
        /// `assertion`, `mint`, `exchange`: the JWT's `aud`. Unset: the upstream's name.
        audience: Option<String> = unset;
        /// `assertion`, `mint`, `exchange`: how long each JWT is valid. Never beyond the grant's end.
        lifetime: Duration = "60s" in [1000, HOUR];
        /// `assertion`, `mint`, `exchange`: how it is signed. Unset: `keys.algorithm`.
        algorithm: Option<Algorithm> = unset;
        /// `headers`: fields and what they say, with `{subject.id}`, `{subject.name}`, `{operator.id}`,
        /// `{operator.name}`, `{tenant.id}`, `{tenant.name}`, `{session}`, `{grant}`, `{ticket}` and
        /// `{scopes}` filled in.
        headers: BTreeMap<String, String> = {};
        /// `mint`: the path on the app that takes the assertion by POST and answers with cookies.
        mint_path: Option<UrlPath> = unset;
        /// `basic`: the user name, with the same placeholders as `headers`.
        username: Option<String> = unset;
        /// `basic`, `bearer`: a file with the secret, and nothing else but a final line break.
        secret_file: Option<PathBuf> = unset;
        /// `basic`, `bearer`: the environment variable with the secret.
        secret_env: Option<String> = unset;
        /// `exchange`: the authorization server.
        exchange: Option<Exchange> = unset;
        /// What to call on the app when a session is over. Unset: nothing.
        logout: Option<Logout> = unset;
    }
}

section! {
    /// RFC 8693 token exchange: the assertion is the `subject_token`. Tokens are kept with the session and revoked
    /// (RFC 7009) when it ends; each issue and revocation is on record, the token never.
    pub struct Exchange {
        /// Where tokens are exchanged. https, or http on loopback.
        token_endpoint: String = required;
        /// Where they are revoked. Unset: they are left to expire.
        revocation_endpoint: Option<String> = unset;
        /// The client that the server knows Locum as.
        client_id: String = required;
        /// A file with the client's secret.
        client_secret_file: PathBuf = required;
        /// How the client authenticates (RFC 6749 §2.3.1): `basic`, or `post` in the form.
        client_auth: EndpointAuth = "basic";
        /// The `audience` to ask for.
        audience: Option<String> = unset;
        /// The `resource` to ask for (RFC 8707): the app's URL.
        resource: Option<String> = unset;
        /// The `scope` to ask for.
        scope: Option<String> = unset;
        /// The CA (PEM) that the server's certificate must come from. Unset: the system's.
        ca: Option<PathBuf> = unset;
        /// How long the server may take. Beyond: 502.
        timeout: Duration = "10s" in [100, MINUTE];
        /// The largest answer that is read. Beyond: 502.
        max_answer_bytes: Size = "64KiB" in [KIB, MIB];
        /// How long before a token's end another one is asked for; half of its life at most.
        renew_before: Duration = "30s" in [0, HOUR];
        /// How long a token is taken to be good where the server does not say.
        assumed_lifetime: Duration = "5m" in [SECOND, HOUR];
        /// After a failure, or a token that the app refused with 401, before the next try in a session.
        pause: Duration = "10s" in [0, HOUR];
    }
}

section! {
    /// A call to the app when a session is over: with the session's cookies from the jar, and an assertion whose
    /// `events` say so, where the mode has assertions. Once; what comes of it is on record.
    pub struct Logout {
        /// The path on the app.
        path: UrlPath = required;
        /// The method.
        method: LogoutMethod = "POST";
        /// How long the app may take. Beyond: recorded as failed.
        timeout: Duration = "5s" in [100, MINUTE];
    }
}

choice! {
    /// HTTP towards an upstream.
    pub enum Protocol {
        Auto = "auto",
        Http1 = "http1",
        H2 = "h2",
    }
}

choice! {
    /// How an app learns who the subject is.
    pub enum IdentityMode {
        Assertion = "assertion",
        Headers = "headers",
        Mint = "mint",
        Exchange = "exchange",
        Basic = "basic",
        Bearer = "bearer",
        None = "none",
    }
}

choice! {
    /// How a client authenticates at an authorization server.
    pub enum EndpointAuth {
        Basic = "basic",
        Post = "post",
    }
}

choice! {
    /// How an app's logout path is called.
    pub enum LogoutMethod {
        Post = "POST",
        Get = "GET",
        Delete = "DELETE",
    }
}

choice! {
    /// How Locum signs.
    pub enum Algorithm {
        /// ECDSA with P-256 and SHA-256 (RFC 7518 §3.4).
        Es256 = "ES256",
        /// Ed25519 (RFC 8037).
        EdDsa = "EdDSA",
    }
}
