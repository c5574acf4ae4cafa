//! `[listeners]`: the apps, the portal and the ops listener, and their TLS.

use crate::config::net::{Cidr, DnsName, Origin};
use crate::config::schema::{choice, section};
use crate::config::units::{MIB, MINUTE, SECOND, Size};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

section! {
    /// Where Locum listens: three listeners, each with its own address and origin.
    pub struct Listeners {
        /// The data plane: session origins, and in `inline` placement the app's own host.
        apps: AppsListener = {};
        /// The portal and the API, on an origin of their own that no upstream can serve.
        portal: PortalListener = {};
        /// Health, metrics and the assertion keys, for the platform team. Plain HTTP.
        ops: OpsListener = {};
    }
}

section! {
    /// The data plane. Needs either `tls` or `plain = true`.
    pub struct AppsListener {
        /// Address and port.
        address: SocketAddr = "127.0.0.1:8443";
        /// Certificates. Read again on SIGHUP without dropping a connection.
        tls: Option<Tls> = unset;
        /// Serve plain HTTP, because something in front terminates TLS. On an address other than
        /// loopback, `trusted_proxies` must then say what that is.
        plain: bool = false;
        /// The scheme that browsers see in front of a `plain` listener. With `tls` it is always
        /// https.
        external_scheme: Scheme = "https";
        /// The port that browsers see. Unset: the listener's own with `tls`, else the scheme's.
        external_port: Option<u16> = unset in [1, 65535];
        /// On a plain listener, also take HTTP/2 by prior knowledge (RFC 9113 §3.3), as gRPC clients speak it.
        h2c: bool = false;
        /// Whether each connection begins with a PROXY protocol header that tells the client's
        /// address. One is then demanded, and only `trusted_proxies` may connect.
        proxy_protocol: ProxyProtocol = "off";
        /// Networks whose `Forwarded` and `X-Forwarded-*` fields and PROXY headers are believed. From
        /// everyone else they are removed. A plain address means that one address.
        trusted_proxies: Vec<Cidr> = [];
        /// Connections that the kernel holds while Locum is busy.
        backlog: u32 = 4096 in [1, 65535], "connections";
    }
}

section! {
    /// The portal and the API. Needs either `tls` or `plain = true`; unset `public_url`: off unless
    /// an app signs operators in.
    pub struct PortalListener {
        /// Whether the portal listens.
        enabled: bool = false;
        /// Address and port.
        address: SocketAddr = "127.0.0.1:8444";
        /// Certificates, as for the apps listener.
        tls: Option<Tls> = unset;
        /// Serve plain HTTP behind a TLS terminator.
        plain: bool = false;
        /// The origin that browsers see. It must not lie under an app's session origins or on an
        /// app's own origin. Unset: `https://localhost` with the listener's port.
        public_url: Option<Origin> = unset;
        /// As for the apps listener.
        trusted_proxies: Vec<Cidr> = [];
        /// Connections open at once. Beyond: closed.
        max_connections: usize = 1024 in [1, 1_000_000], "connections";
        /// Connections open at once from one address, or from one IPv6 network of 64 bits. Beyond: closed. Those from
        /// `trusted_proxies` are many people's, and are not counted.
        max_connections_per_address: usize = 256 in [1, 1_000_000], "connections";
        /// How long a handshake, the head of a request, or a body after it may take.
        head_timeout: Duration = "10s" in [SECOND, MINUTE];
        /// The longest body of a request to the portal or the API.
        max_body: Size = "256KiB" in [1024, 16 * MIB];
        /// Records of one session that its timeline shows.
        timeline_records: usize = 2000 in [10, 100_000], "records";
        /// How much of the journal is read for one timeline.
        timeline_bytes: Size = "256MiB" in [1024, 1024 * MIB * 16];
        /// Requests on one page of the list.
        request_rows: usize = 25 in [5, 200], "requests";
        /// Records on one page of the search.
        evidence_rows: usize = 50 in [5, 200], "records";
        /// Sessions that the page of live ones shows; the rest is found by searching. A lock reaches all, shown or not.
        live_rows: usize = 200 in [10, 10_000], "sessions";
        /// Exchanges that the page of one recording shows; the rest is in an export.
        recording_rows: usize = 5000 in [10, 100_000], "exchanges";
    }
}

section! {
    /// `/healthz`, `/readyz`, `/startupz`, `/metrics` and `/.well-known/jwks.json`. It has no
    /// authentication of its own, so it stays on loopback unless told otherwise.
    ///
    /// `/readyz` says no (503) where requests would be refused: the journal cannot record, the grant store is stale or
    /// holds what cannot be read, the clock stepped back, Locum is stopping. While stored sessions are still being read
    /// after the start it says yes: each is found that is asked for.
    pub struct OpsListener {
        /// Address and port.
        address: SocketAddr = "127.0.0.1:9090";
        /// Allow an address other than loopback, because the network in front keeps strangers out.
        expose: bool = false;
    }
}

section! {
    /// Certificates of a listener. Keys are PEM; `locum certs dev` makes a set for development.
    pub struct Tls {
        /// The certificate chain (PEM), leaf first. It must cover `*.<app>.<suffix>` for each app.
        cert: PathBuf = required;
        /// The private key of `cert` (PEM; PKCS #8, SEC 1 or PKCS #1).
        key: PathBuf = required;
        /// More certificates, chosen by the name that the client asks for (SNI).
        extra: Vec<Certificate> = [];
        /// The CA (PEM) that client certificates must come from.
        client_ca: Option<PathBuf> = unset;
        /// Whether clients must show a certificate.
        client_auth: ClientAuth = "off";
        /// The oldest TLS version spoken.
        min_version: TlsVersion = "1.2";
    }
}

section! {
    /// One more certificate of a listener.
    pub struct Certificate {
        /// The certificate chain (PEM), leaf first.
        cert: PathBuf = required;
        /// Its private key (PEM).
        key: PathBuf = required;
        /// The names it is used for. Empty: those that the certificate itself names.
        names: Vec<DnsName> = [];
    }
}

choice! {
    /// Of an origin.
    pub enum Scheme {
        Http = "http",
        Https = "https",
    }
}

choice! {
    /// Which PROXY protocol header a connection begins with.
    pub enum ProxyProtocol {
        Off = "off",
        V1 = "v1",
        V2 = "v2",
        /// Either version.
        Any = "any",
    }
}

choice! {
    /// Whether clients are asked for a certificate.
    pub enum ClientAuth {
        Off = "off",
        /// Asked; a client without one is served.
        Optional = "optional",
        Required = "required",
    }
}

choice! {
    /// A TLS version.
    pub enum TlsVersion {
        V12 = "1.2",
        V13 = "1.3",
    }
}
