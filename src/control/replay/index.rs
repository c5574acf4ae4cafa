//! Which recorded exchange answers a request of a replayed page: the same method, path and query, nearest in time to the page.

use crate::audit::export::exchange::is_page;
use crate::audit::recording::Taped;
use std::collections::HashMap;

/// Where the exchanges of a tape are, by what was asked.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Origins of the session, in the order in which they were met. The first one's replay has the bare label.
    origins: Vec<String>,
    exact: HashMap<Asked, Vec<usize>>,
    /// By path and the names of the query's parameters: values such as a moment differ between two runs of a script.
    alike: HashMap<Asked, Vec<usize>>,
}

/// What was asked: origin by number, method, and target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub(super) origin: usize,
    pub(super) method: String,
    pub(super) target: String,
}

/// How well an exchange fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Exact,
    /// Other values in its query.
    Alike,
}

/// Where a replay stands in time.
#[derive(Clone, Debug, Default)]
pub(super) struct Cursor {
    /// When the page began. Milliseconds.
    pub(super) moment: i64,
    /// How often each thing was asked for since: the next time the next answer is given.
    asked: HashMap<Asked, usize>,
}

/// Things that a cursor counts at most: a page that asks for more begins again with the first answers.
const MAX_ASKED: usize = 10_000;

impl Cursor {
    pub(super) fn at(moment: i64) -> Self {
        Self {
            moment,
            asked: HashMap::new(),
        }
    }

    fn times(&mut self, asked: &Asked) -> usize {
        if self.asked.len() >= MAX_ASKED {
            self.asked.clear();
        }
        let times = self.asked.entry(asked.clone()).or_default();
        *times += 1;
        *times - 1
    }
}

impl Index {
    pub(super) fn of(taped: &[Taped]) -> Self {
        let mut index = Self::default();
        // Pages first: the origin that people saw is the front one.
        let pages = taped.iter().filter(|it| is_page(it));
        for one in pages.chain(taped) {
            if !index.origins.contains(&one.origin) {
                index.origins.push(one.origin.clone());
            }
        }
        for (at, one) in taped.iter().enumerate() {
            let origin = index.origins.iter().position(|it| *it == one.origin);
            let Some(origin) = origin.filter(|_| one.shown.is_some()) else {
                continue;
            };
            let asked = Asked {
                origin,
                method: one.method.clone(),
                target: one.target.clone(),
            };
            index.alike.entry(asked.alike()).or_default().push(at);
            index.exact.entry(asked).or_default().push(at);
        }
        index
    }

    pub(super) fn origins(&self) -> &[String] {
        &self.origins
    }

    /// A page that is navigated to: the one nearest in time. The cursor moves there.
    pub(super) fn page(
        &self,
        taped: &[Taped],
        asked: &Asked,
        cursor: &mut Cursor,
    ) -> Option<(usize, Fit)> {
        let (places, fit) = self.places(asked)?;
        let nearest = places.iter().copied().min_by_key(|at| {
            let opened = opened(taped, *at);
            (opened.abs_diff(cursor.moment), opened < cursor.moment)
        })?;
        *cursor = Cursor::at(opened(taped, nearest));
        Some((nearest, fit))
    }

    /// A part of the page: the first time it is asked for the first answer since the page began, then the next one, and so on.
    /// What was only loaded before comes from a browser's cache: the last answer from then.
    pub(super) fn part(
        &self,
        taped: &[Taped],
        asked: &Asked,
        cursor: &mut Cursor,
    ) -> Option<(usize, Fit)> {
        let (places, fit) = self.places(asked)?;
        let times = cursor.times(asked);
        let since = places.partition_point(|at| opened(taped, *at) < cursor.moment);
        let later = places.get(since..).unwrap_or_default();
        let found = later.get(times).or(later.last());
        let found = found.or_else(|| places.get(..since)?.last());
        found.map(|at| (*at, fit))
    }

    /// All answers to what was asked, in the order of time.
    pub(super) fn places(&self, asked: &Asked) -> Option<(&[usize], Fit)> {
        let exact = self.exact.get(asked).map(|it| (it.as_slice(), Fit::Exact));
        exact.or_else(|| {
            let alike = self.alike.get(&asked.alike());
            alike.map(|it| (it.as_slice(), Fit::Alike))
        })
    }
}

