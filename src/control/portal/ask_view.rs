//! What the form of a new request shows: the choices with what each adds, and the answer before it is sent.

use super::parts::{Notice, Wrong};
use super::words;
use crate::control::desk::ScopeChoice;
use crate::control::lifecycle::{Ask, Considered, Weighed};
use crate::control::refusal::{Kind, Refusal};
use crate::model::{SubjectClass, Tier};
use std::time::Duration;

/// Lengths of time that people choose from, in minutes.
const LENGTHS: [u64; 8] = [5, 15, 30, 60, 120, 240, 480, 1440];

/// How many of them are offered: the shortest.
const OFFERED: usize = 5;

/// A customer to choose.
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) name: String,
}

/// One way to say why.
pub(super) struct Code {
    pub(super) value: String,
    pub(super) words: String,
    pub(super) chosen: bool,
}

/// A length of time to choose.
pub(super) struct Minutes {
    pub(super) value: u64,
    pub(super) words: String,
    pub(super) chosen: bool,
}

/// What stands in the form.
pub(super) struct Typed {
    pub(super) app: String,
    pub(super) tenant: String,
    pub(super) subject: String,
    pub(super) subject_name: String,
    pub(super) ticket: String,
    pub(super) reason_code: String,
    pub(super) reason: String,
    pub(super) scopes: Vec<String>,
    pub(super) minutes: u64,
    /// The refused exchange that this asks elevation for, and what it tried.
    pub(super) exchange: Option<String>,
    pub(super) action: Option<String>,
}

/// One scope to choose.
pub(super) struct Chosen {
    pub(super) name: String,
    pub(super) sentence: String,
    pub(super) checked: bool,
    /// What it takes: "One approval".
    pub(super) takes: String,
    pub(super) tone: &'static str,
}

/// What it would take, before it is sent.
pub(super) struct Answer {
    pub(super) tone: &'static str,
    pub(super) head: String,
    pub(super) lines: Vec<String>,
    /// Fields that are empty yet.
    pub(super) missing: Vec<String>,
    pub(super) wrong: Vec<Wrong>,
    pub(super) ticket: Option<String>,
    pub(super) reason: Option<&'static str>,
}

impl Answer {
    /// Nothing was asked yet.
    pub(super) fn waiting() -> Self {
        Self {
            tone: "",
            head: "What it takes".to_owned(),
            lines: vec![
                "Fill in the form: before you send it, you see here who must agree.".to_owned(),
            ],
            missing: Vec::new(),
            wrong: Vec::new(),
            ticket: None,
            reason: None,
        }
    }
}

/// The scopes of an app as choices. Without a weighing, the tier alone tells.
pub(super) fn scopes(known: &[ScopeChoice], chosen: &[String], weighed: &[Weighed]) -> Vec<Chosen> {
    let choices = known.iter().map(|choice| {
        let weight = weighed.iter().find(|it| it.scope.name == choice.name);
        let (takes, tone) = match weight.map(|it| &it.answer) {
            Some(Ok(needs)) => {
                let consent = if needs.consent {
                    " and the customer’s consent"
                } else {
                    ""
                };
                (
                    format!("{}{consent}", words::approvals(needs.approvals)),
                    tone(choice.tier),
                )
            }
            Some(Err(message)) => (format!("Not possible here: {message}"), "bad"),
            None => (tier(choice.tier).to_owned(), tone(choice.tier)),
        };
        Chosen {
            name: choice.name.to_string(),
            sentence: choice.sentence.clone(),
            checked: chosen.iter().any(|name| name == choice.name.as_str()),
            takes,
            tone,
        }
    });
    choices.collect()
}

const fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Ordinary => "Ordinary",
        Tier::Sensitive => "Sensitive: it may need an approval",
        Tier::Privileged => "Privileged: two approvals",
    }
}

const fn tone(tier: Tier) -> &'static str {
    match tier {
        Tier::Ordinary => "",
        Tier::Sensitive => "warn",
        Tier::Privileged => "bad",
    }
}

/// Lengths of time, in minutes, that may be offered where one can last so long.
pub(super) fn lengths(most: Duration) -> Vec<u64> {
    let most = most.as_secs() / 60;
    let mut lengths: Vec<u64> = LENGTHS.into_iter().filter(|it| *it <= most).collect();
    if !lengths.contains(&most) {
        lengths.push(most.max(1));
    }
    lengths
}

/// Choices of time among those that policy gives, the shortest chosen unless another one of them is. One that was
/// chosen and is given no more is gone.
pub(super) fn minutes_of(given: &[u64], chosen: u64) -> Vec<Minutes> {
    // Five minutes are for where there is nothing longer.
    let longer: Vec<u64> = given.iter().copied().filter(|it| *it >= 15).collect();
    let mut offered = if longer.is_empty() {
        given.to_vec()
    } else {
        longer
    };
    offered.truncate(OFFERED);
    if given.contains(&chosen) && !offered.contains(&chosen) {
        offered.push(chosen);
    }
    let first = offered.first().copied().unwrap_or(0);
    let chosen = if offered.contains(&chosen) {
        chosen
    } else {
        first
    };
    let minutes = offered.into_iter().map(|minutes| Minutes {
        value: minutes,
        words: words::span(Duration::from_secs(minutes * 60)),
        chosen: minutes == chosen,
    });
    minutes.collect()
}

