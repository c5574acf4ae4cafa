//! What a new shop opens with: two customer organisations, four people, seven orders.

use super::{now, password};
use rusqlite::{Connection, Error, params};

/// Everybody's password in the demo.
const PASSWORD: &str = "correct horse";
const DAY: i64 = 86_400_000;

type Order = (i64, i64, &'static str, &'static [(&'static str, i64)]);

const TENANTS: [(&str, &str); 2] = [("acme", "Acme"), ("globex", "Globex")];
const CUSTOMERS: [(i64, &str, &str, &str, &str, &str); 4] = [
    (
        1,
        "acme",
        "kim@acme.example",
        "Kim Park",
        "+44 20 7946 0101",
        "4242",
    ),
    (
        2,
        "acme",
        "sam@acme.example",
        "Sam Okafor",
        "+44 20 7946 0102",
        "1881",
    ),
    (
        3,
        "globex",
        "lee@globex.example",
        "Lee Chen",
        "+1 212 555 0117",
        "0005",
    ),
    (
        4,
        "globex",
        "noor@globex.example",
        "Noor Haddad",
        "+1 212 555 0118",
        "9424",
    ),
];
const ADDRESSES: [(i64, &str, &str, &str, &str, &str); 6] = [
    (
        1,
        "Office",
        "12 Harbour Street",
        "Bristol",
        "BS1 4RN",
        "United Kingdom",
    ),
    (
        1,
        "Home",
        "3 Larch Lane",
        "Bath",
        "BA2 7AZ",
        "United Kingdom",
    ),
    (
        2,
        "Office",
        "12 Harbour Street",
        "Bristol",
        "BS1 4RN",
        "United Kingdom",
    ),
    (
        3,
        "Studio",
        "480 Canal Street",
        "New York",
        "10013",
        "United States",
    ),
    (
        3,
        "Home",
        "71 Prospect Place",
        "Brooklyn",
        "11217",
        "United States",
    ),
    (
        4,
        "Office",
        "480 Canal Street",
        "New York",
        "10013",
        "United States",
    ),
];
const PRODUCTS: [(&str, &str, &str, i64); 8] = [
    (
        "mug",
        "Enamel mug",
        "Steel under two coats of enamel. Survives the sink, the van and the hill.",
        1400,
    ),
    (
        "blanket",
        "Wool blanket",
        "Undyed Shetland wool, woven to 1.4 kg. Warm before the stove is.",
        12900,
    ),
    (
        "lamp",
        "Brass desk lamp",
        "One arm, one switch, a shade that turns. Gets better as it dulls.",
        18500,
    ),
    (
        "board",
        "Oak board",
        "End-grain oak, oiled twice. For bread, cheese and loud chopping.",
        5600,
    ),
    (
        "pan",
        "Cast-iron pan",
        "26 cm, pre-seasoned, heavy. The last one you buy.",
        7200,
    ),
    (
        "kettle",
        "Stove kettle",
        "1.8 litres, whistles in B flat. Works on every hob.",
        6400,
    ),
    (
        "apron",
        "Linen apron",
        "Cross-back, two pockets, no strings to burn.",
        4800,
    ),
    (
        "jar",
        "Storage jars",
        "Three jars with beech lids that close with a soft thud.",
        3900,
    ),
];
const ORDERS: [Order; 7] = [
    (1, 2, "on its way", &[("mug", 4), ("board", 1)]),
    (1, 19, "delivered", &[("blanket", 1)]),
    (1, 63, "delivered", &[("lamp", 2), ("jar", 1)]),
    (2, 1, "being packed", &[("pan", 1)]),
    (3, 3, "on its way", &[("kettle", 1), ("mug", 2)]),
    (3, 40, "delivered", &[("apron", 3)]),
    (
        1,
        0,
        "being packed",
        &[("kettle", 1), ("apron", 1), ("jar", 2)],
    ),
];

/// Fills an empty database in one transaction.
pub(super) fn fill(db: &mut Connection) -> rusqlite::Result<()> {
    let tx = db.transaction()?;
    for (id, name) in TENANTS {
        tx.execute("INSERT INTO tenants VALUES (?1, ?2)", params![id, name])?;
    }
    let no_random = || Error::ToSqlConversionFailure("no system randomness".into());
    for (id, tenant, email, name, phone, card) in CUSTOMERS {
        let hashed = password::hash(PASSWORD).ok_or_else(no_random)?;
        tx.execute(
            "INSERT INTO customers (id, tenant, email, name, phone, password, card_last4, mfa_secret, mfa_since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![id, tenant, email, name, phone, hashed, card, password::token(), now() - 200 * DAY],
        )?;
    }
    for (customer, label, street, city, postcode, country) in ADDRESSES {
        tx.execute(
            "INSERT INTO addresses (customer, label, street, city, postcode, country)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![customer, label, street, city, postcode, country],
        )?;
    }
    for (sku, name, blurb, cents) in PRODUCTS {
        tx.execute(
            "INSERT INTO products VALUES (?1, ?2, ?3, ?4)",
            params![sku, name, blurb, cents],
        )?;
    }
    for order in &ORDERS {
        place(&tx, order)?;
    }
    tx.execute(
        "INSERT INTO order_notes (order_id, author, text, at) VALUES
         (1, 'Harbour & Pine', 'Left our workshop. The courier needs a bell to ring: is there one?', ?1),
         (1, 'Kim Park', 'Yes, second door, it sticks a little.', ?2)",
        params![now() - DAY, now() - DAY / 2],
    )?;
    tx.commit()
}

fn place(db: &Connection, (customer, days, status, lines): &Order) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO orders (customer, placed_at, status, address)
         SELECT ?1, ?2, ?3, street || ', ' || city || ' ' || postcode || ', ' || country
         FROM addresses WHERE customer = ?1 ORDER BY id LIMIT 1",
        params![customer, now() - days * DAY, status],
    )?;
    let order = db.last_insert_rowid();
    for (sku, quantity) in *lines {
        db.execute(
            "INSERT INTO order_lines SELECT ?1, sku, ?3, cents FROM products WHERE sku = ?2",
            params![order, sku, quantity],
        )?;
    }
    Ok(())
}
