//! The rows as they are told to people: what each is for, what it does, and where it stands.

use super::load::Policy;
use super::row::Row;
use crate::model::{Scope, Tier};

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RowInfo {
    pub rule: String,
    /// `None`: all apps.
    pub app: Option<String>,
    /// `allow`, `deny`, `read-only`.
    pub effect: String,
    /// The row's `match`.
    pub matching: String,
    pub action: String,
    pub tier: Tier,
    pub message: Option<String>,
    /// `file:line`.
    pub place: String,
    /// Not even break-glass gets past it.
    pub never: bool,
    /// For break-glass grants only.
    pub break_glass: bool,
}

impl Policy {
    /// Every row, by file and line.
    pub fn told(&self) -> Vec<RowInfo> {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by(|one, two| (&one.file, one.line).cmp(&(&two.file, two.line)));
        rows.into_iter().map(RowInfo::of).collect()
    }

    /// The scopes of `app` that carry an action, mildest first, without those of break-glass.
    pub fn scopes_carrying(&self, app: &str, action: &str) -> Vec<Scope> {
        let carrying: Vec<&str> = self.scopes.carrying(action).collect();
        let scopes = self.scopes_of(app).into_iter();
        scopes
            .filter(|it| !it.break_glass && carrying.contains(&it.name.as_str()))
            .map(|it| it.name)
            .collect()
    }
}

impl RowInfo {
    fn of(row: &Row) -> Self {
        Self {
            rule: row.id.to_string(),
            app: row.app.as_deref().map(str::to_owned),
            effect: row.effect.name().to_owned(),
            matching: row.written.to_string(),
            action: row.action.to_string(),
            tier: row.tier,
            message: row.message.as_deref().map(str::to_owned),
            place: format!("{}:{}", row.file, row.line),
            never: row.never,
            break_glass: row.break_glass,
        }
    }
}
