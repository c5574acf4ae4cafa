//! GraphQL operations as the policy judges them: each by its type and each of its root fields.

use super::form::Pairs;
use super::json::{Ambiguous, Documents, Node};
use super::options::Settings;
use super::values::Value;
use super::words::FnvMap;
use apollo_parser::Parser;
use apollo_parser::cst::{Definition, Document, OperationDefinition, Selection, SelectionSet};

/// Names under which clients send a stored query's id without its text.
const ID_KEYS: [&str; 6] = ["id", "documentId", "doc_id", "queryId", "docId", "hash"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Query,
    Mutation,
    Subscription,
}

impl Kind {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "query" => Some(Self::Query),
            "mutation" => Some(Self::Mutation),
            "subscription" => Some(Self::Subscription),
            _ => None,
        }
    }
}

/// One root field of one operation: what is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) kind: Kind,
    pub(super) field: Box<str>,
}

/// A row's `graphql` matcher.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    /// `None`: any type.
    pub(super) kind: Option<Kind>,
    /// `None`: any root field.
    pub(super) fields: Option<Value>,
}

impl Rule {
    pub(super) fn matches(&self, unit: &Unit) -> bool {
        // GraphQL names are case-sensitive by the specification (§2.1.9), to deny too.
        self.kind.is_none_or(|kind| kind == unit.kind)
            && self
                .fields
                .as_ref()
                .is_none_or(|fields| fields.matches(&unit.field, false))
    }
}

/// Why a request's operations cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unjudged {
    Malformed,
    Ambiguous,
    UnknownPersisted,
}

impl From<Ambiguous> for Unjudged {
    fn from(_: Ambiguous) -> Self {
        Self::Ambiguous
    }
}

/// A parsed document: its operations with their root fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parsed(Vec<(Option<Box<str>>, Vec<Unit>)>);

/// Stored queries that the policy knows, by hash or id.
pub(super) type Persisted = FnvMap<Box<str>, Parsed>;

impl Parsed {
    /// Parses a document within the settings' bounds.
    pub(super) fn read(text: &str, settings: &Settings) -> Result<Self, Unjudged> {
        let tree = Parser::new(text)
            .recursion_limit(settings.graphql_depth)
            .token_limit(settings.graphql_tokens)
            .parse();
        if tree.errors().next().is_some() {
            return Err(Unjudged::Malformed);
        }
        let document = tree.document();
        let mut operations = Vec::new();
        for definition in document.definitions() {
            match definition {
                Definition::OperationDefinition(operation) => {
                    operations.push(read_operation(&document, &operation, settings)?);
                }
                Definition::FragmentDefinition(_) => {}
                // Type definitions are no part of an executable document (GraphQL §2.2).
                _ => return Err(Unjudged::Malformed),
            }
        }
        let anonymous = operations.iter().any(|(name, _)| name.is_none());
        let twice = |nth: usize| {
            operations[..nth]
                .iter()
                .any(|(name, _)| *name == operations[nth].0)
        };
        if operations.is_empty()
            || (anonymous && operations.len() > 1)
            || (1..operations.len()).any(twice)
        {
            return Err(Unjudged::Malformed);
        }
        Ok(Self(operations))
    }

    /// The units of the operation that a server would run.
    fn choose(&self, name: Option<&str>) -> Result<&[Unit], Unjudged> {
        let name = name.filter(|name| !name.is_empty());
        let found = match (name, self.0.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(name), all) => all.iter().find(|(known, _)| known.as_deref() == Some(name)),
        };
        found
            .map(|(_, units)| units.as_slice())
            .ok_or(Unjudged::Malformed)
    }
}

type Operation = (Option<Box<str>>, Vec<Unit>);

