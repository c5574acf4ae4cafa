//! Workloads: by certificate or token, and only while the inventory knows them.

use super::bench::{Bench, settings};
use super::provider::{NOW, change};
use crate::control::gate::{Gate as _, Peer};
use crate::control::identity::{HumanSettings, WorkloadSettings};
use crate::model::{OperatorKind, Timestamp, Workload};
use crate::store::external::forge::{Anything, Signer, set};
use crate::store::external::{Issuer, Jwks};
use http::Request;
use jsonwebtoken::Algorithm;
use rcgen::{CertificateParams, KeyPair, KeyUsagePurpose, SanType};
use serde_json::{Value, json};

type Outcome = Anything<()>;

const ID: &str = "spiffe://prod.example/billing";
const ISSUER: &str = "https://ci.example";

struct Floor {
    bench: Bench,
    signer: Signer,
    _dir: tempfile::TempDir,
}

impl Floor {
    fn new() -> Anything<Self> {
        let signer = Signer::new("k1", Algorithm::ES256)?;
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("keys.json");
        std::fs::write(&file, set(&[&signer])?)?;
        let issuer = Issuer {
            types: vec!["JWT".to_owned()],
            ..Issuer::new(ISSUER, "locum", Jwks::File(file))
        };
        let mut settings = settings(HumanSettings::None);
        settings.workloads = WorkloadSettings {
            trust_domains: vec!["prod.example".to_owned()],
            issuers: vec![issuer],
        };
        Ok(Self {
            bench: Bench::new(settings)?,
            signer,
            _dir: dir,
        })
    }

    async fn register(&self, id: &str, change: impl FnOnce(&mut Workload)) -> Outcome {
        let mut workload = Workload {
            id: id.to_owned(),
            owner: "ada".to_owned(),
            system: "Billing".to_owned(),
            purpose: "Reconcile".to_owned(),
            scopes: Vec::new(),
            apps: vec!["shop".to_owned()],
            tenants: vec!["acme".to_owned()],
            budget: 10,
            renew_by: Timestamp::from_millis((NOW + 1000) * 1000),
            registered_at: Timestamp::from_millis(NOW * 1000),
            registered_by: "root".to_owned(),
            last_used: None,
            places: Vec::new(),
            disabled: false,
            version: 0,
        };
        change(&mut workload);
        let done = self
            .bench
            .control
            .run("registering", move |tx| Ok(tx.insert(&mut workload)?))
            .await;
        done.map_err(|why| why.to_string().into())
    }

    async fn registered(&self, id: &str) -> Anything<Workload> {
        let id = id.to_owned();
        let found = self
            .bench
            .control
            .run("reading", move |tx| Ok(tx.find::<Workload>(&id)?))
            .await;
        found
            .map_err(|why| why.to_string())?
            .ok_or_else(|| "none".into())
    }

    async fn ask(
        &self,
        certificate: Option<Vec<u8>>,
        token: Option<&str>,
        address: &str,
    ) -> Anything<Result<(String, OperatorKind), &'static str>> {
        let mut request = Request::post("/api/v1/requests");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let (mut parts, ()) = request.body(())?.into_parts();
        parts.extensions.insert(Peer {
            address: address.parse()?,
            certificate,
        });
        let found = self.bench.identity.caller(&parts).await;
        Ok(found
            .map(|it| (it.person, it.kind))
            .map_err(|why| why.reason))
    }

    fn token(&self, changes: &[(&str, Value)]) -> Anything<String> {
        let now = self.bench.seconds();
        let mut claims =
            json!({"iss": ISSUER, "aud": "locum", "sub": "deploy", "iat": now, "exp": now + 300});
        change(&mut claims, changes);
        let mut header = self.signer.header();
        header["typ"] = json!("JWT");
        self.signer.sign(&header, &claims)
    }
}

fn svid(id: &str) -> Anything<Vec<u8>> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(id.try_into()?)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate()?;
    Ok(params.self_signed(&key)?.der().to_vec())
}

