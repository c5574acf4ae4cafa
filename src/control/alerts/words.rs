//! An alert in words, the same for every channel that people read.

use crate::model::Alert;

/// Kinds that Locum raises by itself.
pub const TEST: &str = "alert.test";

/// What is known of it, with labels, in the order that people ask.
pub(super) fn lines(alert: &Alert) -> Vec<(&str, String)> {
    let known = [
        ("operator", &alert.operator),
        ("tenant", &alert.tenant),
        ("app", &alert.app),
    ];
    let known = known.into_iter().filter(|(_, value)| !value.is_empty());
    let known = known.map(|(label, value)| (label, value.clone()));
    let details = alert.details.iter();
    let details = details.map(|(label, value)| (label.as_str(), value.clone()));
    let tail = [
        ("alert", alert.id.to_string()),
        ("kind", alert.kind.clone()),
        ("at", alert.at.to_string()),
    ];
    known.chain(details).chain(tail).collect()
}

/// Where a person goes on from it.
pub(super) fn link(alert: &Alert, portal: &str) -> String {
    let detail = |name: &str| {
        let found = alert.details.iter().find(|(label, _)| label == name);
        found.map(|(_, value)| value.as_str())
    };
    match (detail("review"), detail("request")) {
        (Some(review), _) => format!("{portal}/reviews/{review}"),
        (None, Some(request)) => format!("{portal}/requests/{request}"),
        (None, None) => format!("{portal}/"),
    }
}

/// At most so many characters, with a mark where something was left out.
pub(super) fn clip(text: &str, most: usize) -> String {
    if text.char_indices().nth(most).is_none() {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(clip("Größe", 5), "Größe");
        assert_eq!(clip("Größen", 5), "Größ…");
    }
}
