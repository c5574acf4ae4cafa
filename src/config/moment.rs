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

/// How far the local time is from UTC, written as `"Z"` or `"+01:00"` (RFC 3339 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(i32);

impl Zone {
    /// Minutes east of UTC.
    pub const fn minutes(self) -> i32 {
        self.0
    }
}

impl Text for Zone {
    const WORDS: &'static str = "zone";
    const REMEDY: &'static str = "write \"Z\" for UTC, or hours and minutes east or west of it, as in \"+01:00\" or \"-05:30\"";
    const STAND_IN: &'static str = "Z";

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "not a zone".to_owned();
        if text == "Z" {
            return Ok(Self(0));
        }
        let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(rest), _) => (1, rest),
            (_, Some(rest)) => (-1, rest),
            _ => return Err(wrong()),
        };
        let (hours, minutes) = rest.split_once(':').ok_or_else(wrong)?;
        let number = |digits: &str, most: i32| {
            let plain = digits.len() == 2 && digits.bytes().all(|it| it.is_ascii_digit());
            let number = digits.parse::<i32>().ok().filter(|_| plain);
            number.filter(|it| *it <= most).ok_or_else(wrong)
        };
        Ok(Self(
            sign * (number(hours, 14)? * 60 + number(minutes, 59)?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_read_as_people_write_it() {
        let minutes = |text: &str| Zone::parse(text).map(Zone::minutes);
        assert_eq!(minutes("Z"), Ok(0));
        assert_eq!(minutes("+01:00"), Ok(60));
        assert_eq!(minutes("-05:30"), Ok(-330));
        for bad in [
            "", "1500", "01:00", "+1:00", "+15:00", "+01:60", "+0x:00", "+01:000", "z",
        ] {
            assert!(minutes(bad).is_err(), "{bad}");
        }
    }

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
