//! The customer's link reaches their contact through a real mail server (aiosmtpd), by `STARTTLS` and a password, and nobody
//! else: no page, no answer, no record, no log. `tests/receivers/run.sh` installs the server.

use super::desk::{Desk, Person};
use crate::receivers::Bench;
use serde_json::{Value, json};

const CONTACT: &str = "privacy@acme.example";

/// A Locum that asks acme's contact by this mail server.
fn desk(bench: &Bench, port: &str, password: &str) -> Desk {
    let (ca, password) = (bench.path("ca.pem"), bench.path(password));
    let mut desk = Desk::new(&format!(
        "consent_mail = {{ server = 'localhost:{port}', from = 'Support access <access@support.example>', \
         username = 'locum', password_file = '{}', ca = '{}', timeout = '10s' }}",
        password.display(),
        ca.display()
    ));
    let contact = format!("name = 'Acme'\nconsent = true\ncontact = '{CONTACT}'\n");
    desk.edit("locum.toml", "name = 'Acme'\n", &contact);
    desk.start();
    desk
}

fn asked(ada: &Person) -> String {
    let request = json!({
        "app": "shop", "tenant": "acme", "subject": "kim@acme.example", "scopes": ["view"], "minutes": 30,
        "ticket": "SUP-1042", "reason_code": "customer-request", "reason": "Cannot see an invoice"
    });
    let made = ada.post("/api/v1/requests", &request).expect("an answer");
    assert_eq!(made.status, 201, "{}", made.body);
    let id = &made.json()["id"];
    id.as_str().expect("an id").to_owned()
}

#[test]
#[ignore = "needs what tests/receivers/run.sh installs"]
fn the_link_reaches_the_contact_alone() {
    let bench = Bench::new();
    let mut server = bench.mail_server("starttls", &["locum", "correct horse"]);
    let mut desk = desk(&bench, &server.port, "password");
    let [ada, bo] = ["ada", "bo"].map(|id| desk.sign_in(id));
    let id = asked(&ada);
    let path = format!("/api/v1/requests/{id}/consent-link");
    let own = ada.post(&path, &Value::Null).expect("an answer");
    assert_eq!(own.status, 403, "not by whoever asked: {}", own.body);
    let made = bo.post(&path, &Value::Null).expect("an answer");
    assert_eq!(made.status, 200, "{}", made.body);
    assert_eq!(made.json(), json!({ "url": null, "mailed_to": CONTACT }));

    let mail = server.next();
    assert_eq!(mail["tls"], true, "{mail}");
    assert_eq!(mail["authenticated"], true, "{mail}");
    assert_eq!(mail["to"], json!([CONTACT]));
    assert_eq!(mail["headers"]["auto-submitted"], "auto-generated");
    let body = mail["body"].as_str().expect("a text");
    assert!(
        body.contains("asks to act as kim@acme.example in shop"),
        "{body}"
    );
    let link = body.lines().find(|line| line.contains("/consent#"));
    let (_, secret) = link.and_then(|it| it.split_once('#')).expect("the link");
    let secret = secret.trim();

    // By the portal, the same: another letter is too soon, and no page has the link.
    let page = bo
        .send(&format!("/requests/{id}/consent-link"))
        .expect("a page");
    assert_eq!(page.status, 429, "{}", page.body);
    assert!(page.body.contains("consent.mail-rate"), "{}", page.body);
    for text in [made.body, page.body] {
        assert!(
            !text.contains("consent#") && !text.contains(secret),
            "{text}"
        );
    }
    let seen = desk.send("/consent", &format!("token={secret}"));
    assert!(seen.body.contains("kim@acme.example"), "{}", seen.body);
    let agreed = desk.send("/consent", &format!("token={secret}&answer=agree"));
    assert_eq!(agreed.status, 303, "{}", agreed.body);
    let request = ada
        .get(&format!("/api/v1/requests/{id}"))
        .expect("an answer");
    assert!(
        request.json()["consented_at"].is_string(),
        "{}",
        request.body
    );
    desk.stop();
    assert!(!desk.log().contains(secret));
    for entry in std::fs::read_dir(desk.journal()).expect("the journal") {
        let path = entry.expect("a file").path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&bytes).contains(secret),
            "{}",
            path.display()
        );
    }
}

#[test]
#[ignore = "needs what tests/receivers/run.sh installs"]
fn a_server_that_refuses_leaves_no_link_and_tells_its_caller_nothing() {
    let bench = Bench::new();
    let server = bench.mail_server("starttls", &["locum", "correct horse"]);
    let desk = desk(&bench, &server.port, "wrong");
    let [ada, bo] = ["ada", "bo"].map(|id| desk.sign_in(id));
    let path = format!("/api/v1/requests/{}/consent-link", asked(&ada));
    let refused = bo.post(&path, &Value::Null).expect("an answer");
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert_eq!(refused.json()["reason"], "consent.unsent");
    assert!(!refused.body.contains("535"), "{}", refused.body);
    let links = super::desk::open(&desk.database());
    let links: i64 = links
        .query_row("SELECT COUNT(*) FROM consents", [], |row| row.get(0))
        .expect("counted");
    assert_eq!(links, 0, "what did not leave is void");
}
