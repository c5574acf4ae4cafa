//! The writes, each inside a transaction that its caller opened for writing.

use super::locks;
use super::rows::{self, RowError, json};
use super::select;
use crate::model::{Binding, Ended, Grant, GrantId, SecretHash, SessionId, Timestamp};
use crate::store::{
    Admission, AdmitRefused, ExternalUse, Issue, Mark, RedeemRefused, Redemption, ReissueRefused,
    Revocation, Stored, Target, Use,
};
use rusqlite::{OptionalExtension as _, Transaction, params};

/// The next revision. Writers are serial, so revisions grow in the order of commits.
fn next_revision(tx: &Transaction<'_>) -> Result<i64, RowError> {
    Ok(tx
        .prepare_cached("UPDATE counter SET revision = revision + 1 RETURNING revision")?
        .query_row([], |row| row.get(0))?)
}

fn one(tx: &Transaction<'_>, rest: &str, id: &str) -> Result<Option<Stored>, RowError> {
    let mut query = tx.prepare_cached(&select(rest))?;
    let mut found = query.query([id])?;
    found.next()?.map(rows::stored).transpose()
}

pub(in crate::store) fn session(
    tx: &Transaction<'_>,
    id: SessionId,
) -> Result<Option<Stored>, RowError> {
    one(tx, "WHERE s.id = ?1", &id.to_string())
}

pub(in crate::store) fn grant(
    tx: &Transaction<'_>,
    id: GrantId,
) -> Result<Option<Stored>, RowError> {
    one(tx, "WHERE g.id = ?1", &id.to_string())
}

/// Grants with their sessions, by what follows the join.
pub(in crate::store) fn many(
    tx: &Transaction<'_>,
    rest: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<Stored>, RowError> {
    let mut query = tx.prepare_cached(&select(rest))?;
    query.query(params)?.and_then(rows::stored).collect()
}

fn put_grant(tx: &Transaction<'_>, grant: &Grant) -> Result<(), RowError> {
    tx.prepare_cached(
        "INSERT INTO grants (id, app, operator, subject, tenant, ticket, issued_at, expires_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        grant.id.to_string(),
        grant.app,
        grant.operator.id,
        grant.subject.id,
        grant.tenant.id,
        grant.ticket,
        grant.issued_at.millis(),
        grant.expires_at.millis(),
        json(grant)?,
    ])?;
    Ok(())
}

fn put_code(
    tx: &Transaction<'_>,
    session: SessionId,
    code: SecretHash,
    expires: Timestamp,
) -> Result<(), RowError> {
    tx.prepare_cached("INSERT INTO codes (hash, session_id, expires_at) VALUES (?1, ?2, ?3)")?
        .execute(params![
            code.as_bytes(),
            session.to_string(),
            expires.millis()
        ])?;
    Ok(())
}

pub(in crate::store) fn issue(tx: &Transaction<'_>, issue: &Issue) -> Result<(), RowError> {
    put_grant(tx, &issue.grant)?;
    tx.prepare_cached(
        "INSERT INTO sessions (id, grant_id, binding, revision) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        issue.session.to_string(),
        issue.grant.id.to_string(),
        json(&issue.binding)?,
        next_revision(tx)?,
    ])?;
    put_code(tx, issue.session, issue.code, issue.code_expires)
}

pub(in crate::store) fn reissue_code(
    tx: &Transaction<'_>,
    grant: GrantId,
    code: SecretHash,
    expires: Timestamp,
) -> Result<Result<SessionId, ReissueRefused>, RowError> {
    let Some(stored) = one(tx, "WHERE g.id = ?1", &grant.to_string())? else {
        return Ok(Err(ReissueRefused::Unknown));
    };
    if let Some(ended) = stored.session.ended {
        return Ok(Err(ReissueRefused::Ended(ended)));
    }
    if let Some(at) = stored.session.started_at {
        return Ok(Err(ReissueRefused::Started { at }));
    }
    let id = stored.session.id;
    tx.prepare_cached("DELETE FROM codes WHERE session_id = ?1")?
        .execute([id.to_string()])?;
    put_code(tx, id, code, expires)?;
    Ok(Ok(id))
}

