//! Customers: sign-in, profile, security settings.

use super::{day, now, password};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// How long a sign-in lasts, in milliseconds: 14 days.
const SIGN_IN_LASTS: i64 = 14 * 86_400_000;

/// One person with an account.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Customer {
    pub(crate) id: i64,
    pub(crate) tenant: String,
    pub(crate) tenant_name: String,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) phone: String,
    pub(crate) card_last4: String,
    /// The day on which MFA was set up, if it is on.
    pub(crate) mfa_since: Option<String>,
}

/// An address in the address book.
pub(crate) struct Address {
    pub(crate) id: i64,
    pub(crate) label: String,
    pub(crate) street: String,
    pub(crate) city: String,
    pub(crate) postcode: String,
    pub(crate) country: String,
}

impl Address {
    /// The whole address on one line, as orders keep it.
    pub(crate) fn line(&self) -> String {
        let Self {
            street,
            city,
            postcode,
            country,
            ..
        } = self;
        format!("{street}, {city} {postcode}, {country}")
    }
}

/// An API token as its owner sees it later: never whole.
pub(crate) struct ApiToken {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) made: String,
}

const COLUMNS: &str =
    "SELECT c.id, c.tenant, t.name, c.email, c.name, c.phone, c.card_last4, c.mfa_since
     FROM customers c JOIN tenants t ON t.id = c.tenant";

fn read(row: &Row<'_>) -> rusqlite::Result<Customer> {
    Ok(Customer {
        id: row.get(0)?,
        tenant: row.get(1)?,
        tenant_name: row.get(2)?,
        email: row.get(3)?,
        name: row.get(4)?,
        phone: row.get(5)?,
        card_last4: row.get(6)?,
        mfa_since: row.get::<_, Option<i64>>(7)?.map(day),
    })
}

/// The customer of this e-mail address in this tenant.
pub(crate) fn in_tenant(
    db: &Connection,
    tenant: &str,
    email: &str,
) -> rusqlite::Result<Option<Customer>> {
    db.prepare_cached(&format!("{COLUMNS} WHERE c.email = ?1 AND c.tenant = ?2"))?
        .query_row([email, tenant], read)
        .optional()
}

/// The customer who signed in and got this cookie.
pub(crate) fn signed_in(db: &Connection, token: &str) -> rusqlite::Result<Option<Customer>> {
    let hash = password::sha256_hex(token.as_bytes());
    db.prepare_cached(&format!(
        "{COLUMNS} JOIN sign_ins s ON s.customer = c.id WHERE s.token_hash = ?1 AND s.expires_at > ?2"
    ))?
    .query_row(params![hash, now()], read)
    .optional()
}

