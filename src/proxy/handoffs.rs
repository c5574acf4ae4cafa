//! Codes that carry a session's cookie from one of its origins to the next: single use, short, in memory only.

use crate::model::{Secret, SecretHash, Timestamp};
use crate::telemetry::Limit;
use parking_lot::Mutex;
use std::time::Duration;

/// The codes of one session that are on their way.
#[derive(Default)]
pub struct Handoffs(Mutex<Vec<Handoff>>);

struct Handoff {
    code: SecretHash,
    cookie: Secret,
    until: Timestamp,
}

/// Why no cookie was carried on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHandoff {
    /// No code of this session, or used before.
    Unknown,
    /// The browser took too long.
    Late,
    /// As many as allowed are on their way.
    TooMany,
    /// The system has no random bytes.
    NoRandom,
}

impl NoHandoff {
    /// The limit that was met, where it was one.
    pub const fn limit(self) -> Option<Limit> {
        match self {
            Self::Late => Some(Limit::HandoffTimeout),
            Self::TooMany => Some(Limit::Handoffs),
            Self::Unknown | Self::NoRandom => None,
        }
    }
}

impl Handoffs {
    /// A code for `cookie` that is good for `time`, unless `max` are on their way.
    pub fn give(
        &self,
        cookie: Secret,
        now: Timestamp,
        time: Duration,
        max: usize,
    ) -> Result<Secret, NoHandoff> {
        let code = Secret::fresh().map_err(|_| NoHandoff::NoRandom)?;
        let mut open = self.0.lock();
        open.retain(|one| one.until > now);
        if open.len() >= max {
            return Err(NoHandoff::TooMany);
        }
        open.push(Handoff {
            code: code.hash(),
            cookie,
            until: now.plus(time),
        });
        Ok(code)
    }

    /// The cookie that `code` stands for, once.
    pub fn take(&self, code: &Secret, now: Timestamp) -> Result<Secret, NoHandoff> {
        let mut open = self.0.lock();
        let at = open.iter().position(|one| one.code.matches(code));
        let found = open.swap_remove(at.ok_or(NoHandoff::Unknown)?);
        if found.until > now {
            Ok(found.cookie)
        } else {
            Err(NoHandoff::Late)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(30);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn cookie() -> Secret {
        Secret::fresh().unwrap_or_else(|why| panic!("{why}"))
    }

    #[test]
    fn a_code_works_once_and_in_time() -> Result<(), NoHandoff> {
        let all = Handoffs::default();
        let cookie = cookie();
        let wanted = cookie.hash();
        let code = all.give(cookie, at(0), TIME, 16)?;
        assert!(wanted.matches(&all.take(&code, at(29))?));
        assert_eq!(all.take(&code, at(29)).err(), Some(NoHandoff::Unknown));
        let late = all.give(self::cookie(), at(0), TIME, 16)?;
        let why = all.take(&late, at(30)).err();
        assert_eq!(why, Some(NoHandoff::Late));
        assert_eq!(why.and_then(NoHandoff::limit), Some(Limit::HandoffTimeout));
        Ok(())
    }

    #[test]
    fn only_so_many_are_on_their_way() -> Result<(), NoHandoff> {
        let all = Handoffs::default();
        all.give(cookie(), at(0), TIME, 2)?;
        let second = all.give(cookie(), at(1), TIME, 2)?;
        let why = all.give(cookie(), at(2), TIME, 2).err();
        assert_eq!(why, Some(NoHandoff::TooMany));
        assert_eq!(why.and_then(NoHandoff::limit), Some(Limit::Handoffs));
        all.take(&second, at(2))?;
        all.give(cookie(), at(2), TIME, 2)?;
        // The first one's time is over.
        all.give(cookie(), at(30), TIME, 2)?;
        Ok(())
    }
}
