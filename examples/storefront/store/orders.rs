//! Orders: lines, notes, delivery address, state.

use super::{day, euros, now};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// One order as its owner sees it.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) placed: String,
    pub(crate) status: String,
    pub(crate) address: String,
    pub(crate) total: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) notes: Vec<Note>,
}

#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) quantity: i64,
    pub(crate) each: String,
    pub(crate) sum: String,
}

#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Note {
    pub(crate) author: String,
    pub(crate) text: String,
    pub(crate) on: String,
}

impl Order {
    /// Whether it may still be changed.
    pub(crate) fn is_open(&self) -> bool {
        self.status == "being packed" || self.status == "on its way"
    }

    /// The state as a CSS class.
    pub(crate) fn class(&self) -> &'static str {
        match self.status.as_str() {
            "being packed" => "packing",
            "on its way" => "moving",
            "delivered" => "done",
            _ => "off",
        }
    }
}

/// A customer's orders, newest first.
pub(crate) fn of(db: &Connection, customer: i64) -> rusqlite::Result<Vec<Order>> {
    let mut query = db.prepare_cached(
        "SELECT id, placed_at, status, address FROM orders WHERE customer = ?1 ORDER BY placed_at DESC, id DESC",
    )?;
    let orders: Vec<Order> = query
        .query_map([customer], head)?
        .collect::<Result<_, _>>()?;
    orders.into_iter().map(|order| filled(db, order)).collect()
}

/// One order, if it is this customer's.
pub(crate) fn one(db: &Connection, customer: i64, id: i64) -> rusqlite::Result<Option<Order>> {
    let order = db
        .prepare_cached(
            "SELECT id, placed_at, status, address FROM orders WHERE customer = ?1 AND id = ?2",
        )?
        .query_row([customer, id], head)
        .optional()?;
    order.map(|order| filled(db, order)).transpose()
}

fn head(row: &Row<'_>) -> rusqlite::Result<Order> {
    Ok(Order {
        id: row.get(0)?,
        placed: day(row.get(1)?),
        status: row.get(2)?,
        address: row.get(3)?,
        total: String::new(),
        lines: Vec::new(),
        notes: Vec::new(),
    })
}

fn filled(db: &Connection, mut order: Order) -> rusqlite::Result<Order> {
    let mut lines = db.prepare_cached(
        "SELECT l.sku, p.name, l.quantity, l.cents FROM order_lines l JOIN products p ON p.sku = l.sku
         WHERE l.order_id = ?1 ORDER BY l.rowid",
    )?;
    let mut total = 0;
    let rows = lines.query_map([order.id], |row| {
        let (quantity, cents): (i64, i64) = (row.get(2)?, row.get(3)?);
        total += quantity * cents;
        Ok(Line {
            sku: row.get(0)?,
            name: row.get(1)?,
            quantity,
            each: euros(cents),
            sum: euros(quantity * cents),
        })
    })?;
    order.lines = rows.collect::<Result<_, _>>()?;
    order.total = euros(total);
    let mut notes = db.prepare_cached(
        "SELECT author, text, at FROM order_notes WHERE order_id = ?1 ORDER BY id",
    )?;
    let rows = notes.query_map([order.id], |row| {
        Ok(Note {
            author: row.get(0)?,
            text: row.get(1)?,
            on: day(row.get(2)?),
        })
    })?;
    order.notes = rows.collect::<Result<_, _>>()?;
    Ok(order)
}

/// Places an order for one product, to the customer's first address; `None` for an unknown product.
pub(crate) fn place(
    db: &Connection,
    customer: i64,
    sku: &str,
    quantity: i64,
) -> rusqlite::Result<Option<i64>> {
    let known: Option<i64> = db
        .query_row("SELECT cents FROM products WHERE sku = ?1", [sku], |row| {
            row.get(0)
        })
        .optional()?;
    let Some(cents) = known else { return Ok(None) };
    db.execute(
        "INSERT INTO orders (customer, placed_at, status, address) VALUES (?1, ?2, 'being packed', coalesce(
           (SELECT street || ', ' || city || ' ' || postcode || ', ' || country
            FROM addresses WHERE customer = ?1 ORDER BY id LIMIT 1), 'To be agreed'))",
        params![customer, now()],
    )?;
    let id = db.last_insert_rowid();
    db.execute(
        "INSERT INTO order_lines VALUES (?1, ?2, ?3, ?4)",
        params![id, sku, quantity, cents],
    )?;
    Ok(Some(id))
}

/// Adds a note; false if the order is not this customer's.
pub(crate) fn add_note(
    db: &Connection,
    customer: i64,
    id: i64,
    author: &str,
    text: &str,
) -> rusqlite::Result<bool> {
    let added = db.execute(
        "INSERT INTO order_notes (order_id, author, text, at)
         SELECT id, ?3, ?4, ?5 FROM orders WHERE customer = ?1 AND id = ?2",
        params![customer, id, author, text, now()],
    )?;
    Ok(added == 1)
}

/// Changes where an open order goes; false if there is no such open order.
pub(crate) fn deliver_to(
    db: &Connection,
    customer: i64,
    id: i64,
    address: &str,
) -> rusqlite::Result<bool> {
    let changed = db.execute(
        "UPDATE orders SET address = ?3 WHERE customer = ?1 AND id = ?2
         AND status IN ('being packed', 'on its way')",
        params![customer, id, address],
    )?;
    Ok(changed == 1)
}

/// Moves an open order to another state; false if there is no such open order.
pub(crate) fn set_status(
    db: &Connection,
    customer: i64,
    id: i64,
    status: &str,
) -> rusqlite::Result<bool> {
    let changed = db.execute(
        "UPDATE orders SET status = ?3 WHERE customer = ?1 AND id = ?2
         AND status IN ('being packed', 'on its way')",
        params![customer, id, status],
    )?;
    Ok(changed == 1)
}

/// How many orders a customer has.
pub(crate) fn count(db: &Connection, customer: i64) -> rusqlite::Result<i64> {
    let mut query = db.prepare_cached("SELECT count(*) FROM orders WHERE customer = ?1")?;
    query.query_row([customer], |row| row.get(0))
}
