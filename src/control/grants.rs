//! The admin's tool behind `locum grant issue|list|show|revoke`: validate, then write to the store.
//!
//! Everything here blocks on the store; the command line calls it directly, a server through
//! [`Live::with_store`](crate::store::live::Live::with_store).

use crate::model::{
    Binding, Grant, GrantId, Operator, OperatorKind, Scope, Secret, SessionId, Subject, Tenant,
    Timestamp,
};
use crate::store::{
    Filter, GrantStore, Issue, ReissueRefused, Revocation, StoreError, Stored, Target, text,
};
use std::fmt;
use std::time::Duration;

/// What a grant may be at most. Durations in whole milliseconds.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest ordinary grant. Default 60 min.
    pub max_ttl: Duration,
    /// The longest break-glass grant. Default 15 min.
    pub max_break_glass_ttl: Duration,
    /// How long a start code is good. Default 30 s.
    pub code_ttl: Duration,
    /// How far ahead a grant may begin. Default 7 days.
    pub max_ahead: Duration,
    /// Longest identifier or name, bytes. Default 256.
    pub max_name: usize,
    /// Longest ticket, bytes. Default 128.
    pub max_ticket: usize,
    /// Longest reason, bytes. Default 1,024.
    pub max_reason: usize,
    /// Most scopes in a grant. Default 64.
    pub max_scopes: usize,
    /// How long a revoked external token that was never seen is remembered. Default 48 h.
    pub remember_revoked: Duration,
    /// The apps there are; `None`: not checked.
    pub apps: Option<Vec<String>>,
    /// The scopes there are; `None`: not checked.
    pub scopes: Option<Vec<Scope>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_ttl: Duration::from_secs(60 * 60),
            max_break_glass_ttl: Duration::from_secs(15 * 60),
            code_ttl: Duration::from_secs(30),
            max_ahead: Duration::from_secs(7 * 24 * 3600),
            max_name: 256,
            max_ticket: 128,
            max_reason: 1_024,
            max_scopes: 64,
            remember_revoked: Duration::from_secs(48 * 3600),
            apps: None,
            scopes: None,
        }
    }
}

/// What somebody asks for, as it was typed.
#[derive(Clone, Debug, Default)]
pub struct IssueRequest {
    pub app: String,
    pub operator: String,
    pub operator_name: Option<String>,
    pub operator_kind: OperatorKind,
    pub subject: String,
    pub subject_name: Option<String>,
    pub tenant: String,
    pub tenant_name: Option<String>,
    pub scopes: Vec<String>,
    pub ticket: String,
    pub reason: String,
    pub ttl: Duration,
    /// `None`: from now.
    pub not_before: Option<Timestamp>,
    pub break_glass: bool,
    pub binding: Binding,
    /// `cli:<user>`.
    pub issued_by: String,
}

/// A grant that exists now. The code is in nobody's hands but the caller's.
#[derive(Debug)]
pub struct Issued {
    pub grant: Grant,
    pub session: SessionId,
    pub code: Secret,
    pub code_expires: Timestamp,
}

