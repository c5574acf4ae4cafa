//! Moments as keys have them: RFC 3339 with a zone.

use super::setting::Text;
use crate::model::Timestamp;

/// A moment, written as `"2026-03-01T22:00:00Z"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Timestamp);

impl Moment {
    pub const fn at(self) -> Timestamp {
        self.0
    }
}

impl Text for Moment {
    const WORDS: &'static str = "time";
    const REMEDY: &'static str =
        "write date, time and zone in quotes, as in \"2026-03-01T22:00:00Z\"";
    const STAND_IN: &'static str = "1970-01-01T00:00:00Z";

    fn parse(text: &str) -> Result<Self, String> {
        let parsed: Result<jiff::Timestamp, _> = text.parse();
        let at = parsed.map_err(|_| "not a time with its zone".to_owned())?;
        Ok(Self(Timestamp::from_millis(at.as_millisecond())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_needs_its_zone() {
        let at = |text: &str| Moment::parse(text).map(|it| it.at().millis());
        assert_eq!(at("1970-01-01T00:00:01Z"), Ok(1000));
        assert_eq!(at("1970-01-01T02:00:00+02:00"), Ok(0));
        for bad in ["1970-01-01T00:00:01", "1970-01-01", "tomorrow", ""] {
            assert!(at(bad).is_err(), "{bad}");
        }
    }
}
