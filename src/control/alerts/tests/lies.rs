//! What counts as taken, and what does not, for each kind of channel.

use crate::control::alerts::fixture::{Bench, Does, Fake, mail_server, tess};
use crate::control::alerts::{Alerts, Settings};
use crate::control::desk::Alarm as _;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a channel of this kind says of a receiver that does this: `taken`, or the word of the metric.
async fn said(bench: &Bench, kind: &str, does: Does) -> &'static str {
    let fake = Fake::new(does).await;
    let secret = bench.file("secret", KEY);
    let secret = match kind {
        "slack" => String::new(),
        _ => format!("secret_files = [{secret:?}]"),
    };
    let url = fake.url();
    let alerts = bench.alerts(&format!(
        "[[alerts]]\nname = \"one\"\nkind = {kind:?}\nurl = {url:?}\ntimeout = \"300ms\"\n{secret}"
    ));
    word(&alerts).await
}

/// What its channel said, in a word.
async fn word(alerts: &Alerts) -> &'static str {
    let tried = alerts.test(Some("one"), &tess()).await;
    let tried = tried.expect("it is tested");
    assert_eq!(tried.len(), 1);
    tried.first().map_or("nothing", |it| it.result)
}

const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const FOUND: &str = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 2\r\n\r\nok";
const NOT_MODIFIED: &str = "HTTP/1.1 304 Not Modified\r\n\r\n";
const ERROR: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\nok";
const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\nok";
const HALF_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-le";
const HALF_CHUNKS: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n";
const GARBAGE: &str = "+OK welcome\r\n\r\n";
const EARLY: &str = "HTTP/1.1 100 Continue\r\n\r\n";

#[tokio::test]
async fn no_channel_takes_what_only_looks_like_a_yes() {
    let bench = Bench::new();
    for kind in ["webhook", "slack", "pagerduty"] {
        for (does, want) in [
            (Does::Hangs, "timeout"),
            (Does::Closes, "broken-off"),
            (Does::Says(FOUND), "redirect"),
            (Does::Says(NOT_MODIFIED), "redirect"),
            (Does::Says(ERROR), "status"),
            (Does::Says(HALF_HEAD), "broken-off"),
            (Does::Says(GARBAGE), "broken-off"),
            (Does::Says(EARLY), "broken-off"),
            (Does::Says(HALF), "broken-off"),
            (Does::Says(HALF_CHUNKS), "broken-off"),
        ] {
            assert_eq!(said(&bench, kind, does).await, want, "{kind} {does:?}");
        }
    }
}

#[tokio::test]
async fn a_webhook_takes_with_any_2xx_but_a_page() {
    let bench = Bench::new();
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n<!DOCTYPE html><p>Sign in.</p>";
    for (answer, want) in [(NO_CONTENT, "taken"), (OK, "taken"), (page, "body")] {
        assert_eq!(
            said(&bench, "webhook", Does::Says(answer)).await,
            want,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn slack_takes_with_ok_only() {
    let bench = Bench::new();
    let no = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nno_service";
    let empty = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    for (answer, want) in [
        (OK, "taken"),
        (no, "body"),
        (empty, "body"),
        (NO_CONTENT, "status"),
    ] {
        assert_eq!(
            said(&bench, "slack", Does::Says(answer)).await,
            want,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn pagerduty_takes_with_202_and_success() {
    let bench = Bench::new();
    let yes = "HTTP/1.1 202 Accepted\r\ncontent-length: 20\r\n\r\n{\"status\":\"success\"}";
    let no = "HTTP/1.1 202 Accepted\r\ncontent-length: 18\r\n\r\n{\"status\":\"nope!\"}";
    let not_202 = "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"status\":\"success\"}";
    for (answer, want) in [
        (yes, "taken"),
        (no, "body"),
        (not_202, "status"),
        (OK, "status"),
    ] {
        assert_eq!(
            said(&bench, "pagerduty", Does::Says(answer)).await,
            want,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_mail_is_taken_with_250_to_the_message() {
    let bench = Bench::new();
    for (to_data, to_message, want) in [
        ("354 go\r\n", Does::Says("250 queued\r\n"), "taken"),
        ("354 go\r\n", Does::Says("251 elsewhere\r\n"), "mail-answer"),
        ("354 go\r\n", Does::Says("451 later\r\n"), "mail"),
        ("354 go\r\n", Does::Says("2"), "timeout"),
        ("354 go\r\n", Does::Hangs, "timeout"),
        ("354 go\r\n", Does::Closes, "mail"),
        ("554 no\r\n", Does::Closes, "mail"),
    ] {
        let server = mail_server(to_data, to_message).await;
        let alerts = bench.alerts(&format!(
            "[[alerts]]\nname = \"one\"\nkind = \"smtp\"\nserver = \"{server}\"\ntls = \"none\"\n\
             timeout = \"300ms\"\nfrom = \"Locum <locum@example.com>\"\nto = [\"soc@example.com\"]"
        ));
        let said = word(&alerts).await;
        assert_eq!(said, want, "{to_data} {to_message:?}");
    }
}

#[tokio::test]
async fn nobody_listens() {
    let bench = Bench::new();
    let fake = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = fake.local_addr().expect("its address");
    drop(fake);
    let alerts = bench.alerts(&format!(
        "[[alerts]]\nname = \"one\"\nkind = \"slack\"\nurl = \"http://{address}/secret-part\""
    ));
    let tested = alerts.test(None, &tess()).await;
    let shown = format!("{tested:?}");
    assert!(!shown.contains("secret-part"), "{shown}");
    assert!(shown.contains("refused"), "{shown}");
    assert_eq!(tested.expect("it is tested")[0].result, "connect");
    let unknown = alerts.test(Some("two"), &tess()).await;
    let unknown = unknown.expect_err("there is none");
    assert_eq!(
        unknown.problems[0].message,
        "no channel has this name; there are: one"
    );
    let happened = bench.happened("result");
    assert_eq!(
        happened,
        [("alert.tested".to_owned(), "connect".to_owned())]
    );
}

#[test]
fn no_error_or_debug_shows_a_secret() {
    let bench = Bench::new();
    let (key, url) = (
        bench.file("key", "whsec_c2VjcmV0"),
        bench.file("url", "https://hooks.example/services/hidden"),
    );
    let slack = format!("[[alerts]]\nname = \"s\"\nkind = \"slack\"\nurl_file = {url:?}");
    let settings = format!("{:?}", bench.settings(&slack));
    assert!(!settings.contains("hidden"), "{settings}");
    let config = bench.config(&format!(
        "[[alerts]]\nname = \"w\"\nkind = \"webhook\"\nurl = \"https://siem.example\"\nsecret_files = [{key:?}]"
    ));
    let refused = Settings::from_config(&config);
    let refused = refused
        .err()
        .map_or_else(String::new, |why| why.to_string());
    assert!(refused.contains("24 to 64 bytes"), "{refused}");
    assert!(!refused.contains("c2VjcmV0"), "{refused}");
}
