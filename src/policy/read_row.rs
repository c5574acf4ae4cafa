//! How a row is read from its table: every mistake is a problem, and no row comes of a table that has one.

use super::matchers::Needs;
use super::methods::Methods;
use super::pack::{Pack, PackRows};
use super::pattern::Pattern;
use super::read_matchers::{read_matchers, websocket_effect};
use super::reader::{Keys, Text};
use super::row::{Row, RowEffect};
use super::template::Template;
use crate::model::{Findings, Reason, Record, Tier};
use std::sync::Arc;

impl Row {
    /// Reads one table of `[[rows]]`; what is wrong with it goes to the sheet.
    pub(super) fn read(keys: &Keys<'_, '_>, file: &Arc<str>, pack: &Pack) -> Option<Self> {
        let id = keys.required("id", "Give the row a unique id, as records will show it");
        let action = keys.required("action", "Name what the route means, as `orders.read`");
        let target = keys.required(
            "match",
            "Write a method and a path, as \"GET /orders/{order}\"",
        );
        let app = keys.text("app").and_then(|app| name(keys, "app", &app));
        let effect = keys
            .required("effect", "Write \"allow\", \"deny\" or \"read-only\"")
            .and_then(|t| read_effect(keys, &t));
        let tier = keys
            .text("tier")
            .and_then(|text| read_tier(keys, &text))
            .unwrap_or_default();
        let record = keys
            .text("record")
            .and_then(|text| read_record(keys, &text));
        let message = keys.text("message").map(|text| text.text.into());
        let id = id.and_then(|text| name(keys, "id", &text));
        let action = action.and_then(|text| name(keys, "action", &text));
        let resource = keys.text("resource");
        let relax = read_relax(keys);
        let (never, break_glass) = (keys.flag("never"), keys.flag("break_glass"));
        let overrides = read_overrides(keys, pack);
        let when = keys
            .text("when")
            .map(|text| (text.text.into(), keys.sheet.line(&text.at)));
        let mut matchers = read_matchers(keys);
        keys.done();
        let target = target.and_then(|text| read_target(keys, &text));
        let (methods, pattern, written) = target?;
        let resource = match resource {
            None => Template::Fixed("".into()),
            Some(text) => read_template(keys, &text, &pattern)?,
        };
        let mut effect = effect?;
        websocket_effect(keys, &mut matchers, &mut effect);
        let action: Arc<str> = action?;
        let row = Self {
            id: id?,
            app: app.map(|app| (*app).into()),
            needs: Needs::of(&matchers),
            methods,
            pattern,
            matchers,
            out_of_scope: format!("This session's scopes do not carry {action}").into(),
            action,
            action_number: 0,
            resource,
            effect,
            tier,
            record,
            message,
            relax,
            never,
            break_glass,
            overrides,
            when: None,
            file: Arc::clone(file),
            line: keys.sheet.line(&keys.at),
            written,
            condition: when,
        };
        row.examine(keys);
        Some(row)
    }

    /// Keys that say nothing on a row of this effect would mislead a reader.
    fn examine(&self, keys: &Keys<'_, '_>) {
        let at = || keys.at.clone();
        let deny = self.effect == RowEffect::Deny;
        if deny && self.overrides != 0 {
            keys.fault(
                at(),
                "overrides",
                "stands on a deny row",
                "Move it to the allow row that is meant",
            );
        }
        if deny && !self.relax.is_empty() {
            keys.fault(
                at(),
                "relax",
                "stands on a deny row",
                "Move it to the allow row of this route",
            );
        }
        if deny && self.break_glass {
            keys.fault(
                at(),
                "break_glass",
                "stands on a deny row",
                "A deny row holds for break-glass too with `never = true`",
            );
        }
        if self.break_glass && self.never {
            keys.fault(
                at(),
                "never",
                "stands beside break_glass, and no grant could use the row",
                "Keep one: `break_glass` is for emergencies only, `never` for all but those",
            );
        }
        let json = !self.matchers.json.is_empty();
        if json && !self.matchers.form.is_empty() {
            keys.fault(
                at(),
                "json",
                "stands beside `form`, and one body is never both",
                "Write two rows",
            );
        }
        if self.matchers.websocket.is_some() && self.needs.any() {
            keys.fault(
                at(),
                "websocket",
                "stands beside a body matcher",
                "A WebSocket handshake has no body: use deny_message",
            );
        }
    }
}