/// One thing wrong with a request, by field, with what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub field: &'static str,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Why nothing was issued or revoked.
#[derive(Debug)]
pub enum Error {
    /// The request's fault: everything that is wrong with it, at once.
    Invalid(Vec<Problem>),
    /// There is nothing of that name.
    NotFound,
    /// No fresh start code for this grant.
    Reissue(ReissueRefused),
    /// The system's random generator failed.
    Random(aws_lc_rs::error::Unspecified),
    Store(StoreError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(problems) => {
                let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Self::NotFound => f.write_str("there is no such grant: see `locum grant list`"),
            Self::Reissue(why) => why.fmt(f),
            Self::Random(_) => f.write_str("the system's random generator failed"),
            Self::Store(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Reissue(why) => Some(why),
            Self::Random(why) => Some(why),
            Self::Store(why) => Some(why),
            Self::Invalid(_) | Self::NotFound => None,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<aws_lc_rs::error::Unspecified> for Error {
    fn from(error: aws_lc_rs::error::Unspecified) -> Self {
        Self::Random(error)
    }
}

/// Makes a grant with its session and start code.
pub fn issue(
    store: &dyn GrantStore,
    request: &IssueRequest,
    limits: &Limits,
    now: Timestamp,
) -> Result<Issued, Error> {
    let scopes = validate(request, limits, now).map_err(Error::Invalid)?;
    let code = Secret::fresh()?;
    let code_expires = now.plus(limits.code_ttl);
    let not_before = request.not_before.unwrap_or(now);
    let owned = |text: &Option<String>| text.as_ref().map(|text| text.trim().to_owned());
    let grant = Grant {
        id: GrantId::fresh(),
        app: request.app.trim().to_owned(),
        operator: Operator {
            id: request.operator.trim().to_owned(),
            name: owned(&request.operator_name),
            kind: request.operator_kind,
        },
        subject: Subject {
            id: request.subject.trim().to_owned(),
            name: owned(&request.subject_name),
        },
        tenant: Tenant {
            id: request.tenant.trim().to_owned(),
            name: owned(&request.tenant_name),
        },
        scopes,
        ticket: request.ticket.trim().to_owned(),
        reason: request.reason.trim().to_owned(),
        approvals: Vec::new(),
        break_glass: request.break_glass,
        not_before,
        expires_at: not_before.plus(request.ttl),
        issued_at: now,
        issued_by: request.issued_by.trim().to_owned(),
        external_id: None,
        budget: None,
    };
    let issued = Issued {
        session: SessionId::fresh(),
        grant,
        code,
        code_expires,
    };
    store.issue(&Issue {
        grant: issued.grant.clone(),
        session: issued.session,
        binding: request.binding.clone(),
        code: issued.code.hash(),
        code_expires,
    })?;
    Ok(issued)
}

/// A fresh start code for a grant that nobody has started; the old code is void.
pub fn reissue_code(
    store: &dyn GrantStore,
    grant: GrantId,
    limits: &Limits,
    now: Timestamp,
) -> Result<Issued, Error> {
    let stored = store.find_grant(grant)?.ok_or(Error::NotFound)?;
    if now >= stored.grant.expires_at {
        return Err(Error::Invalid(vec![Problem {
            field: "grant",
            message: format!("expired at {}: issue another", stored.grant.expires_at),
        }]));
    }
    let code = Secret::fresh()?;
    let code_expires = now.plus(limits.code_ttl);
    let session = store
        .reissue_code(grant, code.hash(), code_expires)?
        .map_err(Error::Reissue)?;
    Ok(Issued {
        grant: (*stored.grant).clone(),
        session,
        code,
        code_expires,
    })
}

/// Grants by filter, newest first.
pub fn list(store: &dyn GrantStore, filter: &Filter) -> Result<Vec<Stored>, Error> {
    Ok(store.list(filter)?)
}

/// One grant, by its own id or its session's.
pub fn show(store: &dyn GrantStore, id: &str) -> Result<Stored, Error> {
    let found = match (id.parse::<GrantId>(), id.parse::<SessionId>()) {
        (Ok(grant), _) => store.find_grant(grant)?,
        (_, Ok(session)) => store.find_session(session)?,
        _ => None,
    };
    found.ok_or(Error::NotFound)
}

/// What to revoke, as it was typed.
#[derive(Clone, Debug)]
pub enum Which<'a> {
    /// A grant's id or a session's.
    Id(&'a str),
    /// An external token's `jti`; with its issuer, or whatever issuer.
    ExternalId {
        jti: &'a str,
        issuer: Option<&'a str>,
    },
}

/// Revokes at once and everywhere. `by` is `cli:<user>`.
pub fn revoke(
    store: &dyn GrantStore,
    which: &Which<'_>,
    by: &str,
    limits: &Limits,
    now: Timestamp,
) -> Result<Revocation, Error> {
    let target = match which {
        Which::Id(id) => match (id.parse(), id.parse()) {
            (Ok(grant), _) => Target::Grant(grant),
            (_, Ok(session)) => Target::Session(session),
            _ => return Err(Error::NotFound),
        },
        Which::ExternalId { jti, issuer } => {
            text::check(jti, limits.max_name).map_err(|problem| {
                Error::Invalid(vec![Problem {
                    field: "jti",
                    message: problem.to_string(),
                }])
            })?;
            Target::External {
                issuer: issuer.map(str::to_owned),
                external_id: (*jti).to_owned(),
                remember_until: now.plus(limits.remember_revoked),
            }
        }
    };
    let done = store.revoke(&target, by, now)?;
    if done.is_empty() {
        return Err(Error::NotFound);
    }
    Ok(done)
}

/// Everything that is wrong with a request, or its scopes.
fn validate(
    request: &IssueRequest,
    limits: &Limits,
    now: Timestamp,
) -> Result<Vec<Scope>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut say = |field, message: String| problems.push(Problem { field, message });
    for (field, value, max) in [
        ("app", Some(&request.app), limits.max_name),
        ("operator", Some(&request.operator), limits.max_name),
        (
            "operator name",
            request.operator_name.as_ref(),
            limits.max_name,
        ),
        ("subject", Some(&request.subject), limits.max_name),
        (
            "subject name",
            request.subject_name.as_ref(),
            limits.max_name,
        ),
        ("tenant", Some(&request.tenant), limits.max_name),
        ("tenant name", request.tenant_name.as_ref(), limits.max_name),
        ("ticket", Some(&request.ticket), limits.max_ticket),
        ("reason", Some(&request.reason), limits.max_reason),
        ("issued by", Some(&request.issued_by), limits.max_name),
    ] {
        if let Some(Err(problem)) = value.map(|value| text::check(value, max)) {
            say(field, problem.to_string());
        }
    }
    let app = request.app.trim();
    if let Some(apps) = &limits.apps
        && !app.is_empty()
        && !apps.iter().any(|known| known == app)
    {
        say(
            "app",
            format!("{app:?} is not configured: use one of {}", apps.join(", ")),
        );
    }
    let operator = request.operator.trim();
    if !operator.is_empty() && operator.eq_ignore_ascii_case(request.subject.trim()) {
        say(
            "operator",
            "is the subject: nobody stands in for themselves".to_owned(),
        );
    }
    check_time(request, limits, now, &mut say);
    let scopes = check_scopes(request, limits, &mut say);
    check_binding(&request.binding, &mut say);
    if problems.is_empty() {
        Ok(scopes)
    } else {
        Err(problems)
    }
}

fn check_time(
    request: &IssueRequest,
    limits: &Limits,
    now: Timestamp,
    say: &mut impl FnMut(&'static str, String),
) {
    let (max, kind) = if request.break_glass {
        (limits.max_break_glass_ttl, "break-glass")
    } else {
        (limits.max_ttl, "ordinary")
    };
    if request.ttl.as_millis() == 0 {
        say(
            "ttl",
            "is zero: say how long the grant is needed".to_owned(),
        );
    }
    if request.ttl > max {
        let max = max.as_secs() / 60;
        say(
            "ttl",
            format!("is longer than {max} min, the most for an {kind} grant"),
        );
    }
    let Some(begin) = request.not_before else {
        return;
    };
    if begin.plus(request.ttl) <= now {
        say(
            "not before",
            "with this ttl the grant is over already".to_owned(),
        );
    }
    if begin > now.plus(limits.max_ahead) {
        let days = limits.max_ahead.as_secs() / 86_400;
        say("not before", format!("is more than {days} days ahead"));
    }
}

fn check_scopes(
    request: &IssueRequest,
    limits: &Limits,
    say: &mut impl FnMut(&'static str, String),
) -> Vec<Scope> {
    let mut scopes = Vec::new();
    for name in &request.scopes {
        match name.trim().parse::<Scope>() {
            Ok(scope) => scopes.push(scope),
            Err(problem) => say("scope", problem.to_string()),
        }
    }
    if request.scopes.is_empty() {
        say("scope", "is missing: name at least one".to_owned());
    }
    scopes.sort();
    scopes.dedup();
    if scopes.len() > limits.max_scopes {
        say("scope", format!("are more than {}", limits.max_scopes));
    }
    if let Some(known) = &limits.scopes {
        for scope in scopes.iter().filter(|scope| !known.contains(scope)) {
            let known: Vec<&str> = known.iter().map(Scope::as_str).collect();
            say(
                "scope",
                format!("{scope} is not defined: use one of {}", known.join(", ")),
            );
        }
    }
    scopes
}

fn check_binding(binding: &Binding, say: &mut impl FnMut(&'static str, String)) {
    let is_thumbprint = |text: &String| {
        text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    if binding
        .certificate
        .as_ref()
        .is_some_and(|text| !is_thumbprint(text))
    {
        let wanted = "is not a SHA-256 thumbprint: 64 lower-case hex digits";
        say("certificate", wanted.to_owned());
    }
    if let Some((address, bits)) = binding.network {
        let max = if address.is_ipv4() { 32 } else { 128 };
        if bits > max {
            say(
                "network",
                format!("has a prefix of {bits} bits, the most is {max}"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
