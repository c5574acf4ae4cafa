//! Reads of a request what the rows ask for, once, and refuses what cannot be judged.

use super::facts::Facts;
use super::form::Pairs;
use super::graphql::{self, Operations, Unit};
use super::json::{self, Documents};
use super::load::Policy;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use std::cell::OnceCell;

/// Why a request cannot be judged; each denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Ambiguous,
    Unreadable,
    TooLarge,
    UnknownPersisted,
}

/// What the body is, by its Content-Type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentKind {
    Empty,
    Form,
    Multipart,
    Json,
    /// `application/graphql`: the document itself.
    GraphQl,
    Other,
    /// Compressed, an unknown charset, or two types: not to be guessed.
    Unclear,
}

impl From<graphql::Unjudged> for Stop {
    fn from(why: graphql::Unjudged) -> Self {
        match why {
            graphql::Unjudged::Malformed => Self::Unreadable,
            graphql::Unjudged::Ambiguous => Self::Ambiguous,
            graphql::Unjudged::UnknownPersisted => Self::UnknownPersisted,
        }
    }
}

impl From<json::Unjudged> for Stop {
    fn from(why: json::Unjudged) -> Self {
        match why {
            json::Unjudged::Malformed => Self::Unreadable,
            json::Unjudged::Duplicate => Self::Ambiguous,
        }
    }
}

/// The type that the head declares, whatever the body's length.
pub(super) fn declared(facts: &Facts<'_>) -> ContentKind {
    let headers = facts.headers;
    let plain = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(plain) {
        return ContentKind::Unclear;
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (None, _) => ContentKind::Other,
        (Some(only), None) => only.to_str().map_or(ContentKind::Unclear, media_type),
        (Some(_), Some(_)) => ContentKind::Unclear,
    }
}

fn media_type(value: &str) -> ContentKind {
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    for parameter in parts {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let charset = name.trim().eq_ignore_ascii_case("charset");
        let value = value.trim().trim_matches('"');
        // UTF-7, UTF-16 and the like spell the same fields in other bytes.
        if charset && !value.eq_ignore_ascii_case("utf-8") && !value.eq_ignore_ascii_case("utf8") {
            return ContentKind::Unclear;
        }
    }
    match essence.as_str() {
        "application/x-www-form-urlencoded" => ContentKind::Form,
        "multipart/form-data" => ContentKind::Multipart,
        "application/graphql" => ContentKind::GraphQl,
        "application/json" | "text/json" => ContentKind::Json,
        other if other.starts_with("application/") && other.ends_with("+json") => ContentKind::Json,
        other if other.contains(',') => ContentKind::Unclear,
        _ => ContentKind::Other,
    }
}

/// One request's query and body, parsed as they are asked for.
pub(super) struct Reading<'r> {
    policy: &'r Policy,
    facts: &'r Facts<'r>,
    body: &'r [u8],
    pub(super) kind: ContentKind,
    query: OnceCell<Result<Pairs<'r>, Stop>>,
    form: OnceCell<Result<Pairs<'r>, Stop>>,
    json: OnceCell<Result<Documents, Stop>>,
}

impl<'r> Reading<'r> {
    pub(super) fn new(policy: &'r Policy, facts: &'r Facts<'r>, body: &'r [u8]) -> Self {
        let kind = if body.is_empty() {
            ContentKind::Empty
        } else {
            declared(facts)
        };
        Self {
            policy,
            facts,
            body,
            kind,
            query: OnceCell::new(),
            form: OnceCell::new(),
            json: OnceCell::new(),
        }
    }

    pub(super) fn query(&self) -> Result<&Pairs<'r>, Stop> {
        let read = || {
            let text = self.facts.query.unwrap_or_default().as_bytes();
            Pairs::read(text, self.policy.settings.max_parameters).map_err(|_| Stop::Ambiguous)
        };
        self.query.get_or_init(read).as_ref().map_err(|stop| *stop)
    }

    pub(super) fn form(&self) -> Result<&Pairs<'r>, Stop> {
        let limit = self.policy.settings.max_parameters;
        let read = || Pairs::read(self.body, limit).map_err(|_| Stop::Unreadable);
        self.form.get_or_init(read).as_ref().map_err(|stop| *stop)
    }

    pub(super) fn json(&self) -> Result<&Documents, Stop> {
        let read = || Documents::read(self.body).map_err(Stop::from);
        self.json.get_or_init(read).as_ref().map_err(|stop| *stop)
    }

    /// The GraphQL operations' root fields; none for a GET without an operation (a console's page).
    pub(super) fn units(&self) -> Result<Vec<Unit>, Stop> {
        let operations = Operations {
            persisted: &self.policy.persisted,
            settings: &self.policy.settings,
        };
        let in_query = self.facts.query.is_some() && graphql::in_query(self.query()?)?;
        match self.kind {
            ContentKind::Empty if in_query => Ok(operations.in_query(self.query()?)?),
            ContentKind::Empty if matches!(self.facts.method, "GET" | "HEAD" | "OPTIONS") => {
                Ok(Vec::new())
            }
            // Some servers read the URL first, some the body.
            _ if in_query => Err(Stop::Ambiguous),
            ContentKind::Json => Ok(operations.in_json(self.json()?)?),
            ContentKind::GraphQl => {
                let text = std::str::from_utf8(self.body).map_err(|_| Stop::Unreadable)?;
                Ok(operations.in_text(text)?)
            }
            _ => Err(Stop::Unreadable),
        }
    }

    /// Whether the body itself asks for another method.
    pub(super) fn overrides_method(&self) -> bool {
        // What cannot be looked into is refused as unreadable, by whoever must read it.
        if matches!(self.kind, ContentKind::Empty | ContentKind::Unclear) {
            return false;
        }
        let scan = super::scan::OverrideScan::of(self.facts.headers);
        scan.is_some_and(|mut scan| scan.feed(self.body) || scan.finish())
    }
}
