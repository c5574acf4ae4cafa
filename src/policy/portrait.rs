//! A policy's parts in words that can be compared: what a row asks for and does, what a scope carries, what forbids.

use super::field_rule::FieldRule;
use super::load::Policy;
use super::pack::Pack;
use super::row::Row;
use std::collections::BTreeMap;

/// Named facts of one part, in order; empty ones are left out.
pub(super) type Traits = Vec<(&'static str, String)>;

impl Row {
    /// Everything that can change what the row does, but where it stands.
    pub(super) fn traits(&self, pack: &Pack) -> Traits {
        let matchers = &self.matchers;
        let headers = matchers
            .headers
            .iter()
            .map(|(name, value)| format!("{name} = {}", value.written()));
        let overrides = pack
            .rows
            .iter()
            .enumerate()
            .filter(|(nth, _)| self.overrides & (1 << nth) != 0);
        let flag = |is_on: bool| if is_on { "yes" } else { "" }.to_owned();
        let debug = |it: Option<String>| it.unwrap_or_default();
        let all = [
            ("app", self.app.as_deref().unwrap_or("all").to_owned()),
            ("effect", self.effect.name().to_owned()),
            ("match", self.written.to_string()),
            ("query", fields(&matchers.query)),
            ("form", fields(&matchers.form)),
            ("json", fields(&matchers.json)),
            ("headers", headers.collect::<Vec<_>>().join(", ")),
            (
                "graphql",
                debug(matchers.graphql.as_ref().map(|it| format!("{it:?}"))),
            ),
            (
                "websocket",
                debug(matchers.websocket.as_ref().map(|it| format!("{it:?}"))),
            ),
            ("action", self.action.to_string()),
            ("resource", self.resource.written(&self.pattern)),
            ("tier", self.tier.as_str().to_owned()),
            (
                "message",
                self.message.as_deref().unwrap_or_default().to_owned(),
            ),
            (
                "record",
                debug(self.record.map(|it| format!("{it:?}").to_lowercase())),
            ),
            ("never", flag(self.never)),
            ("break_glass", flag(self.break_glass)),
            (
                "overrides",
                overrides
                    .map(|(_, row)| row.id.to_string())
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            (
                "relax",
                self.relax
                    .iter()
                    .map(crate::model::Reason::name)
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            (
                "when",
                self.condition
                    .as_ref()
                    .map(|(text, _)| text.trim().to_owned())
                    .unwrap_or_default(),
            ),
        ];
        all.into_iter()
            .filter(|(_, text)| !text.is_empty())
            .collect()
    }
}

fn fields(rules: &[FieldRule]) -> String {
    let rules = rules
        .iter()
        .map(|rule| format!("{} = {}", rule.name, rule.value.written()));
    rules.collect::<Vec<_>>().join(", ")
}

impl Policy {
    /// What each part beside the rows is, by kind and name.
    pub(super) fn parts(&self) -> BTreeMap<(&'static str, String), String> {
        let mut parts = BTreeMap::new();
        for scope in self.scopes.iter() {
            let mut carried: Vec<&str> = scope.patterns.iter().map(|it| &**it).collect();
            carried.sort_unstable();
            carried.dedup();
            let mut text = format!("[{}]", carried.join(", "));
            if scope.break_glass {
                text.push_str(", break-glass only");
            }
            parts.insert(("scope", scope.name.to_owned()), text);
        }
        for (nth, row) in self.pack.rows.iter().enumerate() {
            let is_on = self.pack_on & (1 << nth) != 0;
            let text = if is_on { "on" } else { "off" };
            parts.insert(("pack row", row.id.to_string()), text.to_owned());
        }
        for (name, text) in self.forbids.iter().flat_map(super::cedar::Forbids::told) {
            parts.insert(("forbid", name), text);
        }
        for (hash, parsed) in &self.persisted {
            let text = format!("{parsed:?}");
            parts.insert(("persisted query", hash.to_string()), text);
        }
        parts
    }
}
