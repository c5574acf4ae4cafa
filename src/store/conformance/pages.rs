//! What must hold of reading a store page by page, while others change it.

use super::{Issue, Outcome, Pair, ended, issue, redemption};
use crate::model::{EndCause, SessionId};
use crate::store::{StoreError, Stored};

/// What was handed out, page by page.
fn pages(
    mut page: impl FnMut(Option<&Stored>) -> Result<Vec<Stored>, StoreError>,
) -> Result<Vec<SessionId>, StoreError> {
    let (mut all, mut last) = (Vec::new(), None);
    loop {
        let rows = page(last.as_ref())?;
        all.extend(rows.iter().map(|row| row.session.id));
        match rows.into_iter().last() {
            Some(row) => last = Some(row),
            None => return Ok(all),
        }
    }
}

pub(crate) fn open_ones_come_in_pages_each_once(pair: &Pair) -> Outcome {
    let issues: Vec<Issue> = (1..=7).map(issue).collect();
    for issue in &issues {
        pair.one.issue(issue)?;
    }
    pair.one.redeem(&redemption(&issues[2]))??;
    pair.one
        .end(&[(issues[3].session, ended(EndCause::Revoked, 5))])?;
    assert_eq!(pair.other.open_count()?, 6);
    let revision = pair.other.revision()?;
    let mut wanted: Vec<SessionId> = issues.iter().map(|it| it.session).collect();
    wanted.remove(3);
    wanted.sort();
    for limit in [1, 2, 6, 7, 100] {
        let all = pages(|last| pair.other.open_after(last.map(|it| it.session.id), limit))?;
        assert_eq!(all, wanted, "{limit} at once");
    }
    // What ends between two pages is in neither the next nor in the way of it.
    let first = pair.other.open_after(None, 3)?;
    let (last, next) = (first[2].session.id, wanted[3]);
    pair.one.end(&[
        (last, ended(EndCause::Revoked, 6)),
        (next, ended(EndCause::Revoked, 6)),
    ])?;
    let rest = pair.other.open_after(Some(last), 10)?;
    let rest: Vec<SessionId> = rest.iter().map(|it| it.session.id).collect();
    assert_eq!(rest, wanted[4..]);
    let changes = pair.other.changes_since(revision)?;
    let changed: Vec<SessionId> = changes.rows.iter().map(|it| it.session.id).collect();
    assert_eq!(changed, [last, next], "who goes on from the revision");
    Ok(())
}

pub(crate) fn ended_ones_come_in_pages_newest_first(pair: &Pair) -> Outcome {
    let issues: Vec<Issue> = (1..=6).map(issue).collect();
    for issue in &issues {
        pair.one.issue(issue)?;
    }
    // Several at one moment, as a kill of many ends them.
    for (issue, at) in issues.iter().zip([9, 5, 5, 5, 7]) {
        pair.one
            .end(&[(issue.session, ended(EndCause::Revoked, at))])?;
    }
    let id = |n: usize| issues[n].session;
    let mut together = [id(1), id(2), id(3)];
    together.sort();
    together.reverse();
    let wanted: Vec<SessionId> = [id(0), id(4)].into_iter().chain(together).collect();
    for limit in [1, 2, 3, 5, 100] {
        let all = pages(|last| {
            let before = last.and_then(|it| Some((it.session.ended.as_ref()?.at, it.session.id)));
            pair.other.ended_before(before, limit)
        })?;
        assert_eq!(all, wanted, "{limit} at once");
    }
    Ok(())
}