pub(super) fn redeem(
    tx: &Transaction<'_>,
    with: &Redemption,
) -> Result<Result<Stored, RedeemRefused>, RowError> {
    // Finding a hash of 256 random bits by index tells a guesser nothing useful by its timing.
    let code: Option<(i64, Option<i64>)> = tx
        .prepare_cached(
            "SELECT expires_at, used_at FROM codes WHERE hash = ?1 AND session_id = ?2",
        )?
        .query_row(
            params![with.code.as_bytes(), with.session.to_string()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let (Some((expires, used)), Some(stored)) = (code, session(tx, with.session)?) else {
        return Ok(Err(RedeemRefused::Unknown));
    };
    if let Some(at) = used.map(Timestamp::from_millis) {
        return Ok(Err(RedeemRefused::Used { at }));
    }
    if let Some(ended) = stored.session.ended {
        return Ok(Err(RedeemRefused::Ended(ended)));
    }
    let expires = Timestamp::from_millis(expires).min(stored.grant.expires_at);
    if with.now >= expires {
        return Ok(Err(RedeemRefused::Expired { at: expires }));
    }
    if with.now < stored.grant.not_before {
        let at = stored.grant.not_before;
        return Ok(Err(RedeemRefused::NotYet { at }));
    }
    let keys = locks::keys(&stored.grant, Some(with.session));
    if let Some(lock) = locks::holding(tx, &keys, with.now)? {
        return Ok(Err(RedeemRefused::Locked { key: lock.key }));
    }
    tx.prepare_cached("UPDATE codes SET used_at = ?2 WHERE hash = ?1")?
        .execute(params![with.code.as_bytes(), with.now.millis()])?;
    let binding = Binding {
        certificate: (stored.session.binding.certificate)
            .or_else(|| with.binding.certificate.clone()),
        network: stored.session.binding.network.or(with.binding.network),
    };
    tx.prepare_cached(
        "UPDATE sessions SET cookie = ?2, binding = ?3, started_at = ?4, last_used = ?4, revision = ?5
         WHERE id = ?1",
    )?
    .execute(params![
        with.session.to_string(),
        with.cookie.as_bytes(),
        json(&binding)?,
        with.now.millis(),
        next_revision(tx)?,
    ])?;
    read_back(tx, with.session).map(Ok)
}

fn read_back(tx: &Transaction<'_>, id: SessionId) -> Result<Stored, RowError> {
    session(tx, id)?.ok_or(RowError::Corrupt {
        what: "session",
        detail: format!("{id} is gone after it was written"),
    })
}

pub(super) fn admit(
    tx: &Transaction<'_>,
    asked: &Admission,
) -> Result<Result<Stored, AdmitRefused>, RowError> {
    let revoked: Option<(i64, String)> = tx
        .prepare_cached(
            "SELECT revoked_at, revoked_by FROM external_tokens
             WHERE external_id = ?1 AND issuer IN (?2, '') AND revoked_at IS NOT NULL LIMIT 1",
        )?
        .query_row(params![asked.external_id, asked.issuer], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    if let Some((at, by)) = revoked {
        let at = Timestamp::from_millis(at);
        return Ok(Err(AdmitRefused::Revoked { at, by }));
    }
    let keys = locks::keys(&asked.grant, Some(asked.session));
    if let Some(lock) = locks::holding(tx, &keys, asked.now)? {
        return Ok(Err(AdmitRefused::Locked { key: lock.key }));
    }
    if let Some(stored) = session(tx, asked.session)? {
        return Ok(again(stored, asked));
    }
    put_grant(tx, &asked.grant)?;
    let cookie = match asked.using {
        ExternalUse::Bearer => None,
        ExternalUse::Exchange(hash) => Some(*hash.as_bytes()),
    };
    tx.prepare_cached(
        "INSERT INTO sessions (id, grant_id, cookie, binding, started_at, last_used, revision)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)",
    )?
    .execute(params![
        asked.session.to_string(),
        asked.grant.id.to_string(),
        cookie,
        json(&asked.binding)?,
        asked.now.millis(),
        next_revision(tx)?,
    ])?;
    tx.prepare_cached(
        "INSERT INTO external_tokens (issuer, external_id, session_id, used_at, forget_after)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        asked.issuer,
        asked.external_id,
        asked.session.to_string(),
        asked.now.millis(),
        asked.forget_after.millis(),
    ])?;
    read_back(tx, asked.session).map(Ok)
}

/// What a token that was seen before may still do.
fn again(stored: Stored, asked: &Admission) -> Result<Stored, AdmitRefused> {
    if let Some(ended) = stored.session.ended {
        return Err(AdmitRefused::Ended(ended));
    }
    match (asked.using, stored.session.cookie) {
        (ExternalUse::Bearer, None) => Ok(stored),
        _ => Err(AdmitRefused::Used {
            at: stored.session.started_at.unwrap_or(stored.grant.issued_at),
        }),
    }
}

/// Ends one session. `Some((true, …))`: by this call; `Some((false, …))`: it was over.
pub(in crate::store) fn end(
    tx: &Transaction<'_>,
    id: SessionId,
    ended: &Ended,
) -> Result<Option<(bool, Ended)>, RowError> {
    let changed = tx
        .prepare_cached(
            "UPDATE sessions SET ended_cause = ?2, ended_at = ?3, ended_by = ?4, revision = ?5
             WHERE id = ?1 AND ended_at IS NULL",
        )?
        .execute(params![
            id.to_string(),
            ended.cause.as_str(),
            ended.at.millis(),
            ended.by,
            next_revision(tx)?,
        ])?;
    if changed == 1 {
        return Ok(Some((true, ended.clone())));
    }
    let mut query =
        tx.prepare_cached("SELECT ended_cause, ended_at, ended_by FROM sessions WHERE id = ?1")?;
    let mut found = query.query([id.to_string()])?;
    match found.next()? {
        Some(row) => Ok(rows::ended(row, 0)?.map(|first| (false, first))),
        None => Ok(None),
    }
}

pub(in crate::store) fn revoke(
    tx: &Transaction<'_>,
    target: &Target,
    ended: &Ended,
) -> Result<Revocation, RowError> {
    let sessions = match target {
        Target::Grant(id) => column(tx, "SELECT id FROM sessions WHERE grant_id = ?1", [id.to_string()])?,
        Target::Session(id) => vec![id.to_string()],
        Target::External { external_id, .. } => column(
            tx,
            "SELECT session_id FROM external_tokens WHERE external_id = ?1 AND session_id IS NOT NULL
             AND (?2 = '' OR issuer = ?2)",
            (external_id, issuer_text(target)),
        )?,
    };
    let mut out = Revocation::default();
    for id in sessions {
        let id = id.parse().map_err(|_| RowError::Corrupt {
            what: "session id",
            detail: id.clone(),
        })?;
        match end(tx, id, ended)? {
            Some((true, _)) => out.ended.push(id),
            Some((false, first)) => out.already.push((id, first)),
            None => {}
        }
    }
    out.token = revoke_tokens(tx, target, &out, ended)?;
    Ok(out)
}

fn issuer_text(target: &Target) -> &str {
    match target {
        Target::External { issuer, .. } => issuer.as_deref().unwrap_or(""),
        _ => "",
    }
}

/// Marks the tokens behind the target as revoked, so that they get no session again.
fn revoke_tokens(
    tx: &Transaction<'_>,
    target: &Target,
    done: &Revocation,
    ended: &Ended,
) -> Result<bool, RowError> {
    for id in &done.ended {
        tx.prepare_cached(
            "UPDATE external_tokens SET revoked_at = ?2, revoked_by = ?3
             WHERE session_id = ?1 AND revoked_at IS NULL",
        )?
        .execute(params![id.to_string(), ended.at.millis(), ended.by])?;
    }
    let Target::External {
        external_id,
        remember_until,
        ..
    } = target
    else {
        return Ok(false);
    };
    tx.prepare_cached(
        "INSERT INTO external_tokens (issuer, external_id, revoked_at, revoked_by, forget_after)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (external_id, issuer) DO UPDATE SET
            revoked_at = coalesce(revoked_at, excluded.revoked_at),
            revoked_by = coalesce(revoked_by, excluded.revoked_by),
            forget_after = max(forget_after, excluded.forget_after)",
    )?
    .execute(params![
        issuer_text(target),
        external_id,
        ended.at.millis(),
        ended.by,
        remember_until.millis(),
    ])?;
    Ok(true)
}

fn column(
    tx: &Transaction<'_>,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<String>, RowError> {
    let mut query = tx.prepare_cached(sql)?;
    let found = query.query_map(params, |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn touch(tx: &Transaction<'_>, uses: &[Use]) -> Result<(), RowError> {
    let mut update = tx.prepare_cached(
        "UPDATE sessions SET last_used = max(coalesce(last_used, 0), ?2), used = coalesce(?3, used)
         WHERE id = ?1",
    )?;
    for one in uses {
        let used = one.used.as_ref().map(json).transpose()?;
        update.execute(params![one.session.to_string(), one.at.millis(), used])?;
    }
    Ok(())
}

pub(super) fn mark_recorded(
    tx: &Transaction<'_>,
    marks: &[(SessionId, Mark)],
) -> Result<(), RowError> {
    let mut update =
        tx.prepare_cached("UPDATE sessions SET recorded = recorded | ?2 WHERE id = ?1")?;
    for (id, mark) in marks {
        update.execute(params![id.to_string(), mark.bits()])?;
    }
    Ok(())
}

pub(super) fn purge(
    tx: &Transaction<'_>,
    now: Timestamp,
    ended_before: Timestamp,
) -> Result<usize, RowError> {
    let tokens = tx.execute(
        "DELETE FROM external_tokens WHERE forget_after < ?1",
        [now.millis()],
    )?;
    let grants = tx.execute(
        "DELETE FROM grants WHERE id IN (
            SELECT grant_id FROM sessions WHERE ended_at < ?1
            AND recorded = 5 | ((started_at IS NOT NULL) << 1))",
        [ended_before.millis()],
    )?;
    Ok(tokens + grants)
}
