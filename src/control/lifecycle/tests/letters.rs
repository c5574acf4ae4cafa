//! The customer's link by mail: to their contact alone, void if it did not leave, and not twice in a row.

use super::{Outcome, reason, secret_of, vote};
use crate::config::Config;
use crate::control::alerts::fixture::{Does, mail_server};
use crate::control::courier::Courier;
use crate::control::desk::{Bounds, Settings, TenantSettings};
use crate::control::lifecycle::{Ask, ConsentLink, Registration};
use crate::control::testing::{Bench, ask, settings};
use crate::model::{AccessRequest, Role, SubjectClass, Workload};
use crate::store::StoreError;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const CONTACT: &str = "privacy@acme.example";

fn courier(server: std::net::SocketAddr) -> Courier {
    let dir = tempfile::tempdir().expect("a folder");
    let smallest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/smallest.toml");
    let smallest = std::fs::read_to_string(smallest).expect("the smallest configuration");
    let path = dir.path().join("locum.toml");
    let mail = format!(
        "[consent_mail]\nserver = \"{server}\"\ntls = \"none\"\nfrom = \"access@support.example\"\ntimeout = \"1s\"\n"
    );
    std::fs::write(&path, smallest + &mail).expect("written");
    let config = Config::load_without_files(&path, []).unwrap_or_else(|why| panic!("{why}"));
    let courier = Courier::from_config(&config).unwrap_or_else(|why| panic!("{why}"));
    courier.expect("one is configured")
}

/// A request of acme's that waits for consent, and a mail server that does this with each letter.
async fn waiting(
    bench: &Bench,
    does: Does,
) -> Result<AccessRequest, crate::control::refusal::Refusal> {
    let server = mail_server("354 go\r\n", does).await;
    let acme = TenantSettings {
        contact: Some(CONTACT.to_owned()),
        ..TenantSettings::default()
    };
    bench.control.settings.store(Arc::new(Settings {
        tenants: [("acme".to_owned(), acme)].into(),
        courier: Some(courier(server)),
        ..settings()
    }));
    *bench.around.class.lock() = Some(SubjectClass::Regulated);
    let request = bench
        .control
        .ask(&bench.operator("ada"), &ask("view"))
        .await?;
    vote(bench, &bench.approver("bo"), &request).await?;
    vote(bench, &bench.approver("cy"), &request).await?;
    Ok(request)
}

/// What each step about consent said, with one of its details.
fn told(bench: &Bench, detail: &str) -> Vec<(String, String)> {
    let noted = bench.control.book.unrecorded(1000).expect("what happened");
    let noted = noted.into_iter().map(|it| it.happened);
    let about = noted.filter(|it| it.code.starts_with("consent."));
    let told = about.map(|it| {
        let found = it.details.iter().find(|(name, _)| name == detail);
        (
            it.code,
            found.map_or_else(String::new, |(_, value)| value.clone()),
        )
    });
    told.collect()
}

fn pair(code: &str, value: &str) -> (String, String) {
    (code.to_owned(), value.to_owned())
}

