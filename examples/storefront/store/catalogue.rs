//! What the shop sells.

use super::euros;
use rusqlite::Connection;

pub(crate) struct Product {
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) blurb: String,
    pub(crate) price: String,
}

/// All products, in the order they were added.
pub(crate) fn all(db: &Connection) -> rusqlite::Result<Vec<Product>> {
    let mut query =
        db.prepare_cached("SELECT sku, name, blurb, cents FROM products ORDER BY rowid")?;
    let rows = query.query_map([], |row| {
        Ok(Product {
            sku: row.get(0)?,
            name: row.get(1)?,
            blurb: row.get(2)?,
            price: euros(row.get(3)?),
        })
    })?;
    rows.collect()
}
