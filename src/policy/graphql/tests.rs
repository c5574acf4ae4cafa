//! Tests of the GraphQL reader.

use super::*;
use proptest::prelude::*;

fn units(body: &str) -> Result<Vec<String>, Unjudged> {
    let settings = Settings::default();
    let mut persisted = Persisted::default();
    let stored = Parsed::read("mutation A { deleteUser } query B { me }", &settings)?;
    persisted.insert("abc".into(), stored);
    let operations = Operations {
        persisted: &persisted,
        settings: &settings,
    };
    let documents = Documents::read(body.as_bytes()).map_err(|_| Unjudged::Malformed)?;
    let units = operations.in_json(&documents)?;
    Ok(units
        .iter()
        .map(|unit| {
            format!(
                "{} {}",
                format!("{:?}", unit.kind).to_lowercase(),
                unit.field
            )
        })
        .collect())
}

fn query(text: &str) -> Result<Vec<String>, Unjudged> {
    units(&serde_json::json!({ "query": text }).to_string())
}

/// What a good document gives.
#[allow(clippy::unnecessary_wraps)] // it stands opposite to a result in every comparison
fn names(names: &[&str]) -> Result<Vec<String>, Unjudged> {
    Ok(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn root_fields_by_name_through_aliases_and_fragments() {
    assert_eq!(query("{ me { id } }"), names(&["query me"]));
    assert_eq!(
        query("mutation { me: deleteUser(id: 1) }"),
        names(&["mutation deleteUser"])
    );
    assert_eq!(
        query(
            "query Q { ...F ... on Query { c } __typename } fragment F on Query { a ...G } fragment G on Query { b ...F }"
        ),
        names(&["query a", "query b", "query c"])
    );
    assert_eq!(
        query("{ a @skip(if: true) b }"),
        names(&["query a", "query b"])
    );
    assert_eq!(query("{ __typename }"), names(&["query __typename"]));
}

#[test]
fn the_operation_is_chosen_as_a_server_would() {
    let two = "query A { a } mutation B { b }";
    let call =
        |name: &str| units(&serde_json::json!({"query": two, "operationName": name}).to_string());
    assert_eq!(call("A"), names(&["query a"]));
    assert_eq!(call("B"), names(&["mutation b"]));
    assert_eq!(call("C"), Err(Unjudged::Malformed));
    assert_eq!(query(two), Err(Unjudged::Malformed));
    assert_eq!(
        query("query A { a } query A { b }"),
        Err(Unjudged::Malformed)
    );
    assert_eq!(query("{ a } query A { b }"), Err(Unjudged::Malformed));
}

#[test]
fn every_operation_of_a_batch_counts() {
    assert_eq!(
        units(r#"[{"query":"{ a }"},{"query":"mutation { b }"}]"#),
        names(&["query a", "mutation b"])
    );
    assert_eq!(units("[]"), Err(Unjudged::Malformed));
    assert_eq!(units(r#"[[{"query":"{a}"}]]"#), Err(Unjudged::Malformed));
    let many = format!("[{}]", vec![r#"{"query":"{a}"}"#; 21].join(","));
    assert_eq!(units(&many), Err(Unjudged::Malformed));
}

#[test]
fn persisted_queries_only_if_known() {
    let call = |hash: &str, more: &str| {
        units(&format!(
            r#"{{"extensions":{{"persistedQuery":{{"version":1,"sha256Hash":"{hash}"}}}}{more}}}"#
        ))
    };
    assert_eq!(
        call("abc", r#","operationName":"A""#),
        names(&["mutation deleteUser"])
    );
    assert_eq!(call("abd", ""), Err(Unjudged::UnknownPersisted));
    // The hash is not that of the text: which of the two runs is the server's secret.
    assert_eq!(
        call("abc", r#","query":"{ me }""#),
        Err(Unjudged::Ambiguous)
    );
    let right = super::super::digest::sha256(b"{ me }");
    assert_eq!(call(&right, r#","query":"{ me }""#), names(&["query me"]));
    assert_eq!(
        units(r#"{"id":"abc","operationName":"B"}"#),
        names(&["query me"])
    );
    assert_eq!(units(r#"{"doc_id":7}"#), Err(Unjudged::UnknownPersisted));
}

#[test]
fn what_is_no_operation_is_refused() {
    for bad in [
        "",
        "{",
        "type A { b: C }",
        "fragment F on Q { a }",
        "{ ...Missing }",
        "{ a } }",
    ] {
        assert!(query(bad).is_err(), "{bad}");
    }
    assert!(query(&"{a".repeat(300)).is_err());
    assert!(query(&format!("{{ {} }}", "a ".repeat(20_000))).is_err());
    let many: Vec<String> = (0..300).map(|nth| format!("a{nth}")).collect();
    assert!(query(&format!("{{ {} }}", many.join(" "))).is_err());
    assert_eq!(
        units(r#"{"Query":"{ a }","query":"{ b }"}"#),
        Err(Unjudged::Ambiguous)
    );
    assert!(units(r#"{"query":["{ a }"]}"#).is_err());
}

proptest! {
    #[test]
    fn no_input_panics(text in "[{}()a-c :\"@.$!#\\n…]{0,80}") {
        let _ = query(&text);
    }

    #[test]
    fn no_prefix_of_a_good_document_panics(cut in 0usize..120) {
        let text = "query Q($a: [Int!] = [1]) @d { x: y(b: {c: \"s\"}, e: \"\"\"blo\\\"\"\"ck\"\"\") { ...F } } fragment F on Y { z }";
        let _ = query(text.get(..cut).unwrap_or(text));
    }
}
