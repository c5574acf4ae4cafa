//! What a row touches by its own words: security settings, export, factors are privileged whatever the row says.

use super::graphql;
use super::pack::{Deed, Pack, PackRows};
use super::row::Row;
use crate::model::Tier;

impl Row {
    /// The row with its tier raised to what it touches.
    pub(super) fn raised(mut self, pack: &Pack) -> Self {
        if self.allows() {
            self.tier = self.tier.max(self.floor(pack));
        }
        self
    }

    /// The least tier that the row can have: that of the pack's rows that it overrides, that its own words come
    /// under, or whose action is its own.
    fn floor(&self, pack: &Pack) -> Tier {
        let hits = self.overrides | self.hits(pack) | self.fields_hit(pack);
        let rows = pack.rows.iter().enumerate();
        let touched = rows.filter(|(nth, row)| hits & 1 << nth != 0 || row.action == self.action);
        touched.map(|(_, row)| row.tier).max().unwrap_or_default()
    }

    /// The pack's rows that the static words of the row's path come under.
    pub(super) fn hits(&self, pack: &Pack) -> PackRows {
        let path = self.written.split_once(' ').map_or("", |(_, path)| path);
        let plain = path.split('/').filter(|piece| !piece.contains('{'));
        let path = format!(
            "/{}",
            plain
                .filter(|piece| !piece.is_empty())
                .collect::<Vec<_>>()
                .join("/")
        );
        pack.path(&path, None, self.deed())
    }

    fn deed(&self) -> Deed {
        if self.methods.any_unsafe() {
            Deed::Unsafe
        } else {
            Deed::Safe
        }
    }

    fn fields_hit(&self, pack: &Pack) -> PackRows {
        let Some(rule) = &self.matchers.graphql else {
            return 0;
        };
        let deed = match rule.kind {
            Some(graphql::Kind::Query) => Deed::Safe,
            _ => Deed::Unsafe,
        };
        let fields = rule.fields.iter().flat_map(super::values::Value::texts);
        fields.fold(0, |hits, field| hits | pack.field(field, deed))
    }
}
