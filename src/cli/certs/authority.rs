//! A certificate authority for one machine: what it may sign for, and whether a certificate of its own
//! is still good.

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, Error,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

/// Ten years for the CA; for certificates what Apple's systems accept from a CA that users added.
const CA_DAYS: i64 = 3650;
const LEAF_DAYS: i64 = 820;
/// What expires within this is renewed.
const RENEW: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a certificate covers and its CA may sign for.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// Host names, wildcards and addresses.
    all: Vec<String>,
    /// Domains that the CA is held to.
    domains: Vec<String>,
    /// Addresses besides loopback.
    addresses: Vec<IpAddr>,
}

impl Names {
    /// The session origins of `apps` under `suffix`, localhost, and `hosts`.
    ///
    /// # Errors
    /// The first name that is none.
    pub(super) fn new(
        suffix: &str,
        apps: &[String],
        hosts: impl IntoIterator<Item = String>,
    ) -> Result<Self, String> {
        let mut names = Self {
            all: Vec::new(),
            domains: vec!["localhost".into()],
            addresses: Vec::new(),
        };
        for app in apps {
            let domain = format!("{app}.{suffix}");
            names.add(format!("*.{domain}"));
            names.add(domain);
        }
        if !names.domains.iter().any(|domain| domain == suffix) {
            names.domains.push(suffix.to_owned());
        }
        let loopback = ["localhost", "127.0.0.1", "::1"].map(String::from);
        for host in loopback.into_iter().chain(hosts) {
            let host = host.trim_matches(['[', ']']).to_owned();
            match host.parse::<IpAddr>() {
                Ok(ip) => names.addresses.push(ip),
                Err(_) => names.domains.push(host.trim_start_matches("*.").to_owned()),
            }
            names.add(host);
        }
        names.domains.sort();
        names.domains.dedup();
        match names.all.iter().find(|name| sample(name).is_none()) {
            Some(bad) => Err(bad.clone()),
            None => Ok(names),
        }
    }

    fn add(&mut self, name: String) {
        if !self.all.contains(&name) {
            self.all.push(name);
        }
    }

    pub(super) fn list(&self) -> &[String] {
        &self.all
    }

    fn constraints(&self) -> NameConstraints {
        let domains = self.domains.iter().cloned().map(GeneralSubtree::DnsName);
        let loopback = [
            CidrSubnet::from_addr_prefix(Ipv4Addr::new(127, 0, 0, 0).into(), 8),
            CidrSubnet::from_addr_prefix(Ipv6Addr::LOCALHOST.into(), 128),
        ];
        let hosts = self
            .addresses
            .iter()
            .map(|ip| CidrSubnet::from_addr_prefix(*ip, if ip.is_ipv4() { 32 } else { 128 }));
        let addresses = loopback
            .into_iter()
            .chain(hosts)
            .map(GeneralSubtree::IpAddress);
        NameConstraints {
            permitted_subtrees: domains.chain(addresses).collect(),
            excluded_subtrees: Vec::new(),
        }
    }
}

/// A name that `name` covers; `None` if it is no name.
fn sample(name: &str) -> Option<ServerName<'static>> {
    let plain = match name.strip_prefix("*.") {
        Some(domain) => format!("sample.{domain}"),
        None => name.to_owned(),
    };
    ServerName::try_from(plain).ok()
}

/// A CA with its key.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    /// A new one, held to `names`.
    pub(super) fn fresh(names: &Names) -> Result<Self, Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = own_params();
        params.name_constraints = Some(names.constraints());
        set_validity(&mut params, CA_DAYS);
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate,
        })
    }

    /// The one that was made before; `None` if the key is none.
    pub(super) fn from_pem(certificate: String, key: &str) -> Option<Self> {
        let key = KeyPair::from_pem(key).ok()?;
        Some(Self {
            issuer: Issuer::new(own_params(), key),
            certificate,
        })
    }

    /// PEM.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// PEM.
    pub(super) fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A certificate for `names` and its key, both PEM.
    pub(super) fn issue(&self, names: &Names) -> Result<(String, String), Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names.list())?;
        params.distinguished_name = distinguished("Locum development");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, LEAF_DAYS);
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

fn own_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished("Locum development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn distinguished(name: &str) -> DistinguishedName {
    let mut all = DistinguishedName::new();
    all.push(DnType::OrganizationName, "Locum");
    all.push(DnType::CommonName, name);
    all
}

/// From yesterday, because clocks differ, for so many days.
fn set_validity(params: &mut CertificateParams, days: i64) {
    let today = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let day = |offset: i64| {
        let date = today.saturating_add(jiff::Span::new().days(offset));
        let number = |n: i8| u8::try_from(n).unwrap_or(1);
        date_time_ymd(
            i32::from(date.year()),
            number(date.month()),
            number(date.day()),
        )
    };
    params.not_before = day(-1);
    params.not_after = day(days);
}

/// Whether the certificate comes from the CA, belongs to the key, covers every name and stays good.
pub(super) fn covers(ca: &str, leaf: &str, key: &str, names: &Names) -> bool {
    check(ca, leaf, key, names).is_some()
}

fn check(ca: &str, leaf: &str, key: &str, names: &Names) -> Option<()> {
    let leaf = CertificateDer::from_pem_slice(leaf.as_bytes()).ok()?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).ok()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    CertifiedKey::from_der(vec![leaf.clone()], key, &provider).ok()?;
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca.as_bytes()).ok()?)
        .ok()?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifier = verifier.build().ok()?;
    let then = Duration::from_secs(UnixTime::now().as_secs()) + RENEW;
    let then = UnixTime::since_unix_epoch(then);
    for name in names.list() {
        let name = sample(name)?;
        verifier
            .verify_server_cert(&leaf, &[], &name, &[], then)
            .ok()?;
    }
    Some(())
}
