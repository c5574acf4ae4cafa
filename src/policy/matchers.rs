//! What a row asks for beyond method and path.

use super::field_rule::FieldRule;
use super::graphql;
use super::values::Value;
use super::websocket::WsRules;
use http::HeaderName;
use std::sync::Arc;

/// All matchers of one row; every one must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Matchers {
    pub(super) query: Vec<FieldRule>,
    pub(super) form: Vec<FieldRule>,
    pub(super) json: Vec<FieldRule>,
    pub(super) headers: Vec<(HeaderName, Value)>,
    pub(super) graphql: Option<graphql::Rule>,
    pub(super) websocket: Option<Arc<WsRules>>,
}

/// What must be read to judge a set of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) form: bool,
    pub(super) json: bool,
    pub(super) graphql: bool,
}

impl Needs {
    pub(super) fn of(matchers: &Matchers) -> Self {
        Self {
            form: !matchers.form.is_empty(),
            json: !matchers.json.is_empty(),
            graphql: matchers.graphql.is_some(),
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            form: self.form | other.form,
            json: self.json | other.json,
            graphql: self.graphql | other.graphql,
        }
    }

    pub(super) fn any(self) -> bool {
        self.form | self.json | self.graphql
    }
}

impl Matchers {
    /// How many there are: more is more specific.
    pub(super) fn count(&self) -> usize {
        let graphql = self.graphql.as_ref().map_or(0, |rule| {
            1 + usize::from(rule.kind.is_some()) + usize::from(rule.fields.is_some())
        });
        self.query.len() + self.form.len() + self.json.len() + self.headers.len() + graphql
    }

    /// Whether no request can satisfy both.
    pub(super) fn is_disjoint(&self, other: &Self) -> bool {
        let fields = |ours: &[FieldRule], theirs: &[FieldRule]| {
            ours.iter().any(|a| {
                theirs
                    .iter()
                    .any(|b| a.name == b.name && a.value.is_disjoint(&b.value))
            })
        };
        let headers = self.headers.iter().any(|(name, value)| {
            other
                .headers
                .iter()
                .any(|(known, their)| name == known && value.is_disjoint(their))
        });
        let graphql = match (&self.graphql, &other.graphql) {
            (Some(a), Some(b)) => {
                let kinds = a.kind.zip(b.kind).is_some_and(|(a, b)| a != b);
                let names = a.fields.as_ref().zip(b.fields.as_ref());
                kinds || names.is_some_and(|(a, b)| a.is_disjoint(b))
            }
            _ => false,
        };
        headers
            || graphql
            || self.websocket.is_some() != other.websocket.is_some()
            || fields(&self.query, &other.query)
            || fields(&self.form, &other.form)
            || fields(&self.json, &other.json)
            // One body is either a form or JSON.
            || (!self.form.is_empty() && !other.json.is_empty())
            || (!self.json.is_empty() && !other.form.is_empty())
    }

    /// Whether every request that satisfies `inner` surely satisfies these too. `fold`: as deny rows compare.
    pub(super) fn covers(&self, inner: &Self, fold: bool) -> bool {
        let fields = |ours: &[FieldRule], theirs: &[FieldRule]| {
            ours.iter().all(|a| {
                theirs
                    .iter()
                    .any(|b| a.name == b.name && a.value.covers(&b.value, fold))
            })
        };
        let headers = self.headers.iter().all(|(name, value)| {
            inner
                .headers
                .iter()
                .any(|(known, their)| name == known && value.covers(their, fold))
        });
        let graphql = match (&self.graphql, &inner.graphql) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(a), Some(b)) => {
                a.kind.is_none_or(|kind| Some(kind) == b.kind)
                    && match (&a.fields, &b.fields) {
                        (None, _) => true,
                        (Some(_), None) => false,
                        (Some(ours), Some(theirs)) => ours.covers(theirs, false),
                    }
            }
        };
        let websocket = match (&self.websocket, &inner.websocket) {
            (None, None) | (Some(_), Some(_)) => true,
            // A deny row without `websocket` denies both kinds; an allow row is for one kind only.
            (None, Some(_)) => fold,
            (Some(_), None) => false,
        };
        headers
            && graphql
            && websocket
            && fields(&self.query, &inner.query)
            && fields(&self.form, &inner.form)
            && fields(&self.json, &inner.json)
    }
}
