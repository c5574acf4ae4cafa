//! Durations and sizes as people write them: `"30s"`, `"5m"`, `"64KiB"`.

pub(super) const SECOND: u64 = 1000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;
pub(super) const KIB: u64 = 1024;
pub(super) const MIB: u64 = 1024 * KIB;
pub(super) const GIB: u64 = 1024 * MIB;
pub(super) const TIB: u64 = 1024 * GIB;

/// Largest first, for showing.
pub(super) const SPANS: &[(&str, u64)] = &[
    ("d", DAY),
    ("h", HOUR),
    ("m", MINUTE),
    ("s", SECOND),
    ("ms", 1),
];
pub(super) const SIZES: &[(&str, u64)] = &[
    ("TiB", TIB),
    ("GiB", GIB),
    ("MiB", MIB),
    ("KiB", KIB),
    ("B", 1),
];

/// How a number behind a value is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    None,
    Count,
    Milliseconds,
    Bytes,
}

/// A number of bytes. 0 means "no bound" where a key says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    pub(super) const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// As a length in memory; the largest there is on a machine where it would not fit.
    pub fn len(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// Whether it is 0.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// `None` for 0: no bound.
    pub const fn bound(self) -> Option<u64> {
        if self.0 == 0 { None } else { Some(self.0) }
    }
}

/// A whole number with a unit from `units`; `0` needs none.
pub(super) fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim_start_matches(' ');
    if number == 0 && unit.is_empty() {
        return Some(0);
    }
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*factor)
}

fn show_in(value: u64, units: &[(&str, u64)]) -> String {
    let fits = |factor: &u64| value >= *factor && value.is_multiple_of(*factor);
    match units.iter().find(|(_, factor)| fits(factor)) {
        Some((name, factor)) => format!("\"{}{name}\"", value / factor),
        None => "0".into(),
    }
}

/// A number as its key would be written.
pub(super) fn show(value: u64, measure: Measure) -> String {
    match measure {
        Measure::Milliseconds => show_in(value, SPANS),
        Measure::Bytes => show_in(value, SIZES),
        Measure::Count | Measure::None => value.to_string(),
    }
}

/// The number behind a text, in `measure`.
#[cfg(test)]
pub(super) fn measure(text: &str, measure: Measure) -> Option<u64> {
    match measure {
        Measure::Milliseconds => parse(text, SPANS),
        Measure::Bytes => parse(text, SIZES),
        Measure::Count | Measure::None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_numbers_with_units_only() {
        for (text, value) in [
            ("0", Some(0)),
            ("250ms", Some(250)),
            ("30s", Some(30_000)),
            ("5 m", Some(300_000)),
            ("2d", Some(2 * DAY)),
            ("30", None),
            ("s", None),
            ("", None),
            ("-1s", None),
            ("1.5s", None),
            ("1 year", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(parse(text, SPANS), value, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(value: u64) {
            for units in [SPANS, SIZES] {
                let shown = show_in(value, units);
                prop_assert_eq!(parse(shown.trim_matches('"'), units), Some(value));
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,20}") {
            let _ = parse(&text, SPANS);
        }
    }
}
