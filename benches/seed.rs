//! Fills a store with sessions that have begun, for measurements that need many of them.
//!
//! `seed DIR SESSIONS [APPS]` makes `DIR/locum.db` with SESSIONS live sessions (spread over the apps `app-0`, `app-1`, …; one
//! if not given) through the product's own store, and writes `DIR/sessions`: a line each, `SESSION APP COOKIE`.

use locum::model::{
    Binding, Grant, GrantId, Operator, OperatorKind, Secret, SessionId, Subject, Tenant, Timestamp,
};
use locum::store::sqlite::{self, Sqlite};
use locum::store::{GrantStore as _, Issue, Mark, Redemption};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sessions whose events are marked as recorded in one go.
const MARKED: usize = 10_000;
const DAY: i64 = 86_400_000;
/// A support team's: so many operators, and customers of so many tenants.
const OPERATORS: usize = 200;
const TENANTS: usize = 60;

/// The `n`th grant: nothing in it is shared with another but the words that a team shares.
fn grant(n: usize, app: &str, now: Timestamp) -> Result<Grant, Box<dyn std::error::Error>> {
    let (operator, tenant) = (n % OPERATORS, n % TENANTS);
    Ok(Grant {
        id: GrantId::fresh(),
        app: app.into(),
        operator: Operator {
            id: format!("operator-{operator}@support.example"),
            name: Some(format!("Operator {operator}")),
            kind: OperatorKind::Human,
        },
        subject: Subject {
            id: format!("customer-{n}@tenant-{tenant}.example"),
            name: Some(format!("Customer {n}")),
        },
        tenant: Tenant {
            id: format!("tenant-{tenant}"),
            name: Some(format!("Tenant {tenant}")),
        },
        scopes: vec!["view".parse()?],
        ticket: format!("SUP-{n}"),
        reason: "Cannot see an invoice".into(),
        approvals: vec!["bo@support.example".into()],
        break_glass: false,
        not_before: now,
        expires_at: Timestamp::from_millis(now.millis() + DAY),
        issued_at: now,
        issued_by: "cli:root".into(),
        external_id: None,
        budget: None,
    })
}

fn fill(dir: &Path, sessions: usize, apps: usize) -> Result<(), Box<dyn std::error::Error>> {
    let store = Sqlite::open(&sqlite::Settings {
        path: dir.join("locum.db"),
        busy_timeout: Duration::from_secs(5),
    })?;
    let mut list = io::BufWriter::new(std::fs::File::create(dir.join("sessions"))?);
    let mut begun = Vec::with_capacity(MARKED);
    for n in 0..sessions {
        let (now, app) = (Timestamp::now(), format!("app-{}", n % apps));
        let (session, code, cookie) = (SessionId::fresh(), Secret::fresh()?, Secret::fresh()?);
        store.issue(&Issue {
            grant: grant(n, &app, now)?,
            session,
            binding: Binding::default(),
            code: code.hash(),
            code_expires: Timestamp::from_millis(now.millis() + DAY),
        })?;
        store.redeem(&Redemption {
            session,
            code: code.hash(),
            cookie: cookie.hash(),
            binding: Binding::default(),
            now,
        })??;
        begun.push((session, Mark::ISSUED.and(Mark::STARTED)));
        writeln!(list, "{session} {app} {}", cookie.reveal())?;
        if begun.len() == MARKED {
            store.mark_recorded(&begun)?;
            begun.clear();
        }
    }
    store.mark_recorded(&begun)?;
    Ok(list.flush()?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, sessions, apps @ ..] = arguments.as_slice() else {
        return Err("usage: seed DIR SESSIONS [APPS]".into());
    };
    let apps = apps.first().map_or(Ok(1), |apps| apps.parse())?;
    fill(Path::new(dir), sessions.parse()?, std::cmp::max(apps, 1))
}