fn read_operation(
    document: &Document,
    operation: &OperationDefinition,
    settings: &Settings,
) -> Result<Operation, Unjudged> {
    let kind = match operation.operation_type() {
        None => Kind::Query,
        Some(written) if written.query_token().is_some() => Kind::Query,
        Some(written) if written.mutation_token().is_some() => Kind::Mutation,
        Some(written) if written.subscription_token().is_some() => Kind::Subscription,
        Some(_) => return Err(Unjudged::Malformed),
    };
    let selection = operation.selection_set().ok_or(Unjudged::Malformed)?;
    let mut roots = Roots {
        document,
        fields: Vec::new(),
        visited: Vec::new(),
        limit: settings.graphql_fields,
    };
    roots.collect(&selection)?;
    // `__typename` tells nothing; alone it is still an operation to be listed.
    if roots.fields.iter().any(|field| **field != *"__typename") {
        roots.fields.retain(|field| **field != *"__typename");
    }
    let name = operation.name().map(|name| name.text().as_str().into());
    let units: Vec<Unit> = roots
        .fields
        .into_iter()
        .map(|field| Unit { kind, field })
        .collect();
    if units.is_empty() {
        return Err(Unjudged::Malformed);
    }
    Ok((name, units))
}

/// Root fields by name, not alias, through fragments; `@skip` and `@include` are not believed.
struct Roots<'d> {
    document: &'d Document,
    fields: Vec<Box<str>>,
    visited: Vec<Box<str>>,
    limit: usize,
}

impl Roots<'_> {
    fn collect(&mut self, set: &SelectionSet) -> Result<(), Unjudged> {
        for selection in set.selections() {
            match selection {
                Selection::Field(field) => {
                    let name = field.name().ok_or(Unjudged::Malformed)?;
                    let name = name.text();
                    if !self.fields.iter().any(|known| **known == *name.as_str()) {
                        self.fields.push(name.as_str().into());
                    }
                    if self.fields.len() > self.limit {
                        return Err(Unjudged::Malformed);
                    }
                }
                Selection::InlineFragment(fragment) => {
                    self.collect(&fragment.selection_set().ok_or(Unjudged::Malformed)?)?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.fragment_name().and_then(|name| name.name());
                    self.spread(name.ok_or(Unjudged::Malformed)?.text().as_str())?;
                }
            }
        }
        Ok(())
    }

    /// Each fragment is entered once: so the work is bounded by the document, cycles included.
    fn spread(&mut self, name: &str) -> Result<(), Unjudged> {
        if self.visited.iter().any(|known| **known == *name) {
            return Ok(());
        }
        self.visited.push(name.into());
        let mut found = None;
        for definition in self.document.definitions() {
            if let Definition::FragmentDefinition(fragment) = definition {
                let known = fragment.fragment_name().and_then(|known| known.name());
                if known.is_some_and(|known| known.text().as_str() == name)
                    && found.replace(fragment).is_some()
                {
                    return Err(Unjudged::Ambiguous);
                }
            }
        }
        let set = found.and_then(|fragment| fragment.selection_set());
        // 64 fragments in a chain are more than any client writes; each level is one stack frame.
        if self.visited.len() > 64 {
            return Err(Unjudged::Malformed);
        }
        self.collect(&set.ok_or(Unjudged::Malformed)?)
    }
}

/// Reads the operations of one request.
pub(super) struct Operations<'p> {
    pub(super) persisted: &'p Persisted,
    pub(super) settings: &'p Settings,
}