/// Ids, actions and app names: what can stand in a URL, a metric label and a Cedar string.
fn name(keys: &Keys<'_, '_>, key: &str, text: &Text<'_>) -> Option<Arc<str>> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"._-:".contains(&b);
    let fits = (1..=80).contains(&text.text.len()) && text.text.bytes().all(good);
    let reserved = key == "id"
        && (text.text.starts_with("pack.")
            || text.text.starts_with("cedar:")
            || super::verdict::RULES.contains(&text.text));
    if !fits {
        keys.fault(
            text.at.clone(),
            key,
            format!("{:?} is no name", text.text),
            "Use 1 to 80 letters, digits and . _ - :",
        );
    } else if reserved {
        keys.fault(
            text.at.clone(),
            key,
            format!("{:?} is a name of Locum's own", text.text),
            "Choose another id",
        );
    }
    (fits && !reserved).then(|| text.text.into())
}

fn read_effect(keys: &Keys<'_, '_>, text: &Text<'_>) -> Option<RowEffect> {
    let all = [RowEffect::Allow, RowEffect::Deny, RowEffect::ReadOnly];
    let found = all.into_iter().find(|effect| effect.name() == text.text);
    if found.is_none() {
        keys.fault(
            text.at.clone(),
            "effect",
            format!("{:?} is no effect", text.text),
            "Write \"allow\", \"deny\" or \"read-only\"",
        );
    }
    found
}

fn read_tier(keys: &Keys<'_, '_>, text: &Text<'_>) -> Option<Tier> {
    let all = [Tier::Ordinary, Tier::Sensitive, Tier::Privileged];
    let found = all.into_iter().find(|tier| tier.as_str() == text.text);
    if found.is_none() {
        keys.fault(
            text.at.clone(),
            "tier",
            format!("{:?} is no tier", text.text),
            "Write \"ordinary\", \"sensitive\" or \"privileged\"",
        );
    }
    found
}

fn read_record(keys: &Keys<'_, '_>, text: &Text<'_>) -> Option<Record> {
    let found = Record::ALL
        .into_iter()
        .find(|record| record.as_str() == text.text);
    if found.is_none() {
        keys.fault(
            text.at.clone(),
            "record",
            format!("{:?} is no way to record", text.text),
            "Write \"none\", \"headers\" or \"bodies\"",
        );
    }
    found
}

fn read_target(keys: &Keys<'_, '_>, text: &Text<'_>) -> Option<(Methods, Pattern, Box<str>)> {
    let fault = |what: String| {
        keys.fault(
            text.at.clone(),
            "match",
            what,
            "Write a method and a path, as \"GET|POST /orders/{order}\" or \"* /app/{*rest}\"",
        );
    };
    let Some((methods, path)) = text.text.split_once(' ') else {
        fault(format!(
            "{:?} is not a method, one blank and a path",
            text.text
        ));
        return None;
    };
    let methods = Methods::parse(methods).map_err(fault).ok();
    let pattern = Pattern::parse(path).map_err(fault).ok();
    Some((methods?, pattern?, text.text.into()))
}

fn read_template(keys: &Keys<'_, '_>, text: &Text<'_>, pattern: &Pattern) -> Option<Template> {
    let parsed = Template::parse(text.text, pattern);
    if let Err(what) = &parsed {
        keys.fault(
            text.at.clone(),
            "resource",
            what,
            "Use captures of the path only",
        );
    }
    parsed.ok()
}

fn read_relax(keys: &Keys<'_, '_>) -> Findings {
    let mut relax = Findings::NONE;
    for text in keys.texts("relax") {
        match text.text.parse::<Reason>() {
            Ok(reason) if reason.is_relaxable() => relax.insert(reason),
            Ok(reason) => keys.fault(
                text.at,
                "relax",
                format!("{reason} cannot be relaxed"),
                "Remove it: such a request has no one reading",
            ),
            Err(what) => {
                let known = Reason::ALL.iter().filter(|reason| reason.is_relaxable());
                let known: Vec<&str> = known.map(|reason| reason.name()).collect();
                keys.fault(
                    text.at,
                    "relax",
                    what,
                    format!("Use one of {}", known.join(", ")),
                );
            }
        }
    }
    relax
}

fn read_overrides(keys: &Keys<'_, '_>, pack: &Pack) -> PackRows {
    let mut rows = 0;
    for text in keys.texts("overrides") {
        rows |= pack_row(keys, "overrides", &text, pack);
    }
    rows
}

/// The bit of a pack row named by id.
pub(super) fn pack_row(keys: &Keys<'_, '_>, key: &str, text: &Text<'_>, pack: &Pack) -> PackRows {
    if let Some(nth) = pack.number(text.text) {
        return 1 << nth;
    }
    let known: Vec<&str> = pack.rows.iter().map(|row| &*row.id).collect();
    let what = format!("{:?} is no row of the built-in pack", text.text);
    let remedy = format!("Use one of {}", known.join(", "));
    keys.fault(text.at.clone(), key, what, remedy);
    0
}