/// The words for what [`crate::control::desk::Control::consider`] says.
pub(super) fn answer(
    considered: Result<&Considered, &Refusal>,
    ask: &Ask,
    ticket: Option<String>,
) -> Answer {
    match considered {
        Ok(considered) => possible(considered),
        Err(refusal) => refused(refusal, ask, ticket),
    }
}

fn possible(considered: &Considered) -> Answer {
    let needs = &considered.needs;
    let head = match (needs.approvals, needs.consent) {
        (0, false) => "No approval needed".to_owned(),
        (0, true) => "The customer must consent".to_owned(),
        (count, false) => words::approvals(count),
        (count, true) => format!("{}, and the customer’s consent", words::approvals(count)),
    };
    let mut lines = Vec::new();
    lines.push(match needs.approvals {
        0 => "You can begin as soon as you have sent it.".to_owned(),
        1 => "Somebody else must agree. You are never asked about your own request.".to_owned(),
        _ => "Different people must agree, none of them you.".to_owned(),
    });
    match considered.class {
        SubjectClass::Ordinary => {}
        class => lines.push(format!("The account is {}.", class_words(class))),
    }
    if considered.tier == Tier::Privileged {
        lines.push("It is privileged: security settings, export or factors.".to_owned());
    }
    if !needs.max_time.is_zero() {
        let most = words::span(needs.max_time);
        lines.push(format!(
            "At most {most} here; you ask for {}.",
            words::span(considered.duration)
        ));
    }
    if considered.waits_for_ticket {
        lines
            .push("The ticket system does not answer: the request waits until it does.".to_owned());
    }
    if !needs.rules.is_empty() {
        lines.push(format!("By policy: {}.", needs.rules.join(", ")));
    }
    let ticket = considered.ticket.as_ref();
    Answer {
        tone: "good",
        head,
        lines,
        missing: Vec::new(),
        wrong: Vec::new(),
        ticket: ticket.map(|it| match &it.title {
            Some(title) => format!("{}: {title}", it.id),
            None => format!("{} is open", it.id),
        }),
        reason: None,
    }
}

const fn class_words(class: SubjectClass) -> &'static str {
    match class {
        SubjectClass::Ordinary => "ordinary",
        SubjectClass::Vip => "marked VIP",
        SubjectClass::Admin => "an administrator’s",
        SubjectClass::Regulated => "regulated",
    }
}

fn refused(refusal: &Refusal, ask: &Ask, ticket: Option<String>) -> Answer {
    if refusal.kind != Kind::Invalid || refusal.problems.is_empty() {
        return Answer {
            tone: "trouble",
            head: match refusal.kind {
                Kind::Forbidden => "Not possible".to_owned(),
                _ => "Not possible now".to_owned(),
            },
            lines: vec![refusal.detail.clone()],
            missing: Vec::new(),
            wrong: Vec::new(),
            ticket,
            reason: Some(refusal.reason),
        };
    }
    let told = Notice::trouble(refusal).problems;
    let (missing, wrong): (Vec<Wrong>, Vec<Wrong>) =
        told.into_iter().partition(|it| is_empty(ask, &it.field));
    Answer {
        tone: if wrong.is_empty() { "" } else { "warn" },
        head: if wrong.is_empty() {
            "Still needed".to_owned()
        } else {
            "Needs another look".to_owned()
        },
        lines: Vec::new(),
        missing: missing.into_iter().map(|it| it.label).collect(),
        wrong,
        ticket,
        reason: None,
    }
}

/// Whether nothing stands in a field yet: that is no mistake.
fn is_empty(ask: &Ask, field: &str) -> bool {
    let value = match field {
        "app" => &ask.app,
        "tenant" => &ask.tenant,
        "subject" => &ask.subject,
        "ticket" => &ask.ticket,
        "reason" => &ask.reason,
        "reason_code" => &ask.reason_code,
        "scopes" => return ask.scopes.is_empty(),
        "incident" => return ask.incident.as_ref().is_none_or(|it| it.trim().is_empty()),
        _ => return false,
    };
    value.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lengths_that_policy_gives_are_offered() {
        let hour = Duration::from_secs(3600);
        assert_eq!(lengths(hour), [5, 15, 30, 60]);
        assert_eq!(lengths(hour / 3), [5, 15, 20]);
        let offered = |given: &[u64], chosen| {
            let all = minutes_of(given, chosen);
            let on: Vec<u64> = all
                .iter()
                .filter(|it| it.chosen)
                .map(|it| it.value)
                .collect();
            (all.iter().map(|it| it.value).collect::<Vec<_>>(), on)
        };
        assert_eq!(offered(&[5, 15, 30, 60], 0), (vec![15, 30, 60], vec![15]));
        assert_eq!(offered(&[5, 15, 30], 60), (vec![15, 30], vec![15]));
        assert_eq!(offered(&[5], 30), (vec![5], vec![5]));
        assert_eq!(offered(&[], 30), (vec![], vec![]));
    }
}