#[tokio::test]
async fn a_contact_gets_the_link_and_nobody_here_does() -> Outcome {
    let bench = Bench::new();
    let request = waiting(&bench, Does::Says("250 taken\r\n")).await?;
    let bo = bench.approver("bo");
    let made = bench.control.consent_link(&bo, request.id).await?;
    assert_eq!(made, ConsentLink::Mailed(CONTACT.to_owned()));
    assert_eq!(
        told(&bench, "link"),
        [pair("consent.asked", "mailed"), pair("consent.mailed", "")]
    );
    assert_eq!(
        told(&bench, "to"),
        [
            pair("consent.asked", CONTACT),
            pair("consent.mailed", CONTACT)
        ]
    );
    let all = bench.control.book.unrecorded(1000).expect("what happened");
    assert!(
        !format!("{all:?}").contains("/consent#"),
        "no record has it"
    );

    let again = bench.control.consent_link(&bo, request.id).await;
    assert_eq!(reason(again), "consent.mail-rate");
    let counted = bench.control.metrics.expose();
    assert!(counted.contains("limit=\"ConsentMails\"} 1"), "{counted}");
    bench.pass(Duration::from_secs(300));
    let later = bench.control.consent_link(&bo, request.id).await?;
    assert_eq!(later, ConsentLink::Mailed(CONTACT.to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_letter_that_is_not_taken_leaves_no_link() -> Outcome {
    for does in [Does::Says("451 later\r\n"), Does::Closes, Does::Hangs] {
        let bench = Bench::new();
        let request = waiting(&bench, does).await?;
        let bo = bench.approver("bo");
        let refused = bench.control.consent_link(&bo, request.id).await;
        let refused = refused.expect_err("it was not taken");
        assert_eq!(refused.reason, "consent.unsent", "{does:?}");
        assert!(!refused.detail.contains("451"), "no oracle: {refused}");
        let codes = bench.codes();
        assert!(codes.iter().any(|it| it == "consent.unsent"), "{codes:?}");
        let links = bench.control.book.write("counting links", |tx| {
            let links = tx.consents()?;
            Ok::<_, StoreError>(links)
        });
        assert_eq!(links.expect("read"), 0, "{does:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_contact_without_a_mail_server_is_never_shown_the_link_here() -> Outcome {
    let bench = Bench::new();
    let request = waiting(&bench, Does::Closes).await?;
    let mut without = settings();
    without
        .tenants
        .clone_from(&bench.control.settings.load().tenants);
    bench.control.settings.store(Arc::new(without));
    let made = bench
        .control
        .consent_link(&bench.approver("bo"), request.id)
        .await;
    assert_eq!(reason(made), "consent.unsent");
    Ok(())
}

#[tokio::test]
async fn without_a_contact_the_record_says_who_saw_it() -> Outcome {
    let bench = Bench::new();
    *bench.around.class.lock() = Some(SubjectClass::Regulated);
    let request = bench
        .control
        .ask(&bench.operator("ada"), &ask("view"))
        .await?;
    let made = bench
        .control
        .consent_link(&bench.approver("bo"), request.id)
        .await?;
    assert!(matches!(made, ConsentLink::Shown(_)));
    assert_eq!(told(&bench, "link"), [pair("consent.asked", "shown")]);
    assert_eq!(
        told(&bench, "to"),
        [pair("consent.asked", "bo@support.example")]
    );
    assert!(!format!("{made:?}").contains('#'));
    // Whoever saw it, or anybody of ours who is signed in, does not answer by it.
    let secret = secret_of(&made).expect("it is shown");
    for ours in [
        bench.approver("bo"),
        bench.security("sam"),
        bench.operator("oli"),
    ] {
        let answered = bench.control.consent(&secret, true, Some(&ours)).await;
        assert_eq!(reason(answered), "duty.not-the-customer", "{}", ours.person);
    }
    let nobody = bench.person("nils", &[]);
    let answered = bench.control.consent(&secret, true, Some(&nobody)).await;
    assert_eq!(reason(answered), "-");
    Ok(())
}

#[tokio::test]
async fn limits_of_tickets_and_places_are_the_configurations() -> Outcome {
    let bench = Bench::new();
    let bounds = Bounds {
        ticket_bytes: 8,
        at_once: Duration::from_secs(60),
        places: 2,
        ..Bounds::default()
    };
    let settings = Settings {
        bounds,
        ..settings()
    };
    bench.control.settings.store(Arc::new(settings));
    let long = bench
        .control
        .ask(
            &bench.operator("ada"),
            &Ask {
                ticket: "SUP-10423".to_owned(),
                ..ask("view")
            },
        )
        .await;
    let long = long.expect_err("nine bytes are too many");
    assert_eq!(long.problems[0].message, "is longer than 8 bytes");
    let counted = bench.control.metrics.expose();
    assert!(counted.contains("limit=\"TicketId\"} 1"), "{counted}");

    let max = bench.person("max", &[(Role::Admin, "*")]);
    let id = "spiffe://corp.example/report";
    let report = Registration {
        id: id.to_owned(),
        owner: "dana@corp.example".to_owned(),
        system: "reports".to_owned(),
        purpose: "Monthly reports".to_owned(),
        scopes: "view".parse().into_iter().collect(),
        apps: vec!["shop".to_owned()],
        tenants: vec!["acme".to_owned()],
        budget: 10,
        renew_by: bench.control.now().plus(Duration::from_secs(86_400)),
    };
    bench.control.register(&max, report).await?;
    for (network, pause) in [
        ("192.0.2.0/24", 61),
        ("198.51.100.0/24", 61),
        ("203.0.113.0/24", 59),
    ] {
        bench.control.workload_used(id, network).await?;
        bench.pass(Duration::from_secs(pause));
    }
    let shared = || {
        bench
            .codes()
            .iter()
            .filter(|it| *it == "workload.shared")
            .count()
    };
    assert_eq!(shared(), 0, "never two within a minute");
    bench.control.workload_used(id, "192.0.2.0/24").await?;
    assert_eq!(shared(), 1);
    let kept = bench
        .control
        .book
        .write("reading", |tx| tx.find::<Workload>(id));
    assert_eq!(kept.expect("read").map(|it| it.places.len()), Some(2));
    Ok(())
}
