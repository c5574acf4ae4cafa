//! The SPIFFE id in a client certificate (SPIFFE X509-SVID §2 to §5). The listener verified its chain and that its holder
//! has the key; here it is held to what an SVID of a workload must be.

use crate::model::Timestamp;
use std::fmt;
use x509_parser::prelude::{ASN1Time, FromDer as _, GeneralName, X509Certificate};

/// The longest SPIFFE id, bytes (SPIFFE-ID §2.3).
const MAX_ID: usize = 2048;

/// Why a certificate is no SVID that counts here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SvidProblem {
    Malformed,
    /// Another number of URI names than one (§2).
    Names(usize),
    /// The name is no SPIFFE id, or one of a trust domain only.
    Id,
    TrustDomain,
    /// It may sign certificates (§4.1, §4.3).
    Authority,
    /// Its key is not for signatures, or nothing says what it is for (§4.3).
    Usage,
    /// It is not for clients (§4.4).
    Purpose,
    /// Not yet, or no longer, good.
    Expired,
}

impl SvidProblem {
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "svid.malformed",
            Self::Names(_) => "svid.names",
            Self::Id => "svid.id",
            Self::TrustDomain => "svid.trust-domain",
            Self::Authority => "svid.authority",
            Self::Usage => "svid.usage",
            Self::Purpose => "svid.purpose",
            Self::Expired => "svid.expired",
        }
    }
}

impl fmt::Display for SvidProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("it cannot be read"),
            Self::Names(count) => write!(f, "it has {count} URI names instead of one"),
            Self::Id => f.write_str("its name is not a workload's SPIFFE id"),
            Self::TrustDomain => f.write_str("its trust domain is not trusted here"),
            Self::Authority => f.write_str("it may sign other certificates"),
            Self::Usage => f.write_str("its key is not for signatures"),
            Self::Purpose => f.write_str("it is not for clients"),
            Self::Expired => f.write_str("it is not good at this time"),
        }
    }
}

impl std::error::Error for SvidProblem {}

/// The SPIFFE id of a leaf certificate.
pub(super) fn spiffe_id(
    der: &[u8],
    trust_domains: &[String],
    now: Timestamp,
) -> Result<String, SvidProblem> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| SvidProblem::Malformed)?;
    if !rest.is_empty() {
        return Err(SvidProblem::Malformed);
    }
    let id = only_uri(&certificate)?;
    let domain = trust_domain(&id).ok_or(SvidProblem::Id)?;
    if !trust_domains.iter().any(|trusted| trusted == domain) {
        return Err(SvidProblem::TrustDomain);
    }
    constrained(&certificate)?;
    // The handshake checked the dates; a connection can outlive them.
    let at = ASN1Time::from_timestamp(now.seconds()).map_err(|_| SvidProblem::Expired)?;
    if !certificate.validity().is_valid_at(at) {
        return Err(SvidProblem::Expired);
    }
    Ok(id)
}

fn only_uri(certificate: &X509Certificate<'_>) -> Result<String, SvidProblem> {
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| SvidProblem::Malformed)?;
    let names = names.map(|found| &found.value.general_names);
    let mut uris = names.into_iter().flatten().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    match (uris.next(), uris.count()) {
        (Some(uri), 0) => Ok(uri.to_owned()),
        (None, _) => Err(SvidProblem::Names(0)),
        (Some(_), more) => Err(SvidProblem::Names(1 + more)),
    }
}

fn constrained(certificate: &X509Certificate<'_>) -> Result<(), SvidProblem> {
    let malformed = |_| SvidProblem::Malformed;
    let basic = certificate.basic_constraints().map_err(malformed)?;
    if basic.is_some_and(|found| found.value.ca) {
        return Err(SvidProblem::Authority);
    }
    let usage = certificate.key_usage().map_err(malformed)?;
    let usage = usage.ok_or(SvidProblem::Usage)?;
    if usage.value.key_cert_sign() || usage.value.crl_sign() {
        return Err(SvidProblem::Authority);
    }
    if !usage.critical || !usage.value.digital_signature() {
        return Err(SvidProblem::Usage);
    }
    let purpose = certificate.extended_key_usage().map_err(malformed)?;
    if purpose.is_some_and(|found| !found.value.client_auth && !found.value.any) {
        return Err(SvidProblem::Purpose);
    }
    Ok(())
}

