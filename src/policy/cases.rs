//! `policy test`: the cases beside the policy files.

use super::example::{Example, ExplainQuery};
use super::files::{self, Kind, Source};
use super::load::Policy;
use super::options::LoadOptions;
use super::problem::{Problem, Problems};
use super::reader::{Keys, Sheet};
use super::verdict::Verdict;
use crate::model::{Effect, Timestamp};
use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

/// How one case came out.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CaseOutcome {
    pub file: String,
    pub line: usize,
    /// Its `name`, or the request.
    pub name: String,
    /// `None`: as expected.
    pub failure: Option<String>,
}

/// All cases. `Display` prints it for a person.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TestReport {
    pub digest: String,
    pub cases: Vec<CaseOutcome>,
    /// Ids of own rows that decide in no case.
    pub uncovered: Vec<String>,
}

impl TestReport {
    /// Whether there are cases and all came out as expected.
    pub fn passed(&self) -> bool {
        !self.cases.is_empty() && self.cases.iter().all(|case| case.failure.is_none())
    }
}

/// Loads the policy and runs the `*.cases.toml` beside it.
pub fn test(paths: &[PathBuf], options: &LoadOptions) -> Result<TestReport, Problems> {
    let mut problems = Vec::new();
    let sources = files::gather(paths, &options.settings, &mut problems);
    let mut cases = Vec::new();
    for source in sources.iter().filter(|source| source.kind == Kind::Cases) {
        problems.extend(read(source, &mut cases));
    }
    let policy = Policy::compile(&sources, options, problems)?;
    Ok(policy.run(&cases))
}

/// One case as it was read.
struct Case {
    file: String,
    line: usize,
    name: String,
    query: ExplainQuery,
    expect: Effect,
    rule: String,
    action: Option<String>,
    resource: Option<String>,
    /// Client messages of a permitted WebSocket that must be denied, and that must pass.
    denied_messages: Vec<String>,
    passed_messages: Vec<String>,
}

fn read(source: &Source, cases: &mut Vec<Case>) -> Vec<Problem> {
    let sheet = Sheet::new(&source.path, &source.text);
    let table = sheet.parse();
    {
        let keys = Keys::new(&sheet, &table, 0..0, "");
        for (case, at) in keys.tables("cases") {
            cases.extend(read_case(&Keys::new(&sheet, case, at, "cases")));
        }
        // The access policy's own: `access::test` reads them.
        let _ = keys.value("access_case");
        keys.done();
    }
    sheet.into_problems()
}

fn read_case(keys: &Keys<'_, '_>) -> Option<Case> {
    let request = keys.required(
        "request",
        "Write a method and a path, as \"GET /orders/17\"",
    );
    let expect = keys.required("expect", "Write \"permit\" or \"deny\"");
    let rule = keys.required("rule", "Name the row that must decide, or \"default-deny\"");
    let name = optional(keys, "name");
    let (action, resource) = (optional(keys, "action"), optional(keys, "resource"));
    let mut query = read_query(keys);
    let denied_messages = owned(keys, "denied_messages");
    let passed_messages = owned(keys, "passed_messages");
    keys.done();
    let (request, expect) = (request?, expect?);
    request.text.clone_into(&mut query.request);
    if let Err(what) = Example::new(&query) {
        let remedy = "Write it as \"GET /orders/17?x=1\"";
        keys.fault(request.at, "request", what, remedy);
        return None;
    }
    let effect = match expect.text {
        "permit" => Effect::Permit,
        "deny" => Effect::Deny,
        other => {
            let what = format!("{other:?} is no effect");
            keys.fault(expect.at, "expect", what, "Write \"permit\" or \"deny\"");
            return None;
        }
    };
    Some(Case {
        file: keys.sheet.file.to_owned(),
        line: keys.sheet.line(&keys.at),
        name: name.unwrap_or_else(|| query.request.clone()),
        query,
        expect: effect,
        rule: rule?.text.to_owned(),
        action,
        resource,
        denied_messages,
        passed_messages,
    })
}

fn optional(keys: &Keys<'_, '_>, key: &'static str) -> Option<String> {
    keys.text(key).map(|text| text.text.to_owned())
}

fn owned(keys: &Keys<'_, '_>, key: &'static str) -> Vec<String> {
    let texts = keys.texts(key).into_iter();
    texts.map(|text| text.text.to_owned()).collect()
}

/// Everything of a case but the request itself and what is expected.
fn read_query(keys: &Keys<'_, '_>) -> ExplainQuery {
    let text = |key| optional(keys, key).unwrap_or_default();
    let seconds = keys.number("time");
    let mut query = ExplainQuery {
        app: text("app"),
        websocket: keys.flag("websocket"),
        operator: text("operator"),
        subject: text("subject"),
        tenant: text("tenant"),
        ticket: text("ticket"),
        approvals: owned(keys, "approvals"),
        break_glass: keys.flag("break_glass"),
        now: seconds.map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000))),
        ..ExplainQuery::default()
    };
    read_client(keys, &mut query);
    read_headers(keys, &mut query);
    read_body(keys, &mut query);
    for text in keys.texts("scopes") {
        if let Ok(scope) = text.text.parse() {
            query.scopes.push(scope);
        } else {
            let what = format!("{:?} is no scope", text.text);
            keys.fault(text.at, "scopes", what, "Use a-z 0-9 - _ . :");
        }
    }
    query
}

