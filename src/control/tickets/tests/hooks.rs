//! Ticket systems' signed messages: what they end, and which are not believed.

use super::super::hook::{Hook, HookRefused};
use super::*;
use crate::model::Timestamp;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const NOW: i64 = 1_700_000_000_000;

pub(super) fn hooked(scheme: Scheme, path: &std::path::Path, hook: HookSettings) -> TicketDesk {
    let mut system = generic("http://127.0.0.1:1/{ticket}");
    system.patterns = vec!["SUP-#".to_owned()];
    system.hook = Some(HookSettings {
        scheme,
        secret: SecretAt::File(path.to_owned()),
        ..hook
    });
    let mut other = generic("http://127.0.0.1:1/{ticket}");
    (other.name, other.patterns) = ("other".to_owned(), vec!["OPS-#".to_owned()]);
    desk(vec![system, other])
}

pub(super) fn hook_settings() -> HookSettings {
    HookSettings {
        scheme: Scheme::Standard,
        secret: SecretAt::Variable("NONE".to_owned()),
        tolerance: Duration::from_secs(300),
        max_body: 4096,
        timeout: Duration::from_millis(500),
        max_remembered: 16,
        ticket: "/ticket".to_owned(),
        state: Some("/state".to_owned()),
        event: Some("/event".to_owned()),
        closing_events: vec!["deleted".to_owned()],
    }
}

fn mac(key: &[u8], message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message)
}