/// The trust domain of a workload's SPIFFE id: `spiffe://<domain>/<path>` (SPIFFE-ID §2).
fn trust_domain(id: &str) -> Option<&str> {
    let (domain, path) = id.strip_prefix("spiffe://")?.split_once('/')?;
    let in_domain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._-".contains(&c);
    let in_path = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
    let segment = |it: &str| !matches!(it, "" | "." | "..") && it.bytes().all(in_path);
    let good = (1..=255).contains(&domain.len())
        && domain.bytes().all(in_domain)
        && path.split('/').all(segment)
        && id.len() <= MAX_ID;
    good.then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{
        BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair,
        KeyUsagePurpose, SanType,
    };

    const ID: &str = "spiffe://prod.example/billing/agent";

    fn uri(text: &str) -> SanType {
        SanType::URI(rcgen::string::Ia5String::try_from(text).expect("ASCII"))
    }

    fn read(change: impl FnOnce(&mut CertificateParams)) -> Result<String, SvidProblem> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![uri(ID)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let trusted = ["prod.example".to_owned()];
        spiffe_id(certificate.der(), &trusted, Timestamp::now())
    }

    #[test]
    fn a_good_svid_names_its_workload() {
        assert_eq!(read(|_| ()).as_deref(), Ok(ID));
        let with_dns = read(|it| {
            let dns = "agent.example".try_into().expect("ASCII");
            it.subject_alt_names.push(SanType::DnsName(dns));
        });
        assert_eq!(with_dns.as_deref(), Ok(ID));
        assert_eq!(read(|it| it.extended_key_usages.clear()).as_deref(), Ok(ID));
    }

    #[test]
    fn what_an_svid_must_not_be_is_refused() {
        let names = |names: Vec<SanType>| read(|it| it.subject_alt_names = names);
        assert_eq!(names(vec![]), Err(SvidProblem::Names(0)));
        let two = vec![uri(ID), uri("spiffe://prod.example/other")];
        assert_eq!(names(two), Err(SvidProblem::Names(2)));
        let two = vec![uri(ID), uri("https://prod.example/")];
        assert_eq!(names(two), Err(SvidProblem::Names(2)));
        for bad in [
            "https://prod.example/x",
            "spiffe://prod.example",
            "spiffe://prod.example/",
            "spiffe://prod.example/a//b",
            "spiffe://prod.example/a/../b",
            "spiffe://prod.example/a?b",
            "spiffe://prod.example/a%20b",
            "spiffe://PROD.example/a",
            "spiffe://u@prod.example/a",
            "spiffe://prod.example:443/a",
            "spiffe:///a",
        ] {
            assert_eq!(names(vec![uri(bad)]), Err(SvidProblem::Id), "{bad}");
        }
        let other = names(vec![uri("spiffe://test.example/billing")]);
        assert_eq!(other, Err(SvidProblem::TrustDomain));
        let authority = read(|it| it.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
        assert_eq!(authority, Err(SvidProblem::Authority));
        let signs = read(|it| it.key_usages.push(KeyUsagePurpose::KeyCertSign));
        assert_eq!(signs, Err(SvidProblem::Authority));
        let signs = read(|it| it.key_usages.push(KeyUsagePurpose::CrlSign));
        assert_eq!(signs, Err(SvidProblem::Authority));
        assert_eq!(read(|it| it.key_usages.clear()), Err(SvidProblem::Usage));
        let other = read(|it| it.key_usages = vec![KeyUsagePurpose::KeyEncipherment]);
        assert_eq!(other, Err(SvidProblem::Usage));
        let server = read(|it| it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
        assert_eq!(server, Err(SvidProblem::Purpose));
        let over = read(|it| it.not_after = rcgen::date_time_ymd(2001, 1, 1));
        assert_eq!(over, Err(SvidProblem::Expired));
        let early = read(|it| it.not_before = rcgen::date_time_ymd(4000, 1, 1));
        assert_eq!(early, Err(SvidProblem::Expired));
        let trusted = ["prod.example".to_owned()];
        for junk in [&b""[..], b"x", &[0x30, 0x80]] {
            let read = spiffe_id(junk, &trusted, Timestamp::now());
            assert_eq!(read, Err(SvidProblem::Malformed));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_certificate_panics(der in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let trusted = ["prod.example".to_owned()];
            proptest::prop_assert!(spiffe_id(&der, &trusted, Timestamp::now()).is_err());
        }
    }
}
