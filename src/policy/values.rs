//! Value patterns: what a matcher compares a parameter, field or header with.

/// One or several alternatives, each a text in which `*` stands for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value(Vec<Box<str>>);

impl Value {
    pub(super) fn new(alternatives: Vec<Box<str>>) -> Self {
        Self(alternatives)
    }

    /// The alternatives as they were written.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether presence alone is asked for.
    pub(super) fn is_any(&self) -> bool {
        self.0.iter().any(|one| **one == *"*")
    }

    /// Whether `text` matches an alternative. With `fold`, as deny rows compare: in any ASCII case.
    pub(super) fn matches(&self, text: &str, fold: bool) -> bool {
        self.0
            .iter()
            .any(|glob| matches(glob.as_bytes(), text.as_bytes(), fold))
    }

    /// As [`Value::matches`], and `5` also matches `5.0`.
    pub(super) fn matches_number(&self, number: &serde_json::Number, fold: bool) -> bool {
        let same = |glob: &str| match (glob.parse::<f64>(), number.as_f64()) {
            (Ok(one), Some(two)) => one.to_bits() == two.to_bits() || (one - two).abs() == 0.0,
            _ => false,
        };
        self.matches(&number.to_string(), fold) || self.0.iter().any(|glob| same(glob))
    }

    /// Whether no text can match both: only then may two rows differ in this value alone.
    pub(super) fn is_disjoint(&self, other: &Self) -> bool {
        let apart = |a: &str, b: &str| match (a.contains('*'), b.contains('*')) {
            (false, _) => !matches(b.as_bytes(), a.as_bytes(), false),
            (true, false) => !matches(a.as_bytes(), b.as_bytes(), false),
            (true, true) => {
                let heads = (before_star(a), before_star(b));
                !heads.0.starts_with(heads.1) && !heads.1.starts_with(heads.0)
            }
        };
        self.0.iter().all(|a| other.0.iter().all(|b| apart(a, b)))
    }

    /// Whether everything that matches `other` surely matches this too.
    pub(super) fn covers(&self, other: &Self, fold: bool) -> bool {
        let known = |b: &str| {
            if b.contains('*') {
                self.is_any() || self.0.iter().any(|a| **a == *b)
            } else {
                self.matches(b, fold)
            }
        };
        other.0.iter().all(|b| known(b))
    }

    /// As it was written, for explanations.
    pub(super) fn written(&self) -> String {
        self.0.join("|")
    }
}

fn before_star(glob: &str) -> &str {
    glob.split('*').next().unwrap_or_default()
}

/// Linear-time glob with one backtracking point: the last star.
pub(super) fn matches(glob: &[u8], text: &[u8], fold: bool) -> bool {
    let same = |a: u8, b: u8| a == b || (fold && a.eq_ignore_ascii_case(&b));
    let (mut g, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (glob.get(g), text.get(t)) {
            (Some(b'*'), _) => {
                star = Some((g + 1, t));
                g += 1;
            }
            (Some(a), Some(b)) if same(*a, *b) => {
                g += 1;
                t += 1;
            }
            (None, None) => return true,
            (_, None) => return false,
            (_, Some(_)) => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    g = after;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(alternatives: &[&str]) -> Value {
        Value::new(alternatives.iter().map(|one| (*one).into()).collect())
    }

    #[test]
    fn stars_match_runs() {
        for (glob, text, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("*.csv", "x.csv", true),
            ("a*b*c", "a1b2b3c", true),
            ("", "x", false),
        ] {
            assert_eq!(
                matches(glob.as_bytes(), text.as_bytes(), false),
                expected,
                "{glob} {text}"
            );
        }
        assert!(value(&["Delete"]).matches("dELETE", true));
        assert!(value(&["5"]).matches_number(
            &serde_json::Number::from_f64(5.0).unwrap_or(0.into()),
            false
        ));
    }

    #[test]
    fn disjoint_and_covering() {
        assert!(value(&["a"]).is_disjoint(&value(&["b", "c*"])));
        assert!(!value(&["a*"]).is_disjoint(&value(&["*b"])));
        assert!(value(&["a*"]).is_disjoint(&value(&["b*"])));
        assert!(value(&["*"]).covers(&value(&["a*"]), false));
        assert!(!value(&["a"]).covers(&value(&["a*"]), false));
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_with_any_part_starred(text in "[a-c]{0,12}", from in 0usize..12, to in 0usize..12) {
            let (from, to) = (from.min(text.len()), to.min(text.len()));
            let (from, to) = (from.min(to), from.max(to));
            let glob = format!("{}*{}", &text[..from], &text[to..]);
            prop_assert!(matches(glob.as_bytes(), text.as_bytes(), false));
        }

        #[test]
        fn disjoint_values_share_no_text(a in "[ab*]{0,4}", b in "[ab*]{0,4}", text in "[ab]{0,5}") {
            let (one, two) = (value(&[&a]), value(&[&b]));
            if one.is_disjoint(&two) {
                prop_assert!(!(one.matches(&text, false) && two.matches(&text, false)));
            }
        }
    }
}
