//! What a sink gets of a record: some members only, some not, some redacted, some under a pseudonym.

use super::settings::TransformSettings;
use super::{DeliveryError, Record};
use crate::audit::error::StartError;
use aws_lc_rs::hmac;
use serde_json::{Map, Value};

/// What stands where a value was taken away.
const MARK: &str = "[redacted]";
/// Before the 32 digits of a pseudonym.
const PREFIX: &str = "p-";
/// Members that identify a record and say what it is: always there, whatever is included.
const KEPT: [&str; 6] = [
    "time",
    "class_uid",
    "activity_id",
    "severity_id",
    "metadata",
    "seq",
];

type Path = Vec<String>;

/// One sink's rules.
#[derive(Debug)]
pub(super) struct Transform {
    include: Vec<Path>,
    exclude: Vec<Path>,
    redact: Vec<Path>,
    pseudonyms: Vec<Path>,
    key: Option<hmac::Key>,
}

impl Transform {
    /// `None` where records go as they are.
    ///
    /// # Errors
    /// Where a path is empty, would take away what identifies a record, or a key is missing or short.
    pub(super) fn new(name: &str, from: &TransformSettings) -> Result<Option<Self>, StartError> {
        let wrong = |what: String| StartError::Setting {
            what: format!("sink {name}: {what}"),
        };
        if *from == TransformSettings::default() {
            return Ok(None);
        }
        let paths = |list: &[String]| -> Result<Vec<Path>, StartError> {
            list.iter()
                .map(|text| parse(text).ok_or_else(|| wrong(format!("{text:?} is no path"))))
                .collect()
        };
        let made = Self {
            include: paths(&from.include)?,
            exclude: paths(&from.exclude)?,
            redact: paths(&from.redact)?,
            pseudonyms: paths(&from.pseudonyms)?,
            key: from
                .key
                .as_ref()
                .map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.reveal().as_bytes())),
        };
        let lists = [&made.exclude, &made.redact, &made.pseudonyms];
        for path in lists.into_iter().flatten() {
            if path
                .first()
                .is_some_and(|first| KEPT.contains(&first.as_str()))
            {
                return Err(wrong(format!(
                    "{} identifies a record and is always sent as it is",
                    path.join(".")
                )));
            }
        }
        let length = from.key.as_ref().map_or(0, |key| key.reveal().len());
        if !from.pseudonyms.is_empty() && length < 16 {
            return Err(wrong(
                "pseudonyms need a key of at least 16 bytes: set pseudonym_key_file or pseudonym_key_env"
                    .into(),
            ));
        }
        Ok(Some(made))
    }

    /// The record as the sink gets it.
    ///
    /// # Errors
    /// Where the line is no JSON.
    pub(super) fn apply(&self, record: &Record) -> Result<Record, DeliveryError> {
        let mut json: Value =
            serde_json::from_slice(&record.line).map_err(|e| DeliveryError::Never {
                detail: format!("record {} is no JSON: {e}", record.seq),
            })?;
        if !self.include.is_empty() {
            json = self.included(&json);
        }
        for path in &self.exclude {
            remove(&mut json, path);
        }
        for path in &self.redact {
            change(&mut json, path, &|value| *value = Value::from(MARK));
        }
        if let Some(key) = &self.key {
            for path in &self.pseudonyms {
                change(&mut json, path, &|value| pseudonym(value, key));
            }
        }
        Ok(Record {
            seq: record.seq,
            line: serde_json::to_vec(&json).map_err(DeliveryError::later)?,
        })
    }

    fn included(&self, json: &Value) -> Value {
        let mut out = Value::Object(Map::new());
        for name in KEPT {
            copy(json, &mut out, &[name.to_owned()]);
        }
        for path in &self.include {
            copy(json, &mut out, path);
        }
        out
    }
}

fn parse(text: &str) -> Option<Path> {
    let path: Path = text.split('.').map(str::to_owned).collect();
    path.iter().all(|part| !part.is_empty()).then_some(path)
}