fn read_client(keys: &Keys<'_, '_>, query: &mut ExplainQuery) {
    if let Some(text) = keys.text("client") {
        match text.text.parse() {
            Ok(address) => query.client = Some(address),
            Err(_) => keys.fault(
                text.at,
                "client",
                format!("{:?} is no address", text.text),
                "Write it as \"192.0.2.1\"",
            ),
        }
    }
}

fn read_headers(keys: &Keys<'_, '_>, query: &mut ExplainQuery) {
    let Some((table, _)) = keys.table("headers") else {
        return;
    };
    for (name, value) in table {
        match value.get_ref().as_str() {
            Some(text) => query
                .headers
                .push((name.get_ref().to_string(), text.to_owned())),
            None => keys.fault(
                value.span(),
                "headers",
                "has a value that is no string",
                "Put it in quotes",
            ),
        }
    }
}

/// `json` and `form` set the content type too; `body` leaves it to `headers`.
fn read_body(keys: &Keys<'_, '_>, query: &mut ExplainQuery) {
    let kinds = [
        ("body", None),
        ("json", Some("application/json")),
        ("form", Some("application/x-www-form-urlencoded")),
    ];
    for (key, kind) in kinds {
        let Some(text) = keys.text(key) else {
            continue;
        };
        if query.body.is_some() {
            keys.fault(
                text.at,
                key,
                "is a second body",
                "Keep one of body, json and form",
            );
            continue;
        }
        query.body = Some(text.text.as_bytes().to_vec());
        query
            .headers
            .extend(kind.map(|kind| ("content-type".to_owned(), kind.to_owned())));
    }
}

impl Policy {
    fn run(&self, cases: &[Case]) -> TestReport {
        let mut deciding: HashSet<String> = HashSet::new();
        let mut outcomes = Vec::new();
        for case in cases {
            let failure = match Example::new(&case.query) {
                Ok(example) => {
                    let verdict = example.decide(self);
                    deciding.insert(verdict.decision.rule.to_string());
                    deciding.extend(
                        verdict
                            .also
                            .iter()
                            .map(|decision| decision.rule.to_string()),
                    );
                    self.failure(case, &verdict)
                }
                Err(what) => Some(what),
            };
            outcomes.push(CaseOutcome {
                file: case.file.clone(),
                line: case.line,
                name: case.name.clone(),
                failure,
            });
        }
        let mut rows: Vec<_> = self
            .rows
            .iter()
            .filter(|row| !deciding.contains(&*row.id))
            .collect();
        rows.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        TestReport {
            digest: self.digest().to_owned(),
            cases: outcomes,
            uncovered: rows.into_iter().map(|row| row.id.to_string()).collect(),
        }
    }

    fn failure(&self, case: &Case, verdict: &Verdict) -> Option<String> {
        let decision = &verdict.decision;
        let effect = |effect| {
            if effect == Effect::Permit {
                "permit"
            } else {
                "deny"
            }
        };
        if decision.effect != case.expect || *decision.rule != *case.rule {
            let known = self.rows.iter().any(|row| *row.id == *case.rule)
                || self.pack.number(&case.rule).is_some()
                || super::verdict::RULES.contains(&case.rule.as_str())
                || case.rule.starts_with("cedar:");
            let gone = if known { "" } else { "; there is no such row" };
            return Some(format!(
                "expected {} by {}, got {} by {} ({}){gone}",
                effect(case.expect),
                case.rule,
                effect(decision.effect),
                decision.rule,
                verdict.why.words()
            ));
        }
        if let Some(action) = case
            .action
            .as_ref()
            .filter(|action| ***action != *decision.action)
        {
            return Some(format!(
                "expected the action {action}, got {}",
                decision.action
            ));
        }
        if let Some(resource) = case
            .resource
            .as_ref()
            .filter(|text| ***text != *decision.resource)
        {
            return Some(format!(
                "expected the resource {resource}, got {}",
                decision.resource
            ));
        }
        let judge = |message: &String| match &verdict.websocket {
            Some(rules) => rules.judge(message.as_bytes(), true).is_ok(),
            None => false,
        };
        if let Some(message) = case.denied_messages.iter().find(|message| judge(message)) {
            return Some(format!("the message {message} passes"));
        }
        let stopped = case.passed_messages.iter().find(|message| !judge(message));
        stopped.map(|message| format!("the message {message} is denied"))
    }
}

impl fmt::Display for TestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut failed = 0;
        for case in &self.cases {
            if let Some(failure) = &case.failure {
                failed += 1;
                writeln!(
                    f,
                    "FAILED  {}:{}: {}: {failure}",
                    case.file, case.line, case.name
                )?;
            }
        }
        for row in &self.uncovered {
            writeln!(f, "warning: no case has {row} decide")?;
        }
        if self.cases.is_empty() {
            writeln!(
                f,
                "there are no cases; write some in a *.cases.toml beside the policy"
            )?;
        }
        let passed = self.cases.len() - failed;
        write!(
            f,
            "{passed} of {} cases passed, policy {}",
            self.cases.len(),
            self.digest
        )
    }
}