/// A message by Standard Webhooks, signed at `at` (milliseconds).
pub(super) fn standard(key: &[u8], at: i64, body: &str) -> HeaderMap {
    let seconds = at / 1000;
    let tag = mac(key, format!("msg_1.{seconds}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(tag.as_ref()));
    [
        ("webhook-id", "msg_1".to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signature),
    ]
    .into_iter()
    .map(|(name, value)| {
        let name = http::HeaderName::from_static(name);
        (name, value.parse().expect("a value"))
    })
    .collect()
}

fn says(desk: &TicketDesk, headers: &HeaderMap, body: &str) -> Result<Option<String>, HookRefused> {
    let now = Timestamp::from_millis(NOW);
    let hook = Hook {
        system: Some("desk"),
        headers,
        body: body.as_bytes(),
        now,
    };
    let says = desk.hook(&hook)?;
    desk.hook_done(&says, now);
    Ok(says.closed)
}

pub(super) const KEY: &[u8] = b"a key of twenty-four by..";

#[test]
fn a_signed_message_closes_its_ticket_once() {
    let (_folder, path) = secret(&format!("whsec_{}\n", STANDARD.encode(KEY)));
    let desk = hooked(Scheme::Standard, &path, hook_settings());
    assert_eq!(desk.hook_bounds(None).map(|it| it.bytes), Ok(4096));
    assert_eq!(desk.hook_bounds(Some("other")), Err(HookRefused::NoSystem));
    let body = r#"{"ticket":"SUP-1","state":"Closed"}"#;
    let headers = standard(KEY, NOW, body);
    assert_eq!(says(&desk, &headers, body), Ok(Some("SUP-1".to_owned())));
    assert_eq!(says(&desk, &headers, body), Ok(None), "said again");
    for (body, closed) in [
        (r#"{"ticket":"SUP-2","state":"OPEN"}"#, Ok(None)),
        (r#"{"ticket":"SUP-2","comment":"hi"}"#, Ok(None)),
        (
            r#"{"ticket":"SUP-2","event":"deleted"}"#,
            Ok(Some("SUP-2".to_owned())),
        ),
        (
            r#"{"state":"closed"}"#,
            Err(HookRefused::Unreadable("/ticket".to_owned())),
        ),
        (
            r#"{"ticket":"OPS-1","state":"closed"}"#,
            Err(HookRefused::Foreign),
        ),
        (
            r#"{"ticket":"*","state":"closed"}"#,
            Err(HookRefused::Foreign),
        ),
        (
            "nonsense",
            Err(HookRefused::Unreadable("JSON body".to_owned())),
        ),
    ] {
        assert_eq!(
            says(&desk, &standard(KEY, NOW, body), body),
            closed,
            "{body}"
        );
    }
}

#[test]
fn what_is_forged_stale_or_from_the_future_is_not_believed() {
    let (_folder, path) = secret(&format!("whsec_{}\n", STANDARD.encode(KEY)));
    let desk = hooked(Scheme::Standard, &path, hook_settings());
    let body = r#"{"ticket":"SUP-1","state":"closed"}"#;
    let other = b"another key of twenty-four";
    for (headers, why) in [
        (standard(other, NOW, body), HookRefused::Forged),
        (standard(KEY, NOW, "{}"), HookRefused::Forged),
        (standard(KEY, NOW - 301_000, body), HookRefused::Stale),
        (standard(KEY, NOW + 301_000, body), HookRefused::Stale),
        (standard(KEY, i64::MAX, body), HookRefused::Forged),
        (HeaderMap::new(), HookRefused::Unsigned("webhook-id")),
    ] {
        let said = says(&desk, &headers, body);
        let is_late = matches!(&said, Err(HookRefused::Unsigned(_) | HookRefused::Stale));
        assert!(said == Err(why) || is_late, "{said:?}");
        assert!(said.is_err());
    }
    assert!(says(&desk, &standard(KEY, NOW - 299_000, body), body).is_ok());
}

#[test]
fn both_secrets_are_good_while_one_replaces_the_other() {
    let newer = b"the newer key of 24 bytes!";
    let lines = format!(
        "whsec_{}\nwhsec_{}\n",
        STANDARD.encode(KEY),
        STANDARD.encode(newer)
    );
    let (_folder, path) = secret(&lines);
    let desk = hooked(Scheme::Standard, &path, hook_settings());
    for key in [KEY, newer] {
        let body = r#"{"ticket":"SUP-1","state":"closed"}"#;
        assert!(says(&desk, &standard(key, NOW, body), body).is_ok());
    }
}

#[test]
fn jira_signs_the_body_and_the_time_is_in_it() {
    let (_folder, path) = secret("It's a Secret to Everybody");
    let jira = configured(&format!(
        "[[tickets.systems]]\nname = 'desk'\npreset = 'jira'\nurl = 'https://acme.atlassian.net'\nany_tenant = true\n\
         webhook = {{ signature = 'hub', secret_file = '{}' }}\n",
        path.display()
    ));
    let desk = desk(jira);
    let signed = |body: &str| -> HeaderMap {
        let tag = mac(b"It's a Secret to Everybody", body.as_bytes());
        let hex = tag.as_ref().iter().fold(String::new(), |mut hex, byte| {
            use std::fmt::Write as _;
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let name = http::HeaderName::from_static("x-hub-signature");
        let value = format!("sha256={hex}").parse().expect("a value");
        [(name, value)].into_iter().collect()
    };
    let event = |at: i64, what: &str, category: &str| {
        json!({
            "timestamp": at, "webhookEvent": what, "issue_event_type_name": "issue_generic",
            "issue": jira_issue("SUP-1", category, &Value::Null),
            "changelog": { "items": [{ "field": "status", "toString": "Done" }] },
        })
        .to_string()
    };
    for (body, closed) in [
        (
            event(NOW, "jira:issue_updated", "done"),
            Ok(Some("SUP-1".to_owned())),
        ),
        (event(NOW, "jira:issue_updated", "indeterminate"), Ok(None)),
        (
            event(NOW, "jira:issue_deleted", "new"),
            Ok(Some("SUP-1".to_owned())),
        ),
        (
            event(NOW - 600_000, "jira:issue_updated", "done"),
            Err(HookRefused::Stale),
        ),
        (
            "{\"issue\":{}}".to_owned(),
            Err(HookRefused::Unreadable("/timestamp".to_owned())),
        ),
    ] {
        assert_eq!(says(&desk, &signed(&body), &body), closed, "{body}");
    }
}

#[test]
fn zendesk_signs_time_and_body() {
    let (_folder, path) = secret("dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==");
    let zendesk = configured(&format!(
        "[[tickets.systems]]\nname = 'desk'\npreset = 'zendesk'\nurl = 'https://acme.zendesk.com'\n\
         webhook = {{ signature = 'zendesk', secret_file = '{}' }}\n",
        path.display()
    ));
    let desk = desk(zendesk);
    let signed = |time: &str, body: &str| -> HeaderMap {
        let tag = mac(
            b"dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==",
            format!("{time}{body}").as_bytes(),
        );
        [
            ("x-zendesk-webhook-signature", STANDARD.encode(tag.as_ref())),
            ("x-zendesk-webhook-signature-timestamp", time.to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, value.parse().expect("a value"))
        })
        .collect()
    };
    let event = |kind: &str, status: &str| {
        json!({
            "account_id": 22_129_848, "type": kind, "time": "2023-11-14T22:13:20Z", "zendesk_event_version": "2022-11-06",
            "subject": "zen:ticket:5158", "detail": { "id": "5158", "status": status, "organization_id": "8447388090494" },
            "event": { "current": status, "previous": "OPEN" },
        })
        .to_string()
    };
    let time = "2023-11-14T22:13:20Z";
    for (kind, status, closed) in [
        (
            "zen:event-type:ticket.status_changed",
            "SOLVED",
            Some("5158"),
        ),
        ("zen:event-type:ticket.status_changed", "PENDING", None),
        ("zen:event-type:ticket.soft_deleted", "OPEN", Some("5158")),
    ] {
        let body = event(kind, status);
        let said = says(&desk, &signed(time, &body), &body);
        assert_eq!(said, Ok(closed.map(str::to_owned)), "{body}");
    }
    let body = event("zen:event-type:ticket.status_changed", "CLOSED");
    let old = says(&desk, &signed("2023-11-14T22:00:00Z", &body), &body);
    assert_eq!(old, Err(HookRefused::Stale));
}

#[test]
fn no_secret_is_in_any_words() {
    let (_folder, path) = secret("hunter2hunter2");
    let why = {
        let mut system = generic("http://127.0.0.1:1/{ticket}");
        system.hook = Some(HookSettings {
            secret: SecretAt::File(path.clone()),
            ..hook_settings()
        });
        let settings = TicketSettings {
            systems: vec![system],
            patterns: Vec::new(),
            cache_ttl: Duration::ZERO,
            cache_entries: 0,
        };
        TicketDesk::new(&settings)
            .map(|_| ())
            .expect_err("no such secret")
            .to_string()
    };
    assert!(why.contains("whsec_") && !why.contains("hunter2"), "{why}");
    let desk = hooked(Scheme::Hub, &path, hook_settings());
    assert!(!format!("{desk:?}").contains("hunter2"));
}
