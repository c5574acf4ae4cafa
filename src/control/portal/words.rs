//! Sentences: what a request asks, what is unusual about it, what a session was. Written once, so that the approver, the
//! operator, the reviewer and the customer read the same.

use crate::control::desk::ScopeChoice;
use crate::model::{AccessRequest, OperatorKind, Scope, SubjectClass, Tier, Timestamp};
use std::time::Duration;

/// "30 minutes", "1 hour", "2 hours 30 minutes".
pub(super) fn span(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    let count = |n: u64, one: &str| match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    };
    match (minutes / 60, minutes % 60) {
        (0, 0) => count(span.as_secs(), "second"),
        (0, minutes) => count(minutes, "minute"),
        (hours, 0) => count(hours, "hour"),
        (hours, minutes) => format!("{} {}", count(hours, "hour"), count(minutes, "minute")),
    }
}

/// "a", "a and b", "a, b and c".
pub(super) fn list<T: AsRef<str>>(words: &[T]) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [before @ .., last] => {
            let before: Vec<&str> = before.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", before.join(", "), last.as_ref())
        }
    }
}

/// The sentence of each scope, as the route policy says it and in its order, the mildest first; its name where it says none.
pub(super) fn sentences(scopes: &[Scope], known: &[ScopeChoice]) -> Vec<String> {
    let told = known.iter().filter(|choice| scopes.contains(&choice.name));
    let told = told.map(|choice| choice.sentence.clone());
    let unknown = scopes
        .iter()
        .filter(|scope| !known.iter().any(|choice| choice.name == **scope));
    told.chain(unknown.map(ToString::to_string)).collect()
}

/// The same within a sentence: "see orders and change a delivery address".
pub(super) fn able_to(scopes: &[Scope], known: &[ScopeChoice]) -> String {
    let lower: Vec<String> = sentences(scopes, known)
        .iter()
        .map(|it| within(it))
        .collect();
    // What has commas of its own is parted by something stronger.
    if lower.len() > 1 && lower.iter().any(|it| it.contains([',', ':'])) {
        return lower.join("; and ");
    }
    list(&lower)
}

/// A sentence's first letter as it stands within another, unless its first word is an abbreviation.
fn within(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let (first, second) = (letters.next(), letters.next());
    if second.is_some_and(char::is_uppercase) {
        return sentence.to_owned();
    }
    let rest: String = sentence.chars().skip(1).collect();
    let first = first.into_iter().flat_map(char::to_lowercase);
    first.chain(rest.trim_end_matches('.').chars()).collect()
}

pub(super) fn operator(request: &AccessRequest) -> &str {
    request
        .operator
        .name
        .as_deref()
        .unwrap_or(&request.operator.id)
}

pub(super) fn tenant(request: &AccessRequest) -> &str {
    request.tenant.name.as_deref().unwrap_or(&request.tenant.id)
}

/// "May Ada act as kim@acme.example in Acme for 30 minutes to fix SUP-1042, able to change orders?"
pub(super) fn question(request: &AccessRequest, known: &[ScopeChoice]) -> String {
    let about = match (&request.emergency, request.ticket.as_str()) {
        (Some(emergency), _) => format!(" in the emergency {}", emergency.incident),
        (None, "") => String::new(),
        (None, ticket) => format!(" to fix {ticket}"),
    };
    format!(
        "May {} act as {} in {} for {}{about}, able to {}?",
        operator(request),
        request.subject.id,
        tenant(request),
        span(request.duration),
        able_to(&request.scopes, known),
    )
}