/// Copies what stands at `path`, lists with all their entries.
fn copy(from: &Value, to: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    let (Some(found), Some(to)) = (from.get(first), to.as_object_mut()) else {
        return;
    };
    if rest.is_empty() || found.is_array() {
        to.insert(first.clone(), found.clone());
    } else if found.is_object() {
        let inner = to
            .entry(first.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        copy(found, inner, rest);
    }
}

fn remove(value: &mut Value, path: &[String]) {
    match (value, path) {
        (Value::Array(all), _) => all.iter_mut().for_each(|one| remove(one, path)),
        (Value::Object(map), [last]) => drop(map.shift_remove(last)),
        (Value::Object(map), [first, rest @ ..]) => {
            if let Some(inner) = map.get_mut(first) {
                remove(inner, rest);
            }
        }
        _ => {}
    }
}

fn change(value: &mut Value, path: &[String], how: &dyn Fn(&mut Value)) {
    match (value, path) {
        (value, []) => how(value),
        (Value::Array(all), _) => all.iter_mut().for_each(|one| change(one, path, how)),
        (Value::Object(map), [first, rest @ ..]) => {
            if let Some(inner) = map.get_mut(first) {
                change(inner, rest, how);
            }
        }
        _ => {}
    }
}

/// The same for the same text under the same key, wherever it stands, so that records can still be joined.
fn pseudonym(value: &mut Value, key: &hmac::Key) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|one| pseudonym(one, key)),
        Value::Array(all) => all.iter_mut().for_each(|one| pseudonym(one, key)),
        Value::Null | Value::Bool(_) => {}
        Value::String(_) | Value::Number(_) => {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let tag = hmac::sign(key, text.as_bytes());
            let mut digits = Vec::with_capacity(32);
            crate::audit::escape::lower_hex(
                &mut digits,
                tag.as_ref().get(..16).unwrap_or_default(),
            );
            let digits = String::from_utf8(digits).unwrap_or_default();
            *value = Value::from(format!("{PREFIX}{digits}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sink::settings::Secret;
    use serde_json::json;

    fn record() -> Record {
        let json = json!({
            "time": 1, "class_uid": 6003, "metadata": {"uid": "x/open"}, "activity_id": 2, "severity_id": 1,
            "actor": {"user": {"uid": "ada@support.example", "name": "Ada", "type_id": 1}},
            "src_endpoint": {"ip": "192.0.2.7", "port": 7},
            "evidences": [{"src_endpoint": {"ip": "192.0.2.7"}}],
            "locum": {"subject": {"uid": "kim@acme.example"}, "reason": "stuck", "by": "ada@support.example"},
            "seq": 7, "prev": "0", "hash": "1",
        });
        Record {
            seq: 7,
            line: json.to_string().into_bytes(),
        }
    }

    fn with(change: impl FnOnce(&mut TransformSettings)) -> Value {
        let mut settings = TransformSettings {
            key: Some(Secret::new("0123456789abcdef")),
            ..TransformSettings::default()
        };
        change(&mut settings);
        let transform = Transform::new("siem", &settings).expect("settings");
        let out = transform.expect("rules").apply(&record()).expect("JSON");
        serde_json::from_slice(&out.line).expect("JSON")
    }

    fn list(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|&path| path.into()).collect()
    }

    #[test]
    fn only_what_is_included_goes_and_what_identifies_a_record() {
        let out = with(|s| s.include = list(&["actor.user.uid", "evidences", "nothing.here"]));
        assert_eq!(
            out,
            json!({
                "time": 1, "class_uid": 6003, "activity_id": 2, "severity_id": 1, "metadata": {"uid": "x/open"}, "seq": 7,
                "actor": {"user": {"uid": "ada@support.example"}}, "evidences": [{"src_endpoint": {"ip": "192.0.2.7"}}],
            })
        );
    }

    #[test]
    fn what_is_excluded_or_redacted_is_gone_in_lists_too() {
        let out = with(|s| {
            s.exclude = list(&[
                "actor.user.name",
                "evidences.src_endpoint.ip",
                "locum.reason.x",
            ]);
            s.redact = list(&["locum.reason", "src_endpoint"]);
        });
        assert_eq!(out["actor"]["user"]["name"], Value::Null);
        assert_eq!(out["evidences"], json!([{"src_endpoint": {}}]));
        assert_eq!(out["locum"]["reason"], MARK);
        assert_eq!(out["src_endpoint"], MARK);
        assert_eq!(out["seq"], 7);
    }

    #[test]
    fn the_same_person_has_the_same_pseudonym_everywhere_and_another_key_another() {
        let named = |key: &str| {
            with(|s| {
                s.pseudonyms = list(&["actor.user.uid", "locum.by", "locum.subject"]);
                s.key = Some(Secret::new(key));
            })
        };
        let (one, other) = (named("0123456789abcdef"), named("0123456789abcdeg"));
        let ada = one["actor"]["user"]["uid"].as_str().expect("text");
        assert_eq!(ada.len(), PREFIX.len() + 32);
        assert_eq!(one["locum"]["by"], ada);
        assert_ne!(one["locum"]["subject"]["uid"], ada);
        assert_ne!(other["locum"]["by"], ada);
        assert!(!one.to_string().contains("ada@") && !one.to_string().contains("kim@"));
    }

    #[test]
    fn rules_that_cannot_be_are_refused_at_the_start() {
        let refused = |settings: TransformSettings| Transform::new("siem", &settings).is_err();
        let none = TransformSettings::default;
        assert!(matches!(Transform::new("siem", &none()), Ok(None)));
        for path in ["", "a..b", "metadata.uid", "seq"] {
            let exclude = list(&[path]);
            assert!(refused(TransformSettings { exclude, ..none() }), "{path}");
        }
        let pseudonyms = list(&["actor.user.uid"]);
        let short = Some(Secret::new("short"));
        for key in [None, short] {
            let pseudonyms = pseudonyms.clone();
            assert!(refused(TransformSettings {
                pseudonyms,
                key,
                ..none()
            }));
        }
    }
}
