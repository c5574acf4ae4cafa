//! `[[upstreams]]`: an app's servers, how they are reached, and how they learn who the subject is.

use crate::config::net::{Address, HeaderName, HostHeader, Label, UrlPath};
use crate::config::schema::{choice, section};
use crate::config::units::{DAY, HOUR, MINUTE};
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
        /// the cookies that come back are the subject's. `basic` and `bearer`: one fixed credential, for
        /// legacy apps. `none`: nothing.
        mode: IdentityMode = "assertion";
        /// `assertion`, `mint`, `bearer`: the field that carries it. In `Authorization`, "Bearer " goes
        /// before it. Unset: `Locum-Assertion`; for `bearer`, `Authorization`.
        header: Option<HeaderName> = unset;
        /// `assertion`, `mint`: the JWT's `aud`. Unset: the upstream's name.
        audience: Option<String> = unset;
        /// `assertion`, `mint`: how long each JWT is valid. Never beyond the grant's end.
        lifetime: Duration = "60s" in [1000, HOUR];
        /// `assertion`, `mint`: how it is signed. Unset: `keys.algorithm`.
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
        Basic = "basic",
        Bearer = "bearer",
        None = "none",
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