#[tokio::test]
async fn a_registered_workload_calls_by_its_certificate_and_is_noted() -> Outcome {
    let floor = Floor::new()?;
    floor.register(ID, |_| ()).await?;
    let asked = floor.ask(Some(svid(ID)?), None, "203.0.113.7:1").await?;
    assert_eq!(asked, Ok((ID.to_owned(), OperatorKind::Workload)));
    let found = floor.registered(ID).await?;
    assert_eq!(
        found.places.first().map(|it| it.network.as_str()),
        Some("203.0.113.0/24")
    );
    assert!(found.last_used.is_some());
    // The same identity elsewhere at the same time is told.
    floor
        .ask(Some(svid(ID)?), None, "[2001:db8:7::1]:1")
        .await?
        .map_err(str::to_owned)?;
    assert_eq!(floor.bench.last_note()?, "workload.shared");
    Ok(())
}

#[tokio::test]
async fn who_is_not_in_the_inventory_or_lapsed_is_refused() -> Outcome {
    let floor = Floor::new()?;
    let ask = async || floor.ask(Some(svid(ID)?), None, "203.0.113.7:1").await;
    assert_eq!(ask().await?, Err("workload.unregistered"));
    assert_eq!(
        floor.bench.last_note()?,
        "login.refused workload.unregistered"
    );
    floor.register(ID, |_| ()).await?;
    assert!(ask().await?.is_ok());
    floor.bench.forward(1000);
    assert_eq!(ask().await?, Err("workload.lapsed"));
    for (n, reason, change) in [
        (
            1,
            "workload.disabled",
            (|it: &mut Workload| it.disabled = true) as fn(&mut Workload),
        ),
        (2, "workload.ownerless", |it: &mut Workload| {
            it.owner = " ".to_owned();
        }),
    ] {
        let id = format!("{ID}/{n}");
        floor.register(&id, change).await?;
        let asked = floor.ask(Some(svid(&id)?), None, "203.0.113.7:1").await?;
        assert_eq!(asked, Err(reason));
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_is_no_svid_of_ours_is_nobody() -> Outcome {
    let floor = Floor::new()?;
    let other = "spiffe://test.example/billing";
    floor.register(other, |_| ()).await?;
    let asked = floor.ask(Some(svid(other)?), None, "203.0.113.7:1").await?;
    assert_eq!(asked, Err("svid.trust-domain"));
    let asked = floor
        .ask(Some(b"junk".to_vec()), None, "203.0.113.7:1")
        .await?;
    assert_eq!(asked, Err("svid.malformed"));
    Ok(())
}

#[tokio::test]
async fn a_workloads_token_is_held_to_its_issuer() -> Outcome {
    let floor = Floor::new()?;
    let id = format!("{ISSUER}|deploy");
    floor.register(&id, |_| ()).await?;
    let asked = floor
        .ask(None, Some(&floor.token(&[])?), "203.0.113.7:1")
        .await?;
    assert_eq!(asked, Ok((id, OperatorKind::Workload)));
    for (claim, value, reason) in [
        ("iss", json!("https://evil.example"), "token-issuer"),
        ("aud", json!("another"), "login.claim"),
        ("exp", json!(NOW - 10), "login.claim"),
        ("exp", json!(NOW + 7200), "login.claim"),
        ("iat", Value::Null, "login.claim"),
        ("sub", Value::Null, "login.claim"),
        ("act", json!({"sub": "x"}), "login.nested"),
        ("sub", json!("another"), "workload.unregistered"),
    ] {
        let token = floor.token(&[(claim, value.clone())])?;
        let asked = floor.ask(None, Some(&token), "203.0.113.7:1").await?;
        assert_eq!(asked, Err(reason), "{claim} {value}");
    }
    let stranger = Signer::new("k1", Algorithm::ES256)?;
    let mut header = stranger.header();
    header["typ"] = json!("JWT");
    let claims =
        json!({"iss": ISSUER, "aud": "locum", "sub": "deploy", "iat": NOW, "exp": NOW + 300});
    let forged = stranger.sign(&header, &claims)?;
    assert_eq!(
        floor.ask(None, Some(&forged), "203.0.113.7:1").await?,
        Err("token-signature")
    );
    Ok(())
}
