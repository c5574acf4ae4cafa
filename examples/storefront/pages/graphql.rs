//! `POST /graphql`: the root fields `me`, `orders` and `deleteAccount`, with whole objects for any selection.

use crate::server::Shop;
use crate::store::customers::{self, Customer};
use crate::store::orders;
use crate::web::problem::{ForScripts, Problem};
use crate::web::visitor::Visitor;
use apollo_parser::Parser;
use apollo_parser::cst::{Definition, OperationDefinition, Selection};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::Arc;

#[derive(serde::Deserialize)]
pub(crate) struct Query {
    query: String,
    #[serde(default, rename = "operationName")]
    operation: Option<String>,
}

/// Runs one operation of the document. Errors are GraphQL's own shape: `{"errors":[{"message":…}]}`.
pub(crate) async fn execute(
    State(shop): State<Arc<Shop>>,
    visitor: Visitor,
    Json(query): Json<Query>,
) -> Result<(StatusCode, Json<Value>), ForScripts> {
    let back = String::from("/app");
    let customer = visitor.customer.ok_or(Problem::SignInFirst { back })?;
    let (is_mutation, fields) = match parse(&query) {
        Ok(parsed) => parsed,
        Err(why) => {
            let body = json!({ "errors": [{ "message": why }] });
            return Ok((StatusCode::BAD_REQUEST, Json(body)));
        }
    };
    let mut data = Map::new();
    let mut errors = Vec::new();
    for (alias, field) in fields {
        match resolve(&shop, &customer, is_mutation, &field)? {
            Some(value) => {
                data.insert(alias, value);
            }
            None => errors.push(json!({ "message": format!("there is no field {field:?}") })),
        }
    }
    let mut body = json!({ "data": data });
    if let (false, Some(body)) = (errors.is_empty(), body.as_object_mut()) {
        body.insert("errors".into(), errors.into());
    }
    Ok((StatusCode::OK, Json(body)))
}

/// Whether the chosen operation is a mutation, and its root fields by alias and name.
fn parse(query: &Query) -> Result<(bool, Vec<(String, String)>), String> {
    let tree = Parser::new(&query.query)
        .recursion_limit(32)
        .token_limit(2_000)
        .parse();
    if let Some(error) = tree.errors().next() {
        return Err(error.message().to_owned());
    }
    let mut operations = tree
        .document()
        .definitions()
        .filter_map(|definition| match definition {
            Definition::OperationDefinition(operation) => Some(operation),
            _ => None,
        });
    let named =
        |operation: &OperationDefinition| operation.name().map(|name| name.text().to_string());
    let operation = operations
        .find(|operation| query.operation.is_none() || named(operation) == query.operation)
        .ok_or("the document has no such operation")?;
    let kind = operation.operation_type();
    let is_mutation = kind.is_some_and(|kind| kind.mutation_token().is_some());
    let selections = operation
        .selection_set()
        .ok_or("nothing is selected")?
        .selections();
    let fields = selections.map(|selection| match selection {
        Selection::Field(field) => {
            let name = field
                .name()
                .map(|name| name.text().to_string())
                .unwrap_or_default();
            let alias = field.alias().and_then(|alias| alias.name());
            let alias = alias.map_or_else(|| name.clone(), |alias| alias.text().to_string());
            Ok((alias, name))
        }
        _ => Err(String::from("fragments at the root are not supported")),
    });
    Ok((is_mutation, fields.collect::<Result<_, _>>()?))
}

fn resolve(
    shop: &Shop,
    customer: &Customer,
    is_mutation: bool,
    field: &str,
) -> Result<Option<Value>, Problem> {
    let whole = |value: Result<Value, serde_json::Error>| {
        value.map(Some).map_err(|why| Problem::Internal(why.into()))
    };
    match (is_mutation, field) {
        (false, "me") => whole(serde_json::to_value(customer)),
        (false, "orders") => {
            let orders = shop.store.with(|db| orders::of(db, customer.id))?;
            whole(serde_json::to_value(orders))
        }
        (true, "deleteAccount") => {
            let gone = shop.store.with(|db| customers::delete(db, customer.id))?;
            Ok(Some(Value::Bool(gone == 1)))
        }
        _ => Ok(None),
    }
}
