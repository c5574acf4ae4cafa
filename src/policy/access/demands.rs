//! What a permit demands, and how the demands of several add up: the strictest of each.

use std::time::Duration;

/// What one permit, or several together, demand before a request becomes a grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Demands {
    /// Different people who must agree. `None`: not said.
    pub(super) approvals: Option<u8>,
    /// The longest that the grant may last. `None`: not said.
    pub(super) max_time: Option<Duration>,
    /// The customer must consent.
    pub(super) consent: bool,
}

impl Demands {
    /// Both together: more approvals, less time, consent if either wants it. So whatever is added can only tighten.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            approvals: self.approvals.max(other.approvals),
            max_time: match (self.max_time, other.max_time) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
            consent: self.consent || other.consent,
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_of_each_wins() {
        let minutes = |n: u64| Some(Duration::from_secs(n * 60));
        let one = Demands {
            approvals: Some(1),
            max_time: minutes(30),
            consent: false,
        };
        let two = Demands {
            approvals: Some(2),
            max_time: minutes(60),
            consent: true,
        };
        let both = Demands {
            approvals: Some(2),
            max_time: minutes(30),
            consent: true,
        };
        assert_eq!(one.and(two), both);
        assert_eq!(two.and(one), both);
        assert_eq!(one.and(Demands::default()), one);
    }
}
