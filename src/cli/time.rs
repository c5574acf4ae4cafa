//! Times on the command line: spans (`30m`) and moments (RFC 3339) in, words out.

use crate::model::Timestamp;
use std::time::Duration;

/// Reads `90s`, `30m`, `8h`, `2d`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("{text:?} is not a time span: write a number and s, m, h or d, as in 30m");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number = text.strip_suffix(unit).ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let total = number.checked_mul(seconds).filter(|total| *total > 0);
    total.map(Duration::from_secs).ok_or_else(wrong)
}

/// Reads `2026-03-01T09:00:00Z` or with any offset.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => Ok(Timestamp::from_millis(at.as_millisecond())),
        Err(_) => Err(format!(
            "{text:?} is not a time: write it as in 2026-03-01T09:00:00Z"
        )),
    }
}

/// A span in at most two units: `1h 5m`, `42s`.
pub(super) fn words(span: Duration) -> String {
    let seconds = span.as_secs();
    let parts = [
        (seconds / 86_400, 'd'),
        (seconds / 3600 % 24, 'h'),
        (seconds / 60 % 60, 'm'),
        (seconds % 60, 's'),
    ];
    let shown = parts.iter().skip_while(|(n, _)| *n == 0).take(2);
    let shown: Vec<_> = shown
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n}{unit}"))
        .collect();
    if shown.is_empty() {
        "0s".into()
    } else {
        shown.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_unit() {
        assert_eq!(span("30m"), Ok(Duration::from_secs(1800)));
        assert_eq!(span("2d"), Ok(Duration::from_secs(172_800)));
        for text in ["", "30", "m", "0s", "-1s", "1y", "99999999999999999d", "1é"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn moments_are_rfc_3339() {
        let at = moment("2023-11-14T23:13:20+01:00").map(Timestamp::millis);
        assert_eq!(at, Ok(1_700_000_000_000));
        assert!(moment("tomorrow").is_err());
    }

    #[test]
    fn words_are_short() {
        for (seconds, text) in [
            (0, "0s"),
            (42, "42s"),
            (3900, "1h 5m"),
            (86_400, "1d"),
            (90_061, "1d 1h"),
        ] {
            assert_eq!(words(Duration::from_secs(seconds)), text);
        }
    }
}
