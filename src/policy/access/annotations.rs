//! The annotations of a rule: its name, what it demands, what it says to the operator.

use super::demands::Demands;
use cedar_policy::{Effect, Policy};
use std::time::Duration;

/// Whose rules a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    /// The provider's: they permit and forbid.
    Base,
    /// A tenant's own: they forbid, or demand more.
    Tenant(&'a str),
}

/// What is wrong with a rule: key, what, remedy.
pub(super) type Fault = (&'static str, String, String);

/// A rule's annotations, read.
pub(super) struct Annotated {
    pub(super) id: String,
    pub(super) demands: Demands,
    pub(super) message: Option<String>,
}

const KNOWN: [&str; 5] = ["id", "message", "approvals", "max_time", "consent"];
const MOST_APPROVALS: u8 = 9;
const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];

/// Reads the annotations of one rule, or says everything that is wrong with them.
pub(super) fn read(policy: &Policy, owner: Owner<'_>) -> Result<Annotated, Vec<Fault>> {
    let mut faults = Vec::new();
    for (key, _) in policy.annotations().filter(|(key, _)| !KNOWN.contains(key)) {
        faults.push((
            "annotation",
            format!("@{key} is no annotation that Locum knows"),
            format!("Use @{}", KNOWN.join(", @")),
        ));
    }
    let id = name(policy, &mut faults);
    let message = policy.annotation("message").map(str::to_owned);
    let demands = Demands {
        approvals: number(policy, &mut faults),
        max_time: time(policy, &mut faults),
        consent: consent(policy, &mut faults),
    };
    fits(policy, owner, demands, message.as_deref(), &mut faults);
    if faults.is_empty() {
        Ok(Annotated {
            id,
            demands,
            message,
        })
    } else {
        Err(faults)
    }
}

fn name(policy: &Policy, faults: &mut Vec<Fault>) -> String {
    let id = policy.annotation("id").unwrap_or_default();
    let good = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if id.is_empty() {
        faults.push((
            "id",
            "has no name".to_owned(),
            "Write @id(\"…\") above it: records and people are told it".to_owned(),
        ));
    } else if id.len() > 80 || !id.bytes().all(good) {
        faults.push((
            "id",
            format!("{id:?} is no name"),
            "Use 1 to 80 letters, digits and . _ -".to_owned(),
        ));
    } else if id == super::answer::DEFAULT_DENY || id == super::answer::WORKLOAD_EMERGENCY {
        faults.push((
            "id",
            format!("{id:?} is a name of Locum's own"),
            "Choose another name".to_owned(),
        ));
    }
    id.to_owned()
}

fn number(policy: &Policy, faults: &mut Vec<Fault>) -> Option<u8> {
    let text = policy.annotation("approvals")?;
    let number = text.parse().ok().filter(|it| *it <= MOST_APPROVALS);
    if number.is_none() {
        faults.push((
            "approvals",
            format!("{text:?} is no number of people"),
            format!("Write @approvals(\"0\") to @approvals(\"{MOST_APPROVALS}\")"),
        ));
    }
    number
}

fn time(policy: &Policy, faults: &mut Vec<Fault>) -> Option<Duration> {
    let text = policy.annotation("max_time")?;
    let span = span(text).filter(|it| *it >= Duration::from_secs(60));
    if span.is_none() {
        faults.push((
            "max_time",
            format!("{text:?} is no span of a minute or more"),
            "Write a whole number and s, m, h or d, as in @max_time(\"30m\")".to_owned(),
        ));
    }
    span
}

/// `30m`, `8h`.
fn span(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let (_, seconds) = UNITS.iter().find(|(letter, _)| *letter == unit)?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    count.checked_mul(*seconds).map(Duration::from_secs)
}

fn consent(policy: &Policy, faults: &mut Vec<Fault>) -> bool {
    match policy.annotation("consent") {
        None | Some("false") => false,
        Some("true") => true,
        Some(text) => {
            faults.push((
                "consent",
                format!("{text:?} is neither true nor false"),
                "Write @consent(\"true\")".to_owned(),
            ));
            false
        }
    }
}

/// What would mislead a reader because it has no effect, or would loosen by omission.
fn fits(
    policy: &Policy,
    owner: Owner<'_>,
    demands: Demands,
    message: Option<&str>,
    faults: &mut Vec<Fault>,
) {
    let has = |key| policy.annotation(key).is_some();
    match (policy.effect(), owner) {
        (Effect::Forbid, _) if has("approvals") || has("max_time") || has("consent") => {
            faults.push((
                "forbid",
                "demands something, but a forbid only denies".to_owned(),
                "Remove the demand, or make it a permit".to_owned(),
            ));
        }
        (Effect::Permit, Owner::Base) if !has("approvals") => faults.push((
            "approvals",
            "does not say how many people must agree".to_owned(),
            "Write @approvals(\"1\"), or @approvals(\"0\") where nobody needs to".to_owned(),
        )),
        (Effect::Permit, Owner::Tenant(_)) if demands.is_empty() => faults.push((
            "permit",
            "demands nothing, and a tenant's rules can only tighten".to_owned(),
            "Add @approvals, @max_time or @consent, or make it a forbid".to_owned(),
        )),
        _ => {}
    }
    if policy.effect() == Effect::Permit && message.is_some() {
        faults.push((
            "message",
            "stands on a permit, and nobody would be told it".to_owned(),
            "Write a comment instead, or make it a forbid".to_owned(),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_whole_or_not_at_all() {
        assert_eq!(span("30m"), Some(Duration::from_secs(1800)));
        assert_eq!(span("8h"), Some(Duration::from_secs(28_800)));
        for bad in [
            "",
            "m",
            "30",
            "-1m",
            "1.5h",
            "1h30m",
            "30 m",
            "99999999999999999999h",
            "३m",
        ] {
            assert_eq!(span(bad), None, "{bad}");
        }
    }
}
