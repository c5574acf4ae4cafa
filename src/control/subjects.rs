//! How sensitive a customer's account is: from a file, from another system, or the configured word for those that
//! neither knows. What cannot be looked up refuses.

use super::desk::{Answer, Subjects};
use super::lookup::{self, Lookup};
use super::tickets::{SetupError, proof_of, secret_at};
use crate::config;
use crate::model::SubjectClass;
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod file;

/// What tunes the classes of accounts. Replaced whole by a reload.
#[derive(Clone, Debug)]
pub struct SubjectSettings {
    /// `*.toml` or `*.csv`; read at a start and at each reload.
    pub file: Option<PathBuf>,
    /// The largest file that is read, in bytes.
    pub max_file: u64,
    pub hook: Option<HookSettings>,
    /// For accounts that nothing knows. `None`: refuse.
    pub unknown: Option<SubjectClass>,
}

/// Another system that knows the classes of accounts.
#[derive(Clone, Debug)]
pub struct HookSettings {
    /// With `{tenant}` and `{subject}`.
    pub lookup: lookup::Settings,
    /// Where its answer says the class (RFC 6901).
    pub class: String,
    /// What it calls the classes; themselves where they are not there.
    pub classes: BTreeMap<String, SubjectClass>,
}

/// The classes of accounts, by the configuration.
#[derive(Debug)]
pub struct SubjectDesk {
    current: ArcSwap<Sources>,
}

/// Sources that were read and are not used yet.
#[derive(Debug)]
pub struct Prepared(Arc<Sources>);

#[derive(Debug)]
struct Sources {
    file: Option<file::Classes>,
    hook: Option<(Lookup, HookSettings)>,
    unknown: Option<SubjectClass>,
}

impl Sources {
    fn new(settings: &SubjectSettings) -> Result<Self, SetupError> {
        let wrong = |why| SetupError {
            what: "subjects".to_owned(),
            why,
        };
        let file = settings.file.as_deref();
        let file = file.map(|path| read(path, settings.max_file));
        let hook = settings.hook.as_ref().map(|hook| {
            let lookup = Lookup::new(&hook.lookup)?;
            Ok((lookup, hook.clone()))
        });
        Ok(Self {
            file: file.transpose().map_err(wrong)?,
            hook: hook.transpose().map_err(wrong)?,
            unknown: settings.unknown,
        })
    }

    async fn class(&self, tenant: &str, subject: &str) -> Result<SubjectClass, String> {
        if let Some(class) = self
            .file
            .as_ref()
            .and_then(|file| file.class(tenant, subject))
        {
            return Ok(class);
        }
        if let Some((lookup, hook)) = &self.hook {
            let values = [("tenant", tenant.trim()), ("subject", subject.trim())];
            let answer = lookup.get(&values).await;
            if let Some(answer) = answer.map_err(|why| why.to_string())? {
                return told(&answer, hook);
            }
        }
        self.unknown
            .ok_or_else(|| "nothing knows this account".to_owned())
    }
}

/// An answer that says no class is no answer: an account is never taken for ordinary because of it.
fn told(answer: &serde_json::Value, hook: &HookSettings) -> Result<SubjectClass, String> {
    let word = answer
        .pointer(&hook.class)
        .and_then(serde_json::Value::as_str)
        .ok_or_else(|| format!("the answer has no class at {}", hook.class))?;
    let mapped = hook.classes.get(word).copied();
    mapped
        .or_else(|| SubjectClass::named(word))
        .ok_or_else(|| "the answer has a class that is not known".to_owned())
}

fn read(path: &Path, most: u64) -> Result<file::Classes, lookup::SetupError> {
    let wrong = |why: String| lookup::SetupError::File {
        path: path.to_owned(),
        why,
    };
    let size = std::fs::metadata(path)
        .map_err(|why| wrong(why.to_string()))?
        .len();
    if size > most {
        return Err(wrong(format!(
            "it has {size} bytes, more than subjects.max_file_bytes, {most}"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|why| wrong(why.to_string()))?;
    let kind = path.extension().and_then(|kind| kind.to_str());
    let read = match kind {
        Some("csv") => file::Classes::from_csv(&text),
        Some("toml") => file::Classes::from_toml(&text),
        _ => Err("it is neither *.toml nor *.csv".to_owned()),
    };
    read.map_err(wrong)
}

impl SubjectDesk {
    /// # Errors
    /// A file that cannot be read whole, or a system that cannot be asked as configured.
    pub fn new(settings: &SubjectSettings) -> Result<Self, SetupError> {
        Ok(Self {
            current: ArcSwap::from_pointee(Sources::new(settings)?),
        })
    }

    /// Reads new sources without using them: a reload of which another part fails changes nothing.
    ///
    /// # Errors
    /// As [`SubjectDesk::new`].
    pub fn prepare(settings: &SubjectSettings) -> Result<Prepared, SetupError> {
        Ok(Prepared(Arc::new(Sources::new(settings)?)))
    }

    /// Replaces all sources.
    pub fn put(&self, prepared: Prepared) {
        self.current.store(prepared.0);
    }
}

impl Subjects for SubjectDesk {
    fn class<'a>(
        &'a self,
        tenant: &'a str,
        subject: &'a str,
    ) -> Answer<'a, Result<SubjectClass, String>> {
        let sources = self.current.load_full();
        Box::pin(async move { sources.class(tenant, subject).await })
    }
}

impl From<&config::Subjects> for SubjectSettings {
    fn from(from: &config::Subjects) -> Self {
        let hook = from.url.as_ref().map(|url| HookSettings {
            lookup: lookup::Settings {
                url: url.clone(),
                proof: proof_of(
                    secret_at(from.secret_file.as_ref(), from.secret_env.as_ref()),
                    from.username.as_ref(),
                    from.auth_header.as_ref(),
                ),
                ca: from.ca.clone(),
                timeout: from.timeout,
                max_body: from.max_body_bytes.len(),
                max_concurrent: from.max_concurrent,
            },
            class: from.class.clone(),
            // `check-config` has refused words that are no class.
            classes: from
                .classes
                .iter()
                .filter_map(|(word, class)| Some((word.clone(), SubjectClass::named(class)?)))
                .collect(),
        });
        let has_source = from.file.is_some() || hook.is_some();
        Self {
            file: from.file.clone(),
            max_file: from.max_file_bytes.bytes(),
            hook,
            unknown: match from.unknown {
                Some(config::UnknownSubject::Refuse) => None,
                Some(config::UnknownSubject::Ordinary) => Some(SubjectClass::Ordinary),
                Some(config::UnknownSubject::Vip) => Some(SubjectClass::Vip),
                Some(config::UnknownSubject::Admin) => Some(SubjectClass::Admin),
                Some(config::UnknownSubject::Regulated) => Some(SubjectClass::Regulated),
                None => (!has_source).then_some(SubjectClass::Ordinary),
            },
        }
    }
}

#[cfg(test)]
mod tests;
