//! The tables, and how an older file becomes a newer one.

use rusqlite::Connection;

/// One batch per version, in order; `PRAGMA user_version` counts those applied. Never edit one that
/// was released: add another.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE grants (
    id         TEXT PRIMARY KEY,
    app        TEXT NOT NULL,
    operator   TEXT NOT NULL,
    subject    TEXT NOT NULL,
    tenant     TEXT NOT NULL,
    ticket     TEXT NOT NULL,
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    body       TEXT NOT NULL            -- the whole grant, JSON
) STRICT;
CREATE INDEX grants_by_operator ON grants(operator);
CREATE INDEX grants_by_ticket ON grants(ticket);
CREATE INDEX grants_by_time ON grants(issued_at);

CREATE TABLE sessions (
    id          TEXT PRIMARY KEY,
    grant_id    TEXT NOT NULL UNIQUE REFERENCES grants(id) ON DELETE CASCADE,
    cookie      BLOB,                   -- SHA-256
    binding     TEXT NOT NULL,          -- JSON
    started_at  INTEGER,
    last_used   INTEGER,
    ended_cause TEXT,
    ended_at    INTEGER,
    ended_by    TEXT,
    recorded    INTEGER NOT NULL DEFAULT 0,
    revision    INTEGER NOT NULL,
    CHECK ((ended_cause IS NULL) = (ended_at IS NULL) AND (ended_at IS NULL) = (ended_by IS NULL))
) STRICT;
CREATE INDEX sessions_by_revision ON sessions(revision);
CREATE INDEX sessions_open ON sessions(id) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_end ON sessions(ended_at) WHERE ended_at IS NOT NULL;

CREATE INDEX sessions_unrecorded ON sessions(revision)
    WHERE recorded <> 1 | ((started_at IS NOT NULL) << 1) | ((ended_at IS NOT NULL) << 2);