fn opened(taped: &[Taped], at: usize) -> i64 {
    taped.get(at).map_or(0, |it| it.opened_at.millis())
}

impl Asked {
    /// Without the query's values.
    fn alike(&self) -> Self {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let names = url::form_urlencoded::parse(query.as_bytes());
        let mut names: Vec<String> = names.map(|(name, _)| name.into_owned()).collect();
        names.sort_unstable();
        Self {
            origin: self.origin,
            method: self.method.clone(),
            target: format!("{path}?{}", names.join("&")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::recording::Side;
    use crate::model::{ExchangeId, Timestamp};

    fn taped(at: i64, method: &str, target: &str) -> Taped {
        let shown = Side {
            status: Some(200),
            headers: Vec::new(),
            body: None,
            at: Timestamp::from_millis(at),
        };
        Taped {
            exchange: ExchangeId::fresh(),
            opened_at: Timestamp::from_millis(at),
            ended_at: None,
            outcome: String::new(),
            app: "shop".into(),
            origin: "https://s1.shop.example".into(),
            method: method.into(),
            target: target.into(),
            protocol: "h2".into(),
            rule: String::new(),
            action: String::new(),
            mode: "bodies".into(),
            request: None,
            received: None,
            shown: Some(shown),
            messages: Vec::new(),
            gaps: Vec::new(),
        }
    }

    fn asked(method: &str, target: &str) -> Asked {
        Asked {
            origin: 0,
            method: method.into(),
            target: target.into(),
        }
    }

    #[test]
    fn a_part_is_answered_as_it_was_then_and_the_next_time_with_what_came_next() {
        let tape = [
            taped(10, "GET", "/app.css"),
            taped(20, "GET", "/api/notes"),
            taped(100, "GET", "/api/notes"),
            taped(110, "POST", "/api/notes"),
            taped(120, "GET", "/api/notes"),
        ];
        let index = Index::of(&tape);
        let mut cursor = Cursor::at(90);
        let mut part = |method: &str, target: &str| {
            let found = index.part(&tape, &asked(method, target), &mut cursor);
            found.map(|(at, _)| at)
        };
        assert_eq!(part("GET", "/app.css"), Some(0), "from the browser's cache");
        assert_eq!(part("GET", "/api/notes"), Some(2));
        assert_eq!(part("POST", "/api/notes"), Some(3));
        assert_eq!(part("GET", "/api/notes"), Some(4));
        assert_eq!(part("GET", "/api/notes"), Some(4), "the last one stays");
        assert_eq!(part("GET", "/api/other"), None);
        assert_eq!(part("DELETE", "/api/notes"), None);
    }

    #[test]
    fn a_page_is_the_nearest_in_time_and_moves_the_cursor() {
        let tape = [
            taped(10, "GET", "/orders"),
            taped(100, "GET", "/orders"),
            taped(300, "GET", "/orders"),
        ];
        let index = Index::of(&tape);
        let mut cursor = Cursor::at(100);
        let found = index.page(&tape, &asked("GET", "/orders"), &mut cursor);
        assert_eq!(found, Some((1, Fit::Exact)));
        cursor.moment = 250;
        let found = index.page(&tape, &asked("GET", "/orders"), &mut cursor);
        assert_eq!((found, cursor.moment), (Some((2, Fit::Exact)), 300));
    }

    #[test]
    fn other_values_of_the_same_parameters_will_do_where_nothing_is_exact() {
        let tape = [taped(10, "GET", "/poll?_=1700000000&since=5")];
        let index = Index::of(&tape);
        let mut cursor = Cursor::at(0);
        let mut fit = |target: &str| {
            let found = index.part(&tape, &asked("GET", target), &mut cursor);
            found.map(|(_, fit)| fit)
        };
        assert_eq!(fit("/poll?since=5&_=1800000000"), Some(Fit::Alike));
        assert_eq!(fit("/poll?_=1700000000&since=5"), Some(Fit::Exact));
        assert_eq!(fit("/poll"), None);
    }
}
