//! What people ask of a journal: what is rare and what is everywhere, words, times, and pairs that never meet.

use super::team::{BEGIN, OPERATORS, TENANTS};
use locum::audit::index::{Field, Order, Query, Reached};
use locum::model::{Reach, Timestamp};

const HOUR: i64 = 3_600_000;

fn page() -> Query {
    Query {
        limit: 50,
        ..Query::default()
    }
}

fn of(fields: &[(Field, &str)]) -> Query {
    let fields = fields
        .iter()
        .map(|(field, value)| (*field, (*value).to_owned()));
    Query {
        fields: fields.collect(),
        ..page()
    }
}

fn text(text: &str) -> Query {
    Query {
        text: text.to_owned(),
        ..page()
    }
}

fn between(from: i64, to: i64, query: Query) -> Query {
    Query {
        since: Some(Timestamp::from_millis(BEGIN + from)),
        until: Some(Timestamp::from_millis(BEGIN + to)),
        ..query
    }
}

type Asked = Vec<(&'static str, Query)>;

/// Name and query of each. `records`: how many there are.
pub(crate) fn questions(records: u64) -> Asked {
    let mut all = values(records);
    all.extend(pairs_and_times());
    all.extend(words());
    all
}

fn values(records: u64) -> Asked {
    let busiest = (Field::Tenant, "tenant-0");
    let operator = format!("op{}@support.example", OPERATORS / 2);
    let exchange = || of(&[(Field::Event, "exchange")]);
    let deep = Query {
        after: Some(records / 2),
        ..exchange()
    };
    let oldest = Query {
        order: Order::Oldest,
        ..of(&[busiest])
    };
    vec![
        ("everything", page()),
        ("a kind that is nearly everything: exchange", exchange()),
        ("the same, from the middle on", deep),
        ("the busiest tenant", of(&[busiest])),
        ("the busiest tenant, oldest first", oldest),
        ("the rarest tenant", of(&[(Field::Tenant, &rarest())])),
        ("one operator", of(&[(Field::Operator, &operator)])),
        ("one ticket", of(&[(Field::Ticket, "SUP-104")])),
        (
            "one subject",
            of(&[(Field::Subject, "user77@tenant-0.example")]),
        ),
        ("one resource", of(&[(Field::Resource, "order:1077")])),
        ("a kind of resource", of(&[(Field::Resource, "invoice")])),
        ("refused by policy", of(&[(Field::Decision, "deny")])),
        ("status 5xx", of(&[(Field::Status, "5xx")])),
        (
            "an event that is in few records: lock.set",
            of(&[(Field::Event, "lock.set")]),
        ),
        (
            "a value that no record has",
            of(&[(Field::Ticket, "SUP-0")]),
        ),
    ]
}

/// The last one that has records, with a million of them.
fn rarest() -> String {
    format!("tenant-{}", TENANTS - 3)
}

fn pairs_and_times() -> Asked {
    let (done, permit) = ((Field::Outcome, "done"), (Field::Decision, "permit"));
    let denied = (Field::Decision, "deny");
    let rule = (Field::Rule, "pack.mfa");
    let hour = |query| between(500 * HOUR, 501 * HOUR, query);
    vec![
        (
            "refused in one tenant by one rule",
            of(&[denied, (Field::Tenant, "tenant-0"), rule]),
        ),
        (
            "two that are everywhere and never meet",
            of(&[done, permit]),
        ),
        (
            "three that are everywhere and never meet",
            of(&[done, permit, (Field::Method, "GET")]),
        ),
        ("one hour", hour(page())),
        ("a word in one hour", hour(text("invoices"))),
        ("refused in a month", between(0, 720 * HOUR, of(&[denied]))),
    ]
}

fn words() -> Asked {
    let reached = vec![Reached {
        tenants: Reach::Only(vec![rarest()]),
        apps: Reach::All,
    }];
    let theirs = |query| Query {
        reached: Some(reached.clone()),
        ..query
    };
    let in_tenant = Query {
        text: "refund".to_owned(),
        ..of(&[(Field::Tenant, "tenant-0")])
    };
    vec![
        ("a word that is everywhere: mozilla", text("mozilla")),
        ("a word that is in few records: zebra", text("zebra")),
        ("two words that are everywhere", text("orders mozilla")),
        ("words that never meet", text("delivered zebra orders")),
        ("a row of words: /orders/1077", text("/orders/1077")),
        (
            "a row that is everywhere: support.example",
            text("support.example"),
        ),
        ("a beginning that is everywhere: ord*", text("ord*")),
        ("a beginning that is rare: zeb*", text("zeb*")),
        ("a word in a tenant", in_tenant),
        (
            "all that the rarest tenant's auditor may see",
            theirs(page()),
        ),
        (
            "a word that is everywhere, for that auditor",
            theirs(text("mozilla")),
        ),
    ]
}