CREATE TABLE codes (
    hash       BLOB PRIMARY KEY,        -- SHA-256
    session_id TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX codes_by_session ON codes(session_id);

CREATE TABLE external_tokens (
    issuer       TEXT NOT NULL,         -- '' where a revocation named none
    external_id  TEXT NOT NULL,
    session_id   TEXT,
    used_at      INTEGER,
    revoked_at   INTEGER,
    revoked_by   TEXT,
    forget_after INTEGER NOT NULL,
    PRIMARY KEY (external_id, issuer)
) STRICT, WITHOUT ROWID;
CREATE INDEX external_tokens_by_end ON external_tokens(forget_after);

CREATE TABLE counter (revision INTEGER NOT NULL) STRICT;
INSERT INTO counter VALUES (0);
",
    "
CREATE INDEX grants_by_tenant ON grants(tenant);
CREATE INDEX grants_by_subject ON grants(subject);

CREATE TABLE requests (
    id      TEXT PRIMARY KEY,
    app     TEXT NOT NULL,
    tenant  TEXT NOT NULL,
    person  TEXT NOT NULL,
    state   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    due     INTEGER,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL               -- JSON
) STRICT;
CREATE INDEX requests_by_state ON requests(state, person);
CREATE INDEX requests_by_due ON requests(due) WHERE due IS NOT NULL;

CREATE TABLE locks (
    id      TEXT PRIMARY KEY,
    app     TEXT NOT NULL,
    tenant  TEXT NOT NULL,
    person  TEXT NOT NULL,
    state   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    due     INTEGER,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL               -- JSON
) STRICT;
CREATE INDEX locks_by_state ON locks(state, person);
CREATE INDEX locks_by_due ON locks(due) WHERE due IS NOT NULL;

CREATE TABLE reviews (
    id      TEXT PRIMARY KEY,
    app     TEXT NOT NULL,
    tenant  TEXT NOT NULL,
    person  TEXT NOT NULL,
    state   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    due     INTEGER,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL               -- JSON
) STRICT;
CREATE INDEX reviews_by_state ON reviews(state, person);
CREATE INDEX reviews_by_due ON reviews(due) WHERE due IS NOT NULL;

CREATE TABLE workloads (
    id      TEXT PRIMARY KEY,
    app     TEXT NOT NULL,
    tenant  TEXT NOT NULL,
    person  TEXT NOT NULL,
    state   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    due     INTEGER,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL               -- JSON
) STRICT;
CREATE INDEX workloads_by_state ON workloads(state, person);
CREATE INDEX workloads_by_due ON workloads(due) WHERE due IS NOT NULL;

CREATE TABLE alerts (
    id      TEXT PRIMARY KEY,
    app     TEXT NOT NULL,
    tenant  TEXT NOT NULL,
    person  TEXT NOT NULL,
    state   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    due     INTEGER,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL               -- JSON
) STRICT;
CREATE INDEX alerts_by_state ON alerts(state, person);
CREATE INDEX alerts_by_due ON alerts(due) WHERE due IS NOT NULL;

CREATE TABLE votes (
    request    TEXT NOT NULL REFERENCES requests(id) ON DELETE CASCADE,
    digest     TEXT NOT NULL,           -- of the request as it was seen
    person     TEXT NOT NULL,
    account    TEXT NOT NULL,
    name       TEXT,
    verdict    TEXT NOT NULL CHECK (verdict IN ('approve', 'deny')),
    reason     TEXT,
    at         INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (request, digest, person)
) STRICT, WITHOUT ROWID;

CREATE TABLE consents (
    hash       BLOB PRIMARY KEY,        -- SHA-256
    request    TEXT NOT NULL REFERENCES requests(id) ON DELETE CASCADE,
    digest     TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE logins (
    hash       BLOB PRIMARY KEY,        -- SHA-256
    kind       TEXT NOT NULL,
    person     TEXT NOT NULL,
    account    TEXT NOT NULL,
    sid        TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used  INTEGER NOT NULL,
    body       TEXT NOT NULL            -- JSON
) STRICT, WITHOUT ROWID;
CREATE INDEX logins_by_account ON logins(account);
CREATE INDEX logins_by_end ON logins(expires_at);

CREATE TABLE answers (
    key    TEXT NOT NULL,
    person TEXT NOT NULL,
    digest TEXT NOT NULL,
    status INTEGER NOT NULL,
    body   TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (key, person)
) STRICT, WITHOUT ROWID;

CREATE TABLE happenings (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    code     TEXT NOT NULL,
    tenant   TEXT,
    app      TEXT,
    request  TEXT,
    session  TEXT,
    actor    TEXT NOT NULL,
    body     TEXT NOT NULL,             -- JSON
    recorded INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX happenings_unrecorded ON happenings(sequence) WHERE recorded = 0;
CREATE INDEX happenings_by_tenant ON happenings(tenant, sequence);
CREATE INDEX happenings_by_session ON happenings(session) WHERE session IS NOT NULL;
CREATE INDEX happenings_by_request ON happenings(request) WHERE request IS NOT NULL;
",
    "
CREATE TABLE transmissions (
    id      TEXT PRIMARY KEY,
    app     TEXT NOT NULL,
    tenant  TEXT NOT NULL,
    person  TEXT NOT NULL,
    state   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    due     INTEGER,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL               -- JSON
) STRICT;
CREATE INDEX transmissions_by_due ON transmissions(due) WHERE due IS NOT NULL;

-- Up to which revision ended sessions have become transmissions.
CREATE TABLE transmitted (revision INTEGER NOT NULL) STRICT;
INSERT INTO transmitted SELECT revision FROM counter;

CREATE TABLE signals_heard (
    issuer       TEXT NOT NULL,
    jti          TEXT NOT NULL,
    forget_after INTEGER NOT NULL,
    PRIMARY KEY (issuer, jti)
) STRICT, WITHOUT ROWID;
CREATE INDEX signals_heard_by_end ON signals_heard(forget_after);
",
    "
CREATE TABLE changes (
    id      TEXT PRIMARY KEY,
    app     TEXT NOT NULL,
    tenant  TEXT NOT NULL,
    person  TEXT NOT NULL,
    state   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    due     INTEGER,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL               -- JSON
) STRICT;
CREATE INDEX changes_by_state ON changes(state, person);
CREATE INDEX changes_by_due ON changes(due) WHERE due IS NOT NULL;

-- The rules that are in force: one row, written before they decide anything.
CREATE TABLE in_force (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    digest   TEXT NOT NULL,
    votes    INTEGER NOT NULL,          -- that a change of them needs
    authors  TEXT NOT NULL,             -- JSON: persons who may not cast one
    since    INTEGER NOT NULL,
    manifest TEXT NOT NULL              -- JSON
) STRICT;
",
    "
ALTER TABLE sessions ADD COLUMN used TEXT;  -- JSON: what it was used for
",
    "
-- What escalated is due for nothing more.
UPDATE reviews SET due = NULL WHERE state <> 'due' OR json_extract(body, '$.escalated_at') IS NOT NULL;

-- Messages of ticket systems that were acted on, until nobody would believe them any more.
CREATE TABLE hooks_heard (
    system       TEXT NOT NULL,
    mark         BLOB NOT NULL,
    forget_after INTEGER NOT NULL,
    PRIMARY KEY (system, mark)
) STRICT, WITHOUT ROWID;
CREATE INDEX hooks_heard_by_end ON hooks_heard(forget_after);
",
];

/// The version that this build writes.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// What `migrate` found.
pub(super) enum Migrated {
    Done,
    /// The file's version, newer than [`known`].
    Newer(i64),
}

/// Brings the file to the version of this build, all or nothing, safe against another process that
/// does the same.
pub(super) fn migrate(conn: &mut Connection) -> rusqlite::Result<Migrated> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known() {
        return Ok(Migrated::Newer(found));
    }
    let done = usize::try_from(found).unwrap_or(0);
    for batch in MIGRATIONS.iter().skip(done) {
        tx.execute_batch(batch)?;
    }
    if done < MIGRATIONS.len() {
        tx.pragma_update(None, "user_version", known())?;
    }
    tx.commit()?;
    Ok(Migrated::Done)
}
