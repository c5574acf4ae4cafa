//! The customer's link by mail: to their contact alone, void if it did not leave, and not twice in a row.

use super::{Outcome, reason, vote};
use crate::config::Config;
use crate::control::alerts::fixture::{Does, mail_server};
use crate::control::courier::Courier;
use crate::control::desk::{Settings, TenantSettings};
use crate::control::lifecycle::ConsentLink;
use crate::control::testing::{Bench, ask, settings};
use crate::model::{AccessRequest, SubjectClass};
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
    let counted = bench.control.metrics.encode();
    assert!(counted.contains("limit=\"consent-mails\"} 1"), "{counted}");
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
        let links = bench
            .control
            .book
            .write("counting links", |tx| tx.consents());
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
    Ok(())
}
