//! Reading a ticket system's answer: whether it is the ticket that was asked for, open, and whose it is.

use super::settings::Mapping;
use crate::control::desk::{Ticket, TicketRefused};
use serde_json::Value;

/// Longest title that is kept, in characters.
const MAX_TITLE: usize = 200;

/// A ticket as its system's answer tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) ticket: Ticket,
    pub(super) is_open: bool,
    /// What the system calls those whose ticket it is; `None`: it knows no tenants.
    pub(super) owners: Option<Vec<String>>,
}

impl Mapping {
    /// Reads the answer to a question for `asked`. What is missing or another ticket's is never taken for a yes.
    pub(super) fn read(&self, answer: &Value, asked: &str) -> Result<Told, TicketRefused> {
        let missing = |what: &str, place: &str| {
            TicketRefused::Unavailable(format!("the answer has no {what} at {place}"))
        };
        let Some(id) = scalar(answer, &self.id) else {
            // A search that found nothing answers with an empty list.
            let is_empty = |list: &Value| list.as_array().is_some_and(Vec::is_empty);
            return Err(if has_above(answer, &self.id, is_empty) {
                TicketRefused::Unknown
            } else {
                missing("id", &self.id)
            });
        };
        if !id.eq_ignore_ascii_case(asked) {
            return Err(TicketRefused::Unknown);
        }
        let state = scalar(answer, &self.state).ok_or_else(|| missing("state", &self.state))?;
        let owners = match &self.tenant {
            None => None,
            Some(place) => match answer.pointer(place) {
                Some(found) => Some(owners(found)),
                // A field that nobody filled in: the ticket is nobody's.
                None if has_above(answer, place, Value::is_null) => Some(Vec::new()),
                None => return Err(missing("tenant", place)),
            },
        };
        let title = self.title.as_ref().and_then(|at| scalar(answer, at));
        Ok(Told {
            is_open: self.is_open(&state),
            owners,
            ticket: Ticket {
                id,
                title: title.and_then(|title| printable(&title)),
            },
        })
    }

    pub(super) fn is_open(&self, state: &str) -> bool {
        self.open.iter().any(|it| it.eq_ignore_ascii_case(state))
    }

    /// Whether a ticket that was told of does for this tenant.
    pub(super) fn judge(&self, told: &Told, tenant: &str) -> Result<Ticket, TicketRefused> {
        if let Some(owners) = &told.owners {
            let called = self.tenants.get(tenant).map_or(tenant, String::as_str);
            if called.is_empty() || !owners.iter().any(|owner| owner == called) {
                return Err(TicketRefused::Foreign);
            }
        }
        if told.is_open {
            Ok(told.ticket.clone())
        } else {
            Err(TicketRefused::Closed)
        }
    }
}

/// A text or a number at a place (RFC 6901). Anything else is nothing.
pub(super) fn scalar(value: &Value, place: &str) -> Option<String> {
    plain(value.pointer(place)?)
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// One owner, or several; an empty place is nobody's.
fn owners(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().filter_map(plain).collect(),
        other => plain(other).into_iter().collect(),
    }
}

/// Whether something on the way to a place is of this kind.
fn has_above(value: &Value, place: &str, is: impl Fn(&Value) -> bool) -> bool {
    place.match_indices('/').any(|(at, _)| {
        let above = place.get(..at).and_then(|above| value.pointer(above));
        above.is_some_and(&is)
    })
}

/// A title as banners and pages can show it: in one line, without what could mislead.
fn printable(title: &str) -> Option<String> {
    let short: String = title.chars().take(MAX_TITLE).collect();
    let kept: String = short
        .chars()
        .filter(|c| crate::store::text::check(&format!("x{c}"), 8).is_ok())
        .collect();
    (!kept.trim().is_empty()).then(|| kept.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn mapping() -> Mapping {
        Mapping {
            id: "/result/0/number".into(),
            title: Some("/result/0/title".into()),
            state: "/result/0/state".into(),
            open: vec!["1".into(), "In Progress".into()],
            tenant: Some("/result/0/company".into()),
            tenants: [("acme".to_owned(), "org-7".to_owned())].into(),
        }
    }

    fn judged(answer: &Value, tenant: &str) -> Result<Ticket, TicketRefused> {
        let told = mapping().read(answer, "INC1")?;
        mapping().judge(&told, tenant)
    }

    fn answer(number: &Value, state: &Value, company: &Value) -> Value {
        json!({ "result": [{ "number": number, "state": state, "company": company, "title": "A\u{202e}b\n" }] })
    }

    #[test]
    fn only_the_ticket_that_was_asked_for_open_and_of_the_tenant_does() {
        let good = answer(&json!("INC1"), &json!("in progress"), &json!("org-7"));
        let ticket = judged(&good, "acme");
        assert_eq!(
            ticket,
            Ok(Ticket {
                id: "INC1".into(),
                title: Some("Ab".into())
            })
        );
        let number = answer(&json!("INC1"), &json!(1), &json!(["x", "org-7"]));
        assert!(judged(&number, "acme").is_ok());
        for (answer, tenant, why) in [
            (
                answer(&json!("INC2"), &json!(1), &json!("org-7")),
                "acme",
                TicketRefused::Unknown,
            ),
            (
                answer(&json!("INC1"), &json!(6), &json!("org-7")),
                "acme",
                TicketRefused::Closed,
            ),
            (
                answer(&json!("INC1"), &json!(1), &json!("org-8")),
                "acme",
                TicketRefused::Foreign,
            ),
            (
                answer(&json!("INC1"), &json!(1), &json!(null)),
                "acme",
                TicketRefused::Foreign,
            ),
            (
                answer(&json!("INC1"), &json!(1), &json!("org-7")),
                "globex",
                TicketRefused::Foreign,
            ),
            (
                answer(&json!("INC1"), &json!(1), &json!("")),
                "",
                TicketRefused::Foreign,
            ),
            (json!({ "result": [] }), "acme", TicketRefused::Unknown),
        ] {
            assert_eq!(judged(&answer, tenant), Err(why), "{answer}");
        }
    }

    #[test]
    fn what_says_nothing_is_no_answer() {
        for lie in [
            json!({}),
            json!(null),
            json!("INC1"),
            json!({ "result": { "number": "INC1" } }),
            json!({ "result": [{ "number": { "value": "INC1" }, "state": 1, "company": "org-7" }] }),
            json!({ "result": [{ "number": "INC1", "company": "org-7" }] }),
            json!({ "result": [{ "number": "INC1", "state": true, "company": "org-7" }] }),
            json!({ "result": [{ "number": "INC1", "state": 1 }] }),
        ] {
            let judged = judged(&lie, "acme");
            assert!(
                matches!(judged, Err(TicketRefused::Unavailable(_))),
                "{lie}: {judged:?}"
            );
        }
    }
}