impl Operations<'_> {
    /// From a JSON body: one operation or a batch.
    pub(super) fn in_json(&self, documents: &Documents) -> Result<Vec<Unit>, Unjudged> {
        let nodes = documents.nodes();
        if nodes.is_empty() || nodes.len() > self.settings.graphql_batch {
            return Err(Unjudged::Malformed);
        }
        let mut units = Vec::new();
        for node in nodes {
            if !matches!(node, Node::Object(_)) {
                return Err(Unjudged::Malformed);
            }
            units.extend(self.one(&node_call(node)?)?);
            if units.len() > self.settings.graphql_fields {
                return Err(Unjudged::Malformed);
            }
        }
        Ok(units)
    }

    /// From a body that is the document itself (`application/graphql`).
    pub(super) fn in_text(&self, text: &str) -> Result<Vec<Unit>, Unjudged> {
        self.one(&Call {
            text: Some(text.to_owned()),
            ..Call::default()
        })
    }

    /// From the query of a GET; none where it carries no operation.
    pub(super) fn in_query(&self, pairs: &Pairs<'_>) -> Result<Vec<Unit>, Unjudged> {
        let call = query_call(pairs)?;
        if call.is_empty() {
            return Ok(Vec::new());
        }
        self.one(&call)
    }

    fn one(&self, call: &Call) -> Result<Vec<Unit>, Unjudged> {
        let mut units = Vec::new();
        if let Some(text) = &call.text {
            let parsed = Parsed::read(text, self.settings)?;
            units.extend_from_slice(parsed.choose(call.operation.as_deref())?);
            if call
                .hash
                .as_ref()
                .is_some_and(|hash| *hash != super::digest::sha256(text.as_bytes()))
            {
                // A server that knows the hash may run what it stored rather than the text.
                return Err(Unjudged::Ambiguous);
            }
        }
        let unproved = call.hash.as_ref().filter(|_| call.text.is_none());
        for id in call.ids.iter().chain(unproved) {
            let known = self
                .persisted
                .get(id.as_str())
                .ok_or(Unjudged::UnknownPersisted)?;
            units.extend_from_slice(known.choose(call.operation.as_deref())?);
        }
        if units.is_empty() {
            return Err(Unjudged::Malformed);
        }
        Ok(units)
    }
}

/// Whether a URL's query itself carries an operation.
pub(super) fn in_query(pairs: &Pairs<'_>) -> Result<bool, Unjudged> {
    query_call(pairs).map(|call| !call.is_empty())
}

/// What one request asks to run.
#[derive(Default)]
struct Call {
    text: Option<String>,
    operation: Option<String>,
    hash: Option<String>,
    ids: Vec<String>,
}

impl Call {
    fn is_empty(&self) -> bool {
        self.text.is_none() && self.hash.is_none() && self.ids.is_empty()
    }
}

fn text_of(node: Option<&Node>) -> Result<Option<String>, Unjudged> {
    match node {
        None | Some(Node::Null) => Ok(None),
        Some(Node::Text(text)) => Ok(Some(text.clone())),
        Some(Node::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(Unjudged::Malformed),
    }
}

fn hash_of(extensions: Option<&Node>) -> Result<Option<String>, Unjudged> {
    let Some(node) = extensions else {
        return Ok(None);
    };
    match node.get("persistedQuery")? {
        None | Some(Node::Null) => Ok(None),
        Some(stored) => {
            let hash = stored.get("sha256Hash")?.and_then(Node::text);
            hash.map(|hash| Some(hash.to_owned()))
                .ok_or(Unjudged::Malformed)
        }
    }
}

fn node_call(node: &Node) -> Result<Call, Unjudged> {
    let mut ids = Vec::new();
    for key in ID_KEYS {
        ids.extend(text_of(node.get(key)?)?);
    }
    Ok(Call {
        text: text_of(node.get("query")?)?,
        operation: text_of(node.get("operationName")?)?,
        hash: hash_of(node.get("extensions")?)?,
        ids,
    })
}

fn query_call(pairs: &Pairs<'_>) -> Result<Call, Unjudged> {
    let mut ids = Vec::new();
    for key in ID_KEYS {
        ids.extend(pairs.get(key)?.map(str::to_owned));
    }
    let extensions = match pairs.get("extensions")? {
        None | Some("") => None,
        Some(text) => Some(Documents::read(text.as_bytes()).map_err(|_| Unjudged::Malformed)?),
    };
    Ok(Call {
        text: pairs.get("query")?.map(str::to_owned),
        operation: pairs.get("operationName")?.map(str::to_owned),
        hash: hash_of(
            extensions
                .as_ref()
                .and_then(|documents| documents.nodes().first()),
        )?,
        ids,
    })
}

#[cfg(test)]
mod tests;
