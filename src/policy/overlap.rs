//! Which row has the better claim, and rows that contradict or shadow each other.

use super::options::Settings;
use super::problem::Problem;
use super::row::{Row, RowEffect};
use std::cmp::Ordering;

/// More specific first: the path, then the number of matchers, then a named app, then named methods;
/// then the order of the files.
pub(super) fn by_specificity(one: &Row, two: &Row) -> Ordering {
    claim(two, one)
}

fn claim(one: &Row, two: &Row) -> Ordering {
    one.pattern
        .compare(&two.pattern)
        .then_with(|| one.matchers.count().cmp(&two.matchers.count()))
        .then_with(|| one.app.is_some().cmp(&two.app.is_some()))
        .then_with(|| two.methods.is_any().cmp(&one.methods.is_any()))
}

/// Every conflict and every shadowed row. `rows` in their order by claim. Pairs beyond what 2,000 rows
/// make are not compared further than by neighbours of the same claim.
pub(super) fn examine(rows: &[Row], _settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    let denies: Vec<&Row> = rows
        .iter()
        .filter(|row| row.effect == RowEffect::Deny)
        .collect();
    for (nth, row) in rows.iter().enumerate() {
        let earlier = rows.get(..nth).unwrap_or_default();
        let equals = earlier
            .iter()
            .rev()
            .take_while(|other| claim(other, row) == Ordering::Equal);
        let equals: Vec<&Row> = equals.filter(|other| same_app(other, row)).collect();
        let shadow = shadow_of(row, &equals).or_else(|| denied_wholly(row, &denies));
        if let Some((what, remedy)) = shadow {
            problems.push(row.problem("match", what, remedy));
            continue;
        }
        if let Some(other) = equals.iter().find(|other| is_conflict(row, other)) {
            let what = format!(
                "conflict: {} and {} ({}:{}) match the same requests equally well but mean different actions, {} and {}",
                row.id, other.id, other.file, other.line, row.action, other.action
            );
            problems.push(row.problem(
                "match",
                what,
                "Make one of them more specific, or give both one action",
            ));
        }
    }
    problems
}

fn same_app(one: &Row, two: &Row) -> bool {
    one.app.is_none() || two.app.is_none() || one.app == two.app
}

fn is_conflict(row: &Row, other: &Row) -> bool {
    row.allows()
        && other.allows()
        && row.action != other.action
        && row.methods.overlaps(&other.methods)
        && row.pattern.overlaps(&other.pattern)
        && !row.matchers.is_disjoint(&other.matchers)
}

/// Earlier rows of equal claim and the same side that together leave a row no method.
fn shadow_of(row: &Row, equals: &[&Row]) -> Option<(String, String)> {
    let mut left = row.methods.clone();
    let mut taken = Vec::new();
    let same_side =
        |other: &&&Row| (other.effect == RowEffect::Deny) == (row.effect == RowEffect::Deny);
    // `equals` is nearest first; the first of the files is what decides.
    for other in equals.iter().rev().filter(same_side) {
        let conditional = other.condition.is_some() && other.effect == RowEffect::Deny;
        if conditional
            || (row.allows() && row.action != other.action)
            || !other.pattern.covers(&row.pattern, false)
            || !other.matchers.covers(&row.matchers, false)
        {
            continue;
        }
        left = left.without(&other.methods);
        taken.push(format!("{} ({}:{})", other.id, other.file, other.line));
        if left.is_empty() {
            let what = format!(
                "shadowed row: {} can never decide, {} takes all that it matches",
                row.id,
                taken.join(" and ")
            );
            return Some((
                what,
                "Remove one of them, or make this one more specific".to_owned(),
            ));
        }
    }
    None
}

/// A deny row that leaves an allow row nothing to permit.
fn denied_wholly(row: &Row, denies: &[&Row]) -> Option<(String, String)> {
    if !row.allows() {
        return None;
    }
    let deny = denies.iter().find(|deny| {
        (deny.app.is_none() || deny.app == row.app)
            && deny.condition.is_none()
            && (deny.never || !row.break_glass)
            && row.methods.clone().without(&deny.methods).is_empty()
            && deny.pattern.covers(&row.pattern, true)
            && deny.matchers.covers(&row.matchers, true)
    })?;
    let what = format!(
        "shadowed row: {} can never permit, since {} ({}:{}) denies all that it matches and deny wins",
        row.id, deny.id, deny.file, deny.line
    );
    Some((what, "Narrow the deny row, remove this one, or mark it `break_glass = true` if it is for break-glass only".to_owned()))
}