/// What an approver should not pass over.
pub(super) fn unusual(
    request: &AccessRequest,
    ordinary_time: Duration,
    zone_minutes: i32,
    is_first: bool,
) -> Vec<String> {
    let mut unusual = Vec::new();
    if request.emergency.is_some() {
        unusual.push("This is break-glass: everything but what is never allowed.".to_owned());
    }
    match request.tier {
        Tier::Privileged => unusual
            .push("It can change security settings, export data or reset factors.".to_owned()),
        Tier::Sensitive => unusual.push("It can change or show sensitive things.".to_owned()),
        Tier::Ordinary => {}
    }
    match request.class {
        SubjectClass::Vip => unusual.push("The account is marked VIP.".to_owned()),
        SubjectClass::Admin => {
            unusual.push("The account is an administrator’s at the customer.".to_owned());
        }
        SubjectClass::Regulated => {
            unusual.push("The account holds regulated data.".to_owned());
        }
        SubjectClass::Ordinary => {}
    }
    if request.duration > ordinary_time {
        let (asked, usual) = (span(request.duration), span(ordinary_time));
        unusual.push(format!("It asks for {asked}; usual are {usual}."));
    }
    if request.operator.kind == OperatorKind::Workload {
        unusual.push("A program will act, not a person.".to_owned());
    }
    if let Some(exchange) = &request.elevates {
        unusual.push(format!("It asks for more after a refusal ({exchange})."));
    }
    if is_first {
        let who = operator(request);
        unusual.push(format!("It is {who}’s first request for this customer."));
    }
    if request.ticket.is_empty() && request.emergency.is_none() {
        unusual.push("It names no ticket.".to_owned());
    }
    if let Some(when) = odd_hour(request.created_at, zone_minutes) {
        unusual.push(when);
    }
    unusual
}

/// Asked at night or at the weekend, by the configured time zone.
fn odd_hour(at: Timestamp, zone_minutes: i32) -> Option<String> {
    let minutes = at.seconds().div_euclid(60) + i64::from(zone_minutes);
    let (hour, minute) = (
        minutes.div_euclid(60).rem_euclid(24),
        minutes.rem_euclid(60),
    );
    // 1970-01-01 was a Thursday.
    let is_weekend = matches!((minutes.div_euclid(24 * 60) + 3).rem_euclid(7), 5 | 6);
    if is_weekend {
        return Some("It was asked at the weekend.".to_owned());
    }
    let is_night = !(6..22).contains(&hour);
    is_night.then(|| format!("It was asked at {hour:02}:{minute:02}, outside ordinary hours."))
}

/// What a reason code says, for people: "customer-request" is "Customer request".
pub(super) fn reason_code(code: &str) -> String {
    let words = code.replace(['-', '_'], " ");
    let mut letters = words.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// "No approval", "One approval", "Two approvals".
pub(super) fn approvals(count: u8) -> String {
    match count {
        0 => "No approval needed".to_owned(),
        1 => "One approval".to_owned(),
        2 => "Two approvals, by different people".to_owned(),
        n => format!("{n} approvals, by different people"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_lists_read_as_people_say_them() {
        let minutes = |n: u64| span(Duration::from_secs(n * 60));
        assert_eq!(minutes(30), "30 minutes");
        assert_eq!(minutes(60), "1 hour");
        assert_eq!(minutes(150), "2 hours 30 minutes");
        assert_eq!(span(Duration::from_secs(45)), "45 seconds");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list::<&str>(&[]), "");
    }

    #[test]
    fn a_sentence_stands_within_another() {
        assert_eq!(
            within("See orders and invoices."),
            "see orders and invoices"
        );
        assert_eq!(within("MFA can be reset"), "MFA can be reset");
        assert_eq!(reason_code("customer-request"), "Customer request");
    }

    #[test]
    fn nights_and_weekends_are_unusual_by_the_configured_zone() {
        // 1970-01-01T23:30Z, a Thursday.
        let at = Timestamp::from_millis(1000 * (23 * 60 + 30) * 60);
        assert!(odd_hour(at, 0).is_some_and(|told| told.contains("23:30")));
        assert_eq!(odd_hour(at, -10 * 60), None);
        let saturday = at.plus(Duration::from_secs(86_400 + 12 * 3600));
        assert!(odd_hour(saturday, 0).is_some_and(|told| told.contains("weekend")));
    }
}