/// The id and stored password hash of an e-mail address.
pub(crate) fn credentials(db: &Connection, email: &str) -> rusqlite::Result<Option<(i64, String)>> {
    db.prepare_cached("SELECT id, password FROM customers WHERE email = ?1")?
        .query_row([email], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// Starts a sign-in and returns its cookie's value.
pub(crate) fn sign_in(db: &Connection, customer: i64) -> rusqlite::Result<String> {
    let token = password::token();
    db.execute(
        "INSERT INTO sign_ins VALUES (?1, ?2, ?3)",
        params![
            password::sha256_hex(token.as_bytes()),
            customer,
            now() + SIGN_IN_LASTS
        ],
    )?;
    Ok(token)
}

/// Ends one sign-in.
pub(crate) fn sign_out(db: &Connection, token: &str) -> rusqlite::Result<usize> {
    let hash = password::sha256_hex(token.as_bytes());
    db.execute("DELETE FROM sign_ins WHERE token_hash = ?1", [hash])
}

/// Changes name and phone.
pub(crate) fn set_profile(
    db: &Connection,
    id: i64,
    name: &str,
    phone: &str,
) -> rusqlite::Result<usize> {
    db.execute(
        "UPDATE customers SET name = ?2, phone = ?3 WHERE id = ?1",
        params![id, name, phone],
    )
}

/// Changes the e-mail address; false where it is taken.
pub(crate) fn set_email(db: &Connection, id: i64, email: &str) -> rusqlite::Result<bool> {
    let changed = db.execute(
        "UPDATE OR IGNORE customers SET email = ?2 WHERE id = ?1",
        params![id, email],
    )?;
    Ok(changed == 1)
}

/// Stores a new password hash.
pub(crate) fn set_password(db: &Connection, id: i64, hash: &str) -> rusqlite::Result<usize> {
    db.execute(
        "UPDATE customers SET password = ?2 WHERE id = ?1",
        params![id, hash],
    )
}

/// Turns MFA on with a new secret, or off.
pub(crate) fn set_mfa(db: &Connection, id: i64, secret: Option<&str>) -> rusqlite::Result<usize> {
    let since = secret.map(|_| now());
    db.execute(
        "UPDATE customers SET mfa_secret = ?2, mfa_since = ?3 WHERE id = ?1",
        params![id, secret, since],
    )
}

/// Keeps the last four digits of a new card.
pub(crate) fn set_card(db: &Connection, id: i64, last4: &str) -> rusqlite::Result<usize> {
    db.execute(
        "UPDATE customers SET card_last4 = ?2 WHERE id = ?1",
        params![id, last4],
    )
}

/// Deletes the account and all that belongs to it.
pub(crate) fn delete(db: &Connection, id: i64) -> rusqlite::Result<usize> {
    db.execute("DELETE FROM customers WHERE id = ?1", [id])
}

/// The address book.
pub(crate) fn addresses(db: &Connection, id: i64) -> rusqlite::Result<Vec<Address>> {
    let mut query = db.prepare_cached(
        "SELECT id, label, street, city, postcode, country FROM addresses WHERE customer = ?1 ORDER BY id",
    )?;
    let rows = query.query_map([id], |row| {
        Ok(Address {
            id: row.get(0)?,
            label: row.get(1)?,
            street: row.get(2)?,
            city: row.get(3)?,
            postcode: row.get(4)?,
            country: row.get(5)?,
        })
    })?;
    rows.collect()
}

/// Adds to the address book (the new entry's own `id` is ignored).
pub(crate) fn add_address(db: &Connection, id: i64, new: &Address) -> rusqlite::Result<usize> {
    db.execute(
        "INSERT INTO addresses (customer, label, street, city, postcode, country) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![id, new.label, new.street, new.city, new.postcode, new.country],
    )
}

/// Removes from the address book.
pub(crate) fn remove_address(db: &Connection, id: i64, address: i64) -> rusqlite::Result<usize> {
    db.execute(
        "DELETE FROM addresses WHERE customer = ?1 AND id = ?2",
        params![id, address],
    )
}

/// A customer's API tokens.
pub(crate) fn tokens(db: &Connection, id: i64) -> rusqlite::Result<Vec<ApiToken>> {
    let mut query = db.prepare_cached(
        "SELECT id, name, prefix, at FROM api_tokens WHERE customer = ?1 ORDER BY id",
    )?;
    let rows = query.query_map([id], |row| {
        Ok(ApiToken {
            id: row.get(0)?,
            name: row.get(1)?,
            prefix: row.get(2)?,
            made: day(row.get(3)?),
        })
    })?;
    rows.collect()
}

/// Makes an API token and returns it: the only time that it is whole.
pub(crate) fn add_token(db: &Connection, id: i64, name: &str) -> rusqlite::Result<String> {
    let token = format!("hp_{}", password::token());
    let prefix: String = token.chars().take(8).collect();
    db.execute(
        "INSERT INTO api_tokens (customer, name, prefix, token_hash, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id, name, prefix, password::sha256_hex(token.as_bytes()), now()],
    )?;
    Ok(token)
}

/// Revokes an API token.
pub(crate) fn remove_token(db: &Connection, id: i64, token: i64) -> rusqlite::Result<usize> {
    db.execute(
        "DELETE FROM api_tokens WHERE customer = ?1 AND id = ?2",
        params![id, token],
    )
}
